"""The verdict: is there evidence of skill, by rules stated beforehand?

Evidence is claimed only where every check passes:

0. no feature looks into the future, as a legacy one may; with one, nothing is judged;
1. at least `min_seeds` trained seeds, so that the result is not one lucky seed; with fewer, nothing is judged;
2. the lower bound of the bootstrap interval of the mean net log return per bar is above zero;
3. so is the lower bound of the paired difference to every rival that trades;
4. the median seed on its own makes money after costs;
5. the result survives more than the costs that were charged (break-even multiple above `min_break_even`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seawall.core.params import Params
from seawall.evaluation.bootstrap import Difference, Interval

Level = Literal["evidence", "none", "not judged"]
LEVEL_TITLES: dict[str, str] = {
    "evidence": "Evidence of skill",
    "none": "No evidence of skill",
    "not judged": "Not judged",
}
"""What a page calls each level."""
LEVEL_CLASSES: dict[str, str] = {"evidence": "evidence", "none": "none", "not judged": "unjudged"}
"""The style that a page gives it."""


class VerdictParams(Params):
    """The bars that evidence must clear."""

    min_seeds: int = Field(default=5, ge=1, le=100, description="Trained seeds needed for any verdict")
    min_break_even: float = Field(default=1.0, ge=1.0, le=100.0, description="The break-even cost multiple must be above this")


@dataclass(frozen=True)
class Evidence:
    """What the verdict is read from. Log returns are net, per bar.

    Attributes:
        n_seeds: Trained seeds in the judged ensemble.
        mean_log_return: Of the ensemble.
        interval: Bootstrap interval of that mean.
        differences: Paired comparison with each rival that trades, by its name.
        seed_returns: Total net return of each seed on its own.
        trades: Round trips of the ensemble.
        break_even: ``multiple``, ``words`` and ``above_one``, as from `stress`.
        delay: ``total_return`` one bar late and ``on_time_total_return``, as from `stress`.
        confidence: Share of resamples within an interval.
        lookahead: Bars of the future that a feature looks at; with any, nothing is judged.
    """

    n_seeds: int
    mean_log_return: float
    interval: Interval
    differences: Mapping[str, Difference]
    seed_returns: Sequence[float]
    trades: int
    break_even: Mapping[str, Any]
    delay: Mapping[str, Any]
    confidence: float
    lookahead: int = 0


@dataclass(frozen=True)
class Check:
    """One rule and how it came out.

    Attributes:
        name: The rule, in a few words.
        passed: Whether it is met.
        words: The finding with its figures, one sentence.
    """

    name: str
    passed: bool
    words: str


@dataclass(frozen=True)
class Verdict:
    """The judgement in plain words.

    Attributes:
        level: ``evidence``; ``none``: at least one check failed; ``not judged``: too few seeds to tell.
        headline: One sentence.
        checks: Every rule with its finding.
        cautions: What the reader should also know.
    """

    level: Level
    headline: str
    checks: tuple[Check, ...]
    cautions: tuple[str, ...]

    @property
    def reasons(self) -> list[str]:
        """The finding of every check, one sentence each."""
        return [check.words for check in self.checks]

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain values."""
        checks = [{"name": check.name, "passed": check.passed, "words": check.words} for check in self.checks]
        return {
            "level": self.level,
            "headline": self.headline,
            "reasons": self.reasons,
            "checks": checks,
            "cautions": list(self.cautions),
        }


def reach_verdict(evidence: Evidence, params: VerdictParams) -> Verdict:
    """Apply the rules.

    Args:
        evidence: What was measured.
        params: The bars to clear.
    """
    checks = (
        *([_knows_no_future(evidence)] if evidence.lookahead else []),
        _enough_seeds(evidence, params),
        _earns_after_costs(evidence),
        *(_beats(name, difference, evidence.confidence) for name, difference in evidence.differences.items()),
        _median_seed_earns(evidence),
        _survives_costs(evidence, params),
    )
    level: Level = "evidence"
    if evidence.lookahead or evidence.n_seeds < params.min_seeds:
        level = "not judged"
    elif not all(check.passed for check in checks):
        level = "none"
    return Verdict(level, _headline(level, evidence, params, checks), checks, _cautions(evidence))


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as a signed percentage for people, as in ``+3.2 %``; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{_signed(100.0 * value, digits)}\u00a0%"


def rival_title(name: str) -> str:
    """Return a rival's name for people."""
    return {"buy_and_hold": "buy-and-hold", "sma_cross": "the SMA cross", "random": "the random rival"}.get(name, name)


