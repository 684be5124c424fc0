"""Hours in which positions may be opened, and outside of which none is held."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from seawall.core.params import as_value_error
from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer, vetoed
from seawall.guards.rule import GuardParams, Rule
from seawall.market.hours.sessions import TradingWindow, trading_window


class SessionGuardParams(GuardParams):
    """Settings of the hours."""

    windows: tuple[str | TradingWindow, ...] = Field(
        default=("london", "newyork"),
        min_length=1,
        description="Windows by name (asia, london, newyork, ...) or as start, end, timezone and days; any of them is enough",
    )
    outside: Literal["hold", "flat"] = Field(
        default="hold",
        description="hold opens nothing outside, flat also closes what is held, at the last bar whose next open lies inside",
    )

    @field_validator("windows")
    @classmethod
    def _are_windows(cls, value: tuple[str | TradingWindow, ...]) -> tuple[str | TradingWindow, ...]:
        with as_value_error():
            for each in value:
                _ = trading_window(each) if isinstance(each, str) else each
        return value

    def inside(self, moments_ms: np.ndarray) -> np.ndarray:
        """Say which moments, milliseconds UTC, lie in a window; bool, shape (N,)."""
        found = np.zeros(len(moments_ms), dtype=np.bool_)
        for each in self.windows:
            window = trading_window(each) if isinstance(each, str) else each
            found |= window.mask(moments_ms)
        return found


class SessionGuard(Rule[SessionGuardParams]):
    """Keeps to the hours of one or more places, daylight saving included.

    What counts is the close of the bar, when the decision is taken and the next open is due. The account's own session rules,
    `simulator.session`, do the same within the simulator, for every policy and the oracle alike; this one is part of the shield:
    it is ablated, recorded, and the same for paper and live.
    """

    name = "session"
    reasons = ("outside of the session", "the session ends")

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Keep to the hours; see `core.protocols.Guard`."""
        moments = context.closed_ms
        inside = self.params.inside(moments)
        if self.params.outside == "hold":
            return answer(proposed, vetoed(current, proposed, ~inside), 1, state)
        ends = ~self.params.inside(moments + context.bars.bar_ms)
        return answer(proposed, np.where(~inside | ends, 0.0, proposed), np.where(inside, 2, 1), state)
