"""The verdict on another program's ledger, by rules stated beforehand.

A ledger tells no seeds and no recipe, so that it is judged by what it does tell. Nothing is judged where the number of trials or
the costs are unknown, or where a fill is better than any price of its bar. Evidence is claimed only where every check passes, and
is weak where it earned after costs and another fails. What is too good stays suspicious: nobody can look for leaks in a ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seawall.evaluation.phrases import lower_first, rival_title
from seawall.evaluation.verdict import LEVEL_TITLES

_FEW_TRADES = 30


@dataclass(frozen=True)
class Grounds:
    """What the verdict is read from.

    Attributes:
        metrics: From `foreign_metrics`.
        interval: Of the mean net log return per bar, as plain values.
        differences: To each rival that trades, as plain values.
        luck: From `luck`.
        shifts: From `shifted_in_time`; None where nothing is known of what was held.
        stress: From `foreign_stress`; None likewise.
        costs_known: Whether the costs of trading are in the figures.
        too_good: Why the result is too good to be taken without a leak check; empty where it is not.
        impossible: Fills at a better price than their bar had.
        confidence: Needed of intervals and of the deflated Sharpe ratio.
    """

    metrics: Mapping[str, Any]
    interval: Mapping[str, Any]
    differences: Mapping[str, Mapping[str, Any]]
    luck: Mapping[str, Any]
    shifts: Mapping[str, Any] | None
    stress: Mapping[str, Any] | None
    costs_known: bool
    too_good: str
    impossible: int
    confidence: float


def judge_grounds(grounds: Grounds) -> dict[str, Any]:
    """Apply the rules.

    Args:
        grounds: What was measured.

    Returns:
        ``level`` (``evidence``, ``weak``, ``none``, ``suspicious`` or ``not judged``), ``title``, ``headline``, ``stamp`` (why it
        is no evidence whatever it earned), ``checks`` and ``cautions``; plain values.
    """
    needed, tests = _needed(grounds), _tests(grounds)
    earned = tests[0]["passed"]
    doubt = [_no_leak(grounds.too_good)] if grounds.too_good and earned else []
    lacking = [check for check in needed if not check["passed"]]
    stamp = f"Not evidence: {lower_first(lacking[0]['words'])}" if lacking else ""
    failed = [check for check in (*doubt, *lacking, *tests) if not check["passed"]]
    if doubt and not grounds.impossible:
        level, headline = "suspicious", f"Suspicious: {lower_first(doubt[0]['words'])}"
    elif lacking:
        level, headline = "not judged", stamp
    elif not failed:
        level, headline = "evidence", "Evidence of skill on these bars: every check below passes. This is the past, and no promise."
    elif earned:
        level, headline = "weak", f"Weak evidence: it earned after costs, but {lower_first(failed[0]['words'])}"
    else:
        level, headline = "none", f"No evidence of skill: {lower_first(failed[0]['words'])}"
    checks = [*needed, *doubt, *tests]
    return {
        "level": level,
        "title": LEVEL_TITLES[level],
        "headline": headline,
        "stamp": stamp,
        "checks": checks,
        "cautions": _cautions(grounds),
    }


def _check(name: str, passed: bool, words: str) -> dict[str, Any]:
    return {"name": name, "passed": passed, "words": words}


def _needed(grounds: Grounds) -> list[dict[str, Any]]:
    """Return the checks without which nothing can be judged."""
    trials = grounds.luck["trials"]
    if trials is None:
        told = "The number of trials is unknown; the best of many tries looks good by chance: tell it with --trials."
    else:
        told = f"{trials:,} {'trial' if trials == 1 else 'trials'}, as told; it is not checked."
    costs = "Costs are in the figures." if grounds.costs_known else (
        "The costs are unknown: the file tells none; tell them with --taker-bps, or --costs-included where prices hold them."
    )  # fmt: skip
    fills = "No fill is better than the prices of its bar." if not grounds.impossible else (
        f"{grounds.impossible:,} fills are better than any price of their bar, which no market gives."
    )  # fmt: skip
    checks = [_check("trials known", trials is not None, told), _check("costs known", grounds.costs_known, costs)]
    return checks if grounds.stress is None else [*checks, _check("fills possible", not grounds.impossible, fills)]


def _no_leak(too_good: str) -> dict[str, Any]:
    words = (
        f"Too good to be taken as it is ({too_good}); nobody can look for leaks in a ledger: run the strategy as a recipe, and "
        "seawall leakcheck it."
    )
    return _check("no leak", False, words)


def _tests(grounds: Grounds) -> list[dict[str, Any]]:
    percent = f"{100 * grounds.confidence:g} %"
    checks = [_mean_above_zero("earns after costs", "It earned", grounds.metrics["mean_log_return"], grounds.interval, percent)]
    for name, difference in grounds.differences.items():
        start = f"Against {rival_title(name)}, bar by bar:"
        checks.append(_mean_above_zero(f"beats {name}", start, difference["mean"], difference, percent))
    checks.append(_deflated(grounds, percent))
    if grounds.shifts is not None:
        checks.append(_timing(grounds))
    if grounds.stress is not None:
        found = grounds.stress["break_even"]
        words = f"Cost stress: {found['words']}; more than 1 times is needed."
        checks.append(_check("survives the costs", bool(found["above_one"]), words))
    return checks


def _mean_above_zero(name: str, start: str, mean: float, interval: Mapping[str, Any], percent: str) -> dict[str, Any]:
    low, high = interval["low"], interval["high"]
    if low is None:
        return _check(name, False, f"{start} {_bps(mean)} bps per bar; no interval: {interval['reason']}.")
    passed = low > 0.0
    ending = "the whole interval is above zero" if passed else "that cannot be told from zero or less"
    return _check(name, passed, f"{start} {_bps(mean)} bps per bar ({percent} interval {_bps(low)} to {_bps(high)}); {ending}.")


def _bps(value: float) -> str:
    return f"{1e4 * value:+.2f}".replace("-", "−")


def _deflated(grounds: Grounds, percent: str) -> dict[str, Any]:
    luck = grounds.luck
    value, trials = luck["deflated_sharpe"], luck["trials"]
    if value is None:
        why = luck["undefined"]["deflated_sharpe"]
        return _check("more than luck", False, f"Whether the Sharpe ratio is luck cannot be told: {why}.")
    words = (
        f"The Sharpe ratio is above what {trials:,} {'try' if trials == 1 else 'tries'} without skill would give, with probability "
        f"{100 * value:.1f} %; {percent} is needed."
    )
    return _check("more than luck", value >= grounds.confidence, words)


def _timing(grounds: Grounds) -> dict[str, Any]:
    shifts = grounds.shifts or {}
    p_value, level = shifts["p_value"], 1.0 - grounds.confidence
    if p_value is None:
        return _check("timing", False, f"Its timing cannot be tested: {shifts['reason']}.")
    words = (
        f"Of {shifts['n']} copies of its own positions, moved to other times, {100 * p_value:.1f} % did as well; "
        f"at most {100 * level:.0f} % may."
    )
    return _check("timing", p_value <= level, words)


def _cautions(grounds: Grounds) -> list[str]:
    cautions: list[str] = []
    if grounds.stress is not None and grounds.stress["delay"]["total_return"] is not None:
        late, on_time = grounds.stress["delay"]["total_return"], grounds.stress["delay"]["on_time_total_return"]
        made = f"{100 * late:+.1f} % instead of {100 * on_time:+.1f} %".replace("-", "−")
        cautions.append(f"With every fill one bar later, at its open, it would have made {made}.")
    trades = grounds.metrics["trades"]
    if trades is not None and 0 < trades < _FEW_TRADES:
        cautions.append(f"Only {trades} round trips: the figures rest on few decisions.")
    if grounds.stress is None:
        cautions.append("The file tells equity alone: what was held, traded and paid cannot be checked.")
    return cautions
