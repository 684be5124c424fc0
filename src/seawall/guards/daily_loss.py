"""A breaker on the loss of a day."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.day import DAY_MS, DayParams
from seawall.guards.risk import answer, columns, state_of, vetoed
from seawall.guards.rule import Rule


class DailyLossParams(DayParams):
    """Settings of the breaker."""

    limit: float = Field(default=0.05, gt=0.0, lt=1.0, description="Loss since the day began, as a share of equity, that trips it")
    action: Literal["flat", "hold"] = Field(
        default="flat", description="flat closes the position until the day is over, hold only opens nothing"
    )


class DailyLoss(Rule[DailyLossParams]):
    """Stops trading for the rest of a day once the day has lost too much.

    A day's loss is measured from the last mark before it began, so that a gap over its beginning counts. A bar that closes at the
    very beginning of a day is the last of the day before.
    """

    name = "daily_loss"
    reasons = ("the day has lost too much",)
    state_names = ("tripped", "day", "reference", "equity")
    start = (0.0, -1.0, 0.0, 0.0)
    hidden = ("day", "reference", "equity")

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Measure and trip; see `core.protocols.Guard`."""
        tripped, day, reference, before = columns(state)
        local, equity = self.params.local_ms(context.closed_ms), context.equity
        today = (local // DAY_MS).astype(np.float64)
        begins, first = today != day, day < 0.0
        mark = np.where(first | (local % DAY_MS == 0), equity, before)
        reference = np.where(begins, mark, reference)
        tripped = np.where(begins, 0.0, tripped)
        tripped = np.where(equity <= reference * (1.0 - self.params.limit), 1.0, tripped)
        stopped = tripped != 0.0
        allowed = np.where(stopped, 0.0, proposed) if self.params.action == "flat" else vetoed(current, proposed, stopped)
        return answer(proposed, allowed, 1, state_of(tripped, today, reference, equity))
