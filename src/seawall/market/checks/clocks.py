"""The clock that a series of bars keeps: UTC, or that of a place, where days begin an hour earlier in summer.

Bars of up to an hour keep UTC's grid on any clock that is changed by whole hours. Longer bars of stock exchanges and brokers
open by a local clock: at midnight in New York they open at 05:00 UTC in winter and at 04:00 in summer, and twice a year a day has
23 or 25 hours.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from seawall.core.timeframe import Timeframe

EVEN = "UTC"
# Brokers elsewhere change their clocks with one of these.
_PLACES = ("America/New_York", "Europe/London")
_HOUR_MS = 3_600_000


def usual_phase(times: np.ndarray, length_ms: int) -> int:
    """Return how far most opening times lie after a whole multiple of a length, in milliseconds; 0 for no times."""
    if not len(times):
        return 0
    after = times % length_ms
    if (after == after[0]).all():
        return int(after[0])
    phases, counts = np.unique(after, return_counts=True)
    return int(phases[np.argmax(counts)])


def usual_clock(times: np.ndarray, timeframe: Timeframe) -> str:
    """Return the clock on whose grid most bars open: UTC wherever it serves as well as another.

    Args:
        times: Opening times in milliseconds, int64, shape (T,), in any order.
        timeframe: Length of a bar.
    """
    length = timeframe.milliseconds
    on_grid = _on_grid(times, length)
    if length <= _HOUR_MS or on_grid == len(times):
        return EVEN
    served = {EVEN: on_grid, **{place: _on_grid(wall_times(times, place), length) for place in _PLACES}}
    return max(served, key=lambda clock: served[clock])


def wall_times(times: np.ndarray, clock: str) -> np.ndarray:
    """Return what a clock shows at some moments, as milliseconds since its own 1970; int64, shape (T,)."""
    if clock == EVEN:
        return times
    moments = pd.DatetimeIndex(times.astype("datetime64[ms]"), tz="UTC").tz_convert(ZoneInfo(clock))
    return moments.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)


def _on_grid(times: np.ndarray, length: int) -> int:
    return int((times % length == usual_phase(times, length)).sum())
