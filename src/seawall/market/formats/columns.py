"""Turning the columns of a file into UTC times and float64 numbers, or naming the first value that is neither."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import DataError
from seawall.market.formats.written import ALLOWED_TIMES, refuse_times, written_times

# A count since 1970 is of this unit below this size. Each bound is the year 5138 in its unit, so units cannot be confused for
# times between 1973 and 5138.
_UNITS = ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (np.inf, "ns"))
_PER_MILLISECOND = {"s": 1_000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
_SMALLEST_COUNT = 1e8
# Nanoseconds end here, in the year 2262.
_LARGEST_COUNT = 9.2e18
# Numbers of so many digits that start with one of these years are dates, as 20240131, 202401311530 and 20240131153000; counts
# since 1970 of that size would lie in 1970, in 1976 to 1978, and after the year 2570. Seconds of 2030 to 2036 have ten digits and
# start so too: they are dates, as 2024013115, where every one of them is.
_DATE_DIGITS = (8, 10, 12, 14)
_DIGITS_OF_SECONDS = 10
_DATE_YEARS = (1900, 2100)
_EARLY = np.datetime64("1990-01-01")


def numbers(column: pd.Series[Any], name: str, origin: str) -> np.ndarray:
    """Return a column as float64; an empty cell becomes NaN, which the quality check names.

    Args:
        column: As the file has it.
        name: Its name.
        origin: The file, for the message.

    Raises:
        DataError: A value is no number; the first is named with its row, counted from 0.
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    values = pd.to_numeric(column.astype(object).where(column.notna(), np.nan), errors="coerce")
    wrong = np.flatnonzero(values.isna() & column.notna())
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        wrong = np.arange(len(column))
    if wrong.size:
        raise DataError(
            f"{origin} row {wrong[0]} has {name} = {column.iloc[wrong[0]]!r}, which is no number "
            f"({wrong.size} of {len(column)} rows); allowed: plain decimals such as 123.45"
        )
    return values.to_numpy(np.float64)


def times(
    column: pd.Series[Any], name: str, origin: str, *, day_first: bool | None = None, zone_known: bool = False
) -> tuple[pd.Series[Any], list[str]]:
    """Return a column as UTC times.

    Args:
        column: As the file has it: times with or without a zone, counts since 1970, dates of 8, 10, 12 or 14 digits, or text.
        name: Its name.
        origin: The file, for the message.
        day_first: Whether 03.04.2024 is the third of April; None where only the file can tell.
        zone_known: The source says that times without a zone are in UTC, so that nothing needs to be said.

    Returns:
        Times, ``datetime64[ms, UTC]``, missing where the cell is empty; and remarks, as on times without a zone.

    Raises:
        DataError: A value is no time, or the column mixes zones or units; the first such row is named.
    """
    moments, said = _times(column, name, origin, day_first)
    return moments, [remark for remark in said if not (zone_known and remark == _no_zone(name))]


def _times(column: pd.Series[Any], name: str, origin: str, day_first: bool | None) -> tuple[pd.Series[Any], list[str]]:
    if pd.api.types.is_datetime64_any_dtype(column):
        return _utc(column, name)
    if pd.api.types.is_bool_dtype(column):
        raise DataError(f"{origin} row 0 has {name} = {column.iloc[0]!r}, which is no time; {ALLOWED_TIMES}")
    if pd.api.types.is_numeric_dtype(column):
        return _counted(column.to_numpy(np.float64, na_value=np.nan), name, origin)
    given = column.dropna()
    if given.empty or not str(given.iloc[0]).strip().lstrip("+-").replace(".", "", 1).isdigit():
        moments, said = written_times(column, name, origin, day_first=day_first)
        found, more = _utc(moments, name)
        return found, [*said, *more]
    counts = pd.to_numeric(column.astype(object).where(column.notna(), np.nan), errors="coerce")
    refuse_times(np.flatnonzero(counts.isna() & column.notna()), column, name, origin)
    return _counted(counts.to_numpy(np.float64), name, origin)


