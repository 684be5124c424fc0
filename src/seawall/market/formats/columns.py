"""Turning the columns of a file into UTC times and float64 numbers, or naming the first value that is neither."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import DataError

# A count since 1970 is of this unit below this size. Each bound is the year 5138 in its unit, so units cannot be confused for
# times between 1973 and 5138.
_UNITS = ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (np.inf, "ns"))
_PER_MILLISECOND = {"s": 1_000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
_SMALLEST_COUNT = 1e8
# Nanoseconds end here, in the year 2262.
_LARGEST_COUNT = 9.2e18
_PARSE: Any = pd.to_datetime
_ISO = "allowed: ISO 8601 as in 2024-01-31 13:00:00 or 2024-01-31T13:00:00Z, or whole seconds, ms, us or ns since 1970"


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


def times(column: pd.Series[Any], name: str, origin: str) -> tuple[pd.Series[Any], list[str]]:
    """Return a column as UTC times.

    Args:
        column: As the file has it: times with or without a zone, counts since 1970, or text.
        name: Its name.
        origin: The file, for the message.

    Returns:
        Times, ``datetime64[ms, UTC]``, missing where the cell is empty; and remarks, as on times without a zone.

    Raises:
        DataError: A value is no time, or the column mixes zones or units; the first such row is named.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return _utc(column, name)
    if pd.api.types.is_bool_dtype(column):
        raise DataError(f"{origin} row 0 has {name} = {column.iloc[0]!r}, which is no time; {_ISO}")
    if pd.api.types.is_numeric_dtype(column):
        return _counted(column.to_numpy(np.float64, na_value=np.nan), name, origin)
    given = column.dropna()
    if given.empty or not str(given.iloc[0]).strip().lstrip("+-").replace(".", "", 1).isdigit():
        return _written(column, name, origin)
    counts = pd.to_numeric(column.astype(object).where(column.notna(), np.nan), errors="coerce")
    _refuse_first(np.flatnonzero(counts.isna() & column.notna()), column, name, origin)
    return _counted(counts.to_numpy(np.float64), name, origin)


def _written(column: Any, name: str, origin: str) -> tuple[pd.Series[Any], list[str]]:
    present = column.notna()
    text = column.astype("str").str.strip().where(present)
    try:
        exact: Any = _PARSE(text, format="ISO8601")
        return _utc(exact, name)
    except ValueError:
        # Slower, to name the value at fault.
        parsed: Any = _PARSE(text, format="ISO8601", errors="coerce", utc=True)
    _refuse_first(np.flatnonzero(parsed.isna() & present), column, name, origin)
    zone = text.str.extract(r"([+-]\d\d:?\d\d|[+-]\d\d|Z)$", expand=False).fillna("none")
    first = int(np.flatnonzero(present)[0])
    other = int(np.flatnonzero(present & (zone != zone.iloc[first]))[0])
    raise DataError(
        f"{origin} mixes time zones: row {first} has {name} = {column.iloc[first]!r}, row {other} has {column.iloc[other]!r}; "
        "allowed: one zone for the whole file"
    )


def _utc(column: pd.Series[Any], name: str) -> tuple[pd.Series[Any], list[str]]:
    if getattr(column.dt, "tz", None) is None:
        return column.dt.tz_localize("UTC").astype("datetime64[ms, UTC]"), [_no_zone(name)]
    return column.dt.tz_convert("UTC").astype("datetime64[ms, UTC]"), []


def _counted(values: np.ndarray, name: str, origin: str) -> tuple[pd.Series[Any], list[str]]:
    present = np.isfinite(values)
    units = np.searchsorted([bound for bound, _ in _UNITS], np.abs(values), side="right")
    small = np.flatnonzero(present & ((values < _SMALLEST_COUNT) | (values > _LARGEST_COUNT) | (values != np.rint(values))))
    if small.size:
        raise DataError(f"{origin} row {small[0]} has {name} = {values[small[0]]:g}, which is no count of time since 1970; {_ISO}")
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
    return pd.Series(pd.DatetimeIndex(moments, tz="UTC")), []


def _refuse_first(wrong: np.ndarray, column: pd.Series[Any], name: str, origin: str) -> None:
    if wrong.size:
        raise DataError(
            f"{origin} row {wrong[0]} has {name} = {column.iloc[wrong[0]]!r}, which is no time "
            f"({wrong.size} of {len(column)} rows); {_ISO}"
        )


def _no_zone(name: str) -> str:
    return f"the times in column {name} have no zone: they are read as UTC"
