"""Reading search interest: the site's own CSV, and tables of times and values.

=====================================  ==========================================================================
file                                   read as
=====================================  ==========================================================================
``multiTimeline.csv`` of the site      a category line, a blank line, then ``Week,bitcoin: (Worldwide)``; Day, Week,
                                       Month or Hour tell the period, ``<1`` counts as 0.5
columns timestamp, keyword, interest   one or more keywords below each other
a column of times, then numbers        one column a keyword
=====================================  ==========================================================================

A value is known when its period has ended. Where the header does not tell the period, it is the distance to the next value; the
last week before daily values still ends after a week. Values that overlap later, shorter ones are left out. Hourly rows that
repeat one value through every day are daily values, known at the day's end.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe, iso_ms, moment_ms
from seawall.market.formats.columns import numbers, times
from seawall.market.formats.tables import SUFFIXES, read_tables, suffix_of
from seawall.market.trends.relative import MONTH, TrendsSeries

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_DECLARED = {"hour": _HOUR_MS, "day": _DAY_MS, "week": 7 * _DAY_MS}
_TIMES = ("timestamp", "date", "time", "datetime", "month", *_DECLARED)
_REGION = re.compile(r":\s*\(([^)]*)\)\s*$")
FILE_TIME, NAMED = "the file's time of change", "named"
_SEPARATORS = ",;\t"
_BELOW_ONE = re.compile(r"<\s*1")


def read_trends(path: Path, keyword: str | None = None, *, now: datetime | None = None) -> TrendsSeries:
    """Read the search interest of one keyword.

    Args:
        path: The site's CSV, or a CSV, Parquet, feather or HDF5 file of times and values.
        keyword: Which of several; needed where the file has more than one. Either the keyword or its whole column name.
        now: When the file was downloaded; the file's own time of change where None, which a copy may have changed. A period that
            had not ended by then is partial and left out.

    Returns:
        The values in order of time, each known at the end of its period. Facts: ``file``, ``region``, ``downloaded`` (when) and
        ``downloaded_from`` (how that is known), ``rows`` read,
        ``periods`` (how many values of each length), ``partial_dropped``, ``overlapping_dropped``, ``repeated_dropped``,
        ``possible_seams`` (New Years where each year of the download has its own scale) and ``notes``.

    Raises:
        ConfigError: The keyword is not in the file, or the file has several and none was named.
        DataError: The file is missing or unreadable, a value is no number of at least 0, or times are not ascending.
    """
    table = _table(path)
    column = _time_column(table)
    name, region, chosen = _chosen(table, column, keyword, path.name)
    partial = _flagged(chosen)
    moments, notes = times(chosen[column], column, path.name)
    values = _values(chosen[name], name, path.name)
    starts = moments.dt.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
    _refuse_disorder(moments, path.name)
    starts, values = starts[~partial], values[~partial]
    whole = _collapsed(starts, values)
    starts, values = starts[whole], values[whole]
    ends, label = _ends(starts, column.lower(), path.name)
    downloaded = _milliseconds(path, now)
    ended = ends <= downloaded
    apart = ended & (np.minimum.accumulate(np.append(ends, np.iinfo(np.int64).max)[::-1])[::-1][1:] > ends)
    if not apart.any():
        raise DataError(
            f"{path.name} has no value of {keyword or name!r} whose period had ended by its download, {iso_ms(downloaded)}"
        )
    facts = {
        "file": path.name,
        "region": region,
        "downloaded": iso_ms(downloaded),
        "downloaded_from": FILE_TIME if now is None else NAMED,
        "rows": len(chosen),
        "periods": _counted(starts[apart], ends[apart], label),
        "partial_dropped": int(partial.sum() + (~ended).sum()),
        "overlapping_dropped": int((ended & ~apart).sum()),
        "repeated_dropped": int((~whole).sum()),
        "possible_seams": _seams(starts[apart], ends[apart], values[apart]),
        "notes": notes,
    }
    said = str(chosen["keyword"].iloc[0]) if name == "interest" else _REGION.sub("", name)
    return TrendsSeries(said.strip(), label, starts[apart], ends[apart], values[apart], facts)


def download_time(text: str) -> datetime:
    """Read when a file was downloaded, for `read_trends`.

    Args:
        text: A day or a moment in UTC, as in 2024-05-02; a day counts from its start.

    Raises:
        ConfigError: The text is no date, or one that is still to come.
    """
    moment = datetime.fromtimestamp(moment_ms(text) / 1_000, UTC)
    if moment > datetime.now(UTC):
        raise ConfigError(f"the download of {text} is still to come; allowed: a day or time of the past")
    return moment


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"no file {path}")
    if suffix_of(path) != ".csv":
        tables = read_tables(path)
        if len(tables) != 1:
            raise DataError(f"{path.name} has {len(tables)} tables ({', '.join(tables)}); one of times and values is needed")
        return next(iter(tables.values()))
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        blank = next((row for row, line in enumerate(lines[:4]) if not line.strip(" ,;\t")), -1)
        header = lines[blank + 1] if len(lines) > blank + 1 else ""
        separator = max(_SEPARATORS, key=header.count)
        content = io.StringIO("\n".join(lines[blank + 1 :]))
        table: pd.DataFrame = pd.read_csv(content, dtype=str, keep_default_na=False, sep=separator)
    except (OSError, UnicodeDecodeError, ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path} cannot be read as .csv: {str(error).splitlines()[0]}") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(f"{path.name} has rows of more cells than its header {header!r}")
    if not len(table):
        raise DataError(f"{path.name} has no rows; allowed: {', '.join(SUFFIXES)} with times and values")
    table.columns = [str(name).strip() for name in table.columns]
    return table


def _time_column(table: pd.DataFrame) -> str:
    # A site in another language names the column in that language, but it is still the first.
    return next((str(name) for name in table.columns if str(name).lower() in _TIMES), str(table.columns[0]))


def _chosen(table: pd.DataFrame, column: str, keyword: str | None, origin: str) -> tuple[str, str | None, pd.DataFrame]:
    """Return the column of values, its region, and the rows of the keyword."""
    if {"keyword", "interest"} <= set(table.columns):
        held = [str(name) for name in table["keyword"].unique()]
        _refuse_choice(keyword, held, [name for name in held if keyword in (None, name)], origin)
        return "interest", None, table[table["keyword"] == (keyword or held[0])].reset_index(drop=True)
    names = [str(name) for name in table.columns if name != column and str(name).lower() != "ispartial"]
    matching = [name for name in names if keyword in (None, name, _REGION.sub("", name).strip())]
    _refuse_choice(keyword, names, matching, origin)
    found = _REGION.search(matching[0])
    return matching[0], found[1] if found else None, table


def _refuse_choice(keyword: str | None, held: list[str], matching: list[str], origin: str) -> None:
    if len(matching) == 1:
        return
    if not held:
        raise DataError(f"{origin} has no column of values beside its times")
    if keyword is None:
        raise ConfigError(f"{origin} has {len(held)} keywords; name one of: {', '.join(held)}")
    raise ConfigError(f"{origin} has {len(matching)} columns for keyword {keyword!r}; allowed: one of {', '.join(held)}")


def _flagged(table: pd.DataFrame) -> np.ndarray:
    name = next((name for name in table.columns if str(name).lower() == "ispartial"), None)
    if name is None:
        return np.zeros(len(table), dtype=bool)
    return table[name].astype(str).str.strip().str.lower().isin(["true", "1", "1.0"]).to_numpy()


def _values(column: Any, name: str, origin: str) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(column):
        text = column.astype(str).str.strip()
        column = text.where(~text.str.fullmatch(_BELOW_ONE), "0.5").where(text != "", None)
    values = numbers(column, name, origin)
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))
    if wrong.size:
        raise DataError(
            f"{origin} row {wrong[0]} has {name} = {values[wrong[0]]} ({wrong.size} of {len(values)} rows); "
            "allowed: numbers of at least 0, or <1"
        )
    return values


def _refuse_disorder(moments: pd.Series[Any], origin: str) -> None:
    missing = np.flatnonzero(moments.isna())
    if missing.size:
        raise DataError(f"{origin} row {missing[0]} has no time")
    wrong = np.flatnonzero((moments.diff() <= pd.Timedelta(0)).to_numpy())
    if wrong.size:
        raise DataError(
            f"{origin} row {wrong[0]} at {moments.iloc[wrong[0]].isoformat()} is not later than the row before it "
            f"({wrong.size} such rows); allowed: ascending times"
        )


def _collapsed(starts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Say which rows to keep where rows within a day only repeat the value of the day, as after a forward fill."""
    keep = np.ones(len(starts), dtype=bool)
    days = starts // _DAY_MS
    same_day = np.diff(days) == 0
    changes = np.diff(values) != 0
    if same_day.any() and not (same_day & changes).any() and (~same_day & changes).any():
        keep[1:] = ~same_day
    return keep


