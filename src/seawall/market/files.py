"""Reading bars from files: every format of `seawall.market.formats.tables`, in the column names of the usual sources."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.market.formats.apart import clock_beside, joined_times, refuse_clock_alone
from seawall.market.formats.columns import numbers, times
from seawall.market.formats.delimited import REMARKS
from seawall.market.formats.dialects import Dialect, bar_names, plain_names, recognise, remarks
from seawall.market.formats.tables import SCALING, SUFFIXES, column_names, read_tables, scaled_columns, table_keys

_SYMBOL_COLUMNS = ("symbol", "tic", "ticker")
_SYMBOLS_SHOWN = 5


def read_bars(
    path: Path, root: Path | None = None, key: str | None = None, own: Sequence[str] = (), symbol: str | None = None
) -> pd.DataFrame:
    """Read one table of a file into a bar frame, in the file's own order and with its faults: `apply_quality` comes next.

    The dialects are those of `seawall.market.formats.dialects`. Times with a zone become UTC; times without one are
    read as UTC, and said so. Whole numbers are seconds, milliseconds, microseconds or nanoseconds since 1970 by their size.

    Args:
        path: A file that ends in one of `seawall.market.formats.tables.SUFFIXES`, absolute or relative to `root`.
        root: Folder that a relative path starts from; the current one where None.
        key: Table of an HDF5 file, as ``/15m``; not needed where it holds one.
        symbol: Which one, of a file with a column of symbols; see `symbols_in`. Rows then count within it.
        own: Other columns to keep under these names, as a user's own features; a value must be known when its bar closes.

    Returns:
        Columns timestamp (``datetime64[ms, UTC]``), open, high, low, close, volume and those of `OPTIONAL_COLUMNS` that the
        file has, then `own`, float64. ``attrs["notes"]`` lists remarks in plain words, which the quality report repeats;
        ``attrs["scaling"]`` is there where the file says that it was scaled, and how.

    Raises:
        ConfigError: A name in `own` is that of a price or of the volume, or HDF5 is asked for and not installed.
        DataError: The file is missing, empty, unreadable, lacks a column, holds several tables or symbols and none is named, or
            holds a value that is no time or number.
    """
    found = _find(path, root)
    keys = table_keys(found)
    if key is None and len(keys) > 1:
        raise DataError(f"{found.name} holds {len(keys)} tables: {', '.join(keys)}; name one of them as the key")
    wanted = key if key is None or key.startswith("/") else f"/{key}"
    # A CSV is refused by its header, before a row is read.
    tables = read_tables(found, wanted, lambda names: _refuse_header(names, found.name))
    (table,) = tables.values()
    origin = found.name if len(keys) == 1 else f"{found.name} {wanted}"
    if symbol is not None:
        return _bars(_of_symbol(table, symbol), f"{origin} {symbol}", own)
    several = _symbols_of(table)
    if len(several) > 1:
        shown = ", ".join(several[:_SYMBOLS_SHOWN]) + (", …" if len(several) > _SYMBOLS_SHOWN else "")
        raise DataError(
            f"{origin} holds {len(several)} symbols below each other ({shown}); needed: one symbol a table, "
            "as seawall data import makes of Parquet, feather and CSV files"
        )
    return _bars(table, origin, own)


def symbols_in(path: Path) -> list[str]:
    """Return the symbols of a file that holds the bars of several below each other, told apart by a column of their names.

    Args:
        path: A Parquet, feather, CSV or zipped CSV file, as ``seawall data align`` writes one.

    Returns:
        Names in the order in which they first stand; none where there is no such column, or only one name in it.
    """
    if not any(_is_symbol_column(name) for name in column_names(path)):
        return []
    (table,) = read_tables(path).values()
    names = _symbols_of(table)
    return names if len(names) > 1 else []


def _symbols_of(table: pd.DataFrame) -> list[str]:
    """Return the names in the column of symbols, in the order in which they first stand; none where there is no such column."""
    column = _symbol_column(table)
    return [] if column is None else [str(name) for name in table[column].dropna().unique()]


def _symbol_column(table: pd.DataFrame) -> str | None:
    return next((str(name) for name in table.columns if _is_symbol_column(str(name))), None)


def _is_symbol_column(name: str) -> bool:
    return name.strip().strip("<>").lower() in _SYMBOL_COLUMNS


def _of_symbol(table: pd.DataFrame, symbol: str) -> pd.DataFrame:
    column = _symbol_column(table)
    chosen = table[table[column].astype(str) == symbol].drop(columns=column).reset_index(drop=True)
    chosen.attrs = table.attrs
    return chosen


def _refuse_header(names: Sequence[str], origin: str) -> None:
    recognise(bar_names(names, origin)[0], origin)


def _bars(table: pd.DataFrame, origin: str, own: Sequence[str]) -> pd.DataFrame:
    scaling = table.attrs.get(SCALING)
    told: list[str] = [*table.attrs.get(REMARKS, ())]
    table.columns, standing = bar_names([str(name) for name in table.columns], origin)
    dialect = recognise(list(table.columns), origin)
    extra = _own_names(own, list(table.columns), origin)
    if not len(table):
        raise DataError(f"{origin} has columns but no rows; at least two bars are needed")
    moments, said, dialect = _times(table, dialect, extra.values(), origin)
    kept = {name: name for name in (*BAR_COLUMNS, *OPTIONAL_COLUMNS) if name in table.columns} | extra
    kept, left_out = _without_scaled(kept, scaling, set(extra), origin)
    values: dict[str, np.ndarray] = {name: numbers(table[column], name, origin) for name, column in kept.items()}
    bars = pd.DataFrame({"timestamp": moments.reset_index(drop=True), **values})
    if not dialect.oldest_first and _is_newest_first(bars):
        bars = bars.iloc[::-1].reset_index(drop=True)
        said.append("the file is newest first: its rows are turned around, and are counted from its end")
    unknown = [name for name in table.columns if name not in extra.values()]
    bars.attrs["notes"] = [*told, *said, *standing, *remarks(dialect, unknown), *left_out]
    if scaling is not None:
        bars.attrs["scaling"] = scaling
    return bars


def _times(table: pd.DataFrame, dialect: Dialect, own: Collection[str], origin: str) -> tuple[pd.Series, list[str], Dialect]:
    """Return the times, remarks, and the dialect with the column of times of day that was found beside dates that repeat."""
    order = dialect.day_first
    if dialect.clock is not None:
        return *joined_times(table, (dialect.time, dialect.clock), origin, day_first=order), dialect
    try:
        moments, said = times(table[dialect.time], dialect.time, origin, day_first=order, zone_known=dialect.utc)
    except DataError:
        refuse_clock_alone(table[dialect.time], dialect.time, origin)
        raise
    clock = clock_beside(table, moments, {dialect.time, *BAR_COLUMNS, *OPTIONAL_COLUMNS, *own})
    if clock is None:
        return moments, said, dialect
    moments, said = joined_times(table, (dialect.time, clock), origin, day_first=order)
    return (
        moments,
        [*said, f"dates in column {dialect.time} repeat: column {clock} is their time of day"],
        replace(dialect, clock=clock),
    )


def _is_newest_first(bars: pd.DataFrame) -> bool:
    known = timestamps_ms(bars)
    return len(known) > 1 and known[0] > known[-1] and bool((np.diff(known) <= 0).all()) and bool(bars["timestamp"].notna().all())


def _without_scaled(
    kept: dict[str, str], scaling: Mapping[str, Any] | None, own: set[str], origin: str
) -> tuple[dict[str, str], list[str]]:
    """Refuse bars whose prices or volume are scaled, and leave other raw amounts out that are: nothing true is made of them."""
    if scaling is None:
        return kept, []
    listed = scaled_columns(scaling, origin)
    scaled = [name for name, column in kept.items() if column in listed and name not in own]
    raw = [name for name in scaled if name in BAR_COLUMNS]
    if raw:
        raise DataError(
            f"{origin}: {', '.join(raw)} are scaled ({scaling.get('method')}), so these are no bars: costs, returns and features "
            "would be meaningless; scale the file again and preserve them"
        )
    notes = [f"{', '.join(scaled)} are scaled in the file and left out: features are computed of raw amounts"] if scaled else []
    return {name: column for name, column in kept.items() if name not in scaled}, notes


def _own_names(own: Sequence[str], columns: Sequence[str], origin: str) -> dict[str, str]:
    named = dict(zip(own, plain_names(own, "the list of own columns"), strict=True))
    raw = [name for name, plain in named.items() if plain in BAR_COLUMNS or plain == "timestamp"]
    if raw:
        raise ConfigError(f"own columns name {', '.join(raw)}, which every bar has; allowed: other columns of {origin}")
    absent = [name for name, plain in named.items() if plain not in columns]
    if absent:
        raise DataError(f"{origin} has no column {', '.join(absent)}; its columns are {', '.join(columns)}")
    return named


def infer_identity(path: Path) -> tuple[str, str, str | None]:
    """Tell source, symbol and timeframe from a file's name.

    ===============================  ========================================
    name                             source, symbol, timeframe
    ===============================  ========================================
    binance_BTCUSDT_1h.parquet       binance, BTCUSDT, 1h
    binance_BTCUSDT_1m_202407.csv    binance, BTCUSDT, 1m
    BTCUSDT-1h-2024-01.csv           binance, BTCUSDT, 1h (Binance's dumps)
    BTC_USDT-1h.feather              freqtrade, BTC_USDT, 1h
    anything.csv                     files, anything, None
    ===============================  ========================================

    Args:
        path: The file; it need not exist.
    """
    stem = re.sub(
        r"(\.(csv|tsv|txt))?\.(gz|parquet|pq|csv|tsv|txt|feather|ft|zip|h5|hdf5|hdf)$", "", path.name, flags=re.IGNORECASE
    )
    for source, pattern in _NAMES:
        match = re.fullmatch(pattern, stem)
        if match is None:
            continue
        try:
            timeframe = Timeframe.parse(match["timeframe"]).label
        except ConfigError:
            # Something that looks like a timeframe but is none, as 0h.
            continue
        return source or match["source"], match["symbol"], timeframe
    return "files", stem, None


_TIMEFRAME = r"(?P<timeframe>\d+[smhdw])"
_NAMES = (
    ("", rf"(?P<source>[a-z][a-z0-9]*)_(?P<symbol>[A-Za-z0-9.]+)_{_TIMEFRAME}(_[0-9]+)?"),
    ("binance", rf"(?P<symbol>[A-Z0-9]+)-{_TIMEFRAME}(-\d{{4}}-\d\d(-\d\d)?)?"),
    ("freqtrade", rf"(?P<symbol>[A-Z0-9]+(_[A-Z0-9]+)+)-{_TIMEFRAME}(-[a-z]+)?"),
)


def _find(path: Path, root: Path | None) -> Path:
    start = (root or Path.cwd()).resolve()
    found = (start / path.expanduser()).resolve()
    if not found.exists():
        raise DataError(f"no file {path}: looked for {found}, resolved against {start}")
    if not found.is_file():
        raise DataError(f"{path} is a folder, not a file; allowed: {', '.join(SUFFIXES)}")
    return found
