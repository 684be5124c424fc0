"""What an account is made of: the rows of its two blocks, and what the kernel is told.

An account is a column of ``money`` (float64) and of ``counts`` (int64); the names below are their rows. The first `STATE` rows of
``money`` are carried from bar to bar; the other `LEDGER` rows are the parts of the last bar. Rows of a rule that is switched off
are never touched.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

STATE = 15
(
    TARGET, QUANTITY, CASH, EQUITY, PEAK_EQUITY, ENTRY_PRICE, COST_MULTIPLE, START_EQUITY, LIMIT_PRICE, TAKE_PROFIT, STOP_LOSS,
    BEST_PRICE, COMMISSION_FACTOR, SPREAD_FACTOR, SLIPPAGE_FACTOR,
) = range(STATE)  # fmt: skip
LEDGER = 13
(
    LOG_RETURN, PRICE_PNL, FEE, SPREAD, SLIPPAGE, FINANCING, FUNDING, TRADED_NOTIONAL, FILL_PRICE, ORDER_PRICE, WRITE_OFF,
    CLOSED_PNL, CLOSED_VALUE,
) = range(STATE, STATE + LEDGER)  # fmt: skip
COUNTS = 8
ROW, STOP, HELD_BARS, EPISODE, WORKING, TERMINATED, TRUNCATED, EXIT = range(COUNTS)

PADDING = 8
"""Further columns of both blocks, which no account uses: without them all rows of a large batch would compete for the same cache
lines. Some are read, as the rows of accounts that are not there."""

NO_EXIT, STOP_EXIT, TRAILING_EXIT, PROFIT_EXIT, MARGIN_EXIT, DRAWDOWN_EXIT, SESSION_EXIT, END_EXIT = range(8)
EXIT_NAMES = ("", "stop_loss", "trailing_stop", "take_profit", "liquidation", "drawdown", "session", "end")
"""Why a position was closed by a rule rather than by a decision, by code."""

BEFORE, YEARS, ROW_SLIPPAGE = 5, 6, 7
"""Further columns of the prices where holding or slippage costs differ by row: with them a row is one cache line of 64 bytes."""
ROW_COLUMNS = 8
OPEN_FOR_ORDERS, FLAT_AT_CLOSE = 1, 2
"""Bits of a row's session."""

RUIN_RATIO = 1e-12
"""Equity ratios over one bar are floored here before the logarithm: ruin costs log(1e-12), about −27.6."""


class Bars(NamedTuple):
    """The market, as the kernel reads it.

    Attributes:
        prices: Open, high, low, close, volume, and with `Flags.carry` the close before, years since the row before, and slippage
            per unit of notional; float64, shape (T, 5) or (T, ROW_COLUMNS).
        funding: Times at which funding is paid since the row before, float64, shape (T,).
        session: Bits of each row, uint8, shape (T,).
    """

    prices: np.ndarray
    funding: np.ndarray
    session: np.ndarray


class Accounts(NamedTuple):
    """What a step changes in place.

    Attributes:
        money: State and ledger, float64, shape (STATE + LEDGER, N + PADDING).
        counts: Rows, counts and flags, int64, shape (COUNTS, N + PADDING).
    """

    money: np.ndarray
    counts: np.ndarray


class Orders(NamedTuple):
    """What is wanted at the open of the next row; the last three are read where orders carry their own terms.

    Attributes:
        target: Exposure; NaN sends no order; float64, shape (N,).
        limit: Distance of a limit order from the last close, as a share of it; 0 for a market order; shape (N,).
        take_profit: Distance of the take-profit from the entry, likewise; 0 for none; shape (N,).
        stop_loss: Distance of the stop-loss from the entry, likewise; shape (N,).
    """

    target: np.ndarray
    limit: np.ndarray
    take_profit: np.ndarray
    stop_loss: np.ndarray


class Rules(NamedTuple):
    """What the kernel charges and demands.

    Attributes:
        taker: Commission of a market order per unit of traded notional.
        maker: Commission of a resting order, likewise.
        half_spread: Half of the bid-ask spread, likewise.
        slippage: Base slippage, likewise, where it does not differ from row to row.
        size_impact: Slippage per unit of notional and of traded exposure.
        most_slippage: No fill has more.
        margin: Maintenance margin as a share of the value of the position.
        band: Distance of the exposure from an unchanged target at which it is traded again.
        take_profit: Distance from the entry, as a share of it; 0 for none.
        stop_loss: Distance from the entry, likewise.
        trailing_stop: Distance from the best price since the entry, likewise.
        lot: Quantities are multiples of it; 0 for any.
        tick: Prices of orders are multiples of it; 0 for any.
        min_notional: Smaller orders are not sent, but for those that leave the market.
        long_apr: A year's interest on a unit of long value.
        short_apr: A year's interest on a unit of short value.
        funding: What a unit of signed value pays at each time.
        participation: Largest share of a bar's volume that an order takes.
        fill_ratio: Share of what an order still wants that fills at once.
        max_drawdown: Loss at which an episode ends, as a share of the reference.
        from_peak: Whether that is the highest equity, rather than that at the start.
        close_at_end: Whether a position is closed at the last close of its episode.
    """

    taker: float
    maker: float
    half_spread: float
    slippage: float
    size_impact: float
    most_slippage: float
    margin: float
    band: float
    take_profit: float
    stop_loss: float
    trailing_stop: float
    lot: float
    tick: float
    min_notional: float
    long_apr: float
    short_apr: float
    funding: float
    participation: float
    fill_ratio: float
    max_drawdown: float
    from_peak: bool
    close_at_end: bool


class Flags(NamedTuple):
    """Which rules are compiled in: each field is None where its rule is left out, so that the types choose the machine code.

    Attributes:
        carry: Financing, funding or slippage that differs from row to row.
        funding: Funding.
        slippage: Any slippage.
        sized: Slippage by traded exposure.
        factors: Costs that differ from episode to episode.
        rebalance: Trades also at an unchanged target.
        exits: Take-profit, stop-loss or trailing stop.
        terms: Orders with their own limit, take-profit and stop-loss.
        lots: Lots, least notional, participation and the share of an order that fills at once.
        session: Rows without orders, or to be left flat.
        closing: Positions closed at a close: at a drawdown, the end or a session's end.
    """

    carry: bool | None = None
    funding: bool | None = None
    slippage: bool | None = None
    sized: bool | None = None
    factors: bool | None = None
    rebalance: bool | None = None
    exits: bool | None = None
    terms: bool | None = None
    lots: bool | None = None
    session: bool | None = None
    closing: bool | None = None
