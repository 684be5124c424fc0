"""The venues that bars can be fetched from, by name. To add one: write its module, and add a line below."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from seawall.core.credentials import INSTALL_LIVE, venue_environment
from seawall.core.errors import ConfigError
from seawall.market.sources.protocol import BarSource

CCXT_DEFAULT = "binance"


def _ccxt(environment: Mapping[str, str], exchange: str | None) -> BarSource:
    from seawall.market.sources.ccxt_source import open_ccxt

    named = exchange or environment.get("SEAWALL_CCXT_EXCHANGE", "")
    return open_ccxt(named.strip().lower() or CCXT_DEFAULT, environment)


def _alpaca(environment: Mapping[str, str], _exchange: str | None) -> BarSource:
    from seawall.market.sources.alpaca_source import open_alpaca

    return open_alpaca(environment)


def _tradelocker(environment: Mapping[str, str], _exchange: str | None) -> BarSource:
    from seawall.market.sources.tradelocker_source import open_tradelocker

    return open_tradelocker(environment)


SOURCES: dict[str, Callable[[Mapping[str, str], str | None], BarSource]] = {
    "ccxt": _ccxt,
    "alpaca": _alpaca,
    "tradelocker": _tradelocker,
}


def open_source(name: str, exchange: str | None = None, environment: Mapping[str, str] | None = None) -> BarSource:
    """Return the source of a name.

    Args:
        name: One of `SOURCES`, or an exchange in ccxt's spelling, as in ``kraken``.
        exchange: The exchange behind ``ccxt``; binance by default.
        environment: Where keys and addresses are; the process's environment and ``.env`` where None.

    Raises:
        ConfigError: The name is unknown, a setting or key is wrong, or the venue's client is not installed.
    """
    known = venue_environment() if environment is None else environment
    if exchange is not None and name != "ccxt":
        raise ConfigError(f"an exchange, {exchange!r}, goes with the source ccxt, not with {name!r}")
    try:
        if name in SOURCES:
            return SOURCES[name](known, exchange)
        return _exchange_by_name(name, known)
    except ImportError as error:
        raise ConfigError(f"source {name!r} needs the package {error.name}; install it with: {INSTALL_LIVE}") from error


def open_again(provenance: Mapping[str, Any], reference: str) -> BarSource:
    """Return the source that a stored series was fetched from.

    Args:
        provenance: What the series' manifest keeps of its source.
        reference: The series, for the message.

    Raises:
        ConfigError: The series came from files, or its source cannot be opened.
    """
    name = provenance.get("source")
    if name not in SOURCES:
        raise ConfigError(
            f"{reference} was imported from files, not fetched from a venue: there is nothing to update it from; "
            f"import newer files with --overwrite, or fetch it: seawall data fetch SOURCE SYMBOL"
        )
    return open_source(str(name), provenance.get("exchange") if name == "ccxt" else None)


def _exchange_by_name(name: str, environment: Mapping[str, str]) -> BarSource:
    from seawall.market.sources.ccxt_source import exchanges, open_ccxt

    known = exchanges()
    if name.lower() in known:
        return open_ccxt(name.lower(), environment)
    names = [*SOURCES, "files", "trends"]
    near = difflib.get_close_matches(name.lower(), [*names, *known], n=3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise ConfigError(
        f"source {name!r} is unknown; {hint}allowed: {', '.join(names)}, or an exchange that ccxt knows, as in kraken"
    )
