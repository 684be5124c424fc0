"""Stepping speed of portfolios: 4,096 accounts of 11 assets and cash with all costs, random weights at every bar, one core.

"Accounts" is `PortfolioSimulator.step` alone, "environments" is `PortfolioVectorEnv.step` with row numbers as observations. The
cases take turns, so that whatever else the machine does reaches both. Run: ``python bench/portfolio.py``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from seawall.core.market import RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.portfolio_params import PortfolioEnvironmentParams
from seawall.envs.portfolio_vector import PortfolioVectorEnv
from seawall.market.panel import Panel
from seawall.simulator.costs.params import CostParams, SlippageParams
from seawall.simulator.portfolio.simulator import PortfolioSimulator

ASSETS, ROWS, BATCH, STEPS, REPEATS = 11, 20_000, 4_096, 250, 7
COSTS = CostParams(slippage=SlippageParams(base_bps=1.0))


def panel() -> Panel:
    source = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(source.normal(0, 0.01, (ASSETS, ROWS)), axis=1))
    opening = np.concatenate([close[:, :1], close[:, :-1]], axis=1) * np.exp(source.normal(0, 0.002, (ASSETS, ROWS)))
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones_like(close)], axis=-1)
    names = tuple(f"ASSET{number}" for number in range(ASSETS))
    return Panel(names, Timeframe.parse("1h"), np.arange(ROWS) * 3_600_000, prices, source.random((ASSETS, ROWS)) < 0.02)


def accounts_case(bars: Panel, weights: list[np.ndarray]) -> Callable[[], None]:
    simulator = PortfolioSimulator(bars, BATCH, COSTS)
    start = np.random.default_rng(2).integers(0, ROWS - STEPS - 2, BATCH)

    def steps() -> None:
        simulator.reset(np.arange(BATCH), start, np.full(BATCH, ROWS))
        for number in range(STEPS):
            simulator.step(weights[number % len(weights)])

    return steps


def environments_case(bars: Panel, weights: list[np.ndarray]) -> Callable[[], None]:
    env = PortfolioVectorEnv(bars, RowRange(0, ROWS), BATCH, params=PortfolioEnvironmentParams(costs=COSTS, episode_bars=STEPS))

    def steps() -> None:
        env.reset(seed=0)
        for number in range(STEPS):
            env.step(weights[number % len(weights)])

    return steps


def main() -> None:
    bars, source = panel(), np.random.default_rng(1)
    weights = [source.dirichlet(np.ones(ASSETS + 1), BATCH) for _ in range(40)]
    cases = {"accounts": accounts_case(bars, weights), "environments": environments_case(bars, weights)}
    rates: dict[str, list[float]] = {name: [] for name in cases}
    for repeat in range(REPEATS + 1):
        for name, steps in cases.items():
            began = perf_counter()
            steps()
            if repeat:  # the first compiles
                rates[name].append(BATCH * STEPS / (perf_counter() - began) / 1e6)
    table = Table("portfolios", "least", "median", title=f"million steps a second, {REPEATS} runs of {STEPS * BATCH:,}")
    for name, found in rates.items():
        table.add_row(name, f"{min(found):.2f}", f"{statistics.median(found):.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
