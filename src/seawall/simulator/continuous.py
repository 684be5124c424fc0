"""Schemes whose action is one number from −1 to 1, for learners that choose no numbered actions, as SAC."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.core.protocols import Intent
from seawall.simulator.numbering import checked_numbers

THRESHOLD, CLOSE_WITHIN = 0.5, 0.1


class Continuous:
    """What the continuous schemes share: no numbered actions, and exposures from −1, or 0, to 1."""

    name = ""

    def __init__(self, short: bool) -> None:
        """Take what is allowed.

        Args:
            short: Whether exposure may be below 0.
        """
        self._short = short

    @property
    def action_names(self) -> tuple[str, ...]:
        """Nothing: actions are not numbered."""
        return ()

    @property
    def levels(self) -> tuple[float, ...]:
        """The lowest exposure, flat, and the highest, ascending."""
        return (-1.0, 0.0, 1.0) if self._short else (0.0, 1.0)

    def action_mask(self, current: np.ndarray) -> np.ndarray:
        """Return an array without columns: every number is legal."""
        return np.ones((len(current), 0), dtype=bool)

    def spec(self) -> dict[str, Any]:
        """Return what is saved with a model and compared when it is loaded."""
        return {"name": self.name, "actions": [], "levels": list(self.levels), "short": self._short}


class Thresholded(Continuous):
    """Above 0.5 asks for a long position, below −0.5 for a short one, within ±0.1 for none; the rest holds.

    Where short positions are not allowed, below −0.5 leaves the market.
    """

    name = "thresholded"

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent:
        """Translate actions.

        Args:
            actions: Numbers from −1 to 1, shape (N,) or (N, 1).
            current: Target exposure now in force, float64, shape (N,).

        Raises:
            InvariantError: An action is no number from −1 to 1.
        """
        given = checked_numbers(actions, self.name)
        lowest = -1.0 if self._short else 0.0
        asked = [given > THRESHOLD, given < -THRESHOLD, np.abs(given) < CLOSE_WITHIN]
        target = np.select(asked, [1.0, lowest, 0.0], default=current)
        return Intent(target, np.sign(target - current).astype(np.int8))


class ContinuousTarget(Continuous):
    """The action is the exposure; where short positions are not allowed, numbers below 0 ask for none."""

    name = "continuous_target"

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent:
        """Translate actions.

        Args:
            actions: Numbers from −1 to 1, shape (N,) or (N, 1).
            current: Target exposure now in force, float64, shape (N,).

        Raises:
            InvariantError: An action is no number from −1 to 1.
        """
        given = checked_numbers(actions, self.name)
        target = given if self._short else np.maximum(given, 0.0)
        return Intent(target, np.sign(target - current).astype(np.int8))
