"""What the drawdown breaker promises, held over a thousand random paths with crashes, through the loop and the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from seawall.core.market import Market
from seawall.core.timeframe import Timeframe
from seawall.engine.decision import DecisionLoop
from seawall.guards.chain import GuardChain
from seawall.guards.max_drawdown import MaxDrawdown, MaxDrawdownParams
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.simulator import Simulator

PATHS, BARS, LIMIT = 1_000, 80, 0.1
COSTS = CostParams(taker_bps=20.0, spread_bps=10.0)


def crashing_market() -> Market:
    """A thousand series of random bars with gaps; one bar in fifty crashes, some of them at the open."""
    rng = np.random.default_rng(7)
    shape = (PATHS, BARS)
    within = rng.normal(0.0, 0.02, shape) - 0.25 * (rng.random(shape) < 0.01)
    gaps = rng.normal(0.0, 0.005, shape) - 0.2 * (rng.random(shape) < 0.01)
    close = 100.0 * np.exp(np.cumsum(gaps + within, axis=1))
    opening = close / np.exp(within)
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(shape)], axis=2)
    rows = PATHS * BARS
    return Market(
        symbols=tuple(f"S{number}" for number in range(PATHS)),
        starts=tuple(range(0, rows + 1, BARS)),
        timeframe=Timeframe(3_600),
        timestamps=np.arange(rows, dtype=np.int64) * 3_600_000,
        prices=np.ascontiguousarray(prices.reshape(rows, 5)),
        features=np.zeros((rows, 0), dtype=np.float32),
        feature_names=(),
        ready=tuple(range(0, rows, BARS)),
    )


class Tossing:
    """Is long at most closes, and at one in five long, short or flat by chance."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(1)

    def act(self, observation, *, deterministic=True):
        n = len(observation.rows)
        return np.where(self._rng.random(n) < 0.2, self._rng.integers(0, 3, n), 2), {}


@dataclass(frozen=True)
class Walks:
    """Marks of every account after each bar, shape (bars, paths); row 0 is the start."""

    equity: np.ndarray
    quantity: np.ndarray
    costs: np.ndarray
    gap: np.ndarray
    tripped: np.ndarray
    allowed: np.ndarray


def walked(params: MaxDrawdownParams) -> Walks:
    market = crashing_market()
    accounts = Simulator(market, PATHS, COSTS)
    starts = np.arange(PATHS, dtype=np.int64) * BARS
    accounts.reset(np.arange(PATHS), starts, starts + BARS)
    desk = Desk(action_scheme("target_exposure", True), GuardChain([MaxDrawdown(params)]), PATHS)
    loop = DecisionLoop(Tossing(), desk, accounts, ())
    none = np.zeros(PATHS)
    marks = [(accounts.equity.copy(), none, none, none, none, none)]
    for bar in range(BARS - 1):
        held, rows = accounts.quantity.copy(), starts + bar
        record = loop.step()
        gap = np.abs(held * (market.prices[rows + 1, 0] - market.prices[rows, 3]))
        tripped = desk.state[:, desk.state_names.index("max_drawdown.tripped")]
        marks.append((record.equity, record.quantity.copy(), record.fee + record.spread, gap, tripped.copy(), record.allowed))
    return Walks(*(np.array(part) for part in zip(*marks, strict=True)))


def bounded(walks: Walks, path: int, first: int, last: int) -> float:
    """How far a cycle's drawdown stays below its bound; the cycle runs from bar `first`, flat, to bar `last`."""
    equity = walks.equity[first : last + 1, path]
    peaks = np.maximum.accumulate(equity)
    falls = 1.0 - equity / peaks
    trips = np.flatnonzero(falls >= LIMIT)
    if not len(trips):
        return float(LIMIT - falls.max())
    k = int(trips[0])
    move = max(equity[k - 1] - equity[k], 0.0) / peaks[k]
    after = first + k + 1
    exits = (walks.gap[after, path] + walks.costs[after, path]) / peaks[k] if after < len(walks.equity) else 0.0
    return float(LIMIT + move + exits - falls.max())


def test_a_latched_breaker_bounds_the_drawdown_of_every_path_and_stays_out_of_the_market():
    walks = walked(MaxDrawdownParams(limit=LIMIT))
    room = [bounded(walks, path, 0, BARS - 1) for path in range(PATHS)]
    assert min(room) >= -1e-9
    falls = (1.0 - walks.equity / np.maximum.accumulate(walks.equity)).max(axis=0)
    crashed = falls > LIMIT
    assert crashed.sum() > 300  # the bound is put to the test
    assert falls.max() > 2.0 * LIMIT  # by crashes too
    for path in np.flatnonzero(crashed):
        trip = int(np.argmax(walks.tripped[:, path] != 0.0))
        if 0 < trip < BARS - 1:
            assert not walks.quantity[trip:, path].any()
            assert np.ptp(walks.equity[trip:, path]) == 0.0


@pytest.mark.parametrize("pause", [1, 5])
def test_with_a_pause_each_cycle_is_so_bounded_and_later_ones_are_smaller(pause):
    walks = walked(MaxDrawdownParams(limit=LIMIT, cooldown_bars=pause, resume_exposure=0.5))
    cycles = 0
    for path in range(PATHS):
        tripped = walks.tripped[:, path] != 0.0
        # The state after a bar's step is that of the decision before it: a cycle begins at the mark before a 1 turns 0.
        resumes = np.flatnonzero(tripped[:-1] & ~tripped[1:])
        edges = [0, *resumes.tolist(), BARS - 1]
        cycles += len(resumes)
        for first, last in pairwise(edges):
            assert bounded(walks, path, first, last) >= -1e-9
        if len(resumes):
            later = np.abs(walks.allowed[int(resumes[0]) + 1 :, path])
            assert later.max() <= 0.5
    assert cycles > 300
