"""Tables in files: Parquet, feather, CSV, zipped CSV and HDF5, of any columns. `seawall.market.files` makes bars of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
from pyarrow import parquet  # pyright: ignore[reportMissingTypeStubs]

from seawall.core.errors import ConfigError, DataError
from seawall.core.files import read_json, replacing_file, write_json
from seawall.market.formats.delimited import Check, csv_columns, read_csv, read_zip
from seawall.market.formats.hdf5 import hdf5_keys, read_hdf5, write_hdf5

_ARROW: Any = pyarrow
_PARQUET: Any = parquet
# pyarrow and zlib name what is wrong in a file in many ways; none is a fault of the program.
_UNREADABLE: tuple[type[Exception], ...] = (
    _ARROW.ArrowException, OSError, EOFError, zlib.error, ValueError, TypeError, KeyError,
)  # fmt: skip
_MAGIC = (
    (b"PAR1", "Parquet"),
    (b"ARROW1", "feather"),
    (b"FEA1", "feather version 1"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
)
_CONTENT = {
    ".parquet": "Parquet", ".pq": "Parquet", ".csv": "text or unknown", ".csv.gz": "gzip", ".feather": "feather", ".ft": "feather",
    ".zip": "zip", ".h5": "HDF5", ".hdf5": "HDF5", ".hdf": "HDF5",
    ".tsv": "text or unknown", ".tsv.gz": "gzip", ".txt": "text or unknown", ".txt.gz": "gzip",
}  # fmt: skip
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")
SUFFIXES = tuple(_CONTENT)
_WRITTEN = (".parquet", ".feather", ".csv", ".h5", ".hdf5")
SCALING = "seawall_scaling"
"""Key of ``DataFrame.attrs`` under which a scaled table says how it was scaled."""


def table_keys(path: Path) -> list[str]:
    """Return the keys that `read_tables` would give, without reading the rows of an HDF5 file.

    Raises:
        ConfigError: HDF5 is asked for and not installed.
        DataError: The file is missing, empty or of another kind than its name says, or it is HDF5 and damaged.
    """
    return hdf5_keys(path) if _checked(path) in HDF5_SUFFIXES else [""]


def column_names(path: Path) -> list[str]:
    """Return the column names of a Parquet, feather, CSV or zipped CSV file without reading its rows; none of an HDF5 file.

    Raises:
        DataError: The file is missing, empty, of another kind than its name says, or unreadable.
    """
    kind = _CONTENT[_checked(path)]
    try:
        if kind == "Parquet":
            return [str(name) for name in _PARQUET.read_schema(path).names]
        if kind == "feather":
            with _ARROW.memory_map(str(path)) as source:
                return [str(name) for name in _ARROW.ipc.open_file(source).schema.names]
        return csv_columns(path) if kind in ("text or unknown", "gzip", "zip") else []
    except _UNREADABLE as error:
        raise _cannot_be_read(path, error) from error


def read_tables(path: Path, key: str | None = None, check: Check | None = None) -> dict[str, pd.DataFrame]:
    """Read every table of a file.

    Args:
        path: A file that ends in one of `SUFFIXES`.
        key: The one table of an HDF5 file to read; all where None.
        check: Told a CSV's column names before its rows are read; it may refuse them.

    Returns:
        Tables by key: ``""`` for a file of one table, the path inside the file, as ``/15m``, for HDF5. Columns are as the file has
        them, in its order; an index of times becomes a first column ``timestamp``. ``attrs["seawall_scaling"]`` is there where the
        file says that it was scaled.

    Raises:
        ConfigError: HDF5 is asked for and not installed.
        DataError: The file is missing, empty, of another kind than its name says, or unreadable.
    """
    suffix = _checked(path)
    if key not in (None, "") and suffix not in HDF5_SUFFIXES:
        raise DataError(f"{path.name} holds one table and has no key {key!r}; only HDF5 files have keys")
    if suffix in HDF5_SUFFIXES:
        return {key: _with_index_as_column(table, f"{path.name} {key}") for key, table in read_hdf5(path, key).items()}
    readers: dict[str, Callable[[Path], Any]] = {"Parquet": pd.read_parquet, "feather": pd.read_feather}
    delimited = read_zip if suffix == ".zip" else read_csv
    read = readers.get(_CONTENT[suffix], lambda file: delimited(file, check))
    try:
        table = cast("pd.DataFrame", read(path))
    except _UNREADABLE as error:
        raise _cannot_be_read(path, error) from error
    table = _with_index_as_column(_with_plain_columns(table, path.name), path.name)
    sidecar = _sidecar(path)
    if _CONTENT[suffix] not in readers and sidecar.is_file():
        table.attrs[SCALING] = read_json(sidecar, "method", "columns", "fitted_on")
    return {"": table}


def write_tables(path: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write tables so that `read_tables` reads the same ones back, whole or not at all.

    ``attrs["seawall_scaling"]`` goes along: inside Parquet, feather and HDF5, and beside a CSV as ``<file>.scaling.json``.

    Args:
        path: Ends in .h5 or .hdf5 for any number of tables (pandas' table format); in .parquet, .feather or .csv for one.
        tables: Frames by key, as ``/15m``; the key of the only table of a Parquet, feather or CSV file is not kept. Their index is
            not kept either.

    Raises:
        ConfigError: Another suffix, several tables for a file of one, or HDF5 is not installed.
        DataError: The disk is full, the path may not be written, or a column cannot be stored.
    """
    suffix = path.suffix.lower()
    if suffix in (".h5", ".hdf5"):
        write_hdf5(path, tables)
        return
    if suffix not in _WRITTEN:
        raise ConfigError(f"tables cannot be written to {path.name}; allowed: a name that ends in {', '.join(_WRITTEN)}")
    if len(tables) != 1:
        raise ConfigError(f"{path.name} holds one table, not {len(tables)}; allowed for several: a name that ends in .h5 or .hdf5")
    (table,) = tables.values()
    with replacing_file(path) as temporary:
        if suffix == ".csv":
            table.to_csv(temporary, index=False)
        elif suffix == ".feather":
            table.reset_index(drop=True).to_feather(temporary)
        else:
            table.to_parquet(temporary, index=False, compression="zstd")
    if suffix == ".csv":
        _write_sidecar(path, table)


