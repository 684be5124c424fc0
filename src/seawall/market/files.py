"""Reading bars from files: Parquet, CSV and feather, in the column names of the usual sources."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
from pyarrow import csv as pyarrow_csv  # pyright: ignore[reportMissingTypeStubs]

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import replacing_file
from seawall.core.timeframe import Timeframe
from seawall.market.columns import numbers, times
from seawall.market.dialects import BINANCE_DUMP_COLUMNS, plain_names, recognise, remarks

_ARROW: Any = pyarrow
_ARROW_CSV: Any = pyarrow_csv
_MAGIC = (
    (b"PAR1", "Parquet"),
    (b"ARROW1", "feather"),
    (b"FEA1", "feather version 1"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
)
_EMPTY_CELLS = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "N/A", "NA", "#N/A", "-nan", "<NA>"]
_SEPARATORS = ",;\t|"


def read_bars(path: Path, root: Path | None = None) -> pd.DataFrame:
    """Read one file into a bar frame, in the file's own order and with its faults: `apply_quality` comes next.

    The dialects are those of `seawall.market.dialects`. Times with a zone become UTC; times without one are read as UTC, and said
    so. Whole numbers are seconds, milliseconds, microseconds or nanoseconds since 1970 by their size.

    Args:
        path: A ``.parquet``, ``.csv``, ``.csv.gz`` or ``.feather`` file, absolute or relative to `root`.
        root: Folder that a relative path starts from; the current one where None.

    Returns:
        Columns timestamp (``datetime64[ms, UTC]``), open, high, low, close, volume and those of `OPTIONAL_COLUMNS` that the
        file has, float64. ``attrs["notes"]`` lists remarks in plain words, which the quality report repeats.

    Raises:
        DataError: The file is missing, empty, unreadable, lacks a column, or holds a value that is no time or number.
    """
    found = _find(path, root)
    table = _READERS[_suffix(found)](found)
    table = _with_index_as_column(table)
    table.columns = plain_names([str(name) for name in table.columns], found.name)
    dialect = recognise(list(table.columns), found.name)
    if not len(table):
        raise DataError(f"{found.name} has columns but no rows; at least two bars are needed")
    moments, said = times(table[dialect.time], dialect.time, found.name)
    kept = [name for name in (*BAR_COLUMNS, *OPTIONAL_COLUMNS) if name in table.columns]
    values = {name: numbers(table[name], name, found.name) for name in kept}
    bars = pd.DataFrame({"timestamp": moments.reset_index(drop=True), **values})
    bars.attrs["notes"] = [*said, *remarks(dialect, list(table.columns))]
    return bars


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
    stem = re.sub(r"(\.csv)?\.(gz|parquet|pq|csv|txt|feather|ft)$", "", path.name, flags=re.IGNORECASE)
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
        raise DataError(f"{path} is a folder, not a file; allowed: {_allowed()}")
    try:
        with open(found, "rb") as handle:
            head = handle.read(8)
    except OSError as error:
        raise DataError(f"{found} cannot be read: {error.strerror}") from error
    if not head:
        raise DataError(f"{found} is empty (0 bytes); allowed: {_allowed()} with at least two bars")
    _refuse_wrong_suffix(found, head)
    return found


def _refuse_wrong_suffix(path: Path, head: bytes) -> None:
    suffix = _suffix(path)
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), "text or unknown")
    expected = {".parquet": "Parquet", ".pq": "Parquet", ".feather": "feather", ".ft": "feather", ".csv.gz": "gzip"}
    wanted = expected.get(suffix, "text or unknown")
    if kind != wanted:
        raise DataError(f"{path} is named {suffix} but its content is {kind}; rename it to what it is, or export it again")


def _suffix(path: Path) -> str:
    name = path.name.lower()
    suffix = next((known for known in sorted(_READERS, key=len, reverse=True) if name.endswith(known)), None)
    if suffix is None:
        raise DataError(f"{path} has suffix {path.suffix or 'none'!r}; allowed: {_allowed()}")
    return suffix


def _allowed() -> str:
    return ", ".join(_READERS)


def _arrow(read: Callable[[Path], Any]) -> Callable[[Path], pd.DataFrame]:
    # pyarrow and zlib name what is wrong in a file in many ways; none is a fault of the program.
    def guarded(path: Path) -> pd.DataFrame:
        try:
            return read(path)
        except (_ARROW.ArrowException, OSError, EOFError, zlib.error, ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path} cannot be read as {_suffix(path)}: {str(error).splitlines()[0]}") from error

    return guarded


def _read_csv(path: Path) -> pd.DataFrame:
    with _ARROW.input_stream(str(path), compression="gzip" if path.suffix.lower() == ".gz" else None) as stream:
        content: Any = stream.read()
    first = bytes(content).removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8").strip("\r")
    separator = max(_SEPARATORS, key=first.count)
    header = [name.strip().strip('"') for name in first.split(separator)]
    headless = len(header) == len(BINANCE_DUMP_COLUMNS) and header[0].isdigit()
    names = list(BINANCE_DUMP_COLUMNS) if headless else plain_names(header, path.name)
    recognise(names, path.name)
    table: Any = _ARROW_CSV.read_csv(
        _ARROW.BufferReader(content),
        read_options=_ARROW_CSV.ReadOptions(column_names=names, skip_rows=0 if headless else 1, use_threads=False),
        parse_options=_ARROW_CSV.ParseOptions(delimiter=separator),
        convert_options=_ARROW_CSV.ConvertOptions(
            column_types=dict.fromkeys(names, _ARROW.string()),
            strings_can_be_null=True,
            null_values=_EMPTY_CELLS,
            quoted_strings_can_be_null=True,
        ),
    )
    return pd.DataFrame({name: _inferred(table.column(name)) for name in names})


def _inferred(column: Any) -> Any:
    # A column that is all numbers is read as such; any other stays text, so that the odd value can be named.
    for kind in (_ARROW.int64(), _ARROW.float64()):
        try:
            return column.cast(kind).to_pandas()
        except _ARROW.ArrowInvalid:
            continue
    return column.to_pandas()


def _with_index_as_column(table: pd.DataFrame) -> pd.DataFrame:
    """Make an index of times a column; an index that only counts rows, or repeats a column, says nothing."""
    if table.index.nlevels > 1:
        raise DataError(f"the table has an index of {table.index.nlevels} levels; allowed: one column or index of times")
    name = "timestamp" if table.index.name is None else str(table.index.name)
    counts_rows = table.index.name is None and not isinstance(table.index, pd.DatetimeIndex)
    if counts_rows or name in table.columns:
        return table.reset_index(drop=True)
    return table.reset_index(names=name)


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": _arrow(pd.read_parquet),
    ".pq": _arrow(pd.read_parquet),
    ".csv": _arrow(_read_csv),
    ".csv.gz": _arrow(_read_csv),
    ".feather": _arrow(pd.read_feather),
    ".ft": _arrow(pd.read_feather),
}


def write_bars(bars: pd.DataFrame, path: Path) -> None:
    """Write bars so that `read_bars` reads the same ones back, whole or not at all.

    Args:
        bars: A bar frame.
        path: A file that ends in .parquet, .feather or .csv.

    Raises:
        ConfigError: Another suffix.
        DataError: The disk is full or the path may not be written.
    """
    writers: dict[str, Callable[[Path], Any]] = {
        ".parquet": bars.to_parquet,
        ".feather": bars.to_feather,
        ".csv": lambda temporary: bars.to_csv(temporary, index=False),
    }
    if path.suffix not in writers:
        raise ConfigError(f"bars cannot be written to {path.name}; allowed: a name that ends in {', '.join(writers)}")
    with replacing_file(path) as temporary:
        writers[path.suffix](temporary)
