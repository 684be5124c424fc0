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

_MOST_KNOWN = 1_000_000


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

    def __init__(self, params: SessionGuardParams) -> None:
        """Take the settings."""
        super().__init__(params)
        self._known: dict[int, bool] = {}

    def inside(self, moments_ms: np.ndarray) -> np.ndarray:
        """Say which moments lie in a window, as the settings do; clocks are asked once for each moment."""
        moments = moments_ms.tolist()
        new = [moment for moment in set(moments) if moment not in self._known]
        if new:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
                new = list(set(moments))
            self._known.update(zip(new, self.params.inside(np.array(new, dtype=np.int64)).tolist(), strict=True))
        return np.array([self._known[moment] for moment in moments], dtype=np.bool_)

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Keep to the hours; see `core.protocols.Guard`."""
        moments = context.closed_ms
        inside = self.inside(moments)
        if self.params.outside == "hold":
            return answer(proposed, vetoed(current, proposed, ~inside), 1, state)
        ends = ~self.inside(moments + context.bars.bar_ms)
        return answer(proposed, np.where(~inside | ends, 0.0, proposed), np.where(inside, 2, 1), state)
