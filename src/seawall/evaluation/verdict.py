"""The verdict: is there evidence of skill, by rules stated beforehand?

Evidence is claimed only where every check passes:

0. no feature looks into the future, as a legacy one may; with one, nothing is judged;
1. at least `min_seeds` trained seeds, so that the result is not one lucky seed; with fewer, nothing is judged;
2. no other configuration was judged on the test span before this run was set up; else nothing is judged;
3. the lower bound of the bootstrap interval of the mean net log return per bar is above zero;
4. so is the lower bound of the paired difference to every rival that trades;
5. the deflated Sharpe ratio, for as many configurations as were tried on the data, is at least `min_deflated_sharpe`; where nobody
   counted them, nothing is judged;
6. the median seed on its own makes money after costs;
7. the result survives more than the costs that were charged (break-even multiple above `min_break_even`).

Where rule 3 holds and another does not, the evidence is weak. A result that is too good, or a recipe in which a leak was found, is
suspicious until a leak check passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from seawall.evaluation.evidence import Check, Evidence, VerdictParams, above_zero, checks_of, standing
from seawall.evaluation.phrases import lower_first, per_bar, percent, rival_title

Level = Literal["evidence", "weak", "none", "suspicious", "not judged"]
LEVEL_TITLES: dict[str, str] = {
    "evidence": "Evidence of skill",
    "weak": "Weak evidence",
    "none": "No evidence of skill",
    "suspicious": "Suspicious",
    "not judged": "Not judged",
}
"""What a page calls each level."""
LEVEL_CLASSES: dict[str, str] = {
    "evidence": "evidence",
    "weak": "none",
    "none": "none",
    "suspicious": "suspicious",
    "not judged": "unjudged",
}
"""The style that a page gives it."""


@dataclass(frozen=True)
class Verdict:
    """The judgement in plain words.

    Attributes:
        level: ``evidence``; ``weak``: it earned after costs, and another check failed; ``none``: it did not; ``suspicious``: too
            good, or a leak was found; ``not judged``: too few seeds, an unknown number of trials, or test data used before.
        headline: One sentence.
        checks: Every rule with its finding.
        cautions: What the reader should also know.
        stamp: Why it is no evidence whatever it earned; empty where nothing stands against it.
    """

    level: Level
    headline: str
    checks: tuple[Check, ...]
    cautions: tuple[str, ...]
    stamp: str = ""

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
            "stamp": self.stamp,
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
    checks, against = checks_of(evidence, params), standing(evidence, params)
    level = _level(evidence, checks, against)
    stamp = f"Not evidence: {lower_first(against)}" if against else ""
    return Verdict(level, _headline(level, evidence, checks, stamp), checks, _cautions(evidence), stamp)


def _level(evidence: Evidence, checks: Sequence[Check], against: str) -> Level:
    if evidence.suspicious and not evidence.lookahead:
        return "suspicious"
    if against:
        return "not judged"
    if all(check.passed for check in checks):
        return "evidence"
    return "weak" if above_zero(evidence.interval) else "none"


def _headline(level: Level, evidence: Evidence, checks: Sequence[Check], stamp: str) -> str:
    failed = [check for check in checks if not check.passed]
    if level == "suspicious":
        return f"Suspicious: {lower_first(next(check.words for check in checks if check.name == 'no leak'))}"
    if level == "not judged":
        return stamp
    if level == "weak":
        return f"Weak evidence: it earned after costs, but {lower_first(failed[0].words)}"
    if level == "none":
        return f"No evidence of skill: {lower_first(failed[0].words)}"
    rivals = ", ".join(rival_title(name) for name in evidence.differences) or "doing nothing"
    return (
        f"Evidence of skill on this test span: {per_bar(evidence.mean_log_return)} per bar after costs "
        f"(at least {per_bar(evidence.interval.low)} with {100 * evidence.confidence:g} % confidence), ahead of {rivals}. "
        "This is the past, and no promise."
    )


def _cautions(evidence: Evidence) -> tuple[str, ...]:
    late, on_time = evidence.delay["total_return"], evidence.delay["on_time_total_return"]
    delay = f"Acting one bar late, the same decisions would have made {percent(late)} instead of {percent(on_time)}."
    if on_time > 0.0 >= late:
        delay += " The result depends on being filled at the very next open."
    few = f"Only {evidence.trades} round trips: the figures rest on few decisions."
    return (delay, few) if 0 < evidence.trades < 30 else (delay,)
