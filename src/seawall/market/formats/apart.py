"""Times whose date stands in one column and whose time of day stands in another, as MetaTrader writes them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import DataError
from seawall.market.formats.columns import times
from seawall.market.formats.written import refuse_times

_DAY_MS = 86_400_000
# Digits of other alphabets are digits to a bare \d too, and no numbers to pandas.
_CLOCK = r"^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?\s*([AaPp][Mm])?$"
_DIGITS = r"^[0-9]{1,6}$"
_ALLOWED = "allowed: times of day as 15:30, 15:30:00 or 153000"
_LARGEST_HHMM = 2_359
# Names under which digits are times of day too; text as 15:30 is one under any name.
_CLOCK_NAMES = ("time", "hour", "clock", "time_of_day")


def clock_beside(table: pd.DataFrame, moments: pd.Series[Any], taken: Collection[str]) -> str | None:
    """Return the column of times of day that tells the rows of one date apart; None where no date repeats, or no column does.

    Args:
        table: The file's columns.
        moments: What its column of times came to.
        taken: Columns of another meaning.
    """
    days = moments.dropna()
    starts = days.dt.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
    if (starts % _DAY_MS).any() or np.unique(starts).size == starts.size:
        return None
    for name in table.columns:
        given = table[name].dropna()
        pattern = f"{_CLOCK}|{_DIGITS}" if name in _CLOCK_NAMES else _CLOCK
        if name not in taken and not given.empty and _is_clock(given, table[name], pattern):
            return str(name)
    return None


def refuse_clock_alone(column: pd.Series[Any], name: str, origin: str) -> None:
    """Refuse times of day where whole times should be, and say what is needed."""
    given = column.dropna()
    if not given.empty and _is_clock(given, column, _CLOCK):
        raise DataError(
            f"{origin} row {given.index[0]} has {name} = {given.iloc[0]!r}, a time of day without its date; "
            "needed: a column named date beside it, or whole times as in 2024-01-31 15:30"
        )


def joined_times(
    table: pd.DataFrame, names: tuple[str, str], origin: str, *, day_first: bool | None = None
) -> tuple[pd.Series[Any], list[str]]:
    """Return the times that a column of dates and a column of times of day come to.

    Where one of them holds whole times by itself, as counts since 1970 or ``2024-01-31 15:30``, it is taken and the other is not.

    Args:
        table: Holds both columns.
        names: Those of the dates and of the times of day.
        origin: The file, for the messages.
        day_first: Whether 03.04.2024 is the third of April; None where only the file can tell.

    Returns:
        Times, ``datetime64[ms, UTC]``, missing where either cell is empty; and remarks.

    Raises:
        DataError: A value is no time or no time of day, or the dates are at another hour than midnight.
    """
    date, clock = names
    given = table[clock].dropna()
    if not given.empty and not _is_clock(given, table[clock], f"{_CLOCK}|{_DIGITS}"):
        moments, said = times(table[clock], clock, origin, day_first=day_first)
        return moments, [*said, f"column {date} is ignored: column {clock} holds whole times"]
    moments, said = times(table[date], date, origin, day_first=day_first)
    if given.empty:
        return moments, said
    starts = moments.dt.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
    known = moments.notna().to_numpy()
    if np.unique(starts[known] % _DAY_MS).size > 1:
        return moments, [*said, f"column {clock} is ignored: column {date} holds whole times"]
    if (starts[known] % _DAY_MS).any():
        first = int(np.flatnonzero(known)[0])
        raise DataError(
            f"{origin} row {first} has {date} = {table[date].iloc[first]!r} beside {clock} = {table[clock].iloc[first]!r}: "
            "a date at an hour of its own; allowed: dates alone, beside times of day"
        )
    joined: Any = moments + _each_once(table[clock], clock, origin)
    return joined, said


def _is_clock(given: pd.Series[Any], column: pd.Series[Any], pattern: str) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_float_dtype(column):
        return False
    return re.match(pattern, str(given.iloc[0]).strip()) is not None


def _each_once(column: pd.Series[Any], name: str, origin: str) -> Any:
    """Return times of day as spans since midnight, each kind read once: a day has few."""
    codes, kinds = pd.factorize(column)
    try:
        spans = _spans(pd.Series(kinds), name, origin)
    except DataError:
        # To name the row at fault.
        return _spans(column, name, origin)
    return spans.reindex(codes).reset_index(drop=True)


def _spans(column: pd.Series[Any], name: str, origin: str) -> Any:
    """Return times of day as spans since midnight, missing where the cell is empty."""
    number: Any = pd.to_numeric
    present = column.notna()
    text: Any = column.astype("str").str.strip()
    digits = text.where(present & text.str.match(_DIGITS))
    if digits.notna().any():
        most = number(digits).max()
        if 0 < most < 24:
            first = int(np.flatnonzero(number(digits) == most)[0])
            raise DataError(
                f"{origin} row {first} has {name} = {column.iloc[first]!r}, and none has more: "
                f"hours and minutes cannot be told apart; {_ALLOWED}"
            )
        long = bool(digits.str.len().max() > 4 or most > _LARGEST_HHMM)
        padded = digits.str.zfill(6) if long else digits.str.zfill(4) + "00"
        text = (padded.str[:2] + ":" + padded.str[2:4] + ":" + padded.str[4:]).where(digits.notna(), text)
    parts: Any = text.where(present).str.extract(_CLOCK)
    hour, minute, second = (number(parts[place]).fillna(0 if place == 2 else np.nan) for place in range(3))
    half: Any = parts[4].str.lower()
    hour_of_day = hour.where(half.isna(), hour % 12 + 12 * (half == "pm"))
    sound = (hour_of_day < 24) & (minute < 60) & (second < 60) & (half.isna() | hour.between(1, 12))
    refuse_times(np.flatnonzero(present & ~sound), column, name, origin, _ALLOWED)
    fraction = number(parts[3]).fillna(0.0)
    milliseconds = np.rint(((hour_of_day * 60 + minute) * 60 + second + fraction) * 1_000)
    span: Any = pd.to_timedelta
    return span(milliseconds, unit="ms").astype("timedelta64[ms]")
