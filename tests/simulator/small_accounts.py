"""One account over a few bars, with every rule compiled in: those that a test does not set have numbers that change nothing.

Each combination of rules is compiled anew, which takes far longer than a test; so all cases worked by hand share two: with terms
and without. That a rule left out does what its neutral numbers do is a law of `tests/laws/test_laws_of_the_simulator.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.core.market import Market
from seawall.core.timeframe import Timeframe
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import OrderTerms, Simulator, StepResult

EXACT = 1e-12
NOTHING = 1e-300
LEAST = 1e-322
"""A rate in basis points that is 0 as a share: it switches a rule on, and nothing else."""
MUCH = 1e30
MONDAY = 1_709_510_400_000
"""2024-03-04 00:00 UTC."""
HOUR = 3_600_000


def market_at(times: np.ndarray, rows: list[tuple[float, ...]], *, seconds: int = 3_600, starts: tuple[int, ...] = ()) -> Market:
    """A market of bars of open, high, low, close and, where it matters, volume, at opening times in milliseconds."""
    prices = np.array([row if len(row) == 5 else (*row, MUCH) for row in rows], dtype=np.float64)
    edges = (*starts, len(rows)) if starts else (0, len(rows))
    return Market(
        symbols=tuple(f"S{number}" for number in range(len(edges) - 1)),
        starts=edges,
        timeframe=Timeframe(seconds),
        timestamps=np.asarray(times, dtype=np.int64),
        prices=prices,
        features=np.zeros((len(rows), 0), dtype=np.float32),
        feature_names=(),
        ready=edges[:-1],
    )


def hourly(*rows: tuple[float, ...]) -> Market:
    """Bars of an hour from a Monday on."""
    return market_at(MONDAY + HOUR * np.arange(len(rows)), list(rows))


def still(*prices: float, volume: float = MUCH) -> Market:
    """Bars that do not move within themselves."""
    return hourly(*((price, price, price, price, volume) for price in prices))


def costs_of(
    taker: float = 0.0,
    spread: float = 0.0,
    maker: float | None = None,
    *,
    slippage: dict[str, float] | None = None,
    financing: dict[str, float] | None = None,
    funding: float = 0.0,
) -> CostParams:
    """Costs in basis points, with all kinds switched on."""
    return CostParams(
        taker_bps=taker,
        maker_bps=maker,
        spread_bps=spread,
        slippage={"size_impact": LEAST, **(slippage or {})},
        financing={"long_apr": NOTHING, **(financing or {})},
        funding={"rate_bps": funding or NOTHING},
        randomization={"spread": 0.1},
    )


FREE = costs_of()


def settings_of(
    *, orders: dict[str, Any] | None = None, session: dict[str, Any] | None = None, terms: bool = False, **settings: Any
) -> SimulatorParams:
    """Settings with all rules switched on."""
    exits = {} if terms or {"stop_loss_bps", "trailing_stop_bps"} & set(settings) else {"take_profit_bps": 1e6}
    return SimulatorParams(
        **{"initial_equity": 1_000.0, "max_drawdown": 0.9999, **exits, **settings},
        orders={"rebalance": "band", "band": 100.0, "min_notional": NOTHING, **(orders or {})},
        session={"calendar": "fx", "flat": ("weekend",), **(session or {})},
    )


def account(
    market: Market,
    costs: CostParams = FREE,
    *,
    terms: bool = False,
    start: float = 0.0,
    rows: tuple[int, int] | None = None,
    factors: tuple[float, float, float] | None = None,
    n: int = 1,
    **settings: Any,
) -> Simulator:
    """An account of 1000 at the close of the first row, flat or holding an exposure; or n of them alike."""
    simulator = Simulator(market, n, costs, settings_of(terms=terms, **settings), terms=terms)
    first, stop = rows or (0, len(market))
    factor = None if factors is None else np.tile(np.array(factors)[:, None], n)
    simulator.reset(np.arange(n), np.full(n, first), np.full(n, stop), np.full(n, start), factor)
    return simulator


def go(
    simulator: Simulator, target: float, limit: float | None = None, *, take_profit: float = 0.0, stop_loss: float = 0.0
) -> StepResult:
    """One bar on. A simulator with terms is told apart by a limit, which may be 0."""
    if limit is None:
        return simulator.step(np.array([target]))
    return simulator.step(np.array([target]), OrderTerms(np.array([limit]), np.array([take_profit]), np.array([stop_loss])))


def traded(simulator: Simulator) -> bool:
    """Whether the last bar traded anything."""
    return bool(simulator.traded_notional[0] != 0.0)
