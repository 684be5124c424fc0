"""The compiled portfolio: one bar for N accounts of A assets and cash.

A trade turns the values v of the assets and the cash into wanted shares w of what is left after costs. What is left, κ, is the
root of the budget, in which a sale of x brings (1 − c) x and a purchase of x takes x / (1 − c)::

    cash + Σ (1 − c_i) max(v_i − κ w_i, 0) − κ w_cash − Σ max(κ w_i − v_i, 0) / (1 − c_i) = 0

With one rate c for all and κ as a share of the equity this is the transaction remainder factor of Jiang, Xu and Liang (2017). The
budget is concave, falling and made of straight pieces in κ, so Newton's steps from the right meet the root from the right and
end on it exactly, after as many pieces as there are assets at most.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange

MONEY = 10
CASH, EQUITY, PEAK_EQUITY, START_EQUITY, BENCHMARK, LOG_RETURN, PRICE_PNL, FEE, SPREAD, TRADED_NOTIONAL = range(MONEY)
COMMISSION, HALF_SPREAD, KEEP, PAY = range(4)
COUNTS = 6
ROW, STOP, EPISODE, AGE, TERMINATED, TRUNCATED = range(COUNTS)
CHUNK = 64
"""Accounts that a thread takes at a time."""


class Bars(NamedTuple):
    """What does not change from step to step.

    Attributes:
        opens: Open of every asset, float64, shape (T, A); what a step reads lies close together.
        closes: Close of every asset, likewise.
        present: Whether an asset has a bar of its own, bool, shape (T, A).
        rates: For each asset commission and half-spread, what a unit sold brings, and what one bought costs; shape (4, A).
    """

    opens: np.ndarray
    closes: np.ndarray
    present: np.ndarray
    rates: np.ndarray


class Accounts(NamedTuple):
    """What a step changes in place.

    Attributes:
        money: State and ledger, float64, shape (MONEY, N).
        units: Units held, float64, shape (N, A).
        bench_units: Units of equal-weight buy-and-hold, float64, shape (N, A).
        counts: Rows and flags, int64, shape (COUNTS, N).
    """

    money: np.ndarray
    units: np.ndarray
    bench_units: np.ndarray
    counts: np.ndarray


class Rules(NamedTuple):
    """When trades happen, and when an episode ends.

    Attributes:
        every: Bars from one rebalancing to the next.
        band: Assets whose share is off by no more are left alone.
        stop_drawdown: Loss at which the episode ends, as a share of the reference; 1 never.
        from_peak: Whether that loss is measured from the highest equity, rather than from the start.
    """

    every: int
    band: float
    stop_drawdown: float
    from_peak: bool


@njit(cache=True, error_model="numpy")
def left_after_costs(cash: float, values: np.ndarray, shares: np.ndarray, keep: np.ndarray, pay: np.ndarray) -> float:
    """Return what assets and cash are worth together once they stand at the wanted shares.

    Args:
        cash: Cash before the trade.
        values: Value of each asset before the trade, 0 for one that is not traded, shape (A,).
        shares: Wanted share of each asset in what is left, likewise, shape (A,); cash has the rest.
        keep: What a unit sold brings, 1 − c, shape (A,).
        pay: What a unit bought costs, 1 / (1 − c), shape (A,).
    """
    left, cash_share = cash, 1.0
    for asset in range(len(values)):
        left += values[asset]
        cash_share -= shares[asset]
    cash_share = max(cash_share, 0.0)
    for _ in range(len(values) + 2):
        budget, slope = cash - left * cash_share, -cash_share
        # Without branches: whether an asset is bought or sold cannot be foreseen.
        for asset in range(len(values)):
            gap = values[asset] - left * shares[asset]
            rate = keep[asset] if gap > 0.0 else pay[asset]
            budget += rate * gap
            slope -= rate * shares[asset]
        step = budget / slope
        if not step > 0.0:
            break
        left -= step
    return left


@njit(cache=True, error_model="numpy")
def _share_out(values: np.ndarray, cash: float, wanted: np.ndarray, present: np.ndarray, band: float, shares: np.ndarray) -> None:
    """Find the share of each asset in what the traded ones and the cash are worth together; −1 for one that is not traded."""
    equity, given = cash, wanted[0]
    for asset in range(len(values)):
        equity += values[asset]
    for asset in range(len(values)):
        share = wanted[asset + 1]
        traded = present[asset] and abs(share * equity - values[asset]) > band * equity
        shares[asset] = share if traded else -1.0
        given += share if traded else 0.0
    scale = 1.0 / given if given > 0.0 else 0.0
    for asset in range(len(values)):
        shares[asset] = shares[asset] * scale if shares[asset] >= 0.0 else -1.0


@njit(cache=True, error_model="numpy")
def _rebalance(accounts: Accounts, i: int, opens: np.ndarray, values: np.ndarray, shares: np.ndarray, rates: np.ndarray) -> None:
    """Trade one account to the wanted shares at the open; `values` and `shares` are used up."""
    for asset in range(len(values)):
        if shares[asset] < 0.0:
            values[asset], shares[asset], opens[asset] = 0.0, 0.0, 0.0
    left = left_after_costs(accounts.money[CASH, i], values, shares, rates[KEEP], rates[PAY])
    cash, fee, spread, total = left, 0.0, 0.0, 0.0
    for asset in range(len(values)):
        new = left * shares[asset]
        moved = new - values[asset]
        notional = max(moved, 0.0) * rates[PAY, asset] - min(moved, 0.0)
        fee += rates[COMMISSION, asset] * notional
        spread += rates[HALF_SPREAD, asset] * notional
        total += notional
        cash -= new
        if opens[asset] > 0.0:
            accounts.units[i, asset] = new / opens[asset]
    # Shares that add up to 1 leave a rounding of cash, perhaps below zero.
    accounts.money[CASH, i] = max(cash, 0.0)
    accounts.money[FEE, i], accounts.money[SPREAD, i], accounts.money[TRADED_NOTIONAL, i] = fee, spread, total


@njit(cache=True, error_model="numpy")
def _mark(accounts: Accounts, i: int, row: int, gain: float, rules: Rules) -> None:
    """Book the parts of the bar that has closed, and end the episode where it is over."""
    money, counts = accounts.money, accounts.counts
    money[LOG_RETURN, i], money[PRICE_PNL, i] = math.log(money[EQUITY, i] / money[LOG_RETURN, i]), gain
    money[PEAK_EQUITY, i] = max(money[PEAK_EQUITY, i], money[EQUITY, i])
    reference = money[PEAK_EQUITY, i] if rules.from_peak else money[START_EQUITY, i]
    counts[TERMINATED, i] = 1 if money[EQUITY, i] <= (1.0 - rules.stop_drawdown) * reference else 0
    counts[TRUNCATED, i] = 1 if row == counts[STOP, i] - 1 and counts[TERMINATED, i] == 0 else 0
    counts[ROW, i] = row
    counts[AGE, i] += 1


@njit(cache=True, error_model="numpy")
def _advance(bars: Bars, accounts: Accounts, weights: np.ndarray, hold: np.ndarray, rules: Rules, span: tuple[int, int]) -> None:
    assets = weights.shape[1] - 1
    opens, values, shares = np.empty(assets), np.empty(assets), np.empty(assets)
    money, counts = accounts.money, accounts.counts
    for i in range(span[0], span[1]):
        money[LOG_RETURN:, i] = 0.0
        if counts[TERMINATED, i] + counts[TRUNCATED, i] > 0:
            continue
        row, gain = counts[ROW, i] + 1, 0.0
        for asset in range(assets):
            opens[asset] = bars.opens[row, asset]
            values[asset] = accounts.units[i, asset] * opens[asset]
            gain += accounts.units[i, asset] * (opens[asset] - bars.closes[row - 1, asset])
        if not hold[i] and counts[AGE, i] % rules.every == 0:
            _share_out(values, money[CASH, i], weights[i], bars.present[row], rules.band, shares)
            _rebalance(accounts, i, opens, values, shares, bars.rates)
        equity, benchmark = money[CASH, i], 0.0
        for asset in range(assets):
            close = bars.closes[row, asset]
            equity += accounts.units[i, asset] * close
            gain += accounts.units[i, asset] * (close - bars.opens[row, asset])
            benchmark += accounts.bench_units[i, asset] * close
        # The equity before waits in the ledger for its logarithm.
        money[LOG_RETURN, i], money[EQUITY, i], money[BENCHMARK, i] = money[EQUITY, i], equity, benchmark
        _mark(accounts, i, row, gain, rules)


@njit(cache=True, error_model="numpy")
def step_serial(bars: Bars, accounts: Accounts, weights: np.ndarray, hold: np.ndarray, rules: Rules) -> None:
    """Take every account one bar on.

    Args:
        bars: Prices and costs.
        accounts: What is changed in place.
        weights: Wanted weights of cash and the assets at the next open, float64, shape (N, A + 1).
        hold: Accounts that trade nothing, bool, shape (N,).
        rules: When trades happen, and when an episode ends.
    """
    _advance(bars, accounts, weights, hold, rules, (0, len(hold)))


@njit(cache=True, error_model="numpy", parallel=True)
def step_parallel(bars: Bars, accounts: Accounts, weights: np.ndarray, hold: np.ndarray, rules: Rules) -> None:
    """Do what `step_serial` does, with accounts shared among threads; the same bits."""
    n = len(hold)
    chunks = (n + CHUNK - 1) // CHUNK
    for chunk in prange(chunks):
        first = chunk * CHUNK
        _advance(bars, accounts, weights, hold, rules, (first, min(n, first + CHUNK)))
