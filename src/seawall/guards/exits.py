"""What the two stops share: how far away they stand, and what is barred after one was hit."""

from __future__ import annotations

from typing import Literal, TypeVar

import numpy as np
from pydantic import Field

from seawall.core.protocols import GuardContext
from seawall.guards.measures import true_range_share
from seawall.guards.rule import GuardParams, Rule


class StopParams(GuardParams):
    """Settings of a stop."""

    kind: Literal["fixed", "atr"] = Field(
        default="fixed", description="Whether its distance is a fixed share of the price, or a multiple of the average true range"
    )
    distance: float = Field(
        default=0.05, gt=0.0, lt=1.0, description="Distance as a share of the price; of kind atr, where too few bars are known"
    )
    atr_multiple: float = Field(default=3.0, gt=0.0, le=100.0, description="Distance in average true ranges")
    atr_bars: int = Field(default=14, ge=2, le=1_000, description="Bars over which the true range is averaged")
    wait_bars: int = Field(
        default=12, ge=0, le=1_000_000, description="Decisions after a stop at which its side is not opened again"
    )


S = TypeVar("S", bound=StopParams)


class StopRule(Rule[S]):
    """Base of the stops. Their distance is measured once, at the first close at which the position is seen."""

    @property
    def lookback(self) -> int:
        """Rows of past bars that are read."""
        return self.params.atr_bars + 1 if self.params.kind == "atr" else 1

    def close(self, context: GuardContext) -> np.ndarray:
        """Return the close at which the decision is taken, float64, shape (N,)."""
        return context.bars.closes(1)[:, 0]

    def fresh_distance(self, context: GuardContext) -> np.ndarray:
        """Return the distance of a stop set now, as a share of the price, float64, shape (N,)."""
        fixed = np.full(len(context.signal), self.params.distance)
        if self.params.kind == "fixed":
            return fixed
        measured = self.params.atr_multiple * true_range_share(context.bars, self.params.atr_bars)
        return np.where(np.isnan(measured), fixed, measured)

    def barred_after(
        self, hit: np.ndarray, side: np.ndarray, barred: np.ndarray, left: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which side may not be opened now, and for how many decisions, this one included.

        Args:
            hit: Whether a stop is hit now, bool, shape (N,).
            side: Side of the position, −1, 0 or 1.
            barred: Side barred so far.
            left: Decisions for which it was, the one before this included.
        """
        left = np.where(hit, float(self.params.wait_bars), np.maximum(left - 1.0, 0.0))
        return np.where(left > 0.0, np.where(hit, side, barred), 0.0), left
