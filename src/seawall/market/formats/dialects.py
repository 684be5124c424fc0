"""The column names of known sources, as literal tables: to read another source, add a line.

Names are compared in lower case, without ``<`` and ``>``, and with spaces and hyphens as underscores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS, PRICE_COLUMNS
from seawall.core.errors import DataError


@dataclass(frozen=True)
class Dialect:
    """How one source names its columns.

    Attributes:
        name: Name of the source.
        time: Column of opening times.
        marks: Columns that tell it from the other dialects.
        ignored: Columns left out on purpose, each with the reason.
        clock: Column of times of day, where `time` has only dates.
        utc: Times without a zone are in UTC, as the source says.
        day_first: The source writes 31.01.2024; None where only the file can tell.
        oldest_first: A file whose rows go back in time is out of order. Others may be newest first, and are turned around.
    """

    name: str
    time: str
    marks: tuple[str, ...] = ()
    ignored: dict[str, str] = field(default_factory=dict[str, str])
    clock: str | None = None
    utc: bool = False
    day_first: bool | None = None
    oldest_first: bool = False


_BINANCE_REST = {"close_time": "it follows from the opening time", "ignore": "it holds nothing"}
_ADJUSTED = {"adj_close": "open, high and low are not adjusted with it"}
_SAID_TWICE = {"date": "unix says the same"}

# The first whose time column, clock and marks are all present is taken.
DIALECTS = (
    Dialect("Binance dump", "open_time", ("close_time",), _BINANCE_REST, oldest_first=True),
    Dialect("Yahoo", "date", ("adj_close",), _ADJUSTED),
    Dialect("Yahoo", "datetime", ("adj_close",), _ADJUSTED),
    Dialect("Tickstory: date and time apart", "date", clock="timestamp"),
    Dialect("ccxt or generic", "timestamp"),
    Dialect("CryptoDataDownload", "unix", ("date", "symbol"), _SAID_TWICE),
    Dialect("MetaTrader, Stooq: date and time apart", "date", clock="time"),
    Dialect("Dukascopy", "gmt_time", utc=True, day_first=True),
    Dialect("Dukascopy", "local_time", day_first=True),
    Dialect("Dukascopy", "time_(utc)", utc=True),
    Dialect("freqtrade or Yahoo", "date"),
    Dialect("Yahoo", "datetime"),
    Dialect("Binance", "open_time"),
    Dialect("TradingView, MetaTrader in Python, Coinbase", "time"),
    Dialect("counts since 1970", "unix"),
    Dialect("counts since 1970", "unix_timestamp"),
)

BINANCE_DUMP_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume",
    "close_time", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote", "ignore",
)  # fmt: skip


@dataclass(frozen=True)
class Headless:
    """A layout of files without a line of names.

    Attributes:
        name: Name of the source.
        columns: What its columns are.
        starts: Pattern of each of the first cells in a row; the others are numbers.
        remark: What to say of it.
    """

    name: str
    columns: tuple[str, ...]
    starts: tuple[str, ...]
    remark: str = ""


_METATRADER_CLOCK = "MetaTrader writes its broker's clock, HistData's files are in EST (UTC-5) all year"

# The first whose number of cells and whose patterns fit the first line of a file is taken.
HEADLESS = (
    Headless("Binance dump", BINANCE_DUMP_COLUMNS, (r"\d+",)),
    Headless(
        "MetaTrader 4", ("date", "time", *PRICE_COLUMNS, "volume"), (r"\d{4}\.\d\d\.\d\d", r"\d\d:\d\d(:\d\d)?"), _METATRADER_CLOCK
    ),
    Headless(
        "HistData", ("timestamp", *PRICE_COLUMNS, "volume"), (r"\d{8} \d{6}",), "HistData's files are in EST (UTC-5) all year"
    ),
    Headless("Kraken", ("timestamp", *PRICE_COLUMNS, "volume", "trades"), (r"\d{10}",)),
    Headless("ccxt", ("timestamp", *PRICE_COLUMNS, "volume"), (r"\d{10}|\d{13}|\d{16}",)),
)

# First lines that are no names, by what stands in them.
TITLES = ("cryptodatadownload.com", "sep=")

# What sources call the columns of `seawall.core.bars`.
ALIASES = {
    "quote_asset_volume": "quote_volume",
    "number_of_trades": "trades",
    "count": "trades",
    "n_trades": "trades",
    "trade_count": "trades",
    "tradecount": "trades",
    "taker_buy_volume": "taker_buy_base",
    "taker_buy_base_volume": "taker_buy_base",
    "taker_buy_base_asset_volume": "taker_buy_base",
    "taker_buy_quote_volume": "taker_buy_quote",
    "taker_buy_quote_asset_volume": "taker_buy_quote",
    "volume_usdt": "quote_volume",
    "volume_usdc": "quote_volume",
    "volume_busd": "quote_volume",
    "volume_usd": "quote_volume",
    "volume_eur": "quote_volume",
    "volume_gbp": "quote_volume",
    "tickvol": "tick_volume",
}

# Columns that serve as the volume of a file without one of that name: the first that is there. The last names one as Volume BTC,
# and serves where it is alone.
VOLUMES = {
    r"tick_volume": "it counts changes of the price",
    r"vol\.?": "the file has no other",
    r"volume_[a-z0-9]{2,10}": "the file has no other",
}

# What a column may be that is called so; a refusal says it.
LIKELY = {
    "last": "close", "price": "close", "closing_price": "close", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume",
    "t": "timestamp", "ts": "timestamp", "datum": "timestamp", "date_time": "timestamp", "start": "timestamp", "amount": "volume",
    "size": "volume", "quantity": "volume", "open_price": "open", "high_price": "high", "low_price": "low", "close_price": "close",
}  # fmt: skip


def plain_names(names: Sequence[str], origin: str) -> list[str]:
    """Return column names as the tables spell them.

    Args:
        names: The names as the file has them.
        origin: The file, for the message.

    Raises:
        DataError: Two columns come to the same name.
    """
    plain = [re.sub(r"[\s-]+", "_", str(name).strip().strip("<>").strip().lower()) for name in names]
    plain = [ALIASES.get(name, name) for name in plain]
    for name in plain:
        given = [str(original) for original, other in zip(names, plain, strict=True) if other == name]
        if len(given) > 1:
            raise DataError(f"{origin} has {len(given)} columns named {name} ({', '.join(given)}); allowed: each name once")
    return plain


def bar_names(names: Sequence[str], origin: str) -> tuple[list[str], list[str]]:
    """Return column names as the tables spell them, with what stands for an absent name, and remarks on that.

    A first column without a name holds the times, where no other does; `VOLUMES` lists what serves as the volume.

    Args:
        names: The names as the file has them.
        origin: The file, for the message.

    Raises:
        DataError: Two columns come to the same name.
    """
    plain = plain_names(names, origin)
    said: list[str] = []
    if len(plain) > 1 and plain[0] in ("", "unnamed:_0") and not {dialect.time for dialect in DIALECTS} & set(plain):
        plain[0] = "timestamp"
    for pattern, reason in VOLUMES.items() if "volume" not in plain else ():
        serving = [place for place, name in enumerate(plain) if re.fullmatch(pattern, name)]
        if len(serving) == 1:
            said.append(f"column {names[serving[0]]} is taken as the volume: {reason}")
            plain[serving[0]] = "volume"
            break
    return plain, said


def headless_layout(cells: Sequence[str]) -> Headless | None:
    """Return the layout of a file whose first line is a row of values; None where it may be a line of names."""
    return next((layout for layout in HEADLESS if _fits(layout, cells)), None)


def _fits(layout: Headless, cells: Sequence[str]) -> bool:
    starts = layout.starts
    return (
        len(cells) == len(layout.columns)
        and all(re.fullmatch(pattern, cell) for pattern, cell in zip(starts, cells, strict=False))
        and all(_is_number(cell) for cell in cells[len(starts) :])
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def recognise(names: Sequence[str], origin: str) -> Dialect:
    """Return the dialect of a file's columns.

    Args:
        names: Names as `bar_names` gave them.
        origin: The file, for the message.

    Raises:
        NoBarsError: There is none of the columns of a bar.
        DataError: There is no column of times, or one of open, high, low, close and volume is absent.
    """
    held = set(names)
    dialect = next((one for one in DIALECTS if {one.time, *one.marks, *([one.clock] if one.clock else [])} <= held), None)
    absent = [name for name in BAR_COLUMNS if name not in names]
    if dialect is not None and not absent:
        return dialect
    missing = ([] if dialect else ["time"]) + absent
    times = ", ".join(dict.fromkeys(dialect.time for dialect in DIALECTS))
    refusal = DataError if len(absent) < len(BAR_COLUMNS) else NoBarsError
    raise refusal(
        f"{origin} has no {', '.join(missing)} column; its columns are {', '.join(names) or 'none'}; "
        f"needed: {', '.join(BAR_COLUMNS)} and one of {times}; {_advice(names, missing)}"
    )


class NoBarsError(DataError):
    """A table has none of the columns of a bar: it holds something else."""


def _advice(names: Sequence[str], missing: Sequence[str]) -> str:
    """Say what would make a file readable."""
    example = "timestamp,open,high,low,close,volume"
    if sum(any(sign.isdigit() for sign in name) for name in names) > len(names) / 2:
        return f"its first line holds values and no names: put a line of names above it, as {example}"
    if names and (len(names) == 1 or "://" in names[0]):
        return f"its first line is a title: remove it, so that the file begins with names as {example}"
    wanted = {"timestamp" if name == "time" else name for name in missing}
    renamed = [f"{name} to {LIKELY[name]}" for name in names if LIKELY.get(name) in wanted]
    if renamed:
        return f"rename columns in the first line, perhaps {', '.join(renamed)}"
    return _volume_advice(names) if list(missing) == ["volume"] else f"rename the columns in the first line, as {example}"


def _volume_advice(names: Sequence[str]) -> str:
    """Say where a file may have its volume, or what to do without."""
    if "quote_volume" in names:
        return "its volume is in money alone: add a column volume in units traded, which is about that divided by the close"
    amounts = [name for name in names if name.startswith("vol")]
    if amounts:
        return f"rename the column that holds the volume in units traded to volume; it may be {' or '.join(amounts)}"
    return "where the source tells no volume, add a column volume of 0"


def remarks(dialect: Dialect, names: Sequence[str]) -> list[str]:
    """Say which columns are left out, and why."""
    used = {dialect.time, dialect.clock, *BAR_COLUMNS, *OPTIONAL_COLUMNS}
    told = [f"column {name} is ignored: {reason}" for name, reason in dialect.ignored.items() if name in names]
    unknown = [name or "one without a name" for name in names if name not in used and name not in dialect.ignored]
    return [*told, *([f"columns not known here are ignored: {', '.join(unknown)}"] if unknown else [])]
