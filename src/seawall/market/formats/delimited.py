"""Comma-separated files: plain, gzipped, or one to a zip as Binance publishes its history."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
from pyarrow import csv as pyarrow_csv  # pyright: ignore[reportMissingTypeStubs]

from seawall.core.errors import DataError
from seawall.market.formats.dialects import BINANCE_DUMP_COLUMNS

_ARROW: Any = pyarrow
_ARROW_CSV: Any = pyarrow_csv
_EMPTY_CELLS = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "N/A", "NA", "#N/A", "-nan", "<NA>"]
_SEPARATORS = ",;\t|"
# A year of one-second bars is some 4 GiB; monthly dumps of one-minute bars are 5 MiB and pack about five to one.
_MOST_UNPACKED = 4 * 2**30
_MOST_RATIO = 200
_ALWAYS_UNPACKED = 2**20

Check = Callable[[list[str]], None]
"""Told the column names before any row is read, so that a file that cannot serve is refused by its header."""


def read_csv(path: Path, check: Check | None = None) -> pd.DataFrame:
    """Read a .csv or .csv.gz file.

    Args:
        path: The file. Its first line names the columns; Binance's dumps of twelve columns may do without.
        check: Told the column names before the rows are read.

    Returns:
        Columns as the file names them; whole numbers are int64, other numbers float64, anything else
        text.

    Raises:
        DataError: The separator, a row or the text encoding is broken, or two columns have one name.
    """
    with _ARROW.input_stream(str(path), compression="gzip" if path.suffix.lower() == ".gz" else None) as stream:
        content: Any = stream.read()
    return _parsed(content, path.name, check)


def csv_columns(path: Path) -> list[str]:
    """Return the names in the first line of a .csv or .csv.gz file, without reading its rows."""
    with _ARROW.input_stream(str(path), compression="gzip" if path.suffix.lower() == ".gz" else None) as stream:
        content: Any = stream.read(1 << 20)
    return _header(content)[0]


def read_zip(path: Path, check: Check | None = None) -> pd.DataFrame:
    """Read the one CSV file in a zip; Binance's ``.CHECKSUM`` beside it is verified where it is there.

    Nothing is unpacked to disk.

    Args:
        path: The file.
        check: Told the column names before the rows are read.

    Raises:
        DataError: The zip is damaged, encrypted, holds anything but one CSV, unpacks to more than 4 GiB or to more than 200 times
            its size, or is not what its checksum says.
    """
    _verify_checksum(path)
    try:
        with zipfile.ZipFile(path) as archive:
            member = _only_member(archive, path.name)
            content = archive.read(member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OverflowError) as error:
        raise DataError(f"{path.name} is a damaged zip: {error}; download it again") from error
    if not content:
        raise DataError(f"{path.name} holds {member.filename!r}, which is empty (0 bytes)")
    return _parsed(content, f"{path.name}/{Path(member.filename).name}", check)


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    if len(members) != 1:
        raise DataError(f"{name} holds {len(members)} files; allowed: one CSV in a zip")
    member = members[0]
    if not member.filename.lower().endswith((".csv", ".txt")):
        raise DataError(f"{name} holds {member.filename!r}; allowed: one CSV in a zip")
    if member.flag_bits & 1:
        raise DataError(f"{name} is encrypted; allowed: a zip without a password")
    most = min(_MOST_UNPACKED, max(_ALWAYS_UNPACKED, _MOST_RATIO * member.compress_size))
    if member.file_size > most:
        raise DataError(
            f"{name} would unpack {member.compress_size} bytes to {member.file_size}; "
            f"allowed: {_MOST_RATIO} times its packed size and {_MOST_UNPACKED >> 30} GiB at most"
        )
    return member


def _verify_checksum(path: Path) -> None:
    beside = path.with_name(path.name + ".CHECKSUM")
    if not beside.is_file():
        return
    said = re.match(r"[0-9a-fA-F]{64}\b", beside.read_text(encoding="utf-8", errors="replace").strip())
    if said is None:
        raise DataError(f"{beside.name} holds no SHA-256 checksum; remove it, or download it again")
    with open(path, "rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != said[0].lower():
        raise DataError(
            f"{path.name} is not the file that {beside.name} describes: its SHA-256 is {found[:12]}…, not {said[0][:12].lower()}…; "
            "download it again"
        )


def _header(content: Any) -> tuple[list[str], str]:
    """Return the names in the first line, and what separates them."""
    first = bytes(memoryview(content)[: 1 << 20]).removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8").strip("\r")
    separator = max(_SEPARATORS, key=first.count)
    return [name.strip().strip('"') for name in first.split(separator)], separator


def _parsed(content: Any, origin: str, check: Check | None) -> pd.DataFrame:
    header, separator = _header(content)
    headless = len(header) == len(BINANCE_DUMP_COLUMNS) and header[0].isdigit()
    names: list[str] = [*BINANCE_DUMP_COLUMNS] if headless else header
    if check is not None:
        check(names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{origin} has several columns named {', '.join(repeated)}; allowed: each name once")
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
