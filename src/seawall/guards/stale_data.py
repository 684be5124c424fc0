"""Opens nothing on bars that are old, that follow a hole, or that no longer move."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seawall.core.bars import VOLUME
from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer, vetoed
from seawall.guards.rule import GuardParams, Rule


class StaleDataParams(GuardParams):
    """Settings of the guard."""

    max_age_bars: float = Field(
        default=1.0, gt=0.0, le=1e6, description="Time between the close of a bar and the decision at it, live, in bars"
    )
    max_gap_bars: int = Field(default=1, ge=0, le=1_000_000, description="Bars that may be missing before the one just closed")
    max_still_bars: int = Field(
        default=12,
        ge=1,
        le=10_000,
        description="Bars in a row that may repeat the prices of the one before them, volume 0 or the same",
    )


class StaleData(Rule[StaleDataParams]):
    """Opens nothing where the newest bar cannot be trusted to be the market's; what cuts risk passes.

    Age is measured against the clock of the machine, live alone: over recorded bars every decision is taken at the close. Markets
    that close have holes at every night and weekend: give `max_gap_bars` the length of a closure, or no position is opened at the
    first bar of a day.
    """

    name = "stale_data"
    reasons = ("the newest bar is too old", "bars are missing before the newest", "the feed repeats itself")

    @property
    def lookback(self) -> int:
        """Rows of past bars that are read."""
        return self.params.max_still_bars + 2

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Look at the newest bars; see `core.protocols.Guard`."""
        params, past = self.params, context.bars
        late = 0 if context.wall_clock_ms is None else context.wall_clock_ms - context.closed_ms
        old = np.broadcast_to(late > params.max_age_bars * past.bar_ms, current.shape)
        times = past.times(2)
        hole = (times[:, 0] >= 0) & (times[:, 1] - times[:, 0] > (params.max_gap_bars + 1) * past.bar_ms)
        code = np.where(old, 1, np.where(hole, 2, np.where(self._still(context), 3, 0)))
        return answer(proposed, vetoed(current, proposed, code != 0), code, state)

    def _still(self, context: GuardContext) -> np.ndarray:
        """Say where more bars than allowed repeat the one before; bars that are not known (NaN) repeat nothing."""
        bars = context.bars.prices(self.lookback)
        volume = bars[:, 1:, VOLUME]
        same = (bars[:, 1:, :VOLUME] == bars[:, :-1, :VOLUME]).all(axis=2) & ((volume == 0.0) | (volume == bars[:, :-1, VOLUME]))
        return same.all(axis=1)
