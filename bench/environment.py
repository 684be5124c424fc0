"""Stepping speed: the simulator's environments beside gym-anytrading and Gym-Trading-Env, on the same bars.

Every case steps through the same 100,000-bar random walk with 20 features and random actions drawn beforehand. Peers and
our single environment show windows of 12 bars, as does the face for Stable-Baselines3; our batch shows row numbers, since
windows are gathered where a network needs them. "Accounts only" is the compiled simulator without actions, observations and
episodes. The cases take turns in one process, so that whatever else the machine does reaches all of them. Run:
``python bench/environment.py [--json]``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numba
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.single import TradingEnv
from seawall.envs.vector import TradingVectorEnv
from seawall.guards.n_consecutive import NConsecutiveParams
from seawall.guards.registry import guard_chain
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

ROWS, FEATURES, WINDOW, BATCH, SB3_BATCH = 100_000, 20, 12, 4_096, 256
PEERS = {"gym_anytrading": "gym-anytrading", "gym_trading_env": "Gym-Trading-Env"}
Case = Callable[[int], int]
"""Takes about that many steps and returns how many they were."""


def walk() -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(source.normal(0.0, 0.002, ROWS)))
    opening = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opening, close) * (1 + np.abs(source.normal(0, 0.0005, ROWS)))
    low = np.minimum(opening, close) * (1 - np.abs(source.normal(0, 0.0005, ROWS)))
    prices = np.stack([opening, high, low, close, source.gamma(2.0, 50.0, ROWS)], axis=1)
    return prices, source.normal(size=(ROWS, FEATURES)).astype(np.float32)


def market() -> Market:
    prices, features = walk()
    times = np.arange(ROWS, dtype=np.int64) * 3_600_000
    names = tuple(f"x{column}" for column in range(FEATURES))
    return Market(("WALK",), (0, ROWS), Timeframe.parse("1h"), times, prices, features, names, (0,))


def frame() -> pd.DataFrame:
    prices, features = walk()
    index = pd.date_range("2015-01-01", periods=ROWS, freq="h")
    bars = pd.DataFrame(prices, index=index, columns=["open", "high", "low", "close", "volume"])
    return bars.join(pd.DataFrame(features, index=index, columns=[f"feature_{column}" for column in range(FEATURES)]))


def accounts_case(bars: Market) -> Case:
    simulator = Simulator(bars, BATCH, CostParams())
    start = np.random.default_rng(2).integers(0, ROWS // 2, BATCH)
    simulator.reset(np.arange(BATCH), start, np.full(BATCH, ROWS))
    targets = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], (64, BATCH))

    def steps(wanted: int) -> int:
        rounds = max(1, wanted // BATCH)
        for number in range(rounds):
            if simulator.step(targets[number & 63]).truncated.any():
                simulator.reset(np.arange(BATCH), start, np.full(BATCH, ROWS))
        return rounds * BATCH

    return steps


def batch_case(bars: Market, threads: int, guarded: bool) -> Case:
    guards = guard_chain([("n_consecutive", NConsecutiveParams())]) if guarded else None
    params = EnvironmentParams(window=WINDOW, episode_bars=2_048, simulator=SimulatorParams(threads=threads))
    scheme = action_scheme("sell_buy_hold", short=True)
    env = TradingVectorEnv(bars, RowRange(0, ROWS), BATCH, scheme, params=params, guards=guards)
    actions = np.random.default_rng(1).integers(0, 3, (64, BATCH))
    env.reset(seed=0)

    def steps(wanted: int) -> int:
        rounds = max(1, wanted // BATCH)
        for number in range(rounds):
            env.step(actions[number & 63])
        return rounds * BATCH

    return steps


def sb3_case(bars: Market) -> Case:
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


def single_case(env: Any, n_actions: int) -> Case:
    actions = np.random.default_rng(1).integers(0, n_actions, 1 << 14).tolist()
    env.reset()

    def steps(wanted: int) -> int:
        for number in range(wanted):
            seen = env.step(actions[number & 16_383])
            if seen[2] or seen[3]:
                env.reset()
        return wanted

    return steps


def our_single(bars: Market) -> Case:
    params = EnvironmentParams(window=WINDOW, observation="window", episode_bars=0)
    return single_case(TradingEnv(bars, RowRange(0, ROWS), action_scheme("sell_buy_hold", short=True), params=params), 3)


def anytrading() -> Case:
    from gym_anytrading.envs import StocksEnv

    class WithFeatures(StocksEnv):
        """Shows the 20 features, as its documentation says to."""

        def _process_data(self) -> tuple[np.ndarray, np.ndarray]:
            rows = slice(self.frame_bound[0] - self.window_size, self.frame_bound[1])
            features = self.df.filter(like="feature_").to_numpy(dtype=np.float32)[rows]
            return self.df["Close"].to_numpy(dtype=np.float32)[rows], features

    bars = frame().rename(columns={"close": "Close"})
    return single_case(WithFeatures(df=bars, window_size=WINDOW, frame_bound=(WINDOW, ROWS)), 2)


def gym_trading_env() -> Case:
    from gym_trading_env.environments import TradingEnv as PeerEnv

    warnings.resetwarnings()  # the package turns every warning into an error
    warnings.simplefilter("ignore")
    env = PeerEnv(df=frame(), positions=[-1, 0, 1], windows=WINDOW, trading_fees=0.001, borrow_interest_rate=0.0, verbose=0)
    return single_case(env, 3)


def cases() -> dict[str, Case]:
    bars, two = market(), min(2, numba.config.NUMBA_NUM_THREADS)
    found = {
        "accounts only, batch, 1 thread": accounts_case(bars),
        "environment, batch, 1 thread": batch_case(bars, 1, guarded=False),
        f"environment, batch, {two} thread(s)": batch_case(bars, two, guarded=False),
        "environment + guard, batch, 1 thread": batch_case(bars, 1, guarded=True),
        "environment, single": our_single(bars),
    }
    if importlib.util.find_spec("stable_baselines3") is not None:
        found[f"face for Stable-Baselines3, {SB3_BATCH} with windows, 1 thread"] = sb3_case(bars)
    makers = {"gym_anytrading": anytrading, "gym_trading_env": gym_trading_env}
    for module, name in PEERS.items():
        if importlib.util.find_spec(module) is not None:
            found[f"{name}, single"] = makers[module]()
    return found


def measure(seconds: float, repetitions: int) -> dict[str, list[float]]:
    """Let the cases take turns; the first turn of each is a warm-up that finds how many steps fill its time."""
    chosen = cases()
    wanted = dict.fromkeys(chosen, 1_000)
    seen: dict[str, list[float]] = {name: [] for name in chosen}
    for turn in range(repetitions + 2):
        for name, case in chosen.items():
            started = perf_counter()
            speed = case(wanted[name]) / (perf_counter() - started)
            if turn < 2:
                wanted[name] = max(1, int(speed * seconds))
            else:
                seen[name].append(speed)
    return seen


def summary(seen: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Medians, and each case over each peer, taken turn by turn."""
    peers = {peer: name for name in seen for peer in PEERS.values() if name.startswith(peer)}
    rows = []
    for name, speeds in seen.items():
        over = {
            peer: statistics.median(ours / theirs for ours, theirs in zip(speeds, seen[case], strict=True))
            for peer, case in peers.items()
        }
        row = {"case": name, "steps_per_second": statistics.median(speeds), "min": min(speeds), "max": max(speeds), "over": over}
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn (default 0.5)")
    parser.add_argument("--repetitions", type=int, default=7, help="turns of each case (default 7)")
    options = parser.parse_args()
    missing = [name for module, name in PEERS.items() if importlib.util.find_spec(module) is None]
    rows = summary(measure(options.seconds, options.repetitions))
    if options.json:
        print(json.dumps({"setting": vars(options), "environment": rows, "missing_peers": missing}, indent=2))
        return
    peers = [peer for peer in PEERS.values() if peer not in missing]
    table = Table(
        "case", "median", "min to max", *(f"x {peer}" for peer in peers), title=f"Environment steps a second (batch: {BATCH:,})"
    )
    for row in rows:
        ratios = (f"{row['over'][peer]:,.2f}" for peer in peers)
        table.add_row(row["case"], f"{row['steps_per_second']:,.0f}", f"{row['min']:,.0f} to {row['max']:,.0f}", *ratios)
    Console().print(table)
    if missing:
        print(f"not installed, hence not measured: {', '.join(missing)}. Install with: make bench")


if __name__ == "__main__":
    main()
