"""The cells of foreign tables: sides in words, money with its currency, states, numbers that may not be missing."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import DataError
from seawall.market.formats.columns import numbers, times

_LONG = {"long", "buy", "b", "1", "1.0", "false", "entry long", "exit long", "bid", "orderside.buy", "positionside.long"}
_SHORT = {"short", "sell", "s", "-1", "-1.0", "true", "entry short", "exit short", "ask", "orderside.sell", "positionside.short"}
MOST = 1e30
"""Larger numbers are no money, prices or sizes, and their products could not be written."""
_OPEN = {"open", "true", "1", "1.0"}
_CLOSED = {"closed", "false", "0", "0.0"}


def sides(column: pd.Series[Any], name: str, origin: str) -> np.ndarray:
    """Return +1 for long or buy and −1 for short or sell, float64, shape (K,).

    A column of truth values is taken as the answer to *is it short*, as freqtrade's ``is_short``.

    Raises:
        DataError: A value is neither; the first is named with its row, counted from 0.
    """
    words = column.astype(str).str.strip().str.lower()
    result = np.where(words.isin(_LONG), 1.0, np.where(words.isin(_SHORT), -1.0, np.nan))
    wrong = np.flatnonzero(np.isnan(result))
    if wrong.size:
        raise DataError(
            f"{origin} row {wrong[0]} has {name} = {column.iloc[wrong[0]]!r}, which is no side "
            f"({wrong.size} of {len(column)} rows); allowed: long, short, buy, sell, 1, -1"
        )
    return result


def still_open(column: pd.Series[Any] | None, name: str, origin: str, rows: int) -> np.ndarray:
    """Say which trades were never closed, bool, shape (K,); none where the file has no such column.

    Raises:
        DataError: A state is neither open nor closed.
    """
    if column is None:
        return np.zeros(rows, dtype=np.bool_)
    words = column.astype(str).str.strip().str.lower()
    wrong = np.flatnonzero(~words.isin(_OPEN | _CLOSED))
    if wrong.size:
        raise DataError(f"{origin} row {wrong[0]} has {name} = {column.iloc[wrong[0]]!r}; allowed: open, closed, true, false")
    return np.asarray(words.isin(_OPEN), dtype=np.bool_)


def whole(column: pd.Series[Any], name: str, origin: str) -> np.ndarray:
    """Return a column of numbers none of which is missing or beyond `MOST`, float64, shape (K,).

    Raises:
        DataError: One is; the first is named with its row, counted from 0.
    """
    values = numbers(column, name, origin)
    wrong = np.flatnonzero(~(np.abs(values) <= MOST))
    if wrong.size:
        raise DataError(
            f"{origin} row {wrong[0]} has {name} = {values[wrong[0]]} ({wrong.size} of {len(values)} rows); allowed: numbers up to "
            f"{MOST:g}"
        )
    return values


def positive(column: pd.Series[Any], name: str, origin: str) -> np.ndarray:
    """Return a column of numbers above 0, float64, shape (K,).

    Raises:
        DataError: One is not; the first is named with its row.
    """
    values = whole(column, name, origin)
    wrong = np.flatnonzero(values <= 0.0)
    if wrong.size:
        raise DataError(f"{origin} row {wrong[0]} has {name} = {values[wrong[0]]:g} ({wrong.size} rows); allowed: above 0")
    return values


def moments(column: pd.Series[Any], name: str, origin: str) -> tuple[np.ndarray, list[str]]:
    """Return times as milliseconds UTC, int64, shape (K,), −1 where a cell is empty, and remarks on how they were read.

    Raises:
        DataError: A value is no time.
    """
    found, said = times(column, name, origin)
    missing = found.isna().to_numpy()
    values = found.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
    return np.where(missing, -1, values), said


def all_moments(column: pd.Series[Any], name: str, origin: str) -> tuple[np.ndarray, list[str]]:
    """Return times as `moments` does, none of which is missing.

    Raises:
        DataError: A value is no time, or a cell is empty.
    """
    values, said = moments(column, name, origin)
    empty = np.flatnonzero(values == -1)
    if empty.size:
        raise DataError(f"{origin} row {empty[0]} has no {name} ({empty.size} of {len(values)} rows); allowed: a time in each row")
    return values, said


def money(column: pd.Series[Any], name: str, origin: str) -> tuple[np.ndarray, set[str], list[str]]:
    """Return amounts, float64, shape (K,), 0 where a cell is empty, the currencies beside them, and a remark on empty cells.

    Amounts may be plain numbers, ``1.20 USDT``, ``['1.20 USDT']`` as NautilusTrader writes them, or ``{'cost': 1.2, 'currency':
    'USDT'}`` as ccxt does.

    Raises:
        DataError: A cell holds no amount, or one beyond `MOST`; the first is named with its row.
    """
    if pd.api.types.is_numeric_dtype(column):
        values = numbers(column, name, origin)
        endless = np.flatnonzero(np.abs(values) > MOST)
        if endless.size:
            raise DataError(f"{origin} row {endless[0]} has {name} = {values[endless[0]]}; allowed: amounts up to {MOST:g}")
        return np.nan_to_num(values), set(), _empty(int(np.isnan(values).sum()), len(values), name)
    amounts, currencies, empty = np.zeros(len(column)), set[str](), 0
    for row, cell in enumerate(column.tolist()):
        text = "" if cell is None or (isinstance(cell, float) and np.isnan(cell)) else str(cell).strip()
        if text in ("", "[]", "{}", "None", "nan"):
            empty += 1
            continue
        amount = re.search(r"(?<![A-Za-z\d])[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?", text)
        if amount is None:
            raise DataError(f"{origin} row {row} has {name} = {cell!r}, which is no amount; allowed: 1.20, or 1.20 USDT")
        amounts[row] = float(amount[0].replace("_", ""))
        if abs(amounts[row]) > MOST:
            raise DataError(f"{origin} row {row} has {name} = {cell!r}; allowed: amounts up to {MOST:g}")
        beside = re.search(r"\b[A-Z][A-Z0-9]{1,9}\b", text)
        if beside is not None:
            currencies.add(beside[0])
    return amounts, currencies, _empty(empty, len(column), name)


def _empty(count: int, rows: int, name: str) -> list[str]:
    return [f"{name} is empty in {count} of {rows} rows; nothing is taken to be paid there"] if count else []
