"""Where the numbers of a portfolio stand: what never changes, what a step changes, and the workspace of a lane of accounts.

Accounts stand side by side in the last axis and are taken `LANES` at a time, so that one instruction works on several of them.
Every account goes through the same operations in the same order wherever it stands: its numbers do not depend on its neighbours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MONEY = 12
CASH, EQUITY, PEAK_EQUITY, START_EQUITY, BENCHMARK, LOG_RETURN = range(6)
BENCHMARK_RETURN, PRICE_PNL, FEE, SPREAD, SLIPPAGE, TRADED_NOTIONAL = range(6, MONEY)
RATES = 5
COMMISSION, HALF_SPREAD, BASE_SLIPPAGE, KEEP, PAY = range(RATES)
COUNTS = 7
ROW, STOP, EPISODE, AGE, SINCE, TERMINATED, TRUNCATED = range(COUNTS)
SUMS = 6
WHOLE, LEFT, BROUGHT, WEIGHT, GAIN, BENCH = range(SUMS)
LANES = 64
"""Accounts that are worked on together, and that a thread takes at a time."""


class Bars(NamedTuple):
    """What does not change from step to step.

    Attributes:
        prices: The A opens of a row, then its A closes, float64, shape (T, 2 A). The open of an asset without a bar of its own is
            negative: what a step reads of two rows lies close together.
        rates: For each asset commission, half-spread and slippage, what a unit sold brings, and what one bought costs, (RATES, A).
    """

    prices: np.ndarray
    rates: np.ndarray


class Accounts(NamedTuple):
    """What a step changes in place. W is the number of accounts, N, and some room: see `width`.

    Attributes:
        money: State and ledger, float64, shape (MONEY, W).
        units: Units held, float64, shape (A, W).
        bench_units: Units of equal-weight buy-and-hold, float64, shape (A, W).
        paid: Mean price before costs at which what is held was bought, float64, shape (A, W); 0 where nothing is held.
        counts: Rows and flags, int64, shape (COUNTS, W).
    """

    money: np.ndarray
    units: np.ndarray
    bench_units: np.ndarray
    paid: np.ndarray
    counts: np.ndarray


class Orders(NamedTuple):
    """What is asked for at a step.

    Attributes:
        weights: Wanted weights of cash and the assets at the next open, float64, shape (N, A + 1).
        totals: What they add up to, float64, shape (N,).
        hold: Accounts that trade nothing, bool, shape (N,).
    """

    weights: np.ndarray
    totals: np.ndarray
    hold: np.ndarray


class Rules(NamedTuple):
    """When trades happen, and when an episode ends.

    Attributes:
        every: Bars from one rebalancing to the next.
        band: Assets whose share is off by no more are left alone.
        stop_drawdown: Loss at which the episode ends, as a share of the reference; 1 never.
        from_peak: Whether that loss is measured from the highest equity, rather than from the start.
        fill_ratio: Share of each trade that is filled; the rest waits for the next rebalancing.
    """

    every: int
    band: float
    stop_drawdown: float
    from_peak: bool
    fill_ratio: float


class Lanes(NamedTuple):
    """The workspace of LANES accounts during one bar.

    Attributes:
        opens: Open of each asset, negative for one that is not traded, float64, shape (A, LANES).
        closes: Close of the bar, shape (A, LANES).
        earlier: Close of the bar before, shape (A, LANES).
        values: Value of what is held at the open, 0 for an asset that is not traded, shape (A, LANES).
        shares: Wanted shares in what is left after costs, likewise.
        cash_share: Wanted share of cash, shape (LANES,).
        sums: Sums over the assets, shape (SUMS, LANES).
        state: 0 for an account whose episode has ended, 1 for one that trades nothing, 2 for one that rebalances; int64, (LANES,).
    """

    opens: np.ndarray
    closes: np.ndarray
    earlier: np.ndarray
    values: np.ndarray
    shares: np.ndarray
    cash_share: np.ndarray
    sums: np.ndarray
    state: np.ndarray


def width(n: int) -> int:
    """Return the room for n accounts: whole lanes, and one more: rows a power of two apart would share few places of the cache."""
    return -(-n // LANES) * LANES + LANES
