"""A stop at a distance from the best close since the entry."""

from __future__ import annotations

import numpy as np

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.exits import StopParams, StopRule
from seawall.guards.risk import answer, columns, state_of, vetoed


class TrailingStopParams(StopParams):
    """Settings of the trailing stop."""


class TrailingStop(StopRule[TrailingStopParams]):
    """Closes a position whose close has fallen too far behind the best one since its entry, or behind the entry itself.

    It looks at closes and leaves at the next open; the simulator's bracket (`simulator.trailing_stop_bps`) is an order that rests
    at the venue, follows highs and lows, and fills within the bar.
    """

    name = "trailing_stop"
    reasons = ("the trailing stop is hit", "its side was stopped out only lately")
    state_names = ("barred", "bars_left", "side", "distance", "best")
    start = (0.0, 0.0, 0.0, 0.0, 0.0)
    hidden = ("bars_left", "side", "distance", "best")

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Follow the closes; see `core.protocols.Guard`."""
        barred, left, before, distance, best = columns(state)
        position, close = context.position, self.close(context)
        side = np.sign(position.quantity)
        held = side != 0.0
        opened = held & (side != before)
        distance = np.where(opened, self.fresh_distance(context), distance)
        best = np.where(opened, position.entry_price, best)
        best = np.where(side < 0.0, np.minimum(best, close), np.maximum(best, close))
        hit = held & (side * (close / best - 1.0) <= -distance)
        barred, left = self.barred_after(hit, side, barred, left)
        waiting = vetoed(current, proposed, (proposed * barred) > 0.0)
        allowed = np.where(hit & (proposed * side > 0.0), 0.0, waiting)
        return answer(proposed, allowed, np.where(hit, 1, 2), state_of(barred, left, side, distance, best))
