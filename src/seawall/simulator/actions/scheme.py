"""What action schemes share: a name, a numbering, the exposures they ask for, and what is saved of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.core.protocols import ActionTable


class ExposureScheme:
    """A scheme that asks for exposures of −1, 0 and 1, or between; without short positions for none below 0."""

    def __init__(self, name: str, names: tuple[str, ...], short: bool) -> None:
        """Take what is saved with a model.

        Args:
            name: The registered name.
            names: Name of each action, in its numbering; empty where actions are not numbered.
            short: Whether exposure may be below 0.
        """
        self._name = name
        self._names = names
        self._short = short

    @property
    def name(self) -> str:
        """The registered name."""
        return self._name

    @property
    def action_names(self) -> tuple[str, ...]:
        """Name of each action, in its numbering; empty where actions are not numbered."""
        return self._names

    @property
    def levels(self) -> tuple[float, ...]:
        """The exposures that the scheme can ask for, or the ends and the middle of them, ascending."""
        return (-1.0, 0.0, 1.0) if self._short else (0.0, 1.0)

    @property
    def carries_terms(self) -> bool:
        """Whether orders have a limit, a take-profit and a stop-loss of their own: plain market orders have not."""
        return False

    def action_mask(self, current: np.ndarray) -> np.ndarray:
        """Return which actions are legal: all of them, bool, shape (N, number of actions)."""
        return np.ones((len(current), len(self._names)), dtype=bool)

    def table(self) -> ActionTable | None:
        """Return what each action asks for, where that depends on nothing but whether the account is flat; None elsewhere."""
        return None

    def spec(self) -> dict[str, Any]:
        """Return what is saved with a model and compared when it is loaded."""
        return {"name": self._name, "actions": list(self._names), "levels": list(self.levels), "short": self._short}
