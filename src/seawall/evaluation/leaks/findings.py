"""What the detector says: findings, advice, and why something could not be judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["clean", "leak", "not judged"]


@dataclass(frozen=True)
class Finding:
    """One leak.

    Attributes:
        column: The column that leaks, or the part of the candidate.
        words: What was seen, in a sentence.
        bars_ahead: The farthest bar ahead that was seen to matter, in bars after the row; None where it does not apply.
        nearest: The nearest bar ahead that alone changes it, or None where none does alone.
        to_the_end: Whether it reaches as far as the data does.
        row: First row concerned, or None.
        time: Opening time of that row's bar, ISO 8601, or None.
    """

    column: str
    words: str
    bars_ahead: int | None = None
    nearest: int | None = None
    to_the_end: bool = False
    row: int | None = None
    time: str | None = None

    @property
    def how_far(self) -> str:
        """How far it looks, in a few words."""
        if self.to_the_end:
            return "to the end of the data"
        if self.bars_ahead is None:
            return "–"
        return f"{self.bars_ahead} bar{'' if self.bars_ahead == 1 else 's'}"


@dataclass(frozen=True)
class Judgement:
    """What was found of one candidate.

    Attributes:
        name: The candidate.
        kind: feature, label, scaler, selection, split, reward, or a part of a recipe.
        findings: Leaks; the first of each column.
        advice: What a reader should know and what is no proof, in sentences.
        problem: Why it could not be judged, or None.
    """

    name: str
    kind: str
    findings: tuple[Finding, ...] = ()
    advice: tuple[str, ...] = field(default=())
    problem: str | None = None

    @property
    def verdict(self) -> Verdict:
        """A leak that was seen counts, even where the rest could not be judged."""
        if self.findings:
            return "leak"
        return "clean" if self.problem is None else "not judged"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "verdict": self.verdict,
            "findings": [vars(finding) | {"how_far": finding.how_far} for finding in self.findings],
            "advice": list(self.advice),
            "problem": self.problem,
        }


def exit_code(judgements: list[Judgement]) -> int:
    """Return 1 where a leak was found, else 2 where something could not be judged, else 0."""
    verdicts = {judgement.verdict for judgement in judgements}
    return 1 if "leak" in verdicts else 2 if "not judged" in verdicts else 0