def per_bar(value: float | None) -> str:
    """Return a log return per bar for people, in basis points, as in ``+0.31 bps``."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{_signed(1e4 * value, 2)} bps"


def _signed(value: float, digits: int) -> str:
    """Return a number with its sign, or 0 without one."""
    text = f"{value:+,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text[1:]


def _range(interval: Interval, confidence: float) -> str:
    if interval.low is None:
        return f"no interval: {interval.reason}"
    return f"{100 * confidence:g} % interval {per_bar(interval.low)} to {per_bar(interval.high)}"


def _above_zero(interval: Interval) -> bool:
    return interval.low is not None and interval.low > 0.0


def _knows_no_future(evidence: Evidence) -> Check:
    words = f"A feature looks {evidence.lookahead} bars into the future, which no live trader can; the figures mean nothing."
    return Check("knows no future", False, words)


def _enough_seeds(evidence: Evidence, params: VerdictParams) -> Check:
    n = evidence.n_seeds
    words = f"{n} trained {'seed' if n == 1 else 'seeds'}; {params.min_seeds} are needed, so that one lucky seed decides nothing."
    return Check("enough seeds", n >= params.min_seeds, words)


def _earns_after_costs(evidence: Evidence) -> Check:
    passed = _above_zero(evidence.interval)
    figures = f"{per_bar(evidence.mean_log_return)} per bar after costs ({_range(evidence.interval, evidence.confidence)})"
    if passed:
        words = f"The ensemble earned {figures}; the whole interval is above zero."
    elif evidence.trades == 0:
        words = "The ensemble never traded, so there is nothing to earn with."
    else:
        words = f"The ensemble made {figures}; that cannot be told from zero or less."
    return Check("earns after costs", passed, words)


def _beats(name: str, difference: Difference, confidence: float) -> Check:
    passed = _above_zero(difference.interval)
    figures = f"{per_bar(difference.mean)} per bar ({_range(difference.interval, confidence)})"
    ending = "the whole interval is above zero" if passed else "that is not clearly above zero"
    return Check(f"beats {name}", passed, f"Against {rival_title(name)}, bar by bar: {figures}; {ending}.")


def _median_seed_earns(evidence: Evidence) -> Check:
    if not evidence.seed_returns:
        return Check("median seed earns", False, "No seed was judged on its own.")
    median = float(np.median(evidence.seed_returns))
    earned = sum(value > 0.0 for value in evidence.seed_returns)
    words = (
        f"The median seed on its own made {percent(median)} after costs; {earned} of {len(evidence.seed_returns)} seeds made money."
    )
    return Check("median seed earns", median > 0.0, words)


def _survives_costs(evidence: Evidence, params: VerdictParams) -> Check:
    found = evidence.break_even
    multiple = found["multiple"]
    passed = bool(found["above_one"]) and (multiple is None or multiple > params.min_break_even)
    words = str(found["words"])
    return Check("survives the costs", passed, f"Cost stress: {words}; more than {params.min_break_even:g} times is needed.")


def _headline(level: Level, evidence: Evidence, params: VerdictParams, checks: Sequence[Check]) -> str:
    if evidence.lookahead:
        return f"Not evidence: {_lower_first(checks[0].words)}"
    if level == "not judged":
        plural = "seed" if evidence.n_seeds == 1 else "seeds"
        return f"Not evidence: {evidence.n_seeds} {plural}, {params.min_seeds} needed."
    low = evidence.interval.low
    if level == "evidence":
        rivals = ", ".join(rival_title(name) for name in evidence.differences) or "doing nothing"
        return (
            f"Evidence of skill on this test span: {per_bar(evidence.mean_log_return)} per bar after costs "
            f"(at least {per_bar(low)} with {100 * evidence.confidence:g} % confidence), ahead of {rivals}. "
            "This is the past, and no promise."
        )
    failed = [check for check in checks if not check.passed]
    return f"No evidence of skill: {_lower_first(failed[0].words)}"


def _lower_first(words: str) -> str:
    return words[:1].lower() + words[1:]


def _cautions(evidence: Evidence) -> tuple[str, ...]:
    late, on_time = evidence.delay["total_return"], evidence.delay["on_time_total_return"]
    delay = f"Acting one bar late, the same decisions would have made {percent(late)} instead of {percent(on_time)}."
    if on_time > 0.0 >= late:
        delay += " The result depends on being filled at the very next open."
    few = f"Only {evidence.trades} round trips: the figures rest on few decisions."
    return (delay, few) if 0 < evidence.trades < 30 else (delay,)
