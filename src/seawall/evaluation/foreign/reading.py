"""From the file of another program to a `Recording`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import ConfigError, DataError
from seawall.core.files import read_json
from seawall.evaluation.foreign.cells import all_moments, money, whole
from seawall.evaluation.foreign.layouts import Found, recognise
from seawall.evaluation.foreign.recording import Fills, Recording
from seawall.evaluation.foreign.round_trips import read_round_trips
from seawall.evaluation.foreign.sheet import Sheet
from seawall.evaluation.foreign.trade_list import read_trade_list
from seawall.market.formats.tables import SUFFIXES, read_tables

_MOST_UNITS = 1e12


@dataclass(frozen=True)
class Reading:
    """What the user says of a file.

    Attributes:
        columns: Name of the column of some roles; see `layouts.roles`.
        symbol: Which one, of a file with several.
        strategy: Which one, of freqtrade's JSON with several.
        contract_size: Units of one contract or lot, by which sizes are multiplied.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    symbol: str | None = None
    strategy: str | None = None
    contract_size: float = 1.0


def read_recording(path: Path, reading: Reading) -> Recording:
    """Read the ledger of another program.

    Args:
        path: A table in one of `seawall.market.formats.tables.SUFFIXES`, or JSON: rows, or freqtrade's result of a backtest.
        reading: What the user says of it.

    Returns:
        Its fills and round trips, or its equity.

    Raises:
        ConfigError: A role, a column, a symbol or a strategy that was given is unknown.
        DataError: The file cannot be read, is of no known layout, or holds something that is no ledger of one symbol in one
            currency; what it is, is named.
    """
    if not 0.0 < reading.contract_size <= _MOST_UNITS:
        raise ConfigError(f"contract size is {reading.contract_size}; allowed: above 0, at most {_MOST_UNITS:g}")
    table, facts = _table(path, reading)
    if not len(table):
        raise DataError(f"{path.name} has columns and no rows; needed: one row at least")
    found = recognise([str(name) for name in table.columns], path.name, reading.columns)
    rows = _of_symbol(table, found, reading.symbol, path.name)
    sheet = Sheet(rows, found, path.name, reading.contract_size)
    readers = {"trades": read_round_trips, "fills": _read_fills, "tradingview": read_trade_list, "equity": _read_equity}
    recording = readers[found.layout.kind](sheet)
    completed = _completed(recording, facts)
    return replace(completed, findings=(*completed.findings, *_twice(rows)))


def _twice(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Name rows that stand in a file more than once: an export that was joined with itself, or fills that were alike."""
    again = np.flatnonzero(table.astype(str).duplicated().to_numpy())
    if not again.size:
        return []
    words = (
        f"{again.size} of {len(table)} rows say the same as a row before them in every column, the first is row {again[0]}; each "
        "is counted"
    )
    return [{"what": "rows twice", "count": int(again.size), "words": words}]


def _completed(recording: Recording, facts: Mapping[str, Any]) -> Recording:
    """Add what stood beside the rows of a JSON file."""
    values = dict(vars(recording))
    start = facts.get("starting_balance")
    if recording.initial_equity is None and isinstance(start, int | float) and start > 0:
        values["initial_equity"] = float(start)
    values["currency"] = recording.currency or str(facts.get("stake_currency") or "")
    return Recording(**values)


def _table(path: Path, reading: Reading) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    if path.suffix.lower() == ".json":
        return _json_table(path, reading.strategy)
    try:
        (table, *others) = read_tables(path).values()
    except DataError as error:
        if "has suffix" in str(error):
            raise DataError(f"{path} has suffix {path.suffix or 'none'!r}; allowed: .json, {', '.join(SUFFIXES)}") from error
        raise
    if others:
        raise DataError(f"{path.name} holds {len(others) + 1} tables; allowed: one")
    return table, {}


def _json_table(path: Path, strategy: str | None) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    document = read_json(path)
    facts: Mapping[str, Any] = {}
    if isinstance(document, dict) and isinstance(document.get("strategy"), dict):
        told = document["strategy"]
        if strategy is None and len(told) > 1:
            raise DataError(f"{path.name} holds {len(told)} strategies: {', '.join(told)}; name one with --strategy")
        name = strategy if strategy is not None else next(iter(told), "")
        if name not in told:
            raise ConfigError(f"strategy {name!r} is not in {path.name}; allowed: {', '.join(told) or 'none, as it holds none'}")
        document = told[name]
    if isinstance(document, dict):
        facts, document = document, document.get("trades")
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise DataError(f"{path.name} holds no list of rows; allowed: a list of objects, or an object with such a list as trades")
    return pd.DataFrame(document), facts


def _of_symbol(table: pd.DataFrame, found: Found, symbol: str | None, origin: str) -> pd.DataFrame:
    name = found.columns.get("symbol")
    if name is None:
        if symbol is not None:
            raise ConfigError(f"symbol {symbol!r} was asked for, and {origin} has no column of symbols; leave it out")
        return table
    names = [str(each) for each in table[name].dropna().unique()]
    if symbol is None and len(names) > 1:
        raise DataError(f"{origin} holds {len(names)} symbols: {', '.join(names[:8])}; name one with --symbol")
    if symbol is not None and symbol not in names:
        raise ConfigError(f"symbol {symbol!r} is not in {origin}; allowed: {', '.join(names[:8])}")
    return table if symbol is None else table[table[name].astype(str) == symbol].reset_index(drop=True)


def _read_fills(sheet: Sheet) -> Recording:
    time_ms, said = all_moments(*sheet.column("time"))
    price, quantity = sheet.prices("price"), sheet.signed_sizes()
    fee, currencies, empty = money(*sheet.column("fee")) if sheet.has("fee") else (sheet.zeros(), set[str](), list[str]())
    if sheet.has("fee_currency"):
        currencies |= {str(each) for each in sheet.column("fee_currency")[0].dropna().unique()}
    carry = whole(*sheet.column("carry")) if sheet.has("carry") else sheet.zeros()
    fee, more = sheet.paid(fee)
    sheet.refuse_currencies(currencies, bool((fee != 0.0).any()))
    fills = Fills(time_ms, quantity, price, fee, carry)
    unsorted = int((time_ms[1:] < time_ms[:-1]).sum())
    notes = [
        *said,
        *more,
        *empty,
        *([f"rows stood out of the order of their times in {unsorted} places and were sorted"] if unsorted else []),
    ]
    return Recording(
        "fills", sheet.origin, fills.ordered(), currency=sheet.currency, symbol=sheet.symbol, costs_told=sheet.has("fee"),
        notes=tuple(notes),
    )  # fmt: skip


def _read_equity(sheet: Sheet) -> Recording:
    time_ms, said = all_moments(*sheet.column("time"))
    values = whole(*sheet.column("equity"))
    if len(values) < 2:
        raise DataError(f"{sheet.origin} has {len(values)} value of equity; needed: two at least")
    if values[0] <= 0.0:
        raise DataError(f"{sheet.origin} row 0 has equity {values[0]:g}; allowed: above 0 at the start")
    falls = (time_ms[1:] <= time_ms[:-1]).nonzero()[0]
    if falls.size:
        raise DataError(
            f"{sheet.origin} row {falls[0] + 1} is not later than the row before it ({falls.size} places); allowed: an equity "
            "curve whose times rise"
        )
    return Recording("equity", sheet.origin, equity=(time_ms, values), currency=sheet.currency, notes=tuple(said))
