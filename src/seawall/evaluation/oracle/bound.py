"""An upper bound where the exact programme has no answer: a dynamic programme over positions that errs on the hopeful side.

A position entered at o with exposure e outside (0, 1) and left alone is worth 1 + e (p / o − 1) ≤ (p / o)^e at p, by Bernoulli's
inequality, also where p stands for p (1 ± c), which a trade at a cost rate c brings. So each bar held at e earns no more than
e times its log return, whatever the entry was. A position within [0, 1] is a part that holds cash and a part that is all in, each
with its own share of the costs. docs/concepts/oracle.md has the proofs, also those of what holding costs at least.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from seawall.evaluation.oracle.problem import Problem, Span


class Bound(NamedTuple):
    """What the programme below is told.

    Attributes:
        levels: Exposures, ascending, with 0 among them, none in (0, 1); float64, shape (L,).
        buy: Log of the best price to buy at in a row, over the close before; float64, shape (n,).
        sell: Log of the best price to sell at, likewise.
        gain: Log of the row's close over the close before, likewise.
        rate: Least cost of a unit of notional, likewise.
        carry: What holding costs at least, as a log, float64, shape (n, L); negative where it may earn.
        trades: Trades that fit into a row, 1 or 2.
        rebalances: Whether a level may be traded back to.
        between: Whether any exposure below 0 down to the lowest level may be held.
    """

    levels: np.ndarray
    buy: np.ndarray
    sell: np.ndarray
    gain: np.ndarray
    rate: np.ndarray
    carry: np.ndarray
    trades: int
    rebalances: bool
    between: bool


def upper_bound(problem: Problem) -> tuple[float | None, str]:
    """Return an upper bound on the log growth of every policy, or None and why none is known."""
    levels = _pure(problem.levels)
    inside = _within_bars(problem)
    outside = bool((np.abs(levels - 0.5) > 0.5).any())
    if outside and problem.flags.lots is not None:
        return None, "orders that fill in lots or in part, with short or levered positions"
    span, rules = problem.span, problem.rules
    rate = span.rate + span.slippage
    rate = np.minimum(rate, rules.maker) if problem.flags.terms is not None else rate
    if outside and problem.between:
        if (rate < 0.0).any():
            return None, "rebates on any exposure, with short or levered positions"
        rate = np.zeros_like(rate) if levels[-1] > 1.0 else rate
    carry = _carry(span, levels, float(np.abs(rate).max()), rules.margin, between=problem.between)
    if carry is None:
        return None, "income from holding, with levered positions or exposures between the levels that may outgrow the equity"
    before = np.concatenate([span.close[:1], span.close[:-1]])
    low, high = _extremes(span)
    buy, sell = (low, high) if inside else (span.open, span.open)
    told = Bound(
        levels, np.log(buy / before), np.log(sell / before), np.log(span.close / before), rate, carry, 2 if inside else 1,
        problem.flags.rebalance is not None, problem.between,
    )  # fmt: skip
    return float(_solve(told)), ""


def _within_bars(problem: Problem) -> bool:
    """Say whether trades may happen elsewhere than at opens: at limits, stops, or closes before the last."""
    flags = problem.flags
    closing = flags.closing is not None and (problem.rules.max_drawdown < 1.0 or flags.session is not None)
    return flags.exits is not None or flags.terms is not None or closing


def _pure(levels: np.ndarray) -> np.ndarray:
    """Return the levels whose mixtures all others are: those outside (0, 1), flat, and all in where a part of it is allowed."""
    outside = levels[(levels <= 0.0) | (levels >= 1.0)]
    parts = [0.0, 1.0] if ((levels > 0.0) & (levels < 1.0)).any() else [0.0]
    return np.unique(np.concatenate([outside, parts]))


def _extremes(span: Span) -> tuple[np.ndarray, np.ndarray]:
    quotes = np.stack([span.open, span.high, span.low, span.close])
    return quotes.min(axis=0), quotes.max(axis=0)


class _Ranges(NamedTuple):
    """Prices that matter to what is paid in a row, float64, shape (n,) each.

    Attributes:
        before: The close that is paid on.
        entries: Lowest and highest price at which what is held then may have been entered.
        exits: Lowest and highest price at which it may be left or marked, costs included.
    """

    before: np.ndarray
    entries: tuple[np.ndarray, np.ndarray]
    exits: tuple[np.ndarray, np.ndarray]


def _carry(span: Span, levels: np.ndarray, dearest: float, margin: float, *, between: bool) -> np.ndarray | None:
    """Return what holding each level costs at least in each row, as a log, float64, shape (n, L); None where there is no bound.

    A rate f on the value at the close b takes f b / D of the growth of a position entered at o and left at p, with
    D = (1 − e) o + e p: at least f b / max D, and where it is income at most |f| b / min D.
    """
    carry = np.zeros((len(span.open), len(levels)))
    if not (span.long_carry.any() or span.short_carry.any()):
        return carry
    ranges = _ranges(span, dearest)
    for place, level in enumerate(levels.tolist()):
        if level == 0.0:
            continue
        rate = span.long_carry if level > 0.0 else span.short_carry
        least, most = _worth(level, ranges)
        earns = rate < 0.0
        if (least[earns] > 0.0).all():
            carry[:, place] = abs(level) * ranges.before * rate / np.where(earns, least, most)
        else:
            # What is paid in other rows of such a run is left out.
            if level > 0.0 or between:
                return None
            carry[:, place] = -_income(level, np.maximum(-rate, 0.0), ranges, (dearest, margin))
    return carry


def _ranges(span: Span, dearest: float) -> _Ranges:
    low, high = _extremes(span)
    entries = (np.minimum.accumulate(low), np.maximum.accumulate(high))
    exits = (np.minimum.accumulate(low[::-1])[::-1] * (1.0 - dearest), np.maximum.accumulate(high[::-1])[::-1] * (1.0 + dearest))
    before, first, last = (np.concatenate([each[:1], each[:-1]]) for each in (span.close, *entries))
    return _Ranges(before, (first, last), exits)


def _worth(level: float, ranges: _Ranges) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the most that D may be, for the level and all between it and 0, or 1 where it is above."""
    (low, high), (bottom, top) = ranges.entries, ranges.exits
    if level < 0.0:
        return np.minimum(low, (1.0 - level) * low + level * top), np.maximum(high, (1.0 - level) * high + level * bottom)
    return np.minimum(bottom, (1.0 - level) * high + level * bottom), np.maximum(top, (1.0 - level) * low + level * top)


