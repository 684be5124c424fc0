"""The exact oracle: a dynamic programme over trades.

After a trade the exposure after costs is exactly the level asked for. All that happens until the next trade follows from the row
of the trade and the level alone, whatever was earned before, since the account is the same at every equity. So

    V[k, l] = max over the next trade (m, l') of   log(equity it leaves at the open of m, from 1 after the trade at k) + V[m, l']

with the end of the span, or a liquidation, as the last event of a chain. A level whose exposure never drifts (flat; all in, without
interest) needs to look one row ahead only. Others look at every later row, up to one at which the simulator trades back by itself.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from seawall.evaluation.oracle.problem import Problem, Span
from seawall.simulator.kernel.layout import RUIN_RATIO

MOST_STEPS = 50_000_000
"""Next trades that are looked at before the exact answer is given up; a second or two."""
_LOG_RUIN = math.log(RUIN_RATIO)
_TINY = 1e-300


class Charges(NamedTuple):
    """What the kernel below is told beside the span.

    Attributes:
        impact: Slippage per unit of traded exposure.
        most: No fill slides further, unless it did without.
        margin: Maintenance margin.
        band: Drift at which an unchanged target is traded again; infinite for never.
        closes: Whether a position is closed at the last close.
    """

    impact: float
    most: float
    margin: float
    band: float
    closes: bool


class Plan(NamedTuple):
    """The programme's answer for each row and level.

    Attributes:
        value: Log growth from just after a trade to the level at the row's open to the end, float64, shape (n, L).
        row: Row of the next trade, n for none; int32, likewise.
        level: Place of the level traded to then, int8, likewise.
    """

    value: np.ndarray
    row: np.ndarray
    level: np.ndarray


def unanswered(problem: Problem) -> str:
    """Say why the programme has no answer: what an account may do depends on more than the last trade; empty where it has one."""
    flags, rules = problem.flags, problem.rules
    found = [
        (flags.exits is not None, "a take-profit or a stop, which hangs on the entry"),
        (flags.lots is not None, "orders that fill in lots or in part"),
        (flags.session is not None, "hours without orders"),
        (flags.closing is not None and rules.max_drawdown < 1.0, "a stop at a drawdown, which hangs on the highest equity"),
        (problem.delayed, "orders that arrive late"),
        (problem.between, "exposures between the levels"),
    ]
    return " and ".join(words for there, words in found if there)


def best_plan(problem: Problem) -> tuple[float, np.ndarray] | None:
    """Solve the programme.

    Args:
        problem: One that `unanswered` has no objection to.

    Returns:
        The best log growth, and the targets that attain it, float64, shape (n − 1,); None where it takes too many steps.
    """
    span, rules, levels = problem.span, problem.rules, problem.levels
    n = len(span.open)
    steady = _never_drift(span, levels)
    drifting = int((~steady).sum())
    band = math.inf if problem.flags.rebalance is None else rules.band
    if band == math.inf and n * n // 2 * drifting * len(levels) > MOST_STEPS:
        return None
    charges = Charges(rules.size_impact, rules.most_slippage, rules.margin, band, rules.close_at_end)
    shape = (n, len(levels))
    plan = Plan(np.empty(shape), np.empty(shape, np.int32), np.empty(shape, np.int8))
    if not _solve(span, levels, steady, charges, plan, max(MOST_STEPS, 4 * n * drifting * len(levels))):
        return None
    growth, first = _begin(span, levels, charges, plan)
    return float(growth), levels[_walk(plan, first)]


def _never_drift(span: Span, levels: np.ndarray) -> np.ndarray:
    """Say which levels stay what they are without a trade, bool, shape (L,)."""
    return (levels == 0.0) | ((levels == 1.0) & (not span.long_carry.any()))


@njit(cache=True, error_model="numpy")
def _log(equity: float) -> float:
    return math.log(equity) if equity > RUIN_RATIO else _LOG_RUIN


@njit(cache=True, error_model="numpy")
def _rate(span: Span, charges: Charges, row: int, exposure: float) -> float:
    """Return what a unit of notional costs at a row, for a trade of an exposure."""
    slippage = span.slippage[row]
    return span.rate + min(slippage + charges.impact * abs(exposure), max(charges.most, slippage))


@njit(cache=True, error_model="numpy")
def _left(span: Span, charges: Charges, row: int, equity: float, value: float, target: float) -> float:
    """Return what a trade at a row's open leaves of the equity before it; `kernel.book.rebalanced` says why."""
    rate = _rate(span, charges, row, target - value / equity)
    wanted = target * equity - value
    side = 1.0 if wanted > 0.0 else -1.0
    return equity - rate * abs(wanted) / (1.0 + target * rate * side)


