"""Reading bars from files: every format of `seawall.market.tables`, in the column names of the usual sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.market.columns import numbers, times
from seawall.market.dialects import plain_names, recognise, remarks
from seawall.market.tables import SCALING, SUFFIXES, read_tables, table_keys


def read_bars(path: Path, root: Path | None = None, key: str | None = None, own: Sequence[str] = ()) -> pd.DataFrame:
    """Read one table of a file into a bar frame, in the file's own order and with its faults: `apply_quality` comes next.

    The dialects are those of `seawall.market.dialects`. Times with a zone become UTC; times without one are read as UTC, and said
    so. Whole numbers are seconds, milliseconds, microseconds or nanoseconds since 1970 by their size.

    Args:
        path: A file that ends in one of `seawall.market.tables.SUFFIXES`, absolute or relative to `root`.
        root: Folder that a relative path starts from; the current one where None.
        key: Table of an HDF5 file, as ``/15m``; not needed where it holds one.
        own: Other columns to keep under these names, as a user's own features; a value must be known when its bar closes.

    Returns:
        Columns timestamp (``datetime64[ms, UTC]``), open, high, low, close, volume and those of `OPTIONAL_COLUMNS` that the
        file has, then `own`, float64. ``attrs["notes"]`` lists remarks in plain words, which the quality report repeats;
        ``attrs["scaling"]`` is there where the file says that it was scaled, and how.

    Raises:
        ConfigError: A name in `own` is that of a price or of the volume, or HDF5 is asked for and not installed.
        DataError: The file is missing, empty, unreadable, lacks a column, holds several tables and no key is given, or holds a
            value that is no time or number.
    """
    found = _find(path, root)
    keys = table_keys(found)
    if key is None and len(keys) > 1:
        raise DataError(f"{found.name} holds {len(keys)} tables: {', '.join(keys)}; name one of them as the key")
    wanted = key if key is None or key.startswith("/") else f"/{key}"
    # A CSV is refused by its header, before a row is read.
    tables = read_tables(found, wanted, lambda names: _refuse_header(names, found.name))
    (table,) = tables.values()
    return _bars(table, found.name if len(keys) == 1 else f"{found.name} {wanted}", own)


def _refuse_header(names: Sequence[str], origin: str) -> None:
    recognise(plain_names(names, origin), origin)


def _bars(table: pd.DataFrame, origin: str, own: Sequence[str]) -> pd.DataFrame:
    scaling = table.attrs.get(SCALING)
    table.columns = plain_names([str(name) for name in table.columns], origin)
    dialect = recognise(list(table.columns), origin)
    extra = _own_names(own, list(table.columns), origin)
    if not len(table):
        raise DataError(f"{origin} has columns but no rows; at least two bars are needed")
    moments, said = times(table[dialect.time], dialect.time, origin)
    kept = {name: name for name in (*BAR_COLUMNS, *OPTIONAL_COLUMNS) if name in table.columns} | extra
    values: dict[str, np.ndarray] = {name: numbers(table[column], name, origin) for name, column in kept.items()}
    bars = pd.DataFrame({"timestamp": moments.reset_index(drop=True), **values})
    unknown = [name for name in table.columns if name not in extra.values()]
    bars.attrs["notes"] = [*said, *remarks(dialect, unknown)]
    if scaling is not None:
        bars.attrs["scaling"] = scaling
    return bars


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
    stem = re.sub(r"(\.csv)?\.(gz|parquet|pq|csv|txt|feather|ft|zip|h5|hdf5|hdf)$", "", path.name, flags=re.IGNORECASE)
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