def _utc(column: pd.Series[Any], name: str) -> tuple[pd.Series[Any], list[str]]:
    if getattr(column.dt, "tz", None) is None:
        return column.dt.tz_localize("UTC").astype("datetime64[ms, UTC]"), [_no_zone(name)]
    return column.dt.tz_convert("UTC").astype("datetime64[ms, UTC]"), []


def _counted(values: np.ndarray, name: str, origin: str) -> tuple[pd.Series[Any], list[str]]:
    present = np.isfinite(values)
    dates = _dates(values, present, name, origin)
    if dates is not None:
        read_as = f"whole numbers in column {name} are read as dates, as 20240131 for 31 January 2024"
        return dates, [read_as, _no_zone(name)]
    units = np.searchsorted([bound for bound, _ in _UNITS], np.abs(values), side="right")
    small = np.flatnonzero(present & ((values < _SMALLEST_COUNT) | (values > _LARGEST_COUNT) | (values != np.rint(values))))
    if small.size:
        raise DataError(
            f"{origin} row {small[0]} has {name} = {values[small[0]]:.15g}, which is no count of time since 1970; {ALLOWED_TIMES}"
        )
    other = np.flatnonzero(present & (units != units[present][0])) if present.any() else small
    if other.size:
        first = np.flatnonzero(present)[0]
        raise DataError(
            f"{origin} mixes units of time: row {first} has {name} = {values[first]:.0f}, "
            f"row {other[0]} has {values[other[0]]:.0f}; allowed: one unit for the whole file"
        )
    unit = _UNITS[int(units[present][0])][1] if present.any() else "ms"
    milliseconds = np.floor(np.where(present, values, 0.0) * _PER_MILLISECOND[unit] + 1e-6).astype(np.int64)
    moments = milliseconds.astype("datetime64[ms]")
    moments[~present] = np.datetime64("NaT")
    return pd.Series(pd.DatetimeIndex(moments, tz="UTC")), _early(moments[present], unit, name)


def _early(moments: np.ndarray, unit: str, name: str) -> list[str]:
    """Say where counts begin before 1990: few markets have such bars, and numbers of another meaning look like them."""
    if not moments.size or moments.min() >= _EARLY:
        return []
    return [f"whole numbers in column {name} are read as {unit} since 1970: they begin in {moments.min().astype('M8[Y]')}"]


def _dates(values: np.ndarray, present: np.ndarray, name: str, origin: str) -> pd.Series[Any] | None:
    """Read dates of 8, 12 or 14 digits, where most values start with a year; None where they are counts."""
    for digits in _DATE_DIGITS:
        unit = 10.0 ** (digits - 4)
        within = present & (values >= _DATE_YEARS[0] * unit) & (values < (_DATE_YEARS[1] + 1) * unit)
        if 2 * within.sum() > present.sum():
            break
    else:
        return None
    whole = np.where(within & (values == np.rint(values)), values, 0.0).astype(np.int64) * 10 ** (14 - digits)
    year, month, day, clock = whole // 10**10, whole // 10**8 % 100, whole // 10**6 % 100, whole % 10**6
    hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
    month_start = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]")
    date = month_start.astype("datetime64[D]") + (day - 1)
    sound = (month >= 1) & (month <= 12) & (day >= 1) & (date.astype("datetime64[M]") == month_start)
    sound &= (hour < 24) & (minute < 60) & (second < 60)
    wrong = np.flatnonzero(present & ~sound)
    if wrong.size and digits == _DIGITS_OF_SECONDS:
        return None
    if wrong.size:
        raise DataError(
            f"{origin} row {wrong[0]} has {name} = {values[wrong[0]]:.15g}, which is no date "
            f"({wrong.size} of {len(values)} rows); whole numbers of {digits} digits that start with a year are read as dates, "
            f"as 20240131, 202401311530 or 20240131153000; {ALLOWED_TIMES}"
        )
    moments = date.astype("datetime64[ms]") + (hour * 3_600 + minute * 60 + second) * 1_000
    moments[~present] = np.datetime64("NaT")
    return pd.Series(pd.DatetimeIndex(moments, tz="UTC"))


def _no_zone(name: str) -> str:
    return f"the times in column {name} have no zone: they are read as UTC"
