"""One account of a batch, for libraries that ask each environment by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.envs.vector import TradingVectorEnv

SHOWN = (
    "row",
    "stop",
    "episode",
    "held_bars",
    "target",
    "quantity",
    "cash",
    "equity",
    "peak_equity",
    "entry_price",
    "cost_multiple",
)
"""Attributes of `Simulator` that an account shows as plain numbers."""


class OneAccount:
    """What can be asked of one account: its state, its spaces, and what may be done now.

    The attributes named in `SHOWN` are those of the simulator; ``cost_multiple`` may be set, the others not. ``action_masks`` is
    there where the scheme numbers its actions. Any other attribute can be set and is kept.

    Attributes:
        render_mode: None: a batch draws nothing.
        observation_space: Of one environment of the batch.
        action_space: Likewise.
    """

    def __init__(self, batch: TradingVectorEnv, number: int) -> None:
        """Take an account.

        Args:
            batch: The environment.
            number: Its place.
        """
        self._batch, self._number = batch, number
        self.render_mode: str | None = None
        self.observation_space = batch.single_observation_space
        self.action_space = batch.single_action_space

    def __getattr__(self, name: str) -> Any:
        """Return what is not kept here: a number of the simulator, or ``action_masks``."""
        if name in SHOWN:
            return getattr(self._batch.simulator, name)[self._number].item()
        if name == "action_masks" and self._batch.desk.scheme.action_names:
            return self._masks
        raise AttributeError(f"an account has no attribute {name!r}; of its state it shows {SHOWN}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the multiple of costs, or keep a value that is no part of the state."""
        if name == "cost_multiple":
            self._batch.simulator.cost_multiple[self._number] = value
        elif name in SHOWN or name == "action_masks":
            raise AttributeError(f"{name!r} of an account cannot be set; of its state only 'cost_multiple' can")
        else:
            super().__setattr__(name, value)

    def _masks(self) -> np.ndarray:
        """Return which actions are legal now, bool, shape (number of actions,)."""
        return self._batch.action_masks()[self._number]