def scaled_columns(note: Mapping[str, Any], origin: str) -> list[str]:
    """Return the names of the columns that a table's note under `SCALING` says are scaled.

    Args:
        note: The note.
        origin: The file, for the message.

    Raises:
        DataError: The note is damaged.
    """
    listed: Any = note.get("columns")
    if not isinstance(listed, list):
        raise DataError(f"{origin}: its note on its scaling is damaged: columns is {listed!r}; allowed: a list of names")
    return [str(name) for name in cast("list[Any]", listed)]


def suffix_of(path: Path) -> str:
    """Return the suffix that a file is read by.

    Raises:
        DataError: It is none of `SUFFIXES`.
    """
    name = path.name.lower()
    suffix = next((known for known in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(known)), None)
    if suffix is None:
        raise DataError(f"{path} has suffix {path.suffix or 'none'!r}; allowed: {', '.join(SUFFIXES)}")
    return suffix


def _checked(path: Path) -> str:
    try:
        with open(path, "rb") as handle:
            head = handle.read(8)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise DataError(f"{path} is empty (0 bytes); allowed: {', '.join(SUFFIXES)} with at least two bars")
    suffix = suffix_of(path)
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), "text or unknown")
    if kind != _CONTENT[suffix]:
        raise DataError(f"{path} is named {suffix} but its content is {kind}; rename it to what it is, or export it again")
    return suffix


def _cannot_be_read(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read as {suffix_of(path)}: {(str(error) or repr(error)).splitlines()[0]}")


def _with_plain_columns(table: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Leave out the levels of the column names that say the same of each column, as yfinance's symbol does."""
    if table.columns.nlevels == 1:
        return table
    told = [level for level in range(table.columns.nlevels) if table.columns.get_level_values(level).nunique() > 1]
    if len(told) > 1:
        raise DataError(
            f"{origin} has column names of {len(told)} levels, as {table.columns[0]}; needed: one symbol a file, as from "
            "yf.download(symbol, multi_level_index=False)"
        )
    plain = table.copy(deep=False)
    plain.columns = table.columns.get_level_values(told[0] if told else 0)
    return plain


def _with_index_as_column(table: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Make an index of times a column; an index that only counts rows, or repeats a column, says nothing."""
    if table.index.nlevels > 1:
        raise DataError(f"{origin} has an index of {table.index.nlevels} levels; allowed: one column or index of times")
    of_times = isinstance(table.index, pd.DatetimeIndex)
    name = "timestamp" if of_times or table.index.name is None else str(table.index.name)
    if (table.index.name is None and not of_times) or name in table.columns or table.index.name in table.columns:
        return table.reset_index(drop=True)
    return table.reset_index(names=name)


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".scaling.json")


def _write_sidecar(path: Path, table: pd.DataFrame) -> None:
    if SCALING in table.attrs:
        write_json(_sidecar(path), json.loads(json.dumps(table.attrs[SCALING])))
    else:
        _sidecar(path).unlink(missing_ok=True)