def _income(level: float, rate: np.ndarray, ranges: _Ranges, told: tuple[float, float]) -> np.ndarray:
    """Return the most that a short level's income adds in each row, as a log, where its worth has no least.

    An account that still holds the position has not lost its margin: that limits how far prices have risen above the entry.
    """
    dearest, margin = told
    room = 1.0 + margin - float(rate.sum())
    risen = (1.0 - level) / -level / room if room > 0.0 else np.inf
    held = np.minimum(risen, ranges.before / ranges.entries[0])
    left = np.minimum(risen * (1.0 + dearest), ranges.exits[1] / ranges.entries[0])
    return np.log1p(-level * rate * held * np.maximum(left, 1.0) ** -level)


@njit(cache=True, error_model="numpy")
def _costs(levels: np.ndarray, rate: float, bonus: tuple[bool, bool], costs: np.ndarray) -> None:
    """Fill the log of what a trade from a level to another leaves, at most; and of what staying at a level may gain by trades.

    Args:
        levels: As in `Bound`.
        rate: Cost of a unit of notional.
        bonus: Whether levels are traded back to, and whether exposures between flat and the lowest are held.
        costs: Filled, float64, shape (L, L).
    """
    for i in range(len(levels)):
        for j in range(len(levels)):
            bought = levels[i] * np.log1p(rate) - np.log1p(rate * levels[j])
            sold = levels[i] * np.log1p(-rate) - np.log1p(-rate * levels[j])
            costs[i, j] = min(bought, sold) if rate >= 0.0 else max(bought, sold)
        most = abs(levels[i])
        stay = max(costs[i, i], 0.0) if bonus[0] or rate < 0.0 else 0.0
        if bonus[1] and levels[i] < 0.0:
            added = -most * np.log1p(-rate) - np.log1p(rate * most)
            reduced = -np.log1p(-rate * most) - most * np.log1p(rate)
            stay = max(stay, added, reduced)
        costs[i, i] = stay


@njit(cache=True, error_model="numpy")
def _solve(told: Bound) -> float:
    """Return the most that any sequence of positions may earn."""
    levels, places = told.levels, len(told.levels)
    values, after, costs = np.full(places, -np.inf), np.empty(places), np.zeros((places, places))
    for place in range(places):
        values[place] = 0.0 if levels[place] == 0.0 else -np.inf
    charged = np.nan
    for k in range(1, len(told.gain)):
        if told.rate[k] != charged:
            charged = told.rate[k]
            _costs(levels, charged, (told.rebalances, told.between), costs)
        for place in range(places):
            values[place] -= told.carry[k, place]
        for _ in range(told.trades):
            for j in range(places):
                best = values[j] + costs[j, j]
                for i in range(places):
                    if i != j:
                        price = told.sell[k] if levels[i] > levels[j] else told.buy[k]
                        best = max(best, values[i] + (levels[i] - levels[j]) * price + costs[i, j])
                after[j] = best
            values[:] = after
        for place in range(places):
            values[place] += levels[place] * told.gain[k]
    return values.max()