@njit(cache=True, error_model="numpy")
def _closed(span: Span, charges: Charges, row: int, cash: float, value: float) -> float:
    """Return the log of what is left of an account whose position is closed at the price that gives it a value."""
    equity = cash + value
    return _log(equity - _rate(span, charges, row, value / max(equity, _TINY)) * abs(value))


@njit(cache=True, error_model="numpy")
def _steady(span: Span, levels: np.ndarray, charges: Charges, plan: Plan, k: int, place: int) -> None:
    """Answer for a level that never drifts."""
    level, n = levels[place], len(span.open)
    if k == n - 1:
        end = level * math.log(span.close[k] / span.open[k])
        end += _closed(span, charges, k, 0.0, 1.0) if charges.closes and level != 0.0 else 0.0
        plan.value[k, place], plan.row[k, place], plan.level[k, place] = end, n, place
        return
    best, chosen = plan.value[k + 1, place], place
    for other in range(len(levels)):
        if other != place:
            value = _log(_left(span, charges, k + 1, 1.0, level, levels[other])) + plan.value[k + 1, other]
            if value > best:
                best, chosen = value, other
    gap = 0.0 if level == 0.0 else math.log(span.open[k + 1] / span.open[k])
    plan.value[k, place], plan.row[k, place], plan.level[k, place] = gap + best, k + 1, chosen


@njit(cache=True, error_model="numpy")
def _end(span: Span, charges: Charges, j: int, cash: float, units: float) -> tuple[bool, float]:
    """Say whether an account ends within row j, after its open, and with which log growth."""
    worst = units * (span.low[j] if units > 0.0 else span.high[j])
    if cash + worst <= charges.margin * abs(worst):
        return True, _closed(span, charges, j, cash, worst)
    if j < len(span.open) - 1:
        return False, 0.0
    value = units * span.close[j]
    return True, _closed(span, charges, j, cash, value) if charges.closes else _log(cash + value)


@njit(cache=True, error_model="numpy")
def _chain(span: Span, levels: np.ndarray, charges: Charges, plan: Plan, k: int, place: int) -> int:
    """Answer for a level that drifts: look at every next trade. Return how many were looked at."""
    level, n = levels[place], len(span.open)
    units, cash = level / span.open[k], 1.0 - level
    best, row, chosen, looked, j = -math.inf, n, place, 0, k
    while True:
        ends, value = _end(span, charges, j, cash, units)
        if ends:
            best, row, chosen = (value, n, place) if value > best else (best, row, chosen)
            break
        held, j = units * span.close[j], j + 1
        cash -= abs(held) * (span.long_carry[j] if held > 0.0 else span.short_carry[j])
        due = abs(held / (cash + held) - level) > charges.band
        value = units * span.open[j]
        equity = cash + value
        if equity <= charges.margin * abs(value):
            end = _closed(span, charges, j, cash, value)
            best, row, chosen = (end, n, place) if end > best else (best, row, chosen)
            break
        for other in range(len(levels)):
            if other == place and not due:
                continue
            left = _left(span, charges, j, equity, value, levels[other])
            after = _log(left) + plan.value[j, other] if left > 0.0 else _closed(span, charges, j, cash, value)
            if after > best:
                best, row, chosen = after, j, other
        looked += len(levels)
        if due:
            break
    plan.value[k, place], plan.row[k, place], plan.level[k, place] = best, row, chosen
    return looked


@njit(cache=True, error_model="numpy")
def _solve(span: Span, levels: np.ndarray, steady: np.ndarray, charges: Charges, plan: Plan, most: int) -> bool:
    """Fill the plan from the last row back; say whether that took no more than the most steps."""
    looked = 0
    for k in range(len(span.open) - 1, 0, -1):
        for place in range(len(levels)):
            if steady[place]:
                _steady(span, levels, charges, plan, k, place)
            else:
                looked += _chain(span, levels, charges, plan, k, place)
        if looked > most:
            return False
    return True


@njit(cache=True, error_model="numpy")
def _begin(span: Span, levels: np.ndarray, charges: Charges, plan: Plan) -> tuple[float, int]:
    """Return the best growth from flat at the first close, and the place of the first level."""
    best, first = -math.inf, 0
    for place in range(len(levels)):
        entered = 0.0 if levels[place] == 0.0 else _log(_left(span, charges, 1, 1.0, 0.0, levels[place]))
        if entered + plan.value[1, place] > best:
            best, first = entered + plan.value[1, place], place
    return best, first


@njit(cache=True, error_model="numpy")
def _walk(plan: Plan, first: int) -> np.ndarray:
    """Return the place of the level in force after each open but the first row's, int64, shape (n − 1,)."""
    n = len(plan.value)
    places = np.empty(n - 1, dtype=np.int64)
    k, place = 1, first
    while k < n:
        row = plan.row[k, place]
        places[k - 1 : row - 1] = place
        k, place = row, plan.level[k, place]
    return places
