"""What other programs call the columns of their trades, fills and equity curves, as literal tables: to read another, add a name.

Names are compared in lower case without anything but letters and digits, so that ``Entry Timestamp``, ``entry_timestamp`` and
``EntryTimestamp`` are the same. A currency at the end of a name, as in ``Price USDT``, is set apart; names with ``%`` are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from seawall.core.errors import ConfigError, DataError

Kind = Literal["trades", "fills", "equity", "tradingview"]

_TIMES = ("timestamp", "time", "datetime", "date", "executedat", "filledat", "tslast", "tsevent", "transacttime", "closetime")
_SIZES = (
    "size",
    "quantity",
    "qty",
    "amount",
    "filledqty",
    "lastqty",
    "filled",
    "executedqty",
    "contracts",
    "volume",
    "units",
    "shares",
)
_FEES = ("fee", "fees", "commission", "commissions", "feecost", "totalfees", "commissionpaid")
_SYMBOLS = ("symbol", "pair", "instrumentid", "instrument", "ticker", "column")
_PROFITS = ("pnl", "profit", "netprofit", "profitabs", "realizedpnl", "pl", "netpl", "netpnl", "profitloss")
_CARRIES = ("swap", "fundingfees")
_STATES = ("status", "isopen")


@dataclass(frozen=True)
class Layout:
    """A kind of table.

    Attributes:
        kind: What its rows are.
        words: What its rows are, for people.
        needed: Names of each role that must be there, in the order in which they are taken.
        optional: Those of roles that may be there.
    """

    kind: Kind
    words: str
    needed: Mapping[str, tuple[str, ...]]
    optional: Mapping[str, tuple[str, ...]]


LAYOUTS = (
    Layout(
        "tradingview",
        "a list of trades with one row for the entry and one for the exit",
        {
            "trade": ("trade", "tradenumber", "tradeno"),
            "type": ("type",),
            "time": ("datetime", "dateandtime"),
            "price": ("price",),
            "size": ("contracts", "quantity", "sizeqty", "positionsizeqty", "size", "positionsize"),
        },
        {"profit": ("netpl", "profit", "pl", "netpnl", "pnl"), "fee": _FEES},
    ),
    Layout(
        "trades",
        "one row for each round trip",
        {
            "opened": (
                "entrytimestamp", "entrytime", "opendate", "opentime", "openedat", "entrydate", "entrydatetime", "opened",
                "tsopened", "opentimestamp",
            ),
            "closed": (
                "exittimestamp", "exittime", "closedate", "closetime", "closedat", "exitdate", "exitdatetime", "closed",
                "tsclosed", "closetimestamp",
            ),
            "size": (*_SIZES, "peakqty", "lots"),
            "entry_price": ("avgentryprice", "entryprice", "openrate", "openprice", "avgpxopen", "priceopen"),
            "exit_price": ("avgexitprice", "exitprice", "closerate", "closeprice", "avgpxclose", "priceclose"),
        },
        {
            "side": ("direction", "entry", "isshort", "positionside", "side", "type"),
            "entry_fee": ("entryfees", "entryfee", "entrycommission"),
            "exit_fee": ("exitfees", "exitfee", "exitcommission"),
            "entry_rate": ("feeopen",),
            "exit_rate": ("feeclose",),
            "fee": _FEES,
            "carry": _CARRIES,
            "profit": _PROFITS,
            "symbol": _SYMBOLS,
            "state": _STATES,
        },
    ),
    Layout(
        "fills",
        "one row for each fill of an order",
        {"time": _TIMES, "size": _SIZES, "price": ("price", "avgpx", "lastpx", "fillprice", "average", "avgprice", "averageprice")},
        {
            "side": ("side", "orderside", "action", "type"),
            "fee": _FEES,
            "fee_currency": ("feecurrency", "commissionasset", "feeasset", "commissioncurrency"),
            "carry": _CARRIES,
            "symbol": _SYMBOLS,
        },
    ),
    Layout(
        "equity",
        "the value of the account over time",
        {"time": _TIMES, "equity": ("equity", "value", "balance", "portfoliovalue", "accountvalue", "totalvalue", "nav")},
        {},
    ),
)  # fmt: skip
"""In the order in which they are tried. ``trades``: vectorbt, backtesting.py, freqtrade, NautilusTrader's positions; ``fills``:
orders of vectorbt, trades of ccxt, NautilusTrader's fills; ``tradingview``: its list of trades."""


