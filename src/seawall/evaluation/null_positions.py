"""Where a result lies among those of the same pipeline on markets without an edge.

The p-value is (1 + k) / (N + 1), where k of N null results are at least as good: the real result is one of N + 1 that are equally
likely to be the best if it is noise too, so that p is never 0 and holds at its level for every N (Phipson and Smyth, 2010). The
interval of the share k / N is that of Clopper and Pearson (1934).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seawall.evaluation.phrases import per_bar, two_digits

LEVEL = 0.05
"""A result with a larger p lies inside the noise."""
CONFIDENCE = 0.95
MEASURES: dict[str, str] = {
    "mean_log_return": "net return per bar",
    "sharpe": "Sharpe",
    "against_buy_and_hold": "lead over buy-and-hold",
}
"""What is compared, and what it is called; returns are logs, the Sharpe ratio is annualised."""
KINDS: dict[str, tuple[str, str]] = {
    "walk": ("random walk", "random walks"),
    "shuffle": ("shuffled market", "shuffled markets"),
}
"""Null markets by their kind: the name of one, and of several."""
_UNDEFINED = "the run's own figure is undefined"


@dataclass(frozen=True)
class Position:
    """Where one figure lies among N null results.

    Attributes:
        real: The figure itself; None where undefined.
        of: N.
        as_good: Null results at least as good, k; None where the figure is undefined.
        p: (1 + k) / (N + 1).
        low: Lower bound of the share of such results among all that the null could give.
        high: Upper bound.
        median: Of the null results.
        from_5: Their 5 % point.
        to_95: Their 95 % point.
        idle: Null results whose figure was undefined, as where nothing was traded; each counts as 0.
        reason: Why it is undefined; empty where it is not.
    """

    real: float | None
    of: int
    as_good: int | None
    p: float | None
    low: float | None
    high: float | None
    median: float
    from_5: float
    to_95: float
    idle: int
    reason: str = ""

    @property
    def inside(self) -> bool:
        """Whether the figure is what noise gives, or cannot be told from it."""
        return self.p is None or self.p > LEVEL


def position(real: float | None, nulls: Sequence[float | None]) -> Position:
    """Place a figure, of which more is better, among those of null markets.

    Args:
        real: The figure; None where undefined.
        nulls: The same of each null market, at least one; None counts as 0, as of who trades nothing.
    """
    values = np.array([0.0 if value is None else value for value in nulls], dtype=np.float64)
    low_5, median, high_95 = (float(value) for value in np.quantile(values, [0.05, 0.5, 0.95]))
    idle = sum(value is None for value in nulls)
    spread = {"median": median, "from_5": low_5, "to_95": high_95, "idle": idle}
    if real is None:
        return Position(None, len(values), None, None, None, None, **spread, reason=_UNDEFINED)
    as_good = int((values >= real).sum())
    low, high = share_interval(as_good, len(values))
    return Position(real, len(values), as_good, (1 + as_good) / (len(values) + 1), low, high, **spread)


def share_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson for a share.

    Args:
        successes: Among the trials.
        trials: At least 1.
        confidence: That it holds at least.
    """
    from scipy.special import betaincinv

    tail = (1.0 - confidence) / 2.0
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1.0 - tail))
    return low, high


def placed(real: Mapping[str, float | None], rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Place every measure of a result among the null results of one kind.

    Args:
        real: Figures by the names of `MEASURES`.
        rows: The null results, each with the same names.
    """
    return {name: asdict(position(real[name], [row[name] for row in rows])) for name in MEASURES}


def levels_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count the verdicts that null results got, the most frequent first."""
    return dict(Counter(row["level"] for row in rows).most_common())


def found(positions: Mapping[str, Mapping[str, Any]]) -> str:
    """Say where a result lies in one kind of noise: ``outside`` only where every measure does.

    Args:
        positions: As `placed` gives them.

    Returns:
        ``outside``; ``inside``; ``too few`` where so few null markets cannot show anything to lie outside.
    """
    known = [Position(**each) for each in positions.values()]
    if not any(each.inside for each in known):
        return "outside"
    return "too few" if 1 / (known[0].of + 1) > LEVEL else "inside"


def sentences(kind: str, positions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say in plain words where each measure lies, and what that means.

    Args:
        kind: Of the null markets.
        positions: As `placed` gives them.
    """
    one, several = KINDS[kind]
    told = [_words(name, Position(**each), (one, several)) for name, each in positions.items()]
    first = Position(**next(iter(positions.values())))
    if 1 / (first.of + 1) > LEVEL:
        least = int(np.ceil(1 / LEVEL)) - 1
        told.append(
            f"With {first.of} {several if first.of > 1 else one} p cannot be below {1 / (first.of + 1):.2f}: too few to tell a "
            f"result from noise at {LEVEL:g}; {least} are needed."
        )
    return told


def _words(measure: str, found_: Position, names: tuple[str, str]) -> str:
    title = MEASURES[measure]
    if found_.real is None or found_.p is None:
        return f"The run's {title} is undefined, so nothing can be said of it."
    show = two_digits if measure == "sharpe" else per_bar
    several = names[1] if found_.of > 1 else names[0]
    start = f"The run's {title} of {show(found_.real)} is reached by {found_.as_good} of {found_.of} {several}: p = {_p(found_.p)}"
    if found_.inside:
        return f"{start}. That is what noise gives." if 1 / (found_.of + 1) <= LEVEL else f"{start}."
    return f"{start}. Noise seldom gives as much."


def _p(value: float) -> str:
    return f"{value:.2f}" if value >= LEVEL + 0.005 else f"{value:.3f}"
