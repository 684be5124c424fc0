"""The compiled account: one bar for N accounts.

An account is a column of two blocks, ``money`` (float64) and ``counts`` (int64); the names below are their rows.
The first `STATE` rows of ``money`` are carried from bar to bar; the other `LEDGER` rows are the parts of the last bar. A
decision taken at the close of row t is filled at the open of row t + 1 and marked at the close of t + 1:

1. *Gap.* A position whose equity at the open is no more than the maintenance margin is liquidated there.
2. *Trade.* Where the wanted target exposure e differs from the one in force, x units of money are traded at the open.
   With E the equity before the trade, cur the value of the position and c the cost rate, the exposure after costs is
   exactly e when cur + x = e (E − c|x|), so x = (e E − cur) / (1 + e c sign(x)). An unchanged target trades nothing.
3. *Worst price.* A position whose equity at the bar's worst price (its high for a short, its low for a long) is no more
   than the maintenance margin is liquidated at that price.
4. *Mark.* Equity is marked at the close.

A liquidation pays costs like any trade; what the account cannot pay is written off, so that equity never ends below
zero. In every bar: change of equity = price profit − fee − half-spread + write-off. All money is float64. The serial and
the parallel form run the same function for each account, hence give the same bits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from seawall.core.bars import CLOSE, HIGH, LOW, OPEN

STATE = 7
TARGET, QUANTITY, CASH, EQUITY, PEAK_EQUITY, ENTRY_PRICE, COST_MULTIPLE = range(STATE)
LEDGER = 7
LOG_RETURN, PRICE_PNL, FEE, SPREAD, TRADED_NOTIONAL, FILL_PRICE, WRITE_OFF = range(STATE, STATE + LEDGER)
COUNTS = 7
ROW, STOP, HELD_BARS, EPISODE, TERMINATED, TRUNCATED, LIQUIDATED = range(COUNTS)

RUIN_RATIO = 1e-12
"""Equity ratios over one bar are floored here before the logarithm: ruin costs log(1e-12), about −27.6."""
_LOG_RUIN = math.log(RUIN_RATIO)
CHUNK = 256
"""Accounts that a thread takes at a time."""


class Rates(NamedTuple):
    """What the kernel charges and demands.

    Attributes:
        fee: Commission per unit of traded notional, before each account's cost multiple.
        half_spread: Half of the bid-ask spread, likewise.
        margin: Maintenance margin as a share of the value of the position.
    """

    fee: float
    half_spread: float
    margin: float


@njit(cache=True, error_model="numpy")
def _below_margin(quantity: float, cash: float, price: float, margin: float) -> bool:
    """Say whether the equity at a price is no more than the maintenance margin of the position."""
    value = quantity * price
    return cash + value <= margin * abs(value)


@njit(cache=True, error_model="numpy")
def _close_out(quantity: float, cash: float, price: float, cost_rate: float) -> tuple[float, float]:
    """Close the position at a price; return the cash left, perhaps negative, and the traded notional."""
    value = quantity * price
    return cash + value - cost_rate * abs(value), abs(value)


@njit(cache=True, error_model="numpy")
def _rebalance(quantity: float, cash: float, price: float, target: float, cost_rate: float) -> tuple[float, float, float, bool]:
    """Bring the exposure after costs to the target; an account that cannot pay for the trade is closed instead.

    Returns:
        Quantity, cash, traded notional, and whether the account could not pay.
    """
    value = quantity * price
    equity = cash + value
    wanted = target * equity - value
    notional = abs(wanted) / (1.0 + target * cost_rate * (1.0 if wanted > 0.0 else -1.0))
    equity -= cost_rate * notional
    if equity <= 0.0:
        cash, notional = _close_out(quantity, cash, price, cost_rate)
        return 0.0, cash, notional, True
    return target * equity / price, (1.0 - target) * equity, notional, False


@njit(cache=True, error_model="numpy")
def _fill(
    bar: tuple[float, float, float, float],
    quantity: float,
    cash: float,
    trades: bool,
    target: float,
    cost_rate: float,
    margin: float,
) -> tuple[float, float, float, float, float, bool]:
    """Trade at the open of a bar, liquidate at its open or its worst price, or hold to its close.

    Returns:
        Quantity, cash, profit since the open, traded notional, price of the last fill (NaN without one), and whether the
        account was liquidated.
    """
    opening, high, low, close = bar
    notional, price = 0.0, math.nan
    if quantity != 0.0 and _below_margin(quantity, cash, opening, margin):
        cash, notional = _close_out(quantity, cash, opening, cost_rate)
        return 0.0, cash, 0.0, notional, opening, True
    if trades:
        price = opening
        quantity, cash, notional, ruined = _rebalance(quantity, cash, opening, target, cost_rate)
        if ruined:
            return 0.0, cash, 0.0, notional, opening, True
    worst = low if quantity > 0.0 else high
    if quantity != 0.0 and _below_margin(quantity, cash, worst, margin):
        cash, closed = _close_out(quantity, cash, worst, cost_rate)
        return 0.0, cash, quantity * (worst - opening), notional + closed, worst, True
    return quantity, cash, quantity * (close - opening), notional, price, False


@njit(cache=True, error_model="numpy")
def _entry(entry: float, held: float, quantity: float, price: float) -> float:
    """Return the average entry price after a fill that changed the quantity held before."""
    if held * quantity <= 0.0:
        return price
    if abs(quantity) > abs(held):
        return entry + (price - entry) * (1.0 - held / quantity)
    return entry


@njit(cache=True, error_model="numpy")
def _stand_still(money: np.ndarray, counts: np.ndarray, i: int) -> None:
    """Empty the ledger of an account whose episode has ended."""
    money[STATE : STATE + LEDGER, i] = 0.0
    money[FILL_PRICE, i] = math.nan
    counts[LIQUIDATED, i] = 0


@njit(cache=True, error_model="numpy")
def _advance(
    prices: np.ndarray, money: np.ndarray, counts: np.ndarray, targets: np.ndarray, rates: Rates, first: int, last: int
) -> None:
    """Take the accounts first..last − 1 one bar on. Helpers on this path take scalars: passing arrays costs more than they do."""
    for i in range(first, last):
        if counts[TERMINATED, i] + counts[TRUNCATED, i] > 0:
            _stand_still(money, counts, i)
            continue
        row = counts[ROW, i] + 1
        bar = (prices[row, OPEN], prices[row, HIGH], prices[row, LOW], prices[row, CLOSE])
        held, before, target, multiple = money[QUANTITY, i], money[EQUITY, i], targets[i], money[COST_MULTIPLE, i]
        cost_rate = (rates.fee + rates.half_spread) * multiple
        quantity, cash, profit, notional, price, liquidated = _fill(
            bar, held, money[CASH, i], target != money[TARGET, i], target, cost_rate, rates.margin
        )
        write_off = 0.0
        if liquidated:
            target, write_off, cash = 0.0, max(-cash, 0.0), max(cash, 0.0)
            counts[TERMINATED, i] = 1
        equity = cash + quantity * bar[3]
        ratio = equity / before
        money[TARGET, i], money[QUANTITY, i], money[CASH, i], money[EQUITY, i] = target, quantity, cash, equity
        money[PEAK_EQUITY, i] = max(money[PEAK_EQUITY, i], equity)
        money[LOG_RETURN, i] = math.log(ratio) if ratio > RUIN_RATIO else _LOG_RUIN
        money[PRICE_PNL, i] = held * (bar[0] - prices[row - 1, CLOSE]) + profit
        money[FEE, i] = notional * rates.fee * multiple
        money[SPREAD, i] = notional * rates.half_spread * multiple
        money[TRADED_NOTIONAL, i], money[FILL_PRICE, i], money[WRITE_OFF, i] = notional, price, write_off
        bars_held = counts[HELD_BARS, i]
        if notional > 0.0:
            money[ENTRY_PRICE, i] = _entry(money[ENTRY_PRICE, i], held, quantity, price)
            bars_held = bars_held if held * quantity > 0.0 else 0
        counts[HELD_BARS, i] = bars_held + 1 if quantity != 0.0 else 0
        counts[ROW, i] = row
        counts[LIQUIDATED, i] = 1 if liquidated else 0
        counts[TRUNCATED, i] = 1 if row == counts[STOP, i] - 1 and not liquidated else 0


ALLOWED, BAD_TARGET, BAD_COSTS, NEVER_RESET = range(4)


@njit(cache=True, error_model="numpy")
def refusal(money: np.ndarray, counts: np.ndarray, targets: np.ndarray, limit: float, dearest: float) -> tuple[int, int]:
    """Look for a reason not to step.

    Args:
        money: As in `step_serial`.
        counts: As in `step_serial`.
        targets: Wanted exposures, float64, shape (N,).
        limit: Largest absolute exposure.
        dearest: Cost multiples must stay below it.

    Returns:
        One of the codes above, and the first account that it is about. NaN is never allowed.
    """
    for i in range(len(targets)):
        if not abs(targets[i]) <= limit:
            return BAD_TARGET, i
        if not 0.0 <= money[COST_MULTIPLE, i] < dearest:
            return BAD_COSTS, i
        if counts[STOP, i] == 0:
            return NEVER_RESET, i
    return ALLOWED, 0


@njit(cache=True, error_model="numpy")
def step_serial(prices: np.ndarray, money: np.ndarray, counts: np.ndarray, targets: np.ndarray, rates: Rates) -> None:
    """Take every account one bar on.

    Args:
        prices: Open, high, low, close, volume; float64, shape (T, 5).
        money: State and ledger of the accounts, float64, shape (STATE + LEDGER, at least N), changed in place.
        counts: Rows, counts and flags of the accounts, int64, shape (COUNTS, at least N), changed in place.
        targets: Wanted exposure at the open of the next row, float64, shape (N,).
        rates: Cost rates and margin.
    """
    _advance(prices, money, counts, targets, rates, 0, len(targets))


@njit(cache=True, error_model="numpy", parallel=True)
def step_parallel(prices: np.ndarray, money: np.ndarray, counts: np.ndarray, targets: np.ndarray, rates: Rates) -> None:
    """Do what `step_serial` does, with accounts shared among threads; the same bits."""
    n = len(targets)
    chunks = (n + CHUNK - 1) // CHUNK
    for chunk in prange(chunks):
        _advance(prices, money, counts, targets, rates, chunk * CHUNK, min(n, (chunk + 1) * CHUNK))


@njit(cache=True, error_model="numpy")
def run_path(
    prices: np.ndarray, money: np.ndarray, counts: np.ndarray, targets: np.ndarray, rates: Rates, equity: np.ndarray
) -> None:
    """Step through whole paths.

    Args:
        prices: As in `step_serial`.
        money: As in `step_serial`, already reset.
        counts: As in `step_serial`, already reset.
        targets: Wanted exposures, float64, shape (bars, N).
        rates: Cost rates and margin.
        equity: Filled with the equity at each close, float64, shape (bars + 1, N); row 0 is the equity at the start.
    """
    n = targets.shape[1]
    equity[0] = money[EQUITY, :n]
    for bar in range(len(targets)):
        step_serial(prices, money, counts, targets[bar], rates)
        equity[bar + 1] = money[EQUITY, :n]


@njit(cache=True, error_model="numpy")
def open_episodes(
    prices: np.ndarray, money: np.ndarray, counts: np.ndarray, indices: np.ndarray, rows: np.ndarray, start: np.ndarray
) -> None:
    """Start a new episode in some accounts: fresh equity, flat, or holding a target at the close of the start row.

    Args:
        prices: As in `step_serial`.
        money: As in `step_serial`.
        counts: As in `step_serial`.
        indices: Accounts to reset, int64, shape (K,).
        rows: First row and one past the last row of each episode, int64, shape (2, K).
        start: Exposure held from the start, which appears without cost, and equity; float64, shape (2, K).
    """
    for k in range(len(indices)):
        i = indices[k]
        price, target, equity = prices[rows[0, k], CLOSE], start[0, k], start[1, k]
        money[STATE:, i] = 0.0
        money[FILL_PRICE, i] = math.nan
        money[TARGET, i] = target
        money[QUANTITY, i] = target * equity / price
        money[CASH, i] = (1.0 - target) * equity
        money[EQUITY, i] = equity
        money[PEAK_EQUITY, i] = equity
        money[ENTRY_PRICE, i] = price
        counts[ROW, i] = rows[0, k]
        counts[STOP, i] = rows[1, k]
        counts[EPISODE, i] += 1
        counts[HELD_BARS, i] = 0
        counts[TERMINATED:, i] = 0
