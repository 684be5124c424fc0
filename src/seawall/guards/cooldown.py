"""A pause after a position was closed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer, columns, state_of, vetoed
from seawall.guards.rule import GuardParams, Rule


class CooldownParams(GuardParams):
    """Settings of the pause."""

    bars: int = Field(default=5, ge=1, le=100_000, description="Decisions after a close at which nothing is opened")
    after: Literal["loss", "any"] = Field(
        default="loss", description="loss pauses after positions that lost money, costs included; any after every one"
    )


class Cooldown(Rule[CooldownParams]):
    """Opens nothing for some bars after a position was closed, by whomever.

    A reversal that would begin such a pause becomes flat: its second half would open a position without one.
    """

    name = "cooldown"
    reasons = ("a position was closed only lately",)
    state_names = ("bars_left", "side", "opened_at")
    start = (0.0, 0.0, 0.0)
    hidden = ("bars_left", "side", "opened_at")

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Pause; see `core.protocols.Guard`."""
        left, before, opened_at = columns(state)
        side, equity = np.sign(context.position.quantity), context.equity
        every = self.params.after == "any"
        lost = equity < opened_at
        closed = (before != 0.0) & (side != before) & (every | lost)
        left = np.where(closed, float(self.params.bars), np.maximum(left - 1.0, 0.0))
        reverses = (current * proposed < 0.0) & (every | lost)
        # What a position began with is the equity at the last close without it; one that was there from the start has none.
        begun = (side == 0.0) | ((before != 0.0) & (side != before)) | (opened_at == 0.0)
        opened_at = np.where(begun, equity, opened_at)
        allowed = vetoed(current, proposed, (left > 0.0) | reverses)
        return answer(proposed, allowed, 1, state_of(left, side, opened_at))
