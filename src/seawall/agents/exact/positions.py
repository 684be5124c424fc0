"""The positions that an action scheme can hold, and where each action leads from each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.protocols import ActionScheme

MOST_POSITIONS = 32
"""Schemes with more positions are refused: each of them is evaluated at every bar."""
POSITION_COLUMNS = ("target", "side", "working")
"""Account features that say nothing but which position is held, where orders fill whole at the next open."""


@dataclass(frozen=True)
class Positions:
    """P positions and A actions.

    Attributes:
        levels: Target exposure of each position, ascending, float64, shape (P,).
        following: Place of the position that each action asks for, int64, shape (P, A). An action that makes no sense in a position
            keeps it.
        signals: What the action is to rules and rewards: −1 sell, 0 hold, +1 buy; int8, shape (P, A).
    """

    levels: np.ndarray
    following: np.ndarray
    signals: np.ndarray

    @property
    def traded(self) -> np.ndarray:
        """Exposure that each action trades, float64, shape (P, A)."""
        return np.abs(self.levels[self.following] - self.levels[:, None])

    def account_rows(self, columns: tuple[str, ...]) -> np.ndarray:
        """Return what a policy sees of the account in each position, float32, shape (P, number of columns).

        Args:
            columns: Some of `POSITION_COLUMNS`.
        """
        known = {"target": self.levels, "side": np.sign(self.levels), "working": np.zeros(len(self.levels))}
        rows = np.empty((len(self.levels), len(columns)), dtype=np.float32)
        for place, name in enumerate(columns):
            rows[:, place] = known[name]
        return rows


def positions_of(scheme: ActionScheme) -> Positions:
    """Return the positions of a scheme: flat, its levels, and whatever its actions ask for from there.

    Args:
        scheme: With numbered actions.

    Raises:
        ConfigError: The scheme has no numbered actions, or more than `MOST_POSITIONS` positions.
    """
    actions = np.arange(len(scheme.action_names))
    if not len(actions):
        raise ConfigError(f"action scheme {scheme.name!r} has no numbered actions; allowed: one that names its actions")
    found, asked = {0.0, *scheme.levels}, dict[float, np.ndarray]()
    while found - set(asked):
        for level in sorted(found - set(asked)):
            asked[level] = scheme.intent(actions, np.full(len(actions), level)).target
            found.update(asked[level].tolist())
        if len(found) > MOST_POSITIONS:
            raise ConfigError(f"action scheme {scheme.name!r} has more than {MOST_POSITIONS} positions; allowed: up to as many")
    levels = np.array(sorted(found))
    following = np.array([np.searchsorted(levels, asked[level]) for level in levels.tolist()], dtype=np.int64)
    signals = [scheme.intent(actions, np.full(len(actions), level)).signal for level in levels]
    return Positions(levels, following, np.array(signals, dtype=np.int8))
