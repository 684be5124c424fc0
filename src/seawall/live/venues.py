"""Does each venue answer? One read-only call to those whose keys are set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from seawall.core.credentials import INSTALL_LIVE, required, venue_environment
from seawall.core.errors import ConfigError, SeawallError
from seawall.live import alpaca_venue, ccxt_venue, tradelocker_venue

VENUES = ("ccxt", "alpaca", "tradelocker")
"""What can be looked at; ``ccxt`` stands for the exchange that ``SEAWALL_CCXT_EXCHANGE`` names, binance by default."""
State = Literal["no keys", "connected", "failed", "client missing"]
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class VenueStatus:
    """What one look at a venue found.

    Attributes:
        name: ``alpaca``, ``tradelocker``, or the exchange that was looked at through ccxt.
        state: Whether keys are set, and whether the venue answered them.
        detail: One line: what it answered, or what to do. No key or other secret stands in it.
    """

    name: str
    state: State
    detail: str


@dataclass(frozen=True)
class _Venue:
    name: str
    keys: tuple[str, ...]
    client: str
    look: Callable[[Mapping[str, str], tuple[str, ...], float], str]


def check_venues(environment: Mapping[str, str] | None = None, timeout_seconds: float = TIMEOUT_SECONDS) -> list[VenueStatus]:
    """Look at every venue, one after the other; by default with the keys of `venue_environment`."""
    known = venue_environment() if environment is None else environment
    return [check_venue(name, known, timeout_seconds) for name in VENUES]


def check_venue(name: str, environment: Mapping[str, str], timeout_seconds: float = TIMEOUT_SECONDS) -> VenueStatus:
    """Look at one venue: log in and read the account. Nothing is ordered, cancelled or moved.

    Args:
        name: One of `VENUES`.
        environment: Where the keys are, as from `venue_environment`.
        timeout_seconds: How long one request may take.

    Returns:
        The status. A venue that refuses, fails or does not answer is a status, not an exception.

    Raises:
        ConfigError: There is no venue of that name.
    """
    venue = _venue(name, environment)
    name = venue.name
    try:
        keys = required(environment, venue.keys)
        if keys is None:
            return VenueStatus(name, "no keys", f"set {' and '.join(venue.keys)} in the environment or in .env to check it")
        started = time.perf_counter()
        found = venue.look(environment, keys, timeout_seconds)
    except ImportError:
        return VenueStatus(name, "client missing", f"{venue.client} is not installed; install it with: {INSTALL_LIVE}")
    except SeawallError as error:
        return VenueStatus(name, "failed", str(error))
    return VenueStatus(name, "connected", f"{found}, answered in {time.perf_counter() - started:.1f} s")


def _venue(name: str, environment: Mapping[str, str]) -> _Venue:
    if name == "ccxt":
        exchange = ccxt_venue.exchange_name(environment)
        return _Venue(exchange, ccxt_venue.key_names(exchange), "ccxt", ccxt_venue.look)
    if name == "alpaca":
        return _Venue(name, alpaca_venue.KEYS, "alpaca-py", alpaca_venue.look)
    if name == "tradelocker":
        return _Venue(name, tradelocker_venue.KEYS, "httpx", tradelocker_venue.look)
    raise ConfigError(f"no venue {name!r}; allowed: {', '.join(VENUES)}")
