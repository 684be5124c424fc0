"""Times written as text: ISO 8601 first, then the other ways that sources write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import DataError

ALLOWED_TIMES = "allowed: ISO 8601 as in 2024-01-31 13:00:00 or 2024-01-31T13:00:00Z, or whole seconds, ms, us or ns since 1970"
_PARSE: Any = pd.to_datetime
_NUMBERS: Any = pd.to_numeric
# Names of zones that sources put behind a time, and the same in ISO 8601.
_NAMED_ZONES = {r"\s*(?:UTC|GMT)\s*([+-]\d\d:?\d\d)$": r"\1", r"\s*(?:UTC|GMT)$": "Z"}
_ZONE_NAMES = "UTC|GMT"
_DAY_AND_MONTH = r"^([0-9]{1,2})([./-])([0-9]{1,2})[./-]([0-9]{4})(?:[ T,]+(.*))?$"
_HALF_DAYS = ("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I-%p")
_ZONE = r"[T ][0-9]{1,2}(?::?[0-9]{2}){0,2}(?:\.[0-9]+)?\s*([+-][0-9]{2}(?::?[0-9]{2})?|Z)$"
_SUMMER_TIME_MINUTES = 60


def written_times(column: Any, name: str, origin: str, *, day_first: bool | None = None) -> tuple[Any, list[str]]:
    """Return a column of text as times, with their zone where they are written with one.

    Args:
        column: Text; a missing cell becomes a missing time.
        name: Its name.
        origin: The file, for the messages.
        day_first: Whether 03.04.2024 is the third of April; None where only the file can tell, by a day after the twelfth.

    Returns:
        Times, naive or in UTC, and remarks on how they were read.

    Raises:
        DataError: A value is no time, zones are mixed, or nothing tells days from months.
    """
    present = column.notna()
    text = column.astype("str").str.strip().where(present)
    try:
        return _PARSE(text, format="ISO8601"), []
    except ValueError:
        # Slower: other ways to write a time, and to name the value at fault.
        pass
    if text.str.contains(_ZONE_NAMES, na=False).any():
        for pattern, iso in _NAMED_ZONES.items():
            text = text.str.replace(pattern, iso, regex=True)
    said: list[str] = []
    if text[present].str.match(_DAY_AND_MONTH).mean() > 0.5:
        text, said = _year_first(text, column, (name, origin), day_first)
    parsed = _parsed(text, present)
    refuse_times(np.flatnonzero(parsed.isna() & present), column, name, origin)
    zones = _zones(text[present])
    if (zones == "").all():
        return parsed.dt.tz_localize(None), said
    return parsed, [*said, *_one_zone(zones, column, name, origin)]


def refuse_times(wrong: np.ndarray, column: Any, name: str, origin: str, allowed: str = ALLOWED_TIMES) -> None:
    """Refuse the first of the rows whose value is no time."""
    if wrong.size:
        raise DataError(
            f"{origin} row {wrong[0]} has {name} = {column.iloc[wrong[0]]!r}, which is no time "
            f"({wrong.size} of {len(column)} rows); {allowed}"
        )


def _parsed(text: Any, present: Any) -> Any:
    first = text[present].iloc[0]
    for layout in _HALF_DAYS:
        if pd.notna(_PARSE(first, format=layout, errors="coerce")):
            return _PARSE(text, format=layout, errors="coerce", utc=True)
    return _PARSE(text, format="ISO8601", errors="coerce", utc=True)


def _year_first(text: Any, column: Any, where: tuple[str, str], day_first: bool | None) -> tuple[Any, list[str]]:
    """Turn 31.01.2024 and 01/31/2024 into 2024-01-31, by what the whole column proves of their order."""
    name, origin = where
    parts = text.str.extract(_DAY_AND_MONTH)
    refuse_times(np.flatnonzero(parts[0].isna() & column.notna()), column, name, origin)
    one, two = (np.asarray(_NUMBERS(parts[place]), dtype=np.float64) for place in (0, 2))
    days_before, days_behind = np.flatnonzero(one > 12), np.flatnonzero(two > 12)
    first = int(np.flatnonzero(column.notna())[0])
    if days_before.size and days_behind.size:
        raise DataError(
            f"{origin} mixes orders of day and month: row {days_before[0]} has {name} = {column.iloc[days_before[0]]!r}, "
            f"row {days_behind[0]} has {column.iloc[days_behind[0]]!r}; {ALLOWED_TIMES}"
        )
    proof = days_before if days_before.size else days_behind
    if day_first is None and not proof.size:
        raise DataError(
            f"{origin} row {first} has {name} = {column.iloc[first]!r}, and no row has a day after the twelfth: day and month "
            f"cannot be told apart; write the year first, as in 2024-01-31 ({ALLOWED_TIMES})"
        )
    leading = bool(days_before.size) if proof.size else bool(day_first)
    day, month = (parts[0], parts[2]) if leading else (parts[2], parts[0])
    clock = (" " + parts[4].astype("str").str.strip()).where(parts[4].notna() & (parts[4] != ""), "")
    iso = parts[3] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2) + clock
    shown = "day, month, year" if leading else "month, day, year"
    why = f"row {proof[0]} has {column.iloc[proof[0]]!r}" if proof.size else "its source writes them so"
    return iso, [f"dates in column {name} are read as {shown}: {why}"]


def _zones(text: Any) -> Any:
    return text.str.extract(_ZONE, expand=False).fillna("")


def _one_zone(zones: Any, column: Any, name: str, origin: str) -> list[str]:
    """Refuse zones that are mixed; offsets that change by an hour, as summer time does, are one zone."""
    kinds = sorted(zones.unique())
    minutes = [_minutes(kind) for kind in kinds if kind]
    if "" not in kinds and max(minutes) - min(minutes) <= _SUMMER_TIME_MINUTES:
        if len(set(minutes)) == 1:
            return []
        return [f"offsets in column {name} change ({', '.join(kinds)}), as with summer time: the times are read as UTC"]
    first, other = int(zones.index[0]), int(zones.index[zones != zones.iloc[0]][0])
    raise DataError(
        f"{origin} mixes time zones: row {first} has {name} = {column.iloc[first]!r}, row {other} has {column.iloc[other]!r}; "
        "allowed: one zone for the whole file, or offsets that change by an hour as with summer time"
    )


def _minutes(zone: str) -> int:
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return 0 if zone == "Z" else int(zone[0] + "1") * (60 * int(digits[:2]) + int(digits[2:]))
