"""Environment steps a second in training: our learners beside their peers, and beside the bound of bare passes.

Within a group every case learns with the same network, and all of them take turns in one process, so that whatever else the
machine does reaches each; a ratio is the median over turns. The bound is what the passes of the network alone cost, on data that
lie ready: no environment, no loss, no optimiser. Run: ``python bench/throughput.py [--json]``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from seawall.agents.ppo import PPO, PPOParams
from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.nets.registry import ConvParams, NetworkParams, NetworkShape, RecurrentParams, build_network
from seawall.nets.windows import WindowGatherer, feature_tensor
from seawall.simulator.actions.registry import action_scheme

WINDOW, FEATURES, ROWS, HIDDEN, UNITS = 12, 21, 20_000, 256, 128
MANY_ENVS, MANY_ROWS = 4_096, 1_000_000
MEBIBYTE = 1 << 20
Case = Callable[[], float]
"""Takes and learns from one rollout; returns environment steps a second."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a rollout and of what is learned from it."""

    n_envs: int
    n_steps: int
    minibatch: int
    epochs: int

    @property
    def samples(self) -> int:
        """Environment steps of a rollout."""
        return self.n_envs * self.n_steps

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.n_envs} x {self.n_steps}, minibatch {self.minibatch}, {self.epochs} epochs"


@dataclass(frozen=True)
class Group:
    """Cases that are compared: how to make each, and which ratios are of interest, ours first."""

    makers: dict[str, Callable[[], Case]]
    ratios: tuple[tuple[str, str], ...]


def market(rows: int) -> Market:
    source = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(source.normal(0, 0.005 if rows <= ROWS else 0.0005, rows)))
    return Market(
        symbols=("WALK",),
        starts=(0, rows),
        timeframe=Timeframe.parse("1h"),
        timestamps=np.arange(rows, dtype=np.int64) * 3_600_000,
        prices=np.stack((close, close * 1.001, close * 0.999, close, np.ones(rows)), axis=1),
        features=source.standard_normal((rows, FEATURES), dtype=np.float32),
        feature_names=tuple(f"x{column}" for column in range(FEATURES)),
        ready=(0,),
    )


def environments(bars: Market, n: int) -> TradingVectorEnv:
    chosen = EnvironmentParams(account_columns=("exposure",), episode_bars=512, start_exposure="random")
    return TradingVectorEnv(bars, RowRange(0, len(bars)), n, action_scheme("sell_buy_hold", short=True), params=chosen)


def learner(bars: Market, network: str, params: NetworkParams, shape: Shape, **settings: Any) -> PPO:
    env = environments(bars, shape.n_envs)
    sizes = NetworkShape(FEATURES, WINDOW, len(env.account_names), 3)
    ours = PPOParams(
        n_envs=shape.n_envs, n_steps=shape.n_steps, minibatch=shape.minibatch, n_epochs=shape.epochs, total_steps=10**9, **settings
    )
    return PPO(env, build_network(network, params, sizes, 0), ours, market=bars, window=WINDOW, seed=0)


def ours(shape: Shape, **settings: Any) -> Case:
    trained = learner(market(ROWS), "conv", ConvParams(shared_encoder=True, hidden=HIDDEN), shape, **settings)
    return lambda: trained.update()["steps_per_second"]


def ours_recurrent(shape: Shape, **settings: Any) -> Case:
    trained = learner(
        market(ROWS), "recurrent", RecurrentParams(shared_encoder=True, hidden=UNITS, memory=UNITS), shape, **settings
    )
    return lambda: trained.update()["steps_per_second"]


