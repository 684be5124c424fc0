"""Time to quality: training seconds until a learner earns 70 % of what can be earned at all, ours beside Stable-Baselines3's PPO.

The markets are those of the known-answer ladder, where the attainable is known exactly. Every learner has the same network
(Conv1d 32 x 3 -> 256 -> 256, one encoder for policy and value), the same rows, costs and actions, and takes turns with the others,
update by update, so that whatever else the machine does reaches all of them. What is counted is building the learner and training
it, not judging it, nor compiling, which a short training of each does beforehand. Who has not got there at the cap is censored,
and named.
Run: ``python bench/learning.py [--json]``; a small version: ``--seeds 1 --cap 30 --strengths strong``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

import numpy as np
import stable_baselines3
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.vec_env import VecNormalize

from seawall.agents.sb3_gathering import FeatureSource, GatheringExtractor
from seawall.agents.schedule import scheduled, share_done
from seawall.core.protocols import Observation, Policy
from seawall.core.rows import split_rows
from seawall.envs.sb3 import SB3VecEnv
from seawall.market.synthetic.ladder import LadderMarket, ladder_market
from seawall.nets.conv import ConvEncoder
from seawall.recipes.selftest_agents import PPO_PARAMS, WINDOW, build_exact, build_ppo, ladder_env, policy_choices
from seawall.training.rl import Learner
from seawall.training.threads import use_threads

REACHED = 0.7
ROWS, EPISODE_BARS = (320_000, 2, 20_000), 256
WARM_ROWS = (4_000, 2, 500)
JUDGE_AFTER = 0.05
"""Share of a learner's time after which it is judged again, so that the time found is at most so much too late."""

CLOCKS: dict[str, Callable[[], float]] = {"wall": perf_counter, "processor": process_time}

EXACT, OURS, DEFAULT, TUNED, COPIED = (
    "seawall exact",
    "seawall PPO",
    "SB3 PPO, 16 x 128, batch 64, 10 epochs (its defaults)",
    "SB3 PPO, 256 x 128, batch 4,096, 4 epochs (tuned)",
    "SB3 PPO, 256 x 64, batch 512, 1 epoch, entropy bonus falling (the settings found for ours)",
)


@dataclass
class Runner:
    """One learner under the clock.

    Attributes:
        clock: Measures seconds.
        update: Trains a little.
        policy: Gives the policy as it is.
        seconds: Of building and training so far.
        judged: Seconds at the last look.
        share: What was seen then.
    """

    clock: Callable[[], float]
    update: Callable[[], Any]
    policy: Callable[[], Policy]
    seconds: float
    judged: float = 0.0
    share: float = 0.0

    def turn(self, ladder: LadderMarket) -> None:
        """Train once, and look at what was learned where enough time has passed."""
        started = self.clock()
        self.update()
        self.seconds += self.clock() - started
        if self.seconds >= self.judged * (1.0 + JUDGE_AFTER):
            self.judged = self.seconds
            rows = ladder.split.test
            self.share = ladder.share(policy_choices(self.policy(), ladder, rows), rows)


class PeerPolicy:
    """A model of SB3 as a policy of ours."""

    def __init__(self, model: stable_baselines3.PPO) -> None:
        """Take a model."""
        self.model = model

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Return its likeliest actions."""
        seen = {"row": split_rows(observation.rows), "account": observation.account}
        return self.model.predict(seen, deterministic=deterministic)[0], {}


def encoder(window: int, columns: int) -> ConvEncoder:
    return ConvEncoder(columns, window)


Make = Callable[[LadderMarket, int, Callable[[], float]], Runner]


def our_case(build: Callable[[LadderMarket, int], Learner]) -> Make:
    def make(ladder: LadderMarket, seed: int, clock: Callable[[], float]) -> Runner:
        started = clock()
        learner = build(ladder, seed)
        return Runner(clock, learner.update, learner.policy, clock() - started)

    return make


def peer_case(n_envs: int, n_steps: int = 128, falling_over: int = 0, **settings: Any) -> Make:
    """Return SB3's PPO; its entropy bonus falls to 0 over so many steps, which the library does not do by itself, or stays."""

    def make(ladder: LadderMarket, seed: int, clock: Callable[[], float]) -> Runner:
        started = clock()
        source = FeatureSource(ladder.market)
        faces = SB3VecEnv(ladder_env(ladder, n_envs, EPISODE_BARS, seed))
        env = VecNormalize(faces, norm_obs=False, gamma=settings.get("gamma", 0.99))
        model = stable_baselines3.PPO(
            "MultiInputPolicy",
            env,
            n_steps=n_steps,
            device="cpu",
            seed=seed,
            policy_kwargs={
                "features_extractor_class": GatheringExtractor,
                "features_extractor_kwargs": {"source": source, "window": WINDOW, "encoder": encoder},
                "net_arch": [],
            },
            **settings,
        )
        policy, bonus = PeerPolicy(model), model.ent_coef

        def update() -> None:
            if falling_over:
                model.ent_coef = scheduled(bonus, "linear", share_done(model.num_timesteps, falling_over))
            model.learn(n_steps * n_envs, reset_num_timesteps=False)

        return Runner(clock, update, lambda: policy, clock() - started)

    return make


