"""Environment steps a second of DQN, ours beside Stable-Baselines3's, at 8 replayed samples per environment step each.

Every case learns with the same encoder (Conv1d 32 x 3 -> 256 -> 256), and all take turns in one process. Steps are counted per
second of processor time, which other programs on the machine disturb less than the time of day. The peer's environment costs
nothing, which is in its favour. Run: ``python bench/throughput_dqn.py [--json]``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from time import process_time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3.dqn import dqn as peer_dqn

from peers.trainers import Extractor, FreeVecEnv
from seawall.agents.dqn.dqn import DQN
from seawall.agents.dqn.params import DQNParams
from seawall.core.market import RowRange
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape
from seawall.simulator.actions.registry import action_scheme
from throughput import FEATURES, HIDDEN, ROWS, WINDOW, market

PEER_ENVS = 16
PEER = f"SB3 DQN, free environment, {PEER_ENVS} environments, batch 32"
RATIO, PEER_STEPS, TARGET_STEPS = 8, 1_600, 10_000
Case = Callable[[], float]


def timed(run: Callable[[], int]) -> Case:
    def once() -> float:
        started = process_time()
        return run() / (process_time() - started)

    return once


def ours(batch: int, **settings: Any) -> Case:
    params = DQNParams(
        total_steps=10**9,
        learning_starts=1_000,
        update_steps=16,
        batch=batch,
        replay_ratio=RATIO,
        target_every=TARGET_STEPS * RATIO // batch,
        **settings,
    )
    bars = market(ROWS)
    chosen = EnvironmentParams(account_columns=("exposure",), episode_bars=512, start_exposure="random")
    env = TradingVectorEnv(bars, RowRange(0, ROWS), params.n_envs, action_scheme("sell_buy_hold", short=True), params=chosen)
    shape = NetworkShape(FEATURES, WINDOW, len(env.account_names), 3)
    network = build_q_network("conv", ConvParams(), shape, 0, dueling=params.dueling, quantiles=params.quantiles)
    learner = DQN(env, network, params, market=bars, window=WINDOW, seed=0)

    def run() -> int:
        before = learner.steps
        learner.update()
        return learner.steps - before

    return timed(run)


def peer() -> Case:
    batch = 32
    learner = peer_dqn.DQN(
        "MlpPolicy",
        FreeVecEnv(PEER_ENVS, WINDOW, FEATURES),
        batch_size=batch,
        train_freq=(1, "step"),
        gradient_steps=PEER_ENVS * RATIO // batch,
        target_update_interval=TARGET_STEPS,
        learning_starts=1_000,
        buffer_size=100_000,
        device="cpu",
        seed=0,
        policy_kwargs={
            "features_extractor_class": Extractor,
            "features_extractor_kwargs": {"hidden": HIDDEN, "dense": False},
            "net_arch": [],
        },
    )

    def run() -> int:
        learner.learn(PEER_STEPS, reset_num_timesteps=False)
        return PEER_STEPS

    return timed(run)


def cases() -> dict[str, Case]:
    return {
        PEER: peer(),
        "seawall DQN as the peer's (not double), batch 512": ours(512, double=False),
        "seawall DQN as the peer's (not double), batch 1,024": ours(1_024, double=False),
        "seawall DQN, double, batch 1,024 (the default)": ours(1_024),
        "seawall DQN, double, prioritised, batch 1,024": ours(1_024, prioritised=True),
        "seawall DQN, double, 32 quantiles, batch 1,024": ours(1_024, quantiles=32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    parser.add_argument("--repetitions", type=int, default=5, help="turns of each case (default 5)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    made = cases()
    seen: dict[str, list[float]] = {name: [] for name in made}
    for turn in range(options.repetitions + 1):
        for name, once in made.items():
            speed = once()
            if turn:  # the first warms up
                seen[name].append(speed)
    rows = []
    for name, speeds in seen.items():
        ratios = [own / other for own, other in zip(speeds, seen[PEER], strict=True)]
        row = {"case": name, "steps_per_second": statistics.median(speeds), "over_peer": statistics.median(ratios)}
        rows.append({**row, "min": min(speeds), "max": max(speeds)})
    if options.json:
        print(json.dumps({"setting": vars(options), "dqn": rows}, indent=2))
        return
    table = Table("case", "steps per processor second", "min to max", "over the peer")
    for row in rows:
        spread = f"{row['min']:,.0f} to {row['max']:,.0f}"
        table.add_row(str(row["case"]), f"{row['steps_per_second']:,.0f}", spread, f"{row['over_peer']:.2f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