@dataclass(frozen=True)
class Found:
    """A table that is understood.

    Attributes:
        layout: What its rows are.
        columns: Name in the file of each role that is there.
        currency: The currency that names of columns end in; empty where none does.
    """

    layout: Layout
    columns: Mapping[str, str]
    currency: str


def recognise(names: Sequence[str], origin: str, given: Mapping[str, str] | None = None) -> Found:
    """Tell what the rows of a table are.

    Args:
        names: Names of its columns, as the file has them.
        origin: The file, for messages.
        given: Name of the column of some roles, where the tables here do not tell; the role ``equity``, say, asks for a curve.

    Raises:
        ConfigError: A role or a column that was given is unknown.
        DataError: The columns are none of the layouts, or their names end in several currencies.
    """
    given = dict(given or {})
    _refuse_unknown(given, names)
    plain, currencies = _plain(names)
    if len(set(currencies.values())) > 1:
        told = ", ".join(f"{name!r}" for name in currencies)
        raise DataError(f"{origin} has columns in several currencies: {told}; allowed: one, the currency of the prices")
    currency = next(iter(currencies.values()), "")
    tried = [(layout, _roles(layout, plain, given)) for layout in LAYOUTS if set(given) <= {*layout.needed, *layout.optional}]
    for layout, columns in tried:
        if set(layout.needed) <= set(columns):
            return Found(layout, columns, currency)
    raise DataError(_refusal(names, origin, tried))


def roles() -> list[str]:
    """Return every role that a column may be given."""
    return list(dict.fromkeys(role for layout in LAYOUTS for role in (*layout.needed, *layout.optional)))


def _refuse_unknown(given: Mapping[str, str], names: Sequence[str]) -> None:
    for role, name in given.items():
        if role not in roles():
            raise ConfigError(f"role {role!r} of column {name!r} is unknown; allowed: {', '.join(roles())}")
        if name not in names:
            raise ConfigError(f"column {name!r}, given as {role}, is not in the file; its columns are {', '.join(names)}")


def _plain(names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the file's name of each plain one, and the currency that names end in."""
    plain: dict[str, str] = {}
    currencies: dict[str, str] = {}
    for name in names:
        text = str(name).strip()
        if "%" in text:
            continue
        found = re.fullmatch(r"(.*[a-z#&)].*?)[ ,(]+([A-Z]{3,5})\)?", text)
        if found is not None:
            currencies[text], text = found[2], found[1]
        plain.setdefault(re.sub(r"[^a-z0-9]", "", text.lower()), str(name))
    return plain, currencies


def _roles(layout: Layout, plain: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for role, aliases in (*layout.needed.items(), *layout.optional.items()):
        name = given.get(role) or next((plain[alias] for alias in aliases if alias in plain), None)
        if name is not None and name not in columns.values():
            columns[role] = name
    if layout.kind == "equity" and "equity" not in columns and len(plain) == 2 and "time" in columns:
        # A series with its index: what is no time is the value.
        columns["equity"] = next(name for name in plain.values() if name != columns["time"])
    return columns


def _refusal(names: Sequence[str], origin: str, tried: Sequence[tuple[Layout, Mapping[str, str]]]) -> str:
    """Say what the nearest layout lacks, and what it would be called."""
    shown = ", ".join(str(name) or "one without a name" for name in names)
    if not tried:
        return f"{origin} has the columns {shown}, and the roles given belong to no one layout; allowed: {', '.join(roles())}"

    def closeness(pair: tuple[Layout, Mapping[str, str]]) -> tuple[float, int]:
        layout, columns = pair
        found = len(set(layout.needed) & set(columns))
        return found / len(layout.needed), found

    layout, columns = max(tried, key=closeness)
    if not set(layout.needed) & set(columns):
        kinds = "; ".join(f"{each.words} ({', '.join(each.needed)})" for each in LAYOUTS[1:])
        return f"{origin} holds no ledger: its columns are {shown}; allowed: {kinds}"
    absent = {role: aliases for role, aliases in layout.needed.items() if role not in columns}
    wanted = "; ".join(f"{role} (one of {', '.join(aliases)})" for role, aliases in absent.items())
    return (
        f"{origin} looks like {layout.words}, but has no column for {wanted}; its columns are {shown}; "
        "rename one, or name it with --column ROLE=NAME"
    )
