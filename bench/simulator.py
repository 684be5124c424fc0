"""Stepping speed of the simulator and its faces, beside other projects' environments on the same bars, in the same run.

Ours step through a 100,000-bar random walk with 20 features, with random actions drawn beforehand; batches are of 4,096 accounts
whose observation is a row number. The cases take turns in one process, so that whatever else the machine does reaches all of them;
the peers, which need an environment of their own (``make peers``), have their turns in another process in the middle of it. Run:
``python bench/simulator.py [--json]``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numba
import numpy as np
from rich.console import Console
from rich.table import Table

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.single import TradingEnv
from seawall.envs.vector import TradingVectorEnv
from seawall.guards.n_consecutive import NConsecutiveParams
from seawall.guards.registry import guard_chain
from seawall.market.panel import Panel
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams, FinancingParams, FundingParams, RandomizationParams, SlippageParams
from seawall.simulator.portfolio.simulator import PortfolioSimulator
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.settings import OrderParams, SimulatorParams
from seawall.simulator.simulator import Simulator

ROWS, FEATURES, WINDOW, BATCH, SB3_BATCH, ASSETS = 100_000, 20, 12, 4_096, 256, 11
PEERS = ("gym-anytrading", "Gym-Trading-Env", "freqtrade", "FinRL")
ROOT = Path(__file__).resolve().parent.parent
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
FULL = CostParams(
    maker_bps=5.0,
    slippage=SlippageParams(base_bps=0.5, volatility_multiplier=0.1, size_impact=0.1),
    financing=FinancingParams(long_apr=0.05, short_apr=0.05),
)
EVERY = FULL.model_copy(update={"funding": FundingParams(rate_bps=1.0), "randomization": RandomizationParams(slippage=0.3)})
TERMS = ("log_return", "drawdown", "differential_sharpe", "fee", "benchmark_excess", "idle", "holding", "profit_bonus")
Case = Callable[[int], int]
"""Takes about that many steps and returns how many they were."""


@dataclass(frozen=True)
class Measured:
    """One case.

    Attributes:
        steps: The case.
        limit: Steps a second that it is meant to make on quiet cores; None where nothing was set.
    """

    steps: Case
    limit: float | None = None


def walk(rows: int) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(source.normal(0.0, 0.002, rows)))
    opening = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opening, close) * (1 + np.abs(source.normal(0, 0.0005, rows)))
    low = np.minimum(opening, close) * (1 - np.abs(source.normal(0, 0.0005, rows)))
    prices = np.stack([opening, high, low, close, source.gamma(2.0, 50.0, rows)], axis=1)
    return prices, source.normal(size=(rows, FEATURES)).astype(np.float32)


def market(rows: int = ROWS) -> Market:
    prices, features = walk(rows)
    times = np.arange(rows, dtype=np.int64) * 3_600_000
    names = tuple(f"x{column}" for column in range(FEATURES))
    return Market(("WALK",), (0, rows), Timeframe.parse("1h"), times, prices, features, names, (0,))


def everything(threads: int) -> SimulatorParams:
    orders = OrderParams(lot_size=1e-4, min_notional=10.0, participation=1.0)
    reward = RewardParams(weights=dict.fromkeys(TERMS, 0.1))
    return SimulatorParams(
        take_profit_bps=200,
        stop_loss_bps=100,
        trailing_stop_bps=300,
        max_drawdown=0.9,
        orders=orders,
        reward=reward,
        threads=threads,
    )


def accounts(bars: Market, costs: CostParams, params: SimulatorParams, n: int = BATCH, changed: float = 1.0) -> Case:
    simulator = Simulator(bars, n, costs, params)
    start = np.random.default_rng(2).integers(2, len(bars) // 2, n)
    every = np.arange(n)
    simulator.reset(every, start, np.full(n, len(bars)))
    targets = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], (64, n))
    kept = np.random.default_rng(3).random(targets.shape) >= changed
    for bar in range(1, len(targets)):
        targets[bar] = np.where(kept[bar], targets[bar - 1], targets[bar])

    def steps(wanted: int) -> int:
        rounds = max(1, wanted // n)
        for number in range(rounds):
            result = simulator.step(targets[number & 63])
            _rows = simulator.row.copy()
            ended = result.terminated | result.truncated
            if ended.any():
                again = np.flatnonzero(ended)
                simulator.reset(again, start[again], np.full(len(again), len(bars)))
        return rounds * n

    return steps


def environments(bars: Market, guarded: bool) -> Case:
    guards = guard_chain([("n_consecutive", NConsecutiveParams())]) if guarded else None
    params = EnvironmentParams(window=WINDOW, episode_bars=2_048)
    env = TradingVectorEnv(bars, RowRange(0, ROWS), BATCH, action_scheme("sell_buy_hold", short=True), params=params, guards=guards)
    actions = np.random.default_rng(1).integers(0, 3, (64, BATCH))
    env.reset(seed=0)

    def steps(wanted: int) -> int:
        rounds = max(1, wanted // BATCH)
        for number in range(rounds):
            env.step(actions[number & 63])
        return rounds * BATCH

    return steps


def sb3(bars: Market) -> Case:
    from seawall.envs.sb3 import SB3VecEnv

    params = EnvironmentParams(window=WINDOW, episode_bars=2_048)
    batch = TradingVectorEnv(bars, RowRange(0, ROWS), SB3_BATCH, action_scheme("sell_buy_hold", short=True), params=params)
    env = SB3VecEnv(batch, "window")
    actions = np.random.default_rng(1).integers(0, 3, (64, SB3_BATCH))
    env.reset()

    def steps(wanted: int) -> int:
        rounds = max(1, wanted // SB3_BATCH)
        for number in range(rounds):
            env.step(actions[number & 63])
        return rounds * SB3_BATCH

    return steps


def single(bars: Market) -> Case:
    params = EnvironmentParams(window=WINDOW, observation="window", costs=FULL)
    env = TradingEnv(bars, RowRange(0, ROWS), action_scheme("sell_buy_hold", short=True), params=params)
    actions = np.random.default_rng(1).integers(0, 3, 1 << 14).tolist()
    env.reset()

    def steps(wanted: int) -> int:
        for number in range(wanted):
            seen = env.step(actions[number & 16_383])
            if seen[2] or seen[3]:
                env.reset()
        return wanted

    return steps


def portfolios() -> Case:
    source = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(source.normal(0, 0.01, (ASSETS, 20_000)), axis=1))
    opening = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones_like(close)], axis=-1)
    names = tuple(f"ASSET{number}" for number in range(ASSETS))
    panel = Panel(names, Timeframe.parse("1h"), np.arange(20_000) * 3_600_000, prices, np.zeros((ASSETS, 20_000), dtype=bool))
    simulator = PortfolioSimulator(panel, BATCH, CostParams(slippage=SlippageParams(base_bps=1.0)))
    weights = [source.dirichlet(np.ones(ASSETS + 1), BATCH) for _ in range(8)]
    start, every = source.integers(0, 10_000, BATCH), np.arange(BATCH)
    simulator.reset(every, start, np.full(BATCH, 20_000))

    def steps(wanted: int) -> int:
        rounds = max(1, wanted // BATCH)
        for number in range(rounds):
            if simulator.step(weights[number & 7]).truncated.any():
                simulator.reset(every, start, np.full(BATCH, 20_000))
        return rounds * BATCH

    return steps


def cases() -> dict[str, Measured]:
    bars, two = market(), min(2, numba.config.NUMBA_NUM_THREADS)
    found = {
        "target exposure, commission and spread, 1 thread": Measured(accounts(bars, CostParams(), SimulatorParams())),
        "target exposure, all costs, 1 thread": Measured(accounts(bars, FULL, SimulatorParams()), 20e6),
        f"target exposure, all costs, {two} thread(s)": Measured(accounts(bars, FULL, SimulatorParams(threads=two)), 35e6),
        "everything on, eight reward terms, 1 thread": Measured(accounts(bars, EVERY, everything(1)), 8e6),
        f"everything on, eight reward terms, {two} thread(s)": Measured(accounts(bars, EVERY, everything(two)), 20e6),
        f"all costs, targets drawn anew at 1 bar in 10, {two} thread(s)": Measured(
            accounts(bars, FULL, SimulatorParams(threads=two), changed=0.1)
        ),
        f"everything on, targets drawn anew at 1 bar in 10, {two} thread(s)": Measured(
            accounts(bars, EVERY, everything(two), changed=0.1)
        ),
        "vector environment, index observations": Measured(environments(bars, guarded=False)),
        "vector environment with a guard": Measured(environments(bars, guarded=True)),
        "single Gymnasium environment, windows": Measured(single(bars), 300e3),
        f"portfolio of {ASSETS} assets, 1 thread": Measured(portfolios(), 3e6),
    }
    if importlib.util.find_spec("stable_baselines3") is not None:
        found[f"SB3 VecEnv of {SB3_BATCH}, windows {WINDOW}x{FEATURES}"] = Measured(sb3(bars), 5e6)
    return found


def measure(chosen: dict[str, Case], seconds: float, turns: int) -> dict[str, list[float]]:
    """Let the cases take turns; the first two of each warm it up and find how many steps fill its time."""
    wanted = dict.fromkeys(chosen, 1_000)
    seen: dict[str, list[float]] = {name: [] for name in chosen}
    for turn in range(turns + 2):
        for name, case in chosen.items():
            started = perf_counter()
            speed = case(wanted[name]) / (perf_counter() - started)
            if turn < 2:
                wanted[name] = max(1, int(speed * seconds))
            else:
                seen[name].append(speed)
    return seen


def peers() -> dict[str, float]:
    """Let the peers take their turns, in their own environment; nothing where that is not made."""
    if not PEERS_PYTHON.exists():
        return {}
    done = subprocess.run([PEERS_PYTHON, ROOT / "bench" / "peers" / "environments.py"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def scaling(seconds: float, turns: int) -> dict[str, float]:
    """Time of a step in a market a hundred times as long, and in a batch sixteen times as large, over the plain one."""
    short, long = market(10_000), market(1_000_000)
    rates = measure(
        {
            "short": accounts(short, FULL, SimulatorParams()),
            "long": accounts(long, FULL, SimulatorParams()),
            "small": accounts(short, FULL, SimulatorParams(), 1_024),
            "large": accounts(short, FULL, SimulatorParams(), 16_384),
        },
        seconds,
        turns,
    )
    ratio = {
        pair: statistics.median(a / b for a, b in zip(rates[pair[0]], rates[pair[1]], strict=True))
        for pair in (("short", "long"), ("small", "large"))
    }
    return {"step_time_100x_longer_market": ratio["short", "long"], "step_time_16x_larger_batch": ratio["small", "large"]}


SECOND = """
import time; began = time.perf_counter()
import sys; sys.path.insert(0, {folder!r})
import simulator as bench
bars = bench.market(2_000)
began = time.perf_counter()
bench.accounts(bars, bench.FULL, bench.SimulatorParams())(4_096)
print(time.perf_counter() - began)
"""


def second_process() -> float:
    """Return how long a process takes to its first step after another has compiled it, in seconds."""
    script = SECOND.format(folder=str(Path(__file__).resolve().parent))
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seconds", type=float, default=0.4, help="length of a turn (default 0.4)")
    parser.add_argument("--turns", type=int, default=8, help="turns of each case (default 8)")
    options = parser.parse_args()
    chosen = cases()
    plain = {name: case.steps for name, case in chosen.items()}
    half = max(1, options.turns // 2)
    seen = measure(plain, options.seconds, half)
    others = peers()
    for name, more in measure(plain, options.seconds, options.turns - half or 1).items():
        seen[name].extend(more)
    rows = [
        {
            "case": name,
            "steps_per_second": statistics.median(speeds),
            "min": min(speeds),
            "max": max(speeds),
            "limit": chosen[name].limit,
            "share_of_limit": statistics.median(speeds) / limit if (limit := chosen[name].limit) else None,
            "over": {peer: statistics.median(speeds) / rate for peer, rate in others.items()},
        }
        for name, speeds in seen.items()
    ]
    missing = [name for name in PEERS if not any(name.lower() in peer.lower() for peer in others)]
    document = {
        "setting": vars(options),
        "cases": rows,
        "peers": others,
        "not_measured": missing,
        "scaling": scaling(options.seconds, half),
        "second_process_seconds_to_first_step": second_process(),
    }
    print(json.dumps(document, indent=2)) if options.json else show(document)


def show(document: dict[str, Any]) -> None:
    names = list(document["peers"])
    table = Table("case", "steps a second", "min to max", "of its limit", title="The simulator and its faces")
    for row in document["cases"]:
        share = "" if row["share_of_limit"] is None else f"{row['share_of_limit']:.2f} of {row['limit'] / 1e6:g} M"
        table.add_row(row["case"], f"{row['steps_per_second']:,.0f}", f"{row['min']:,.0f} to {row['max']:,.0f}", share)
    Console(width=120).print(table)
    ratios = Table("case over peer", *names, title="Times as many steps a second as peers")
    for row in document["cases"]:
        ratios.add_row(row["case"], *(f"{row['over'][name]:,.1f}" for name in names))
    if names:
        ratios.add_row("steps a second of the peer", *(f"{rate:,.0f}" for rate in document["peers"].values()))
        Console(width=160).print(ratios)
    longer, larger = document["scaling"].values()
    print(f"time of a step, market 100 times as long: x {longer:.2f}; batch 16 times as large: x {larger:.2f}")
    print(f"second process: {document['second_process_seconds_to_first_step']:.2f} s to its first step")
    if document["not_measured"]:
        print(f"not installed, hence not measured: {', '.join(document['not_measured'])}. Install with: make peers")


if __name__ == "__main__":
    main()
