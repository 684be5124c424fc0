"""Speed of the oracle on a million bars, beside its limit and a plain NumPy programme that knows flat and long alone.

Everything is compiled before it is timed; the cases take turns in one process, and the median of the rounds is told. The plain
programme runs over the first tenth of the bars, as often, and is told per bar. Run: ``python bench/oracle.py [--json]``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from time import perf_counter

import numpy as np

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.evaluation.oracle.oracle import oracle
from seawall.evaluation.oracle.problem import Exposures
from seawall.simulator.costs.params import CostParams, FinancingParams, FundingParams, SlippageParams
from seawall.simulator.settings import OrderParams, SimulatorParams

BARS, ROUNDS, LIMIT = 1_000_000, 5, 2.0
HOLDING = CostParams(
    slippage=SlippageParams(base_bps=0.5, volatility_multiplier=0.1),
    financing=FinancingParams(long_apr=0.05, short_apr=0.05),
    funding=FundingParams(rate_bps=0.1),
)


def market(bars: int) -> Market:
    source = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(source.normal(0.0, 0.002, bars)))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(source.normal(0.0, 0.0002, bars))
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(bars)], axis=1)
    times = np.arange(bars, dtype=np.int64) * 60_000
    return Market(("WALK",), (0, bars), Timeframe.parse("1m"), times, prices, np.zeros((bars, 0), np.float32), (), (0,))


def plain(prices: np.ndarray, rate: float) -> float:
    """The programme over flat and long, as one would write it in NumPy."""
    moves, into = np.log(prices[:, 3] / prices[:, 0]), np.log(1.0 + rate)
    gaps = np.concatenate([[0.0], np.log(prices[1:, 0] / prices[:-1, 3])])
    values, costs = np.array([0.0, -np.inf]), np.array([[0.0, -into], [np.log(1.0 - rate), 0.0]])
    for bar in range(1, len(prices)):
        values[1] += gaps[bar]
        values = (values[:, None] + costs).max(axis=0)
        values[1] += moves[bar]
    return float(values.max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    world, rows = market(BARS), RowRange(0, BARS)
    tenth = world.prices[: BARS // 10]
    long_flat, both = Exposures((0.0, 1.0)), Exposures((-1.0, 0.0, 1.0))
    every_bar = SimulatorParams(orders=OrderParams(rebalance="every_bar"))
    cases: dict[str, Callable[[], object]] = {
        "long or flat, exact": lambda: oracle(world, rows, CostParams(), None, long_flat),
        "long, flat or short at every bar, exact": lambda: oracle(world, rows, CostParams(), every_bar, both),
        "long, flat or short, bound": lambda: oracle(world, rows, CostParams(), None, both),
        "the same with holding costs, bound": lambda: oracle(world, rows, HOLDING, None, both),
        "plain NumPy, long or flat (a tenth of the bars)": lambda: plain(tenth, CostParams().rate),
    }
    taken: dict[str, list[float]] = {name: [] for name in cases}
    kinds = {name: getattr(case(), "kind", "exact") for name, case in cases.items()}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            begun = perf_counter()
            case()
            taken[name].append(perf_counter() - begun)
    seconds = {name: statistics.median(each) for name, each in taken.items()}
    *ours, theirs = cases
    plain_seconds = 10.0 * seconds[theirs]
    told = {
        name: {
            "kind": kinds[name],
            "seconds": seconds[name],
            "limit_over_seconds": LIMIT / seconds[name],
            "times_faster_than_plain": plain_seconds / seconds[name],
        }
        for name in ours
    }
    if asked.json:
        print(json.dumps({"bars": BARS, "limit_s": LIMIT, "plain_s": plain_seconds, "cases": told}))
        return
    print(f"{BARS:,} bars; limit {LIMIT:g} s; plain NumPy {plain_seconds:.2f} s")
    for name, each in told.items():
        ratio, faster = each["limit_over_seconds"], each["times_faster_than_plain"]
        print(f"{name:45} {each['kind']:6} {each['seconds']:.3f} s  limit / time {ratio:.1f}  plain / time {faster:.1f}")


if __name__ == "__main__":
    main()
