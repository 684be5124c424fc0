"""Joining series of different bar lengths on the time at which each value became *known*, never on its opening time.

A bar is known at its opening time plus its length. At the close of a base bar, the newest longer bar that has closed by then is
used: the longer bar that is still open is never seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe

_HOUR_MS = 3_600_000


def known_times(bars: pd.DataFrame, timeframe: Timeframe) -> np.ndarray:
    """Return when each bar is known: its opening time plus its length, in milliseconds since 1970; int64, shape (T,).

    A day of 25 hours, on which a local clock is set back, is known when the next bar opens.
    """
    times = timestamps_ms(bars)
    known = times + timeframe.milliseconds
    late = times[1:] - known[:-1]
    if timeframe.milliseconds > _HOUR_MS:
        known[:-1] += np.where((late > 0) & (late <= _HOUR_MS), late, 0)
    return known


def newest_known(at_ms: np.ndarray, known_ms: np.ndarray) -> np.ndarray:
    """Find the newest value that is known at each of some moments; one that becomes known at that very moment counts.

    Args:
        at_ms: The moments, milliseconds since 1970, int64, shape (N,), in any order.
        known_ms: When each value became known, in ascending order, shape (K,); of equal times the last value is the newest.

    Returns:
        Row of the newest known value, -1 where none is known yet; int64, shape (N,). A row depends only on values known by
        then: values that become known later change nothing.

    Raises:
        DataError: `known_ms` is not in ascending order.
    """
    late = np.flatnonzero(np.diff(known_ms) < 0)
    if late.size:
        raise DataError(
            f"value {late[0] + 1} became known before value {late[0]} ({late.size} of {len(known_ms)} steps go back); "
            "allowed: values in the order in which they became known"
        )
    return np.searchsorted(known_ms, at_ms, side="right").astype(np.int64) - 1


def join_known(
    base: pd.DataFrame,
    timeframe: Timeframe,
    higher: pd.DataFrame,
    higher_timeframe: Timeframe,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Give each base bar the values of the newest higher-timeframe bar known at the base bar's close.

    Args:
        base: A bar frame of T rows.
        timeframe: Length of its bars.
        higher: A frame with ``timestamp`` (opening times, ascending) and columns of numbers.
        higher_timeframe: Length of its bars: at least `timeframe`.
        columns: Columns of `higher` to take; all but ``timestamp`` where None.

    Returns:
        One row for each base bar with its index, float64, columns named ``1h_close`` and so on; NaN until the first higher bar
        is known. Row t is known at the close of base bar t.

    Raises:
        ConfigError: The higher bars are shorter than the base bars, or `higher` has no such column.
        DataError: The higher bars are not in order of time.
    """
    if higher_timeframe.milliseconds < timeframe.milliseconds:
        raise ConfigError(
            f"bars of {higher_timeframe.label} are joined to bars of {timeframe.label}; allowed: bars as long as the base or longer"
        )
    names = [str(name) for name in higher.columns if name != "timestamp"] if columns is None else list(columns)
    absent = [name for name in names if name not in higher.columns]
    if absent:
        raise ConfigError(
            f"bars of {higher_timeframe.label} have no column {', '.join(absent)}; allowed: {', '.join(map(str, higher.columns))}"
        )
    rows = newest_known(known_times(base, timeframe), known_times(higher, higher_timeframe))
    none_yet = rows < 0
    joined: dict[str, np.ndarray] = {}
    for name in names:
        values = np.append(higher[name].to_numpy(np.float64), np.nan)
        joined[f"{higher_timeframe.label}_{name}"] = np.where(none_yet, np.nan, values[rows])
    return pd.DataFrame(joined, index=base.index)
