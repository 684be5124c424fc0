"""Trading windows: hours of a day in the time zone of a place, so that daylight saving is right on every date.

A window is half-open: 09:00 is inside 09:00-18:00, 18:00 is not. The hours of the shipped windows are local. Written in UTC they
are those of the published two-stage system (Asia 00-09, London 08-17, New York 13-22) while the place has winter time; in summer
London and New York come an hour earlier in UTC, which fixed hours in UTC get wrong. Tokyo has no daylight saving.

Windows follow clocks, not holidays: `seawall.market.hours.calendars` knows those. Whether a moment lies in a window is known
beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field, field_validator

from seawall.core.errors import ConfigError
from seawall.core.params import Params

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise ValueError("allowed: a name of the time zone database, as in America/New_York") from error
    return value


ZoneName = Annotated[str, AfterValidator(_known_zone)]
"""Name of a place in the time zone database, refused where it is not there."""


class TradingWindow(Params):
    """Hours of some days of the week in one place; a window whose end is not after its start reaches into the next day."""

    start: str = Field(description="Local time at which the window opens, HH:MM")
    end: str = Field(description="Local time at which it closes, HH:MM up to 24:00; it is outside")
    timezone: ZoneName = Field(default="UTC", description="Name of the place in the time zone database, as in Europe/London")
    days: tuple[str, ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri"), description="Days of the week, in the place, on which the window opens"
    )

    @field_validator("start", "end", mode="before")
    @classmethod
    def _is_a_time(cls, value: object) -> str:
        found = re.fullmatch(r"(\d|[01]\d|2[0-3]):([0-5]\d)|(24):(00)", value.strip()) if isinstance(value, str) else None
        if found is None:
            raise ValueError("allowed: a time as in 09:30, from 00:00 to 24:00, in quotes where YAML reads it as another thing")
        hour, minute = filter(None, found.groups())
        return f"{hour:0>2}:{minute}"

    @field_validator("days")
    @classmethod
    def _are_days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value) or set(value) - set(DAYS):
            raise ValueError(f"allowed: some of {', '.join(DAYS)}, each once")
        return value

    def mask(self, times_ms: np.ndarray) -> np.ndarray:
        """Say which moments lie in the window.

        Args:
            times_ms: Milliseconds since 1970 in UTC, int64, shape (T,), in any order.

        Returns:
            bool, shape (T,).
        """
        moments = pd.DatetimeIndex(np.asarray(times_ms, dtype="datetime64[ms]"), tz="UTC").tz_convert(ZoneInfo(self.timezone))
        minute = np.asarray(moments.hour, dtype=np.int64) * 60 + np.asarray(moments.minute, dtype=np.int64)
        weekday = np.asarray(moments.day_of_week, dtype=np.int64)
        opens = np.array([day in self.days for day in DAYS])
        start, end = _minutes(self.start), _minutes(self.end)
        if start < end:
            return opens[weekday] & (minute >= start) & (minute < end)
        return (opens[weekday] & (minute >= start)) | (opens[weekday - 1] & (minute < end))


def _newyork(start: str, end: str) -> TradingWindow:
    return TradingWindow(start=start, end=end, timezone="America/New_York")


WINDOWS: dict[str, TradingWindow] = {
    "asia": TradingWindow(start="09:00", end="18:00", timezone="Asia/Tokyo"),
    "london": TradingWindow(start="08:00", end="17:00", timezone="Europe/London"),
    "newyork": _newyork("08:00", "17:00"),
    "premarket": _newyork("07:00", "09:30"),
    "regular": _newyork("09:30", "16:00"),
    "after": _newyork("16:00", "20:00"),
}


def trading_window(name: str) -> TradingWindow:
    """Return a shipped window.

    Raises:
        ConfigError: There is no window of that name.
    """
    if name not in WINDOWS:
        raise ConfigError(f"trading window {name!r} is unknown; allowed: {', '.join(WINDOWS)}")
    return WINDOWS[name]


def window_masks(times_ms: np.ndarray, windows: Mapping[str, TradingWindow]) -> pd.DataFrame:
    """Say for each moment in which windows it lies.

    Args:
        times_ms: Milliseconds since 1970 in UTC, int64, shape (T,).
        windows: Name to window.

    Returns:
        One bool column for each window, T rows.
    """
    return pd.DataFrame({name: window.mask(times_ms) for name, window in windows.items()})


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
