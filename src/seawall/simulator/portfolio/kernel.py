"""The compiled portfolio: one bar for N accounts of A assets and cash, LANES of them at once.

A trade turns the values v of the assets and the cash into wanted shares w of what is left after costs. What is left, κ, is the
root of the budget, in which a sale of x brings (1 − c) x and a purchase of x takes x / (1 − c)::

    cash + Σ (1 − c_i) max(v_i − κ w_i, 0) − κ w_cash − Σ max(κ w_i − v_i, 0) / (1 − c_i) = 0

With one rate c for all and κ as a share of the equity this is the transaction remainder factor of Jiang, Xu and Liang (2017).

The budget is concave, falling and made of straight pieces in κ. Newton's step goes to where the straight line through the present
piece ends, which, the budget being concave, is the root or lies to the right of it. So the steps fall, never past the root, and a
step that stands still stands on it: after as many pieces as there are assets at most. They start with what is there before costs.
Costs being small, nearly every asset is bought or sold as it is there: mostly the second step finds the first one's piece again.

All that is compiled together stands in this one module: Numba's cache notices a change in a function's own file alone.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from seawall.simulator.portfolio.layout import (
    AGE,
    BASE_SLIPPAGE,
    BENCH,
    BENCHMARK,
    BENCHMARK_RETURN,
    BROUGHT,
    CASH,
    COMMISSION,
    EQUITY,
    FEE,
    GAIN,
    HALF_SPREAD,
    KEEP,
    LANES,
    LEFT,
    LOG_RETURN,
    PAY,
    PEAK_EQUITY,
    PRICE_PNL,
    ROW,
    SINCE,
    SLIPPAGE,
    SPREAD,
    START_EQUITY,
    STOP,
    SUMS,
    TERMINATED,
    TRADED_NOTIONAL,
    TRUNCATED,
    WEIGHT,
    WHOLE,
    Accounts,
    Bars,
    Lanes,
    Orders,
    Rules,
)

ENDED, STILL, TRADING = range(3)
SMALL_TRADES = 0.01
"""Trades of a bar that are together worth no more than this share of the equity fill whole."""


@njit(cache=True, error_model="numpy")
def off_the_simplex(weights: np.ndarray, totals: np.ndarray, tolerance: float) -> int:
    """Return the first account whose weights are below 0, no numbers, or do not add up to 1; −1 where there is none.

    Args:
        weights: Given weights, float64, shape (N, A + 1).
        totals: Filled with what they add up to, shape (N,), as far as they are allowed.
        tolerance: How far from 1 that may be.
    """
    for i in range(len(weights)):
        total, least = 0.0, 0.0
        for place in range(weights.shape[1]):
            total += weights[i, place]
            least = min(least, weights[i, place])
        if not (least >= 0.0 and abs(total - 1.0) <= tolerance):
            return i
        totals[i] = total
    return -1


@njit(cache=True, error_model="numpy")
def left_after_costs(cash: np.ndarray, size: int, lanes: Lanes, rates: np.ndarray) -> None:
    """Find what assets and cash are worth together once they stand at the wanted shares; it is left in the sums, at LEFT.

    Args:
        cash: Cash before the trade, shape (size,).
        size: Accounts in the lanes.
        lanes: Their values, shares and shares of cash.
        rates: As in `Bars`.
    """
    left, brought = lanes.sums[LEFT, :size], lanes.sums[BROUGHT, :size]
    weight, cash_share = lanes.sums[WEIGHT, :size], lanes.cash_share[:size]
    left[:] = cash
    for asset in range(len(lanes.values)):
        values = lanes.values[asset, :size]
        for lane in range(size):
            left[lane] += values[lane]
    for _ in range(len(lanes.values) + 2):
        brought[:] = cash
        weight[:] = cash_share
        for asset in range(len(lanes.values)):
            values, shares = lanes.values[asset, :size], lanes.shares[asset, :size]
            keep, pay = rates[KEEP, asset], rates[PAY, asset]
            # Without branches: whether an asset is bought or sold cannot be foreseen.
            for lane in range(size):
                rate = keep if values[lane] > left[lane] * shares[lane] else pay
                brought[lane] += rate * values[lane]
                weight[lane] += rate * shares[lane]
        fallen = 0
        for lane in range(size):
            root = brought[lane] / weight[lane]
            fallen += 1 if root < left[lane] else 0
            left[lane] = min(root, left[lane])
        # On the same piece the root has the same bits.
        if fallen == 0:
            break


@njit(cache=True, error_model="numpy")
def _share_out(size: int, lanes: Lanes, band: float) -> None:
    """Turn wanted weights into shares of what the traded assets and the cash are worth together.

    An asset without a bar of its own, or whose share is off by no more than the band, is marked as not traded.

    Args:
        size: Accounts in the lanes.
        lanes: Their opens, values, wanted weights, and all that they are worth, at WHOLE.
        band: The band.
    """
    whole, given, cash_share = lanes.sums[WHOLE, :size], lanes.sums[WEIGHT, :size], lanes.cash_share[:size]
    given[:] = cash_share
    for asset in range(len(lanes.values)):
        opens, values, shares = lanes.opens[asset, :size], lanes.values[asset, :size], lanes.shares[asset, :size]
        for lane in range(size):
            traded = (opens[lane] > 0.0) & (abs(shares[lane] * whole[lane] - values[lane]) > band * whole[lane])
            shares[lane] = shares[lane] if traded else 0.0
            values[lane] = values[lane] if traded else 0.0
            opens[lane] = opens[lane] if traded else -abs(opens[lane])
            given[lane] += shares[lane]
    for lane in range(size):
        given[lane] = 1.0 / given[lane] if given[lane] > 0.0 else 0.0
    cash_share[:] = 1.0
    for asset in range(len(lanes.values)):
        shares = lanes.shares[asset, :size]
        for lane in range(size):
            shares[lane] *= given[lane]
            cash_share[lane] -= shares[lane]
    for lane in range(size):
        cash_share[lane] = max(cash_share[lane], 0.0)


@njit(cache=True, error_model="numpy")
def _fill_in_part(cash: np.ndarray, size: int, lanes: Lanes, fill_ratio: float) -> None:
    """Turn shares of what is left after whole trades, and what is left, into those after a part of each trade.

    With f the part, that is f κ + (1 − f) (cash + Σ v): every trade and its cost is a part f of the whole one. Trades that are
    small together are filled whole, or some would be left for ever.

    Args:
        cash: Cash before the trade, shape (size,).
        size: Accounts in the lanes.
        lanes: Their values and shares, all that they are worth, at WHOLE, and what whole trades leave, at LEFT.
        fill_ratio: The part.
    """
    whole, left, part = lanes.sums[WHOLE, :size], lanes.sums[LEFT, :size], lanes.sums[WEIGHT, :size]
    there = lanes.sums[BROUGHT, :size]
    part[:] = 0.0
    there[:] = cash
    for asset in range(len(lanes.values)):
        values, shares = lanes.values[asset, :size], lanes.shares[asset, :size]
        for lane in range(size):
            part[lane] += abs(left[lane] * shares[lane] - values[lane])
            there[lane] += values[lane]
    for lane in range(size):
        part[lane] = fill_ratio if part[lane] > SMALL_TRADES * whole[lane] else 1.0
        there[lane] = part[lane] * left[lane] + (1.0 - part[lane]) * there[lane]
    for asset in range(len(lanes.values)):
        values, shares = lanes.values[asset, :size], lanes.shares[asset, :size]
        for lane in range(size):
            new = part[lane] * left[lane] * shares[lane] + (1.0 - part[lane]) * values[lane]
            shares[lane] = new / there[lane] if there[lane] > 0.0 else 0.0
    left[:] = there


@njit(cache=True, error_model="numpy")
def _rebalance(accounts: Accounts, first: int, size: int, lanes: Lanes, rates: np.ndarray, fill_ratio: float) -> None:
    """Trade accounts to the shares that `_share_out` found, at the open, and book what it cost.

    Args:
        accounts: What is changed in place.
        first: The account in the first lane.
        size: Accounts in the lanes.
        lanes: Their opens, values and shares.
        rates: As in `Bars`.
        fill_ratio: As in `Rules`.
    """
    last = first + size
    cash, fee, spread = accounts.money[CASH, first:last], accounts.money[FEE, first:last], accounts.money[SPREAD, first:last]
    slippage, total = accounts.money[SLIPPAGE, first:last], accounts.money[TRADED_NOTIONAL, first:last]
    left_after_costs(cash, size, lanes, rates)
    if fill_ratio < 1.0:
        _fill_in_part(cash, size, lanes, fill_ratio)
    left = lanes.sums[LEFT, :size]
    cash[:] = left
    for asset in range(len(lanes.values)):
        opens, values, shares = lanes.opens[asset, :size], lanes.values[asset, :size], lanes.shares[asset, :size]
        units, paid, pay = accounts.units[asset, first:last], accounts.paid[asset, first:last], rates[PAY, asset]
        commission, half_spread, slip = rates[COMMISSION, asset], rates[HALF_SPREAD, asset], rates[BASE_SLIPPAGE, asset]
        for lane in range(size):
            new = left[lane] * shares[lane]
            moved = new - values[lane]
            notional = moved * pay if moved > 0.0 else -moved
            fee[lane] += commission * notional
            spread[lane] += half_spread * notional
            slippage[lane] += slip * notional
            total[lane] += notional
            cash[lane] -= new
            held, kept = units[lane], paid[lane]
            now = new / opens[lane] if opens[lane] > 0.0 else held
            units[lane] = now
            kept = kept if now > 0.0 else 0.0
            paid[lane] = (held * kept + (now - held) * opens[lane]) / now if now > held else kept
    # Shares that add up to 1 leave a rounding of cash, perhaps below zero.
    for lane in range(size):
        cash[lane] = max(cash[lane], 0.0)


@njit(cache=True, error_model="numpy")
def _load(bars: Bars, accounts: Accounts, orders: Orders, rules: Rules, first: int, size: int, lanes: Lanes) -> int:
    """Lay out prices and wanted weights of some accounts side by side; return how many of them rebalance."""
    counts, assets, trading = accounts.counts, len(lanes.opens), 0
    for lane in range(size):
        i = first + lane
        ended = counts[TERMINATED, i] + counts[TRUNCATED, i] > 0
        due = rules.every == 1 or counts[AGE, i] % rules.every == 0
        trades = due and not (ended or orders.hold[i])
        lanes.state[lane] = ENDED if ended else (TRADING if trades else STILL)
        trading += 1 if trades else 0
        row = counts[ROW, i] + (0 if ended else 1)
        now, before, scale = bars.prices[row], bars.prices[row - 1], 1.0 / orders.totals[i]
        lanes.cash_share[lane] = orders.weights[i, 0] * scale
        for asset in range(assets):
            lanes.opens[asset, lane] = now[asset] if trades else -abs(now[asset])
            lanes.closes[asset, lane] = now[assets + asset]
            lanes.earlier[asset, lane] = before[assets + asset]
            lanes.shares[asset, lane] = orders.weights[i, asset + 1] * scale
    return trading


@njit(cache=True, error_model="numpy")
def _open(accounts: Accounts, first: int, size: int, lanes: Lanes) -> None:
    """Mark what is held at the open."""
    whole, gain = lanes.sums[WHOLE, :size], lanes.sums[GAIN, :size]
    whole[:] = accounts.money[CASH, first : first + size]
    gain[:] = 0.0
    for asset in range(len(lanes.opens)):
        units, opens = accounts.units[asset, first : first + size], lanes.opens[asset, :size]
        earlier, values = lanes.earlier[asset, :size], lanes.values[asset, :size]
        for lane in range(size):
            price = abs(opens[lane])
            values[lane] = units[lane] * price
            whole[lane] += values[lane]
            gain[lane] += units[lane] * (price - earlier[lane])


@njit(cache=True, error_model="numpy")
def _close(accounts: Accounts, first: int, size: int, lanes: Lanes) -> None:
    """Mark what is held at the close, and the benchmark."""
    whole, gain, bench = lanes.sums[WHOLE, :size], lanes.sums[GAIN, :size], lanes.sums[BENCH, :size]
    whole[:] = accounts.money[CASH, first : first + size]
    bench[:] = 0.0
    for asset in range(len(lanes.opens)):
        units, held = accounts.units[asset, first : first + size], accounts.bench_units[asset, first : first + size]
        opens, closes = lanes.opens[asset, :size], lanes.closes[asset, :size]
        for lane in range(size):
            whole[lane] += units[lane] * closes[lane]
            gain[lane] += units[lane] * (closes[lane] - abs(opens[lane]))
            bench[lane] += held[lane] * closes[lane]


@njit(cache=True, error_model="numpy")
def _book(accounts: Accounts, first: int, size: int, lanes: Lanes, rules: Rules) -> None:
    """Write down the bar that has closed, and end the episodes that are over."""
    money, counts = accounts.money, accounts.counts
    for lane in range(size):
        if lanes.state[lane] == ENDED:
            continue
        i, equity, benchmark = first + lane, lanes.sums[WHOLE, lane], lanes.sums[BENCH, lane]
        money[LOG_RETURN, i], money[EQUITY, i] = math.log(equity / money[EQUITY, i]), equity
        money[BENCHMARK_RETURN, i], money[BENCHMARK, i] = math.log(benchmark / money[BENCHMARK, i]), benchmark
        money[PRICE_PNL, i] = lanes.sums[GAIN, lane]
        money[PEAK_EQUITY, i] = max(money[PEAK_EQUITY, i], equity)
        reference = money[PEAK_EQUITY, i] if rules.from_peak else money[START_EQUITY, i]
        terminated = equity <= (1.0 - rules.stop_drawdown) * reference
        counts[ROW, i] += 1
        counts[AGE, i] += 1
        counts[SINCE, i] = 0 if lanes.state[lane] == TRADING else counts[SINCE, i] + 1
        counts[TERMINATED, i] = 1 if terminated else 0
        counts[TRUNCATED, i] = 1 if counts[ROW, i] == counts[STOP, i] - 1 and not terminated else 0


@njit(cache=True, error_model="numpy")
def _advance(bars: Bars, accounts: Accounts, orders: Orders, rules: Rules, span: tuple[int, int]) -> None:
    assets = len(accounts.units)
    lanes = Lanes(
        np.empty((assets, LANES)), np.empty((assets, LANES)), np.empty((assets, LANES)), np.empty((assets, LANES)),
        np.empty((assets, LANES)), np.empty(LANES), np.empty((SUMS, LANES)), np.empty(LANES, dtype=np.int64),
    )  # fmt: skip
    for first in range(span[0], span[1], LANES):
        size = min(LANES, span[1] - first)
        accounts.money[LOG_RETURN:, first : first + size] = 0.0
        trading = _load(bars, accounts, orders, rules, first, size, lanes)
        _open(accounts, first, size, lanes)
        if trading > 0:
            _share_out(size, lanes, rules.band)
            _rebalance(accounts, first, size, lanes, bars.rates, rules.fill_ratio)
        _close(accounts, first, size, lanes)
        _book(accounts, first, size, lanes, rules)


@njit(cache=True, error_model="numpy")
def step_serial(bars: Bars, accounts: Accounts, orders: Orders, rules: Rules) -> None:
    """Take every account one bar on.

    Args:
        bars: Prices and costs.
        accounts: What is changed in place.
        orders: What is asked for.
        rules: When trades happen, and when an episode ends.
    """
    _advance(bars, accounts, orders, rules, (0, len(orders.hold)))


@njit(cache=True, error_model="numpy", parallel=True)
def step_parallel(bars: Bars, accounts: Accounts, orders: Orders, rules: Rules) -> None:
    """Do what `step_serial` does, with accounts shared among threads; the same bits."""
    n = len(orders.hold)
    chunks = (n + LANES - 1) // LANES
    for chunk in prange(chunks):
        first = chunk * LANES
        _advance(bars, accounts, orders, rules, (first, min(n, first + LANES)))
