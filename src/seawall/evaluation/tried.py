"""How overfitted the choice among the configurations tried on one test span is, as far as their ledgers are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seawall.evaluation.metrics import Measured
from seawall.evaluation.statistics.overfitting import Overfitting, backtest_overfitting

N_BLOCKS = 16
"""Blocks that the bars are cut into: 12,870 ways to take half of them."""


@dataclass(frozen=True)
class Tried:
    """What the configurations tried on the same bars made there.

    Attributes:
        others: Of each other configuration the net simple returns per bar, float64, shape (T,), by a name that sorts always alike.
        own: Name of the judged configuration.
        newer: Returns of a newer run of the judged configuration, which stands for it; None where the judged run is the newest.
        left_out: Configurations that do not count, by the reason.
        reason: Why nothing can be said at all; empty where it can.
    """

    others: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])
    own: str = ""
    newer: np.ndarray | None = None
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])
    reason: str = ""


@dataclass(frozen=True)
class Choice:
    """How overfitted the choice of the best configuration is.

    Attributes:
        probability: Of backtest overfitting, or why there is none.
        found: What the halves say; None where there was nothing to halve.
        configurations: How many were chosen from.
        left_out: Configurations that do not count, by the reason.
    """

    probability: Measured
    found: Overfitting | None
    configurations: int
    left_out: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        figures = self.found.to_dict() if self.found is not None and self.probability.value is not None else {}
        reason = {} if self.probability.value is not None else {"reason": self.probability.reason}
        return {
            "value": self.probability.value,
            **reason,
            "configurations": self.configurations,
            "splits": figures.get("splits", 0),
            **{name: figures.get(name) for name in ("blocks", "slope", "loss", "logit_quartiles")},
            "left_out": dict(self.left_out),
        }


def choice_among(returns: np.ndarray, tried: Tried) -> Choice:
    """Return how overfitted the choice among the configurations tried is; the same whichever of them is the judged one.

    Args:
        returns: Net simple returns of the judged configuration per bar, float64, shape (T,).
        tried: The others.
    """
    if tried.reason:
        return Choice(Measured(None, tried.reason), None, 1, tried.left_out)
    named = {**tried.others, tried.own: returns if tried.newer is None else tried.newer}
    if len(named) < 2:
        return Choice(Measured(None, _alone(tried.left_out)), None, len(named), tried.left_out)
    # In the same order for each judged run: of equal figures the first is chosen.
    found = backtest_overfitting(np.column_stack([named[name] for name in sorted(named)]), N_BLOCKS)
    return Choice(found.probability, found, len(named), tried.left_out)


def left_out_words(left_out: Mapping[str, int]) -> str:
    """Return how many configurations do not count, and why, in words; empty where all do."""
    return ", ".join(f"{number} {reason}" for reason, number in left_out.items())


def _alone(left_out: Mapping[str, int]) -> str:
    others = f" (of the others {left_out_words(left_out)})" if left_out else ""
    return f"1 configuration is no choice{others}; at least 2 judged on the same bars are needed"
