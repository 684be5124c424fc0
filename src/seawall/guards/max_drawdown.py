"""A circuit breaker on the fall from the highest equity: for good, or with a pause and a smaller size after it."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer, capped, columns, state_of
from seawall.guards.rule import GuardParams, Rule


class MaxDrawdownParams(GuardParams):
    """Settings of the breaker."""

    limit: float = Field(
        default=0.2, gt=0.0, lt=1.0, description="Fall from the highest equity, as a share of it, that trips the breaker"
    )
    cooldown_bars: int = Field(
        default=0, ge=0, le=1_000_000, description="Decisions for which it stays tripped; 0: to the end of the episode"
    )
    resume_exposure: float = Field(
        default=0.5, gt=0.0, le=100.0, description="Largest absolute exposure after the pause, until the end of the episode"
    )


class MaxDrawdown(Rule[MaxDrawdownParams]):
    """Closes the position once equity, marked at a close, has fallen too far.

    The fall can exceed the limit by what the tripping bar, the gap to the next open and the costs of closing take. After a pause
    the height from which the fall is measured starts anew at the equity of that close, so each cycle is so bounded, not their sum.
    """

    name = "max_drawdown"
    reasons = ("the drawdown breaker is tripped", "reduced size after a drawdown")
    state_names = ("tripped", "reduced", "bars_left", "peak")
    start = (0.0, 0.0, 0.0, 0.0)
    hidden = ("bars_left", "peak")

    def apply(self, _current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Trip, wait, resume; see `core.protocols.Guard`."""
        tripped, reduced, left, peak = columns(state)
        equity, pause = context.equity, float(self.params.cooldown_bars)
        left = np.maximum(left - 1.0, 0.0)
        if pause:
            # A position that could not be closed in the pause keeps the breaker tripped.
            resumes = (tripped != 0.0) & (left == 0.0) & (context.position.quantity == 0.0)
            tripped, reduced = np.where(resumes, 0.0, tripped), np.where(resumes, 1.0, reduced)
            peak = np.where(resumes, equity, peak)
        peak = np.maximum(peak, equity)
        trips = (tripped == 0.0) & (equity <= peak * (1.0 - self.params.limit))
        tripped, left = np.where(trips, 1.0, tripped), np.where(trips, pause, left)
        smaller = np.where(reduced != 0.0, capped(proposed, self.params.resume_exposure), proposed)
        allowed = np.where(tripped != 0.0, 0.0, smaller)
        return answer(proposed, allowed, np.where(tripped != 0.0, 1, 2), state_of(tripped, reduced, left, peak))
