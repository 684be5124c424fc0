"""The scheme of moves: open a long or a short position when flat, close it, or hold. A move that makes no sense does nothing."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from seawall.core.protocols import ActionTable, Intent
from seawall.simulator.actions.numbering import checked_actions
from seawall.simulator.actions.scheme import ExposureScheme


class HoldLongShortClose(IntEnum):
    """Numbering of the scheme ``hold_long_short_close``."""

    HOLD = 0
    LONG = 1
    SHORT = 2
    CLOSE = 3


class Moves(ExposureScheme):
    """HOLD keeps the target; LONG and SHORT open a position and are legal when flat; CLOSE is legal in a position.

    An illegal move keeps the target and is marked in the intent. Flat means that the target in force is 0.
    """

    def __init__(self, short: bool) -> None:
        """Take what is allowed.

        Args:
            short: Whether SHORT is ever legal.
        """
        super().__init__("hold_long_short_close", tuple(member.name for member in HoldLongShortClose), short)

    def action_mask(self, current: np.ndarray) -> np.ndarray:
        """Return which moves are legal, bool, shape (N, 4)."""
        flat = np.asarray(current) == 0.0
        return np.column_stack([np.ones(len(flat), dtype=bool), flat, flat & self._short, ~flat])

    def table(self) -> ActionTable:
        """Return what each move asks for when flat and when in a position; see `ExposureScheme.table`."""
        legal = self.action_mask(np.array([0.0, 1.0]))
        legal[:, HoldLongShortClose.HOLD] = False
        targets = np.where(legal, np.array([0.0, 1.0, -1.0, 0.0]), np.nan)
        illegal = (~self.action_mask(np.array([0.0, 1.0]))).astype(np.int64)
        return ActionTable(targets, illegal, np.full(illegal.shape, 2, dtype=np.int8))

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent:
        """Translate actions.

        Args:
            actions: Whole numbers 0 to 3, shape (N,).
            current: Target exposure now in force, float64, shape (N,).

        Raises:
            InvariantError: An action is not a whole number or not in the numbering.
        """
        given = checked_actions(actions, len(current), self._names, self._name)
        legal = self.action_mask(current)[np.arange(len(given)), given]
        asked = np.array([0.0, 1.0, -1.0, 0.0])[given]
        target = np.where(legal & (given != HoldLongShortClose.HOLD), asked, current)
        return Intent(target, np.sign(target - current).astype(np.int8), ~legal)
