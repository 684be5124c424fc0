"""Delimited text: plain, gzipped, or one file to a zip as Binance publishes its history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
from pyarrow import csv as pyarrow_csv  # pyright: ignore[reportMissingTypeStubs]

from seawall.core.bars import PRICE_COLUMNS
from seawall.core.errors import DataError
from seawall.market.formats.dialects import TITLES, headless_layout
from seawall.market.formats.unpacked import as_utf8, file_bytes, head_bytes, refuse_encoding, zip_member

_ARROW: Any = pyarrow
_ARROW_CSV: Any = pyarrow_csv
_EMPTY_CELLS = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "N/A", "NA", "#N/A", "-nan", "<NA>"]
_SEPARATORS = ",;\t|"
_HEAD = 1 << 20
_ROWS_TRIED = 1_000
REMARKS = "seawall_remarks"
"""Key of ``DataFrame.attrs`` under which a table says how it was read, in plain words."""

Check = Callable[[list[str]], None]
"""Told the column names before any row is read, so that a file that cannot serve is refused by its header."""


@dataclass(frozen=True)
class _Header:
    names: list[str]
    separator: str
    lines: int
    headless: bool = False
    remarks: tuple[str, ...] = ()


def read_csv(path: Path, check: Check | None = None) -> pd.DataFrame:
    """Read a .csv, .tsv or .txt file, or one of these that is gzipped.

    Args:
        path: The file. Its first line names the columns; the layouts of `seawall.market.formats.dialects.HEADLESS` do without.
        check: Told the column names before the rows are read.

    Returns:
        Columns as the file names them; whole numbers are int64, other numbers float64, anything else
        text.

    Raises:
        DataError: The separator or a row is broken, two columns have one name, or the file unpacks beyond its limits.
        ValueError: The text is in no encoding that is read.
    """
    return _parsed(file_bytes(path), path.name, check)


def csv_columns(path: Path) -> list[str]:
    """Return the names of the columns of a delimited file, zipped or not, without reading its rows."""
    return _header(as_utf8(head_bytes(path)), path.name).names


def read_zip(path: Path, check: Check | None = None) -> pd.DataFrame:
    """Read the one delimited file in a zip.

    Args:
        path: The file.
        check: Told the column names before the rows are read.

    Raises:
        DataError: As `seawall.market.formats.unpacked.zip_member` and `read_csv` do.
    """
    name, content = zip_member(path)
    return _parsed(content, f"{path.name}/{name}", check)


def _header(content: Any, origin: str) -> _Header:
    """Tell the names, what separates them, and how many lines stand before the rows."""
    head = bytes(memoryview(content)[:_HEAD]).removeprefix(b"\xef\xbb\xbf")
    # Some old systems end lines with \r alone.
    text = head.decode("utf-8", errors="surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n", 4)[:4]
    if any("\udc80" <= sign <= "\udcff" for sign in lines[0]):
        refuse_encoding(content)
    if "\0" in lines[0]:
        raise ValueError(
            f"byte 0x00 at place {head.index(0)} (line 1) stands in no text in UTF-8: it is text in UTF-16 or UTF-32 without a "
            "byte order mark, or no text; save the file as UTF-8"
        )
    above = int(len(lines) > 1 and any(title in lines[0].lower() for title in TITLES))
    separator = max(_SEPARATORS, key=lines[above].count)
    rows = [_cells(line, separator) for line in lines[above:]]
    layout = headless_layout(rows[0])
    if layout is not None:
        return _Header(list(layout.columns), separator, above, True, (layout.remark,) if layout.remark else ())
    if len(rows) > 2 and _is_of_yfinance(rows):
        return _Header(_of_yfinance(rows, origin), separator, above + 3)
    return _Header(rows[0], separator, above + 1)


def _cells(line: str, separator: str) -> list[str]:
    return [name.strip().strip('"') for name in line.split(separator)]


def _is_of_yfinance(rows: Sequence[list[str]]) -> bool:
    # Older versions put nothing before the names of prices and those of symbols.
    before = {rows[0][0], rows[1][0]}
    return before == {"Price", "Ticker"} or (before == {""} and rows[2][0].lower() in ("date", "datetime"))


def _of_yfinance(rows: Sequence[list[str]], origin: str) -> list[str]:
    """Return the names that yfinance spreads over three lines: those of prices, of symbols, and of the times."""
    symbols_first = rows[0][0] == "Ticker" or (not rows[0][0] and "open" in map(str.lower, rows[1]))
    prices, tickers = rows[1::-1] if symbols_first else rows[:2]
    symbols = sorted(set(tickers[1:]))
    if len(symbols) > 1:
        raise DataError(
            f"{origin} holds several symbols beside each other ({', '.join(symbols[:5])}); needed: one symbol a file, as from "
            "yf.download(symbol, multi_level_index=False)"
        )
    return [rows[2][0] or "timestamp", *prices[1:]]


def _parsed(content: Any, origin: str, check: Check | None) -> pd.DataFrame:
    content = as_utf8(content)
    header = _header(content, origin)
    names = header.names
    if check is not None:
        check(names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{origin} has several columns named {', '.join(repeated)}; allowed: each name once")
    try:
        table: Any = _ARROW_CSV.read_csv(
            _ARROW.BufferReader(content),
            read_options=_ARROW_CSV.ReadOptions(column_names=names, skip_rows=header.lines, use_threads=False),
            parse_options=_ARROW_CSV.ParseOptions(delimiter=header.separator),
            convert_options=_ARROW_CSV.ConvertOptions(
                column_types=dict.fromkeys(names, _ARROW.string()),
                strings_can_be_null=True,
                null_values=_EMPTY_CELLS,
                quoted_strings_can_be_null=True,
            ),
        )
    except _ARROW.ArrowInvalid:
        refuse_encoding(content)
        raise
    # Times of day as 093000 mean something by their leading zero.
    plain = {name: name.strip("<> ").lower() for name in names}
    apart = {name for name in names if plain[name] == "time" and "date" in plain.values()}
    read = pd.DataFrame(
        {name: table.column(name).to_pandas() if name in apart else _inferred(table.column(name)) for name in names}
    )
    if header.headless:
        _refuse_other_order(read, origin)
    read.attrs.update({REMARKS: list(header.remarks)} if header.remarks else {})
    return read


def _refuse_other_order(table: pd.DataFrame, origin: str) -> None:
    """Refuse numbers without names that cannot be open, high, low, close in this order, as Coinbase's low, high, open, close."""
    number: Any = pd.to_numeric
    tried = table.head(_ROWS_TRIED)
    opens, highs, lows, closes = (np.asarray(number(tried[name], errors="coerce"), np.float64) for name in PRICE_COLUMNS)
    wrong = (highs < np.fmax(opens, closes)) | (lows > np.fmin(opens, closes)) | (highs < lows)
    if 2 * wrong.sum() > len(tried):
        raise DataError(
            f"{origin} has no line of names, and its numbers are not open, high, low and close in this order; "
            "put a line of names above it, as timestamp,low,high,open,close,volume for Coinbase"
        )


def _inferred(column: Any) -> Any:
    # A column that is all numbers is read as such; any other stays text, so that the odd value can be named.
    for kind in (_ARROW.int64(), _ARROW.float64()):
        try:
            return column.cast(kind).to_pandas()
        except _ARROW.ArrowInvalid:
            continue
    return column.to_pandas()
