"""One answer of a venue, put in order: sorted, each bar once, and only those asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS, from_milliseconds, timestamps_ms
from seawall.core.errors import TransientError
from seawall.core.timeframe import Timeframe, iso_ms

Hole = tuple[int, int]


class Disagreement(Exception):
    """The venue gave one bar with two values."""

    def __init__(self, at_ms: int, column: str, first: float, second: float) -> None:
        """Name the bar and both values."""
        super().__init__(f"bar {iso_ms(at_ms)}: {column} is {first!r} and {second!r}")
        self.at_ms, self.column, self.first, self.second = at_ms, column, first, second


def no_bars() -> pd.DataFrame:
    """Return a bar frame without rows."""
    return pd.DataFrame(
        {"timestamp": from_milliseconds(np.zeros(0, dtype=np.int64)), **{name: np.zeros(0) for name in BAR_COLUMNS}}
    )


def in_order(answer: pd.DataFrame) -> pd.DataFrame:
    """Return an answer's bars sorted and each of them once, with the columns in the order of the store.

    Raises:
        TransientError: A column or a time is missing, or a value is no number.
        Disagreement: A bar is there twice, with different values.
    """
    absent = [name for name in ("timestamp", *BAR_COLUMNS) if name not in answer.columns]
    if absent:
        raise TransientError(f"the venue's page has no {', '.join(absent)}", kind="malformed")
    if not len(answer):
        return no_bars()
    columns = [*BAR_COLUMNS, *(name for name in OPTIONAL_COLUMNS if name in answer.columns)]
    try:
        times = pd.to_datetime(answer["timestamp"], utc=True).dt.as_unit("ms")
        values = answer[columns].astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TransientError(f"the venue's page has values that are no numbers ({error})", kind="malformed") from error
    if times.isna().any():
        raise TransientError("the venue's page has a bar without a time", kind="malformed")
    ordered = pd.concat([times.rename("timestamp"), values], axis=1).sort_values("timestamp", kind="stable", ignore_index=True)
    return _each_once(ordered)


def between(bars: pd.DataFrame, start_ms: int, stop_ms: int) -> pd.DataFrame:
    """Return the bars that open in ``start_ms <= t < stop_ms``."""
    times = timestamps_ms(bars)
    first, end = np.searchsorted(times, [start_ms, stop_ms])
    return bars.iloc[first:end].reset_index(drop=True)


def merged(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the bars of two frames, sorted and each of them once.

    Raises:
        Disagreement: A bar has other values in one than in the other.
        TransientError: The columns differ.
    """
    if not len(one) or not len(other):
        return one if len(one) else other
    if list(one.columns) != list(other.columns):
        raise TransientError(
            f"the venue's pages have different columns: {', '.join(one.columns)} and {', '.join(other.columns)}", kind="malformed"
        )
    return _each_once(pd.concat([one, other]).sort_values("timestamp", kind="stable", ignore_index=True))


def holes_of(times_ms: np.ndarray, start_ms: int, timeframe: Timeframe, slack: int = 0) -> list[Hole]:
    """Return the stretches without a bar before the last bar.

    Args:
        times_ms: Sorted opening times in milliseconds, shape (T,), none before `start_ms`.
        start_ms: Opening time from which bars are wanted.
        timeframe: Length of a bar.
        slack: How much earlier than a bar's length after it the next one may open, in milliseconds.

    Returns:
        Pairs of milliseconds: where the first absent bar would open, and where the next bar that is there opens.
    """
    step = timeframe.milliseconds
    wanted = np.concatenate(([start_ms], times_ms[:-1] + step - slack)) if len(times_ms) else times_ms
    places = np.flatnonzero(times_ms - wanted >= step)
    return [(int(wanted[at]), int(times_ms[at])) for at in places]


def first_difference(one: pd.DataFrame, other: pd.DataFrame) -> Disagreement | None:
    """Compare two frames of the same bars and columns; NaN equals NaN."""
    columns = [name for name in one.columns if name != "timestamp"]
    left, right = one[columns].to_numpy(np.float64), other[columns].to_numpy(np.float64)
    differs = ~((left == right) | (np.isnan(left) & np.isnan(right)))
    if not differs.any():
        return None
    row, column = (int(places[0]) for places in np.nonzero(differs))
    at_ms = int(timestamps_ms(one)[row])
    return Disagreement(at_ms, columns[column], float(left[row, column]), float(right[row, column]))


def _each_once(ordered: pd.DataFrame) -> pd.DataFrame:
    times = timestamps_ms(ordered)
    again = np.flatnonzero(times[1:] == times[:-1]) + 1
    if not len(again):
        return ordered
    found = first_difference(ordered.iloc[again - 1], ordered.iloc[again])
    if found is not None:
        raise found
    return ordered[np.append(True, times[1:] != times[:-1])].reset_index(drop=True)