def bound(shape: Shape) -> Case:
    network = build_network("conv", ConvParams(shared_encoder=True, hidden=HIDDEN), NetworkShape(FEATURES, WINDOW, 1, 3), 0)
    gather = WindowGatherer(feature_tensor(market(ROWS).features), WINDOW)
    acting, learning = (gather(torch.randint(WINDOW, ROWS, (n,))) for n in (shape.n_envs, shape.minibatch))
    acting_account, learning_account = torch.zeros(shape.n_envs, 1), torch.zeros(shape.minibatch, 1)

    def once() -> float:
        started = perf_counter()
        with torch.inference_mode():
            for _ in range(shape.n_steps):
                network(acting, acting_account)
        for _ in range(shape.epochs * shape.samples // shape.minibatch):
            network.zero_grad()
            logits, values = network(learning, learning_account)
            (logits.sum() + values.sum()).backward()
        return shape.samples / (perf_counter() - started)

    return once


def bound_recurrent(shape: Shape, sequence: int) -> Case:
    params = RecurrentParams(shared_encoder=True, hidden=UNITS, memory=UNITS)
    network = build_network("recurrent", params, NetworkShape(FEATURES, WINDOW, 1, 3), 0)
    gather, rows = WindowGatherer(feature_tensor(market(ROWS).features), WINDOW), shape.minibatch // sequence
    acting, learning = (gather(torch.randint(WINDOW, ROWS, (n,))) for n in (shape.n_envs, shape.minibatch))
    held, before = (torch.zeros(n, network.state_width) for n in (shape.n_envs, rows))
    acting_account, learning_account = torch.zeros(shape.n_envs, 1), torch.zeros(sequence, rows, 1)

    def once() -> float:
        started = perf_counter()
        with torch.inference_mode():
            for _ in range(shape.n_steps):
                network.heads(*network.remember(*network.encode(acting), held)[:2], acting_account)
        for _ in range(shape.epochs * shape.samples // shape.minibatch):
            network.zero_grad()
            seen = network.encode(learning)[0].view(sequence, rows, -1)
            told = network.remember(seen, seen, before)[0]
            preferences, values = network.heads(told, told, learning_account)
            (preferences.sum() + values.sum()).backward()
        return shape.samples / (perf_counter() - started)

    return once


def free_peer(shape: Shape) -> Case:
    from peers import trainers

    env = trainers.FreeVecEnv(shape.n_envs, WINDOW, FEATURES)
    return trainers.sb3_ppo(env, shape.n_envs, shape.n_steps, shape.minibatch, shape.epochs, HIDDEN)


def peer(name: str, shape: Shape, width: int) -> Case:
    from peers import trainers

    make = trainers.gym_trading_env(ROWS, FEATURES, WINDOW)
    return getattr(trainers, name)(make, shape.n_envs, shape.n_steps, shape.minibatch, shape.epochs, width)


LARGE, SMALL, RECURRENT, WIDE, WIDE_AS_OFTEN = (
    Shape(256, 128, 4_096, 4),
    Shape(16, 128, 64, 10),
    Shape(16, 128, 128, 10),
    Shape(256, 128, 4_096, 4),
    Shape(256, 128, 4_096, 10),
)
BOUND_LARGE, BOUND_SMALL = f"bound fp32, {LARGE}", f"bound fp32, {SMALL}"
OURS_LARGE, OURS_HALF, OURS_SMALL = f"PPO fp32, {LARGE}", f"PPO bf16, {LARGE}", f"PPO fp32, {SMALL}"
SB3_SMALL = f"Stable-Baselines3 PPO on Gym-Trading-Env, {SMALL}"
OURS_WHOLE, OURS_CUT = f"recurrent PPO, {RECURRENT}, sequences of 128", f"recurrent PPO, {RECURRENT}, sequences of 16"
OURS_WIDE, OURS_AS_OFTEN = (f"recurrent PPO, {shape}, sequences of 128" for shape in (WIDE, WIDE_AS_OFTEN))
SB3_FREE = f"Stable-Baselines3 PPO on a free environment, {LARGE}"
BOUND_WHOLE, BOUND_CUT = f"bound fp32, {RECURRENT}, sequences of 128", f"bound fp32, {RECURRENT}, sequences of 16"
CONTRIB, CONTRIB_WIDE = (f"sb3-contrib RecurrentPPO on Gym-Trading-Env, {shape}" for shape in (RECURRENT, WIDE_AS_OFTEN))

GROUPS: dict[str, Group] = {
    "large": Group(
        {
            BOUND_LARGE: lambda: bound(LARGE),
            OURS_LARGE: lambda: ours(LARGE),
            OURS_HALF: lambda: ours(LARGE, precision="bf16"),
            SB3_FREE: lambda: free_peer(LARGE),
        },
        ((OURS_LARGE, BOUND_LARGE), (OURS_HALF, BOUND_LARGE), (OURS_LARGE, SB3_FREE)),
    ),
    "small": Group(
        {
            BOUND_SMALL: lambda: bound(SMALL),
            OURS_SMALL: lambda: ours(SMALL),
            SB3_SMALL: lambda: peer("sb3_ppo", SMALL, HIDDEN),
        },
        ((OURS_SMALL, BOUND_SMALL), (OURS_SMALL, SB3_SMALL), (BOUND_SMALL, SB3_SMALL)),
    ),
    "recurrent": Group(
        {
            BOUND_WHOLE: lambda: bound_recurrent(RECURRENT, 128),
            BOUND_CUT: lambda: bound_recurrent(RECURRENT, 16),
            OURS_WHOLE: lambda: ours_recurrent(RECURRENT),
            OURS_CUT: lambda: ours_recurrent(RECURRENT, sequence=16),
            OURS_WIDE: lambda: ours_recurrent(WIDE),
            OURS_AS_OFTEN: lambda: ours_recurrent(WIDE_AS_OFTEN),
            CONTRIB: lambda: peer("recurrent_ppo", RECURRENT, UNITS),
            CONTRIB_WIDE: lambda: peer("recurrent_ppo", WIDE_AS_OFTEN, UNITS),
        },
        (
            (OURS_WHOLE, BOUND_WHOLE),
            (OURS_CUT, BOUND_CUT),
            (OURS_WHOLE, CONTRIB),
            (OURS_CUT, CONTRIB),
            (BOUND_WHOLE, CONTRIB),
            (BOUND_CUT, CONTRIB),
            (OURS_WIDE, CONTRIB),
            (OURS_AS_OFTEN, CONTRIB),
            (OURS_AS_OFTEN, CONTRIB_WIDE),
        ),
    ),
}
"""What is measured; a group by name."""


def measure(group: Group, repetitions: int) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Let the cases take turns; the first turn of each is a warm-up and is not counted.

    Returns:
        Steps a second of every turn by case; and why a case was not measured.
    """
    cases: dict[str, Case] = {}
    absent: dict[str, str] = {}
    for name, make in group.makers.items():
        try:
            cases[name] = make()
        except ImportError as error:
            absent[name] = str(error)
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(repetitions + 1):
        for name, once in cases.items():
            speed = once()
            if turn:
                seen[name].append(speed)
    return seen, absent


def summary(group: Group, seen: dict[str, list[float]]) -> dict[str, Any]:
    """Medians of speeds, and of ratios taken turn by turn."""
    speeds = [
        {"case": name, "steps_per_second": statistics.median(turns), "min": min(turns), "max": max(turns)}
        for name, turns in seen.items()
    ]
    ratios = []
    for case, other in group.ratios:
        if case in seen and other in seen:
            each = [a / b for a, b in zip(seen[case], seen[other], strict=True)]
            ratios.append({"case": case, "over": other, "ratio": statistics.median(each), "min": min(each), "max": max(each)})
    return {"cases": speeds, "ratios": ratios}


def rollout_bytes() -> float:
    """Return the bytes that a stored step takes, until the update is over."""
    trained = learner(market(ROWS), "conv", ConvParams(shared_encoder=True), Shape(64, 32, 512, 1))
    rollout = vars(trained._collector.collect()).values()
    kept = sum(block.nbytes for block in rollout if isinstance(block, (np.ndarray, torch.Tensor)))
    learned = 2 * 4 * 64 * 32  # advantages and returns
    return (kept + learned) / (64 * 32)


def environment_bytes() -> float:
    """Return the bytes of numpy arrays that one more environment takes: what 4,096 hold beyond what 64 do, on the same market."""
    bars = market(ROWS)

    def held(n: int) -> tuple[int, TradingVectorEnv]:
        before = tracemalloc.get_traced_memory()[0]
        env = environments(bars, n)
        env.reset(seed=0)
        env.step(np.zeros(n, dtype=np.int64))
        return tracemalloc.get_traced_memory()[0] - before, env

    held(64)  # what is imported and compiled once is no environment's
    tracemalloc.start()
    few, many = held(64), held(MANY_ENVS)
    tracemalloc.stop()
    return (many[0] - few[0]) / (MANY_ENVS - 64)


def many_environments() -> dict[str, float]:
    """Train once with many environments on a long market; called in a process of its own, whose peak is told."""
    bars = market(MANY_ROWS)
    held = bars.features.nbytes + bars.prices.nbytes + bars.timestamps.nbytes
    few = Shape(64, 16, 512, 1)
    learner(bars, "conv", ConvParams(shared_encoder=True), few).update()
    before = _peak()
    learner(bars, "conv", ConvParams(shared_encoder=True), Shape(MANY_ENVS, 64, 4_096, 1)).update()
    after = _peak()
    return {
        "market_mib": held / MEBIBYTE,
        "process_beyond_market_mib": (after - held) / MEBIBYTE,
        "environments_and_update_mib": (after - before) / MEBIBYTE,
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory() -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, "--many-environments"], capture_output=True, text=True, check=True)
    return {"bytes_per_environment": environment_bytes(), "bytes_per_stored_step": rollout_bytes(), **json.loads(done.stdout)}


def report(document: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    for name, group in document["groups"].items():
        table = Table("case", "steps/s, median", "min to max", title=f"{name}, {document['setting']['threads']} thread(s)")
        for row in group["cases"]:
            table.add_row(row["case"], f"{row['steps_per_second']:,.0f}", f"{row['min']:,.0f} to {row['max']:,.0f}")
        console.print(table)
        for row in group["ratios"]:
            console.print(f"{row['case']} / {row['over']}: {row['ratio']:.2f} ({row['min']:.2f} to {row['max']:.2f})")
        for case, why in group["not_measured"].items():
            console.print(f"not measured: {case}: {why}")
    if "memory" in document:
        facts = document["memory"]
        console.print(
            f"memory: {facts['bytes_per_environment']:,.0f} bytes per environment (its accounts' arrays), "
            f"{facts['bytes_per_stored_step']:.0f} bytes per stored step; {MANY_ENVS:,} environments on a market of "
            f"{MANY_ROWS:,} bars ({facts['market_mib']:.0f} MiB): the process takes {facts['process_beyond_market_mib']:.0f} MiB "
            f"beyond it, of which environments, rollout and update {facts['environments_and_update_mib']:.0f} MiB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--threads", type=int, default=2, help="torch threads (default 2)")
    parser.add_argument("--repetitions", type=int, default=7, help="turns of each case (default 7)")
    parser.add_argument("--groups", nargs="+", choices=[*GROUPS, "memory"], default=[*GROUPS, "memory"], help="what to measure")
    parser.add_argument("--many-environments", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.many_environments:
        print(json.dumps(many_environments()))
        return
    document: dict[str, Any] = {"setting": {"threads": options.threads, "repetitions": options.repetitions}, "groups": {}}
    for name in [name for name in options.groups if name in GROUPS]:
        seen, absent = measure(GROUPS[name], options.repetitions)
        document["groups"][name] = {**summary(GROUPS[name], seen), "not_measured": absent}
    if "memory" in options.groups:
        document["memory"] = memory()
    if options.json:
        print(json.dumps(document, indent=2))
    else:
        report(document)


if __name__ == "__main__":
    main()