def _ends(starts: np.ndarray, header: str, origin: str) -> tuple[np.ndarray, str]:
    """Return when each period ends, and the usual length as a label."""
    if header in _DECLARED:
        return starts + _DECLARED[header], Timeframe(_DECLARED[header] // 1_000).label
    if header == "month" or _monthly(starts):
        months = starts.astype("datetime64[ms]").astype("datetime64[M]")
        return (months + 1).astype("datetime64[ms]").astype(np.int64), MONTH
    if len(starts) < 2:
        raise DataError(f"{origin} has {len(starts)} values; two are needed to tell the length of a period")
    steps = np.diff(starts)
    following = np.append(steps, steps[-1])
    # Two long steps in a row before a short one are longer periods that end here; a single one is a hole.
    before = np.concatenate(([steps[0]], steps))
    earlier = np.concatenate(([steps[0], steps[0]], steps[:-1]))
    return starts + np.maximum(following, np.minimum(before, earlier)), Timeframe.infer(starts).label


def _monthly(starts: np.ndarray) -> bool:
    moments = starts.astype("datetime64[ms]")
    first_days = (moments == moments.astype("datetime64[M]")).all()
    return bool(len(starts) >= 2 and first_days and np.diff(starts).min() >= 28 * _DAY_MS)


def _milliseconds(path: Path, now: datetime | None) -> int:
    moment = datetime.fromtimestamp(path.stat().st_mtime, UTC) if now is None else now
    return int(moment.timestamp() * 1_000)


def _counted(starts: np.ndarray, ends: np.ndarray, label: str) -> dict[str, int]:
    if label == MONTH:
        return {MONTH: len(starts)}
    lengths, counts = np.unique((ends - starts) // 1_000, return_counts=True)
    return {Timeframe(int(length)).label: int(count) for length, count in zip(lengths, counts, strict=True)}


def _seams(starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> list[str]:
    """Return the New Years between years that each peak at 100: the sign of a download made year by year."""
    table = pd.DataFrame({"year": from_milliseconds(starts).dt.year, "value": values, "ms": ends - starts})
    years = table.groupby("year").agg(peak=("value", "max"), covered=("ms", "sum"))
    whole = years[years["covered"] > 350 * _DAY_MS]
    if len(whole) < 2 or not (whole["peak"] == 100.0).all():
        return []
    return [f"{year}-01-01" for year in years.index[1:]]
