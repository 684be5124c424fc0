"""Two action schemes in one numbering, so that policies of both can be walked behind the same guards in one simulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.protocols import ActionScheme, ActionTable, Intent, Observation, Policy
from seawall.simulator.actions.lookup import Lookup


def can_be_joined(*schemes: ActionScheme) -> bool:
    """Say whether schemes have numbered actions that a table tells."""
    return all(scheme.table() is not None for scheme in schemes)


class JoinedScheme:
    """The actions of one scheme, and after them those of another; numbers of the second one begin at `offset`."""

    name = "joined"
    carries_terms = False

    def __init__(self, first: ActionScheme, second: ActionScheme) -> None:
        """Join the tables.

        Raises:
            ConfigError: A scheme has none.
        """
        tables = [scheme.table() for scheme in (first, second)]
        one, other = tables
        if one is None or other is None or one.by_change != other.by_change:
            raise ConfigError(f"schemes {first.name} and {second.name} cannot be joined; allowed: two whose actions a table tells")
        self.offset = len(first.action_names)
        self.action_names = (*first.action_names, *second.action_names)
        self.levels = tuple(sorted({*first.levels, *second.levels}))
        self._table = ActionTable(
            targets=np.concatenate([one.targets, other.targets], axis=1),
            signals=np.concatenate([one.signals, other.signals], axis=1),
            illegal=np.concatenate([one.illegal, other.illegal], axis=1),
            by_change=one.by_change,
        )
        self._schemes = first, second

    def table(self) -> ActionTable:
        """Return what each action asks for."""
        return self._table

    def action_mask(self, current: np.ndarray) -> np.ndarray:
        """Return which actions are legal, bool, shape (N, actions of both)."""
        return np.concatenate([scheme.action_mask(current) for scheme in self._schemes], axis=1)

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent:
        """Translate actions.

        Raises:
            InvariantError: An action is not in the numbering.
        """
        found = Lookup(self._table, len(actions)).intent(actions, current)
        if found is None:
            raise InvariantError(f"actions {actions.tolist()} are not all allowed; allowed: 0 to {len(self.action_names) - 1}")
        return found

    def spec(self) -> dict[str, Any]:
        """Return what the scheme is made of."""
        return {"name": self.name, "schemes": [scheme.spec() for scheme in self._schemes]}


class Shifted:
    """A policy whose actions are numbered from an offset on."""

    def __init__(self, policy: Policy, offset: int) -> None:
        """Take a policy with numbered actions, and the offset."""
        self._policy, self._offset = policy, offset

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Return the policy's actions in the other numbering, int64, shape (N,)."""
        actions, details = self._policy.act(observation, deterministic=deterministic)
        return np.asarray(actions) + self._offset, details
