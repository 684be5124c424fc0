"""Where a day begins, on the clock of a place."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from seawall.guards.rule import GuardParams
from seawall.market.hours.sessions import ZoneName

DAY_MS = 86_400_000
_MINUTE_MS = 60_000


class DayParams(GuardParams):
    """Settings of guards that count by days."""

    timezone: ZoneName = Field(default="UTC", description="Place on whose clock a day begins, as in America/New_York")
    day_start: str = Field(default="00:00", description="Local time at which it begins, HH:MM, as 17:00 for currencies")

    @field_validator("day_start", mode="before")
    @classmethod
    def _is_a_time(cls, value: object) -> str:
        if not isinstance(value, str) or re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value) is None:
            raise ValueError("allowed: a time from 00:00 to 23:59, in quotes where YAML reads it as another thing")
        return value

    def local_ms(self, moments_ms: np.ndarray) -> np.ndarray:
        """Return local times, counted from a moment at which a day begins, in milliseconds.

        Args:
            moments_ms: Milliseconds UTC, int64, shape (N,).
        """
        hour, minute = (int(part) for part in self.day_start.split(":"))
        local = moments_ms
        if self.timezone != "UTC":
            moments = pd.DatetimeIndex(np.asarray(moments_ms, dtype="datetime64[ms]"), tz="UTC").tz_convert(ZoneInfo(self.timezone))
            local = moments.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
        return local - (hour * 60 + minute) * _MINUTE_MS
