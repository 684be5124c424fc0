"""Looking numbered actions up in a table, compiled: what a scheme's `intent` says, in one pass over the accounts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from seawall.core.protocols import ActionTable, Intent
from seawall.simulator.actions.numbering import as_array
from seawall.simulator.compiled import ready_call

_ALL_KNOWN = -1


@njit(cache=True, error_model="numpy")
def _look_up(
    actions: np.ndarray, current: np.ndarray, table: ActionTable, target: np.ndarray, signal: np.ndarray, illegal: np.ndarray
) -> int:
    """Fill what the actions ask for; return the place of one that is not in the numbering, or −1."""
    n_actions = table.targets.shape[1]
    for i in range(len(actions)):
        action = actions[i]
        if action < 0 or action >= n_actions:
            return i
        held = 0 if current[i] == 0.0 else 1
        wanted = table.targets[held, action]
        target[i] = current[i] if np.isnan(wanted) else wanted
        change = target[i] - current[i]
        sign = (1 if change > 0.0 else 0) - (1 if change < 0.0 else 0)
        said = table.signals[held, action]
        signal[i] = sign if said == table.by_change else said
        illegal[i] = table.illegal[held, action] != 0
    return _ALL_KNOWN


class Lookup:
    """Looks the actions of N accounts up."""

    def __init__(self, table: ActionTable, n: int) -> None:
        """Take a scheme's table, and how many accounts there are."""
        self._table, self._n = table, n
        self._some_illegal = bool(table.illegal.any())
        self._call: Any = ready_call(_look_up, self._arguments(np.zeros(n, dtype=np.int64), np.zeros(n)))

    def _arguments(self, actions: np.ndarray, current: np.ndarray) -> tuple[Any, ...]:
        n = self._n
        return actions, current, self._table, np.empty(n), np.empty(n, dtype=np.int8), np.empty(n, dtype=np.bool_)

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent | None:
        """Return what the scheme's own `intent` would; None for actions that it must refuse, or of a kind that is not looked up.

        Args:
            actions: Whole numbers in the scheme's numbering, shape (N,).
            current: Target exposure now in force, float64, shape (N,).
        """
        given = as_array(actions)
        if given.dtype.kind not in "iu" or given.shape != (self._n,) or given.dtype == np.uint64:
            return None
        arguments = self._arguments(np.ascontiguousarray(given, dtype=np.int64), np.ascontiguousarray(current))
        if self._call(*arguments) != _ALL_KNOWN:
            return None
        return Intent(arguments[3], arguments[4], arguments[5] if self._some_illegal else None)
