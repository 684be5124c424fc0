"""Ceilings that move in steps, so that a ceiling that trembles does not trade at every bar."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seawall.guards.rule import GuardParams

_TOLERANCE = 1e-9


class SteppedParams(GuardParams):
    """Settings of guards whose ceiling on exposure moves."""

    floor: float = Field(default=0.0, ge=0.0, le=100.0, description="The ceiling is never below it")
    step: float = Field(default=0.1, ge=0.0, le=1.0, description="The ceiling is rounded down to multiples of it; 0: not rounded")

    def stepped(self, ceiling: np.ndarray) -> np.ndarray:
        """Return ceilings rounded down, but no lower than the floor."""
        if self.step:
            # 0.3 / 0.1 is a little less than 3.
            ceiling = np.floor(ceiling / self.step + _TOLERANCE) * self.step
        return np.maximum(ceiling, self.floor)
