"""What the clock says when a bar opens, UTC: known beforehand."""

from __future__ import annotations

import numba
import numpy as np

_MS_PER_HOUR = 3_600_000
_MS_PER_DAY = 24 * _MS_PER_HOUR
# 1970-01-01 was a Thursday; Monday is day 0.
_FIRST_DAY = 3


@numba.njit(cache=True)
def hour_of_day(times_ms: np.ndarray) -> np.ndarray:  # pragma: no cover  (compiled)
    """Return the full hour in which each moment lies, 0 to 23; float64, shape (T,)."""
    hours = np.empty(len(times_ms))
    for row in range(len(times_ms)):
        hours[row] = times_ms[row] // _MS_PER_HOUR % 24
    return hours


def time_of_day(times_ms: np.ndarray) -> np.ndarray:
    """Return the hours since midnight of each moment with their fraction, 0 up to 24; float64, shape (T,)."""
    return times_ms % _MS_PER_DAY / _MS_PER_HOUR


def day_of_week(times_ms: np.ndarray) -> np.ndarray:
    """Return the day of each moment, 0 for Monday to 6 for Sunday; float64, shape (T,)."""
    return ((times_ms // _MS_PER_DAY + _FIRST_DAY) % 7).astype(np.float64)
