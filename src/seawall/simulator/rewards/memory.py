"""Reward terms that remember, compiled: differential and windowed Sharpe ratios, volatility, growth of the drawdown, idleness.

What is remembered of an account depends on its own bars since its reset alone, so that a batch equals single accounts bit for bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from seawall.simulator.kernel import layout as account
from seawall.simulator.rewards import layout as of
from seawall.simulator.rewards.layout import Numbers, Span
from seawall.simulator.rewards.settings import TermSettings

_LEAST_VARIANCE = 1e-18
"""Returns steadier than this a bar (a deviation of 1e-9) have no ratio: it would be rounding alone."""


def remembered_parts(code: int, params: TermSettings) -> tuple[dict[str, int], dict[str, int]]:
    """Return what a term remembers: names of the parts and their numbers of rows, in `memory` and in `ages`."""
    if code == of.DIFFERENTIAL_SHARPE:
        return {"mean": 1, "square": 1, "age": 1}, {}
    if code in (of.WINDOWED_SHARPE, of.VOLATILITY):
        return {"ring": params.sharpe_window}, {"age": 1}
    if code == of.DRAWDOWN_GROWTH:
        return {"largest": 1}, {}
    return ({}, {"bars": 1}) if code == of.IDLE else ({}, {})


@njit(cache=True, error_model="numpy")
def _differential_sharpe(facts: np.ndarray, memory: np.ndarray, row: int, numbers: Numbers, terms: np.ndarray, span: Span) -> None:
    """Write the differential Sharpe ratio of Moody and Saffell (2001), "Learning to trade via direct reinforcement", equation 13.

    With A and B the moving first and second moments of the returns R, and η the rate: D = (B ΔA − A ΔB / 2) / (B − A²)^(3/2),
    where ΔA = R − A and ΔB = R² − B, all moments from before the bar; then A += η ΔA and B += η ΔB. It is 0 during the warm-up, and
    clipped.
    """
    rate, warmup, clip = numbers.rate, numbers.warmup, numbers.clip
    for i in range(span.first, span.last):
        earned, mean, square, age = facts[of.BAR_RETURN, i], memory[row, i], memory[row + 1, i], memory[row + 2, i]
        up, wide, variance = earned - mean, earned * earned - square, square - mean * mean
        ratio = (square * up - 0.5 * mean * wide) / (variance * np.sqrt(variance))
        known = (variance > _LEAST_VARIANCE) & (age >= warmup)
        terms[span.place, i] = min(max(ratio, -clip), clip) if known else 0.0
        # Until 1 / rate bars are known, the moments are plain means: else their start at 0 would count for as long.
        share = max(rate, 1.0 / (age + 1.0))
        memory[row, i] = mean + share * up
        memory[row + 1, i] = square + share * wide
        memory[row + 2, i] = age + 1.0


@njit(cache=True, error_model="numpy")
def _remember_return(
    facts: np.ndarray, memory: np.ndarray, ages: np.ndarray, rows: tuple[int, int], window: int, span: Span
) -> None:
    """Put the return of the bar into the ring, and fill mean and deviation (ddof 0) of it, anew: sums carried along would drift.

    Its place is by the age of each account: one shared by all would let the bars before a reset decide the order of a sum, and its
    last bit.
    """
    row, age = rows
    for i in range(span.first, span.last):
        memory[row + ages[age, i] % window, i] = facts[of.BAR_RETURN, i]
        ages[age, i] += 1
        facts[of.MEAN, i] = facts[of.DEVIATION, i] = 0.0
    for k in range(window):
        for i in range(span.first, span.last):
            facts[of.MEAN, i] += memory[row + k, i]
    for i in range(span.first, span.last):
        facts[of.MEAN, i] /= window
    for k in range(window):
        for i in range(span.first, span.last):
            away = memory[row + k, i] - facts[of.MEAN, i]
            facts[of.DEVIATION, i] += away * away
    for i in range(span.first, span.last):
        facts[of.DEVIATION, i] = np.sqrt(facts[of.DEVIATION, i] / window)


@njit(cache=True, error_model="numpy")
def _windowed(facts: np.ndarray, ages: np.ndarray, age: int, window: int, sharpe: bool, terms: np.ndarray, span: Span) -> None:
    """Write mean over deviation, or minus the deviation, of the ring; 0 until it is full."""
    for i in range(span.first, span.last):
        mean, deviation = facts[of.MEAN, i], facts[of.DEVIATION, i]
        found = -deviation
        if sharpe:
            found = mean / deviation if deviation * deviation > _LEAST_VARIANCE else 0.0
        terms[span.place, i] = found if ages[age, i] >= window else 0.0


@njit(cache=True, error_model="numpy")
def _drawdown_growth(facts: np.ndarray, memory: np.ndarray, row: int, terms: np.ndarray, span: Span) -> None:
    """Write minus the growth of the largest drawdown of the episode."""
    for i in range(span.first, span.last):
        largest = max(memory[row, i], facts[of.FALL, i])
        terms[span.place, i] = memory[row, i] - largest
        memory[row, i] = largest


@njit(cache=True, error_model="numpy")
def _idle(money: np.ndarray, ages: np.ndarray, row: int, threshold: int, terms: np.ndarray, span: Span) -> None:
    """Write −1 for each bar without position or trade after more than some of them in a row."""
    for i in range(span.first, span.last):
        idle = (money[account.QUANTITY, i] == 0.0) & (money[account.TRADED_NOTIONAL, i] == 0.0)
        bars = ages[row, i] + 1 if idle else 0
        ages[row, i] = bars
        terms[span.place, i] = -1.0 if bars > threshold else 0.0


@njit(cache=True, error_model="numpy")
def fill_remembering(  # noqa: PLR0913 (arrays apart: a tuple of many is copied at each call)
    code: int,
    at: tuple[int, int],
    money: np.ndarray,
    facts: np.ndarray,
    memory: np.ndarray,
    ages: np.ndarray,
    numbers: Numbers,
    terms: np.ndarray,
    span: Span,
) -> None:
    """Write a term that remembers, from rows of memory and ages on, and remember the bar."""
    row, age = at
    if code == of.DRAWDOWN_GROWTH:
        _drawdown_growth(facts, memory, row, terms, span)
    elif code == of.DIFFERENTIAL_SHARPE:
        _differential_sharpe(facts, memory, row, numbers, terms, span)
    elif code == of.IDLE:
        _idle(money, ages, age, numbers.idle_bars, terms, span)
    else:
        _remember_return(facts, memory, ages, at, numbers.window, span)
        _windowed(facts, ages, age, numbers.window, code == of.WINDOWED_SHARPE, terms, span)
