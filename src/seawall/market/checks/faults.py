"""Finding bad bars. Rows are counted from 0 in the order of the frame.

=================  ======================================================================================
kind               a bar is bad because
=================  ======================================================================================
no_time            its timestamp is missing
duplicate          an earlier row has the same timestamp
disorder           an earlier row has a later timestamp
off_grid           its timestamp is off the grid of the timeframe, and of the clock, on which most bars lie
future             it opens after now
too_early          it opens before 1700, where no market has bars: a year of 0001 stands for no time in some programs
non_finite         a price, the volume or an optional column is missing, NaN or infinite
not_positive       a price is zero or negative
high_below_body    its high is below its open or close
low_above_body     its low is above its open or close
negative_amount    the volume or an optional column is negative
=================  ======================================================================================
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from seawall.core.bars import OPTIONAL_COLUMNS, PRICE_COLUMNS
from seawall.core.timeframe import Timeframe
from seawall.market.checks.clocks import usual_clock, usual_phase, wall_times

KINDS = (
    "no_time", "duplicate", "disorder", "off_grid", "future", "too_early",
    "non_finite", "not_positive", "high_below_body", "low_above_body", "negative_amount",
)  # fmt: skip
# A bar with one of these has no place of its own in time.
UNPLACED_KINDS = ("no_time", "off_grid", "future", "too_early")
NO_TIME = np.iinfo(np.int64).min
_EARLIEST_MS = int(np.datetime64("1700-01-01", "ms").astype(np.int64))
_Fault = tuple[np.ndarray, str, str, np.ndarray]


def find_faults(bars: pd.DataFrame, times: np.ndarray, timeframe: Timeframe, now: datetime) -> pd.DataFrame:
    """Name every fault of every bar.

    Args:
        bars: A bar frame of T rows in any order.
        times: Its opening times in milliseconds, int64, shape (T,); a missing one is the smallest int64.
        timeframe: Length of a bar.
        now: The time after which no bar can have opened.

    Returns:
        One line per fault in the order of the rows, columns ``row`` (int64), ``timestamp``, ``kind``, ``column`` (where the
        fault lies) and ``value`` (NaN for faults of time).
    """
    found = [*_time_faults(times, timeframe, now), *_value_faults(bars)]
    lengths = [len(rows) for rows, _, _, _ in found]
    rows = np.concatenate([at for at, _, _, _ in found]).astype(np.int64)
    table = pd.DataFrame(
        {
            "row": rows,
            "timestamp": bars["timestamp"].iloc[rows].reset_index(drop=True),
            "kind": np.repeat([kind for _, kind, _, _ in found], lengths),
            "column": np.repeat([column for _, _, column, _ in found], lengths),
            "value": np.concatenate([values for _, _, _, values in found]),
        }
    )
    return table.sort_values("row", kind="stable", ignore_index=True)


def _time_faults(times: np.ndarray, timeframe: Timeframe, now: datetime) -> list[_Fault]:
    timed = np.flatnonzero(times != NO_TIME)
    known = times[timed]
    late, again = np.zeros(len(known), dtype=bool), np.zeros(len(known), dtype=bool)
    if (np.diff(known) <= 0).any():
        again = pd.Series(known).duplicated().to_numpy()
        late[1:] = known[1:] < np.maximum.accumulate(known)[:-1]
    shown = wall_times(known, usual_clock(known, timeframe))
    masks = {
        "duplicate": again,
        "disorder": late & ~again,
        "off_grid": shown % timeframe.milliseconds != usual_phase(shown, timeframe.milliseconds),
        "future": known > now.timestamp() * 1_000,
        "too_early": known < _EARLIEST_MS,
    }
    without = _fault(np.flatnonzero(times == NO_TIME), "no_time", "timestamp")
    return [without, *(_fault(timed[mask], kind, "timestamp") for kind, mask in masks.items())]


def _value_faults(bars: pd.DataFrame) -> list[_Fault]:
    amounts = ("volume", *(name for name in OPTIONAL_COLUMNS if name in bars.columns))
    values = {name: bars[name].to_numpy(np.float64) for name in (*PRICE_COLUMNS, *amounts)}
    opens, highs, lows, closes = (values[name] for name in PRICE_COLUMNS)
    return [
        *(_fault(np.flatnonzero(~np.isfinite(column)), "non_finite", name, column) for name, column in values.items()),
        *(_fault(np.flatnonzero(values[name] <= 0.0), "not_positive", name, values[name]) for name in PRICE_COLUMNS),
        _fault(np.flatnonzero(highs < np.maximum(opens, closes)), "high_below_body", "high", highs),
        _fault(np.flatnonzero(lows > np.minimum(opens, closes)), "low_above_body", "low", lows),
        *(_fault(np.flatnonzero(values[name] < 0.0), "negative_amount", name, values[name]) for name in amounts),
    ]


def _fault(rows: np.ndarray, kind: str, column: str, values: np.ndarray | None = None) -> _Fault:
    return rows, kind, column, np.full(len(rows), np.nan) if values is None else values[rows]
