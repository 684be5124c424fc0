"""The column names of known sources, as one literal table: to read another source, add a line.

Names are compared in lower case with spaces and hyphens as underscores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS
from seawall.core.errors import DataError


@dataclass(frozen=True)
class Dialect:
    """How one source names its columns.

    Attributes:
        name: Name of the source.
        time: Column of opening times.
        marks: Columns that tell it from the other dialects.
        ignored: Columns left out on purpose, each with the reason.
    """

    name: str
    time: str
    marks: tuple[str, ...] = ()
    ignored: dict[str, str] = field(default_factory=dict[str, str])


_BINANCE_REST = {"close_time": "it follows from the opening time", "ignore": "it holds nothing"}
_ADJUSTED = {"adj_close": "open, high and low are not adjusted with it"}

# The first whose time column and marks are all present is taken.
DIALECTS = (
    Dialect("Binance dump", "open_time", ("close_time",), _BINANCE_REST),
    Dialect("Yahoo", "date", ("adj_close",), _ADJUSTED),
    Dialect("Yahoo", "datetime", ("adj_close",), _ADJUSTED),
    Dialect("ccxt or generic", "timestamp"),
    Dialect("freqtrade or Yahoo", "date"),
    Dialect("Yahoo", "datetime"),
    Dialect("Binance", "open_time"),
)

BINANCE_DUMP_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume",
    "close_time", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote", "ignore",
)  # fmt: skip

# What sources call the columns of `seawall.core.bars.OPTIONAL_COLUMNS`.
ALIASES = {
    "quote_asset_volume": "quote_volume",
    "number_of_trades": "trades",
    "count": "trades",
    "n_trades": "trades",
    "taker_buy_volume": "taker_buy_base",
    "taker_buy_base_volume": "taker_buy_base",
    "taker_buy_base_asset_volume": "taker_buy_base",
    "taker_buy_quote_volume": "taker_buy_quote",
    "taker_buy_quote_asset_volume": "taker_buy_quote",
}


def plain_names(names: Sequence[str], origin: str) -> list[str]:
    """Return column names as the table spells them.

    Args:
        names: The names as the file has them.
        origin: The file, for the message.

    Raises:
        DataError: Two columns come to the same name.
    """
    plain = [re.sub(r"[\s-]+", "_", str(name).strip().lower()) for name in names]
    plain = [ALIASES.get(name, name) for name in plain]
    for name in plain:
        given = [str(original) for original, other in zip(names, plain, strict=True) if other == name]
        if len(given) > 1:
            raise DataError(f"{origin} has {len(given)} columns named {name} ({', '.join(given)}); allowed: each name once")
    return plain


def recognise(names: Sequence[str], origin: str) -> Dialect:
    """Return the dialect of a file's columns.

    Args:
        names: Names as `plain_names` gave them.
        origin: The file, for the message.

    Raises:
        DataError: There is no column of times, or one of open, high, low, close and volume is absent.
    """
    dialect = next((dialect for dialect in DIALECTS if {dialect.time, *dialect.marks} <= set(names)), None)
    absent = [name for name in BAR_COLUMNS if name not in names]
    if dialect is not None and not absent:
        return dialect
    missing = ([] if dialect else ["time"]) + absent
    times = ", ".join(dict.fromkeys(dialect.time for dialect in DIALECTS))
    raise DataError(
        f"{origin} has no {', '.join(missing)} column; its columns are {', '.join(names) or 'none'}; "
        f"needed: {', '.join(BAR_COLUMNS)} and one of {times}"
    )


def remarks(dialect: Dialect, names: Sequence[str]) -> list[str]:
    """Say which columns are left out, and why."""
    used = {dialect.time, *BAR_COLUMNS, *OPTIONAL_COLUMNS}
    told = [f"column {name} is ignored: {reason}" for name, reason in dialect.ignored.items() if name in names]
    unknown = [name for name in names if name not in used and name not in dialect.ignored]
    return [*told, *([f"columns not known here are ignored: {', '.join(unknown)}"] if unknown else [])]
