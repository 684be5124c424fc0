"""What is allowed where a guard raises: what its settings say, and never more risk."""

from __future__ import annotations

import numpy as np

from seawall.core.errors import InvariantError
from seawall.core.logs import warn
from seawall.core.protocols import Guard, GuardDeclaration
from seawall.guards.risk import without_new_risk

_PLAIN = GuardDeclaration()
_WORDS = {"hold": "no new exposure is taken", "flat": "no exposure is held"}


def declaration_of(guard: Guard) -> GuardDeclaration:
    """Return what a guard declares, or the defaults where it declares nothing."""
    return getattr(guard, "declares", _PLAIN)


class Failures:
    """Failures of guards, told once each."""

    def __init__(self) -> None:
        """Start without any."""
        self._last: dict[str, str] = {}

    def last(self, guard: Guard) -> str:
        """Return the words of a guard's last failure; those for a failure of an earlier run where there was none."""
        return self._last.get(guard.name, "in an earlier run")

    def allowed(self, guard: Guard, error: Exception, current: np.ndarray, proposed: np.ndarray) -> np.ndarray:
        """Return what is allowed where a guard raised, and say so once for the same words.

        Args:
            guard: Who raised.
            error: What it raised.
            current: Target exposure in force, float64, shape (N,).
            proposed: What it was asked about, likewise.

        Raises:
            InvariantError: The guard's failure stops the run.
        """
        policy, message = declaration_of(guard).on_failure, f"{type(error).__name__}: {error}"
        if policy == "halt":
            raise InvariantError(f"guard {guard.name!r} failed ({message}), and its on_failure is halt") from error
        if self._last.get(guard.name) != message:
            warn(f"guard {guard.name!r} failed ({message}); {_WORDS[policy]} while it fails")
        self._last[guard.name] = message
        return np.zeros(len(proposed)) if policy == "flat" else without_new_risk(current, proposed)
