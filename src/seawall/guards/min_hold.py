"""A position is kept for a number of bars at least, against trading to and fro."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer, cuts_risk
from seawall.guards.rule import GuardParams, Rule


class MinHoldParams(GuardParams):
    """Settings of the least holding time."""

    bars: int = Field(default=3, ge=1, le=100_000, description="Bars for which a position is kept at least, its first included")


class MinHold(Rule[MinHoldParams]):
    """Refuses to cut a position before it was held long enough.

    It keeps risk that the policy wanted to cut, and declares so: stops and breakers come after it and still get out. An order that
    has not opened a position yet may be taken back.
    """

    name = "min_hold"
    reasons = ("position is younger than it must be",)
    may_block_exit = True
    commutes = False

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Keep what is too young; see `core.protocols.Guard`."""
        position = context.position
        young = (position.quantity != 0.0) & (position.held_bars < self.params.bars)
        return answer(proposed, np.where(young & cuts_risk(current, proposed), current, proposed), 1, state)