CASES: dict[str, Make] = {
    EXACT: our_case(build_exact),
    OURS: our_case(build_ppo),
    DEFAULT: peer_case(16, batch_size=64, n_epochs=10),
    # The discounting that these markets need, and what is usual for many environments.
    TUNED: peer_case(256, batch_size=4_096, n_epochs=4, learning_rate=1e-3, gamma=0.9, gae_lambda=0.8, ent_coef=0.01),
    COPIED: peer_case(
        PPO_PARAMS.n_envs,
        PPO_PARAMS.n_steps,
        falling_over=PPO_PARAMS.total_steps,
        batch_size=PPO_PARAMS.minibatch,
        n_epochs=PPO_PARAMS.n_epochs,
        learning_rate=PPO_PARAMS.learning_rate,
        gamma=PPO_PARAMS.gamma,
        gae_lambda=PPO_PARAMS.gae_lambda,
        ent_coef=PPO_PARAMS.entropy_coefficient,
    ),
}


def race(
    ladder: LadderMarket, seed: int, cap: float, clock: Callable[[], float], told: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Let the learners take turns, always the one with the least time so far, until each has arrived or used up its time."""
    runners = {name: make(ladder, seed, clock) for name, make in CASES.items()}
    running = dict(runners)
    while running:
        name = min(running, key=lambda each: running[each].seconds)
        runner = running[name]
        runner.turn(ladder)
        if runner.share >= REACHED or runner.seconds >= cap:
            told(f"  seed {seed}: {name}: share {runner.share:.2f} after {runner.seconds:.1f} s")
            del running[name]
    return {
        name: {"seconds": runner.seconds, "share": runner.share, "censored": runner.share < REACHED}
        for name, runner in runners.items()
    }


def summary(strength: str, races: list[dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Medians over seeds, and how many times longer than the exact gradient each took; at least so many where some are censored."""
    rows = []
    for name in CASES:
        seen = [result[name] for result in races]
        over = [result[name]["seconds"] / result[EXACT]["seconds"] for result in races]
        rows.append(
            {
                "strength": strength,
                "case": name,
                "seconds": [each["seconds"] for each in seen],
                "shares": [each["share"] for each in seen],
                "censored_seeds": [seed for seed, each in enumerate(seen) if each["censored"]],
                "median_seconds": statistics.median(each["seconds"] for each in seen),
                "median_over_exact": statistics.median(over),
            }
        )
    return rows


def shown(rows: list[dict[str, Any]], options: argparse.Namespace) -> Table:
    setting = f"{options.rung}, {options.threads} thread(s), {options.clock} clock, cap {options.cap:g} s"
    heading = f"Seconds to {100 * REACHED:.0f} % of the attainable: {setting}"
    table = Table("strength", "case", "median", "each seed", "x exact", title=heading)
    for row in rows:
        late = row["censored_seeds"]
        each = ", ".join(f"{'>' if seed in late else ''}{value:.1f}" for seed, value in enumerate(row["seconds"]))
        at_least = "≥ " if 2 * len(late) > len(row["seconds"]) else ""
        cells = (f"{at_least}{row['median_seconds']:.1f}", each, f"{at_least}{row['median_over_exact']:.1f}")
        table.add_row(row["strength"], row["case"], *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--threads", type=int, default=2, help="torch threads (default 2)")
    parser.add_argument("--seeds", type=int, default=5, help="races at each strength (default 5)")
    parser.add_argument("--cap", type=float, default=300.0, help="training seconds of a learner at most (default 300)")
    parser.add_argument("--rung", default="ar1", help="market of the ladder (default ar1)")
    parser.add_argument("--strengths", nargs="+", default=["strong", "medium"], help="default: strong medium")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="what seconds; processor on a busy machine (default wall)")
    options = parser.parse_args()
    clock = CLOCKS[options.clock]
    use_threads(options.threads)
    # A policy that has made up its mind has gradients so small that processors take a hundred times as long over them.
    torch.set_flush_denormal(True)

    def told(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    told("compiling")
    warm = ladder_market(options.rung, options.strengths[0], 0, WARM_ROWS)
    for make in CASES.values():
        make(warm, 0, clock).update()
    rows = []
    for strength in options.strengths:
        told(f"{options.rung}, {strength}")
        ladders = (ladder_market(options.rung, strength, seed, ROWS) for seed in range(options.seeds))
        rows += summary(strength, [race(ladder, seed, options.cap, clock, told) for seed, ladder in enumerate(ladders)])
    if options.json:
        print(json.dumps({"setting": vars(options), "learning": rows}, indent=2))
        return
    Console(width=None if sys.stdout.isatty() else 160).print(shown(rows, options))


if __name__ == "__main__":
    main()
