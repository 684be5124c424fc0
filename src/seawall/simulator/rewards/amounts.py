"""Reward terms of the bar alone, compiled: what was earned, paid and held in it, and what happened in it.

Each loop writes one term of the accounts first..last − 1; a loop that does one thing is turned into vector instructions.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from seawall.simulator.kernel import layout as at
from seawall.simulator.rewards import layout as of
from seawall.simulator.rewards.layout import Span

_BONUS = 2.0


@njit(cache=True, error_model="numpy")
def _equal(source: np.ndarray, row: int, terms: np.ndarray, span: Span) -> None:
    for i in range(span.first, span.last):
        terms[span.place, i] = source[row, i]


@njit(cache=True, error_model="numpy")
def _less(source: np.ndarray, row: int, terms: np.ndarray, span: Span) -> None:
    for i in range(span.first, span.last):
        terms[span.place, i] = -source[row, i]


@njit(cache=True, error_model="numpy")
def _less_share(source: np.ndarray, row: int, facts: np.ndarray, terms: np.ndarray, span: Span) -> None:
    """Write minus a row as a share of the equity before."""
    for i in range(span.first, span.last):
        terms[span.place, i] = -source[row, i] / facts[of.EQUITY_BEFORE, i]


@njit(cache=True, error_model="numpy")
def _less_square(source: np.ndarray, row: int, terms: np.ndarray, span: Span) -> None:
    for i in range(span.first, span.last):
        terms[span.place, i] = -(source[row, i] * source[row, i])


@njit(cache=True, error_model="numpy")
def _less_size(source: np.ndarray, row: int, terms: np.ndarray, span: Span) -> None:
    for i in range(span.first, span.last):
        terms[span.place, i] = -abs(source[row, i])


@njit(cache=True, error_model="numpy")
def _excess(facts: np.ndarray, terms: np.ndarray, span: Span) -> None:
    """Write the account's return less the asset's."""
    for i in range(span.first, span.last):
        terms[span.place, i] = facts[of.BAR_RETURN, i] - facts[of.ASSET_RETURN, i]


@njit(cache=True, error_model="numpy")
def fill_amount(code: int, money: np.ndarray, facts: np.ndarray, terms: np.ndarray, span: Span) -> None:
    """Write a term of what was earned, paid or held."""
    if code == of.LOG_RETURN:
        _equal(money, at.LOG_RETURN, terms, span)
    elif code == of.SIMPLE_RETURN:
        _equal(facts, of.BAR_RETURN, terms, span)
    elif code == of.BENCHMARK_EXCESS:
        _excess(facts, terms, span)
    elif code == of.DRAWDOWN:
        _less(facts, of.FALL, terms, span)
    elif code == of.VARIANCE:
        _less_square(money, at.LOG_RETURN, terms, span)
    elif code == of.FEE:
        _less_share(money, at.FEE, facts, terms, span)
    elif code == of.COSTS:
        _less_share(facts, of.BAR_COSTS, facts, terms, span)
    elif code == of.TURNOVER:
        _less_share(money, at.TRADED_NOTIONAL, facts, terms, span)
    else:
        _less_size(facts, of.EXPOSURE, terms, span)


@njit(cache=True, error_model="numpy")
def _entries(money: np.ndarray, facts: np.ndarray, terms: np.ndarray, span: Span) -> None:
    """Write −1 where a position was opened, enlarged or reversed in the bar and is held at its close."""
    for i in range(span.first, span.last):
        held, before = money[at.QUANTITY, i], facts[of.QUANTITY_BEFORE, i]
        entered = (held != 0.0) & ((abs(held) > abs(before)) | (held * before < 0.0))
        terms[span.place, i] = -1.0 if entered else 0.0


@njit(cache=True, error_model="numpy")
def _idle_bars(money: np.ndarray, terms: np.ndarray, span: Span) -> None:
    """Write 1 where nothing was held and nothing traded."""
    for i in range(span.first, span.last):
        idle = (money[at.QUANTITY, i] == 0.0) & (money[at.TRADED_NOTIONAL, i] == 0.0)
        terms[span.place, i] = 1.0 if idle else 0.0


@njit(cache=True, error_model="numpy")
def _profits(money: np.ndarray, terms: np.ndarray, span: Span) -> None:
    """Write twice the profit of what was closed over its value at entry, where it is a profit."""
    for i in range(span.first, span.last):
        won, value = money[at.CLOSED_PNL, i], money[at.CLOSED_VALUE, i]
        terms[span.place, i] = _BONUS * (won / value) if won > 0.0 else 0.0


@njit(cache=True, error_model="numpy")
def fill_mark(code: int, money: np.ndarray, counts: np.ndarray, facts: np.ndarray, terms: np.ndarray, span: Span) -> None:
    """Write a term of what happened."""
    if code == of.TRADE:
        for i in range(span.first, span.last):
            terms[span.place, i] = -1.0 if money[at.TRADED_NOTIONAL, i] > 0.0 else 0.0
    elif code == of.TRADE_ENTRY:
        _entries(money, facts, terms, span)
    elif code == of.HOLD_BONUS:
        _idle_bars(money, terms, span)
    elif code == of.PROFIT_BONUS:
        _profits(money, terms, span)
    else:
        for i in range(span.first, span.last):
            terms[span.place, i] = -1.0 if counts[at.TERMINATED, i] != 0 else 0.0
