"""A stop at a distance from the entry, watched at closes."""

from __future__ import annotations

import numpy as np

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.exits import StopParams, StopRule
from seawall.guards.risk import answer, columns, state_of, vetoed


class StopLossParams(StopParams):
    """Settings of the stop-loss."""


class StopLoss(StopRule[StopLossParams]):
    """Closes a position whose close has moved too far against its average entry.

    It looks at closes and leaves at the next open, so its loss can exceed the distance by a bar's move and a gap; the simulator's
    brackets (`simulator.stop_loss_bps`) are orders that rest at the venue and fill within the bar.
    """

    name = "stop_loss"
    reasons = ("the stop-loss is hit", "its side was stopped out only lately")
    state_names = ("barred", "bars_left", "side", "distance")
    start = (0.0, 0.0, 0.0, 0.0)
    hidden = ("bars_left", "side", "distance")

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Watch the close; see `core.protocols.Guard`."""
        barred, left, before, distance = columns(state)
        position = context.position
        side = np.sign(position.quantity)
        held = side != 0.0
        distance = np.where(held & (side != before), self.fresh_distance(context), distance)
        entry = np.where(held, position.entry_price, 1.0)
        move = side * (self.close(context) / entry - 1.0)
        hit = held & (move <= -distance)
        barred, left = self.barred_after(hit, side, barred, left)
        waiting = vetoed(current, proposed, (proposed * barred) > 0.0)
        allowed = np.where(hit & (proposed * side > 0.0), 0.0, waiting)
        return answer(proposed, allowed, np.where(hit, 1, 2), state_of(barred, left, side, distance))
