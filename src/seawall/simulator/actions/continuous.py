"""Schemes whose action is one number from −1 to 1, for learners that choose no numbered actions, as SAC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seawall.core.protocols import Intent
from seawall.simulator.actions.numbering import checked_numbers
from seawall.simulator.actions.scheme import ExposureScheme

THRESHOLD, CLOSE_WITHIN = 0.5, 0.1
TargetRule = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
"""Takes the numbers, the targets in force and the lowest exposure allowed; returns the exposures asked for."""


class ContinuousScheme(ExposureScheme):
    """A scheme without numbered actions, whose rule says which exposure a number asks for."""

    def __init__(self, name: str, rule: TargetRule, short: bool) -> None:
        """Take the rule.

        Args:
            name: The registered name.
            rule: Which exposure a number asks for.
            short: Whether exposure may be below 0.
        """
        super().__init__(name, (), short)
        self._rule = rule

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent:
        """Translate actions.

        Args:
            actions: Numbers from −1 to 1, shape (N,) or (N, 1).
            current: Target exposure now in force, float64, shape (N,).

        Raises:
            InvariantError: An action is no number from −1 to 1.
        """
        target = self._rule(checked_numbers(actions, len(current), self._name), current, self.levels[0])
        return Intent(target, np.sign(target - current).astype(np.int8))


def thresholded(given: np.ndarray, current: np.ndarray, lowest: float) -> np.ndarray:
    """Ask for a long position above 0.5, a short one (or the lowest allowed) below −0.5, none within ±0.1; hold in between."""
    asked = [given > THRESHOLD, given < -THRESHOLD, np.abs(given) < CLOSE_WITHIN]
    return np.select(asked, [1.0, lowest, 0.0], default=current)


def continuous_target(given: np.ndarray, _current: np.ndarray, lowest: float) -> np.ndarray:
    """Ask for the number itself; below the lowest exposure allowed, for that."""
    return np.maximum(given, lowest)
