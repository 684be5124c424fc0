"""Bars of Alpaca: crypto pairs, with or without keys, and US stocks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from seawall.core.credentials import base_url, header_value, required, switch
from seawall.core.errors import ConfigError, SeawallError, TransientError
from seawall.core.timeframe import Timeframe
from seawall.market.sources.alpaca_client import KEYS, alpaca_errors, restrain
from seawall.market.sources.answers import VenueClock, bars_of
from seawall.market.sources.protocol import BarSource

FEEDS = ("iex", "sip")
_COLUMNS = {"t": "timestamp", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "n": "trades"}
_FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)
_MOST_REQUESTS = 100
_ALWAYS_THERE = "BTC/USD"


def open_alpaca(environment: Mapping[str, str], page_bars: int = 10_000, timeout_seconds: float = 30.0) -> BarSource:
    """Return Alpaca's bars.

    Args:
        environment: Holds the keys of `KEYS`, both or none; ``ALPACA_FEED`` (iex by default, or sip, for stocks);
            ``SEAWALL_ALPACA_DATA_URL`` and ``SEAWALL_ALPACA_URL`` where other addresses are to be asked.
        page_bars: Most bars a page; Alpaca allows 10,000.
        timeout_seconds: How long one request may take.

    Raises:
        ImportError: alpaca-py is not installed.
        ConfigError: A setting is wrong, or one key is set without the other.
    """
    return _AlpacaBars(environment, page_bars, timeout_seconds)


class _AlpacaBars:
    name = "alpaca"
    # 200 requests a minute are allowed on the free plan.
    pause_seconds = 0.3
    # A day begins at midnight in New York.
    local_days = True

    def __init__(self, environment: Mapping[str, str], page_bars: int, timeout_seconds: float) -> None:
        from alpaca.data.historical.crypto import CryptoHistoricalDataClient
        from alpaca.data.historical.stock import StockHistoricalDataClient

        self.page_bars = page_bars
        self._environment = environment
        self._timeout = timeout_seconds
        self._feed = environment.get("ALPACA_FEED", "").strip().lower() or FEEDS[0]
        if self._feed not in FEEDS:
            raise ConfigError(f"ALPACA_FEED is {environment['ALPACA_FEED']!r}; allowed: {', '.join(FEEDS)}")
        self._keys = required(environment, KEYS) or ()
        for name in KEYS:
            header_value(environment, name)
        self._clock = VenueClock()
        url = base_url(environment, "SEAWALL_ALPACA_DATA_URL")
        key, secret = self._keys or (None, None)
        self._crypto = restrain(CryptoHistoricalDataClient(key, secret, url_override=url), timeout_seconds, self._clock.note)
        self._stocks: Any = None
        if self._keys:
            self._stocks = restrain(StockHistoricalDataClient(key, secret, url_override=url), timeout_seconds, self._clock.note)

    def provenance(self, symbol: str) -> dict[str, Any]:
        """The feed and adjustment of stocks; crypto bars have neither."""
        if "/" in symbol:
            return {"source": self.name, "crypto_exchange": "us"}
        return {"source": self.name, "stock_feed": self._feed, "stock_adjustment": "raw"}

    def stored_symbol(self, symbol: str, timeframe: Timeframe) -> str:
        """Return ``BTCUSD`` for ``BTC/USD``, and a stock's own ticker, after asking for one daily bar of it."""
        asked = _spelled(symbol)
        _timeframe(timeframe)
        if not self._rows(asked, "1Day", _FIRST_DAY, None, 1):
            near = difflib.get_close_matches(asked, self._known(asked), n=3, cutoff=0.5)
            hint = f"near it: {', '.join(near)}" if near else "crypto pairs have a slash, as in BTC/USD, stocks do not, as in AAPL"
            raise ConfigError(f"alpaca has no bars of {asked!r}; {hint}")
        return asked.replace("/", "")

    def now_ms(self) -> int | None:
        """Return the time of Alpaca's latest answer, moved on; it is asked once where there was none yet."""
        if self._clock.now_ms() is None:
            with self._errors():
                self._crypto.get("/crypto/us/latest/bars", {"symbols": _ALWAYS_THERE})
        return self._clock.now_ms()

    def page(self, symbol: str, timeframe: Timeframe, start_ms: int, stop_ms: int) -> pd.DataFrame:
        """Ask for the earliest bars of a span, with their trade counts; one request, unless Alpaca cuts the page short."""
        # Alpaca's end belongs to the span.
        start, end = (datetime.fromtimestamp(moment / 1_000, UTC) for moment in (start_ms, stop_ms - 1))
        rows = self._rows(_spelled(symbol), _timeframe(timeframe), start, end, self.page_bars)
        return bars_of(self.name, rows, _COLUMNS)

    def _rows(self, symbol: str, timeframe: str, start: datetime, end: datetime | None, limit: int) -> list[Any]:
        """Follow the page tokens until the page is full.

        The client's own `get_crypto_bars` follows them for ever where a token repeats, and makes a model of each bar.
        """
        wanted = {"symbols": symbol, "timeframe": timeframe, "start": start.isoformat(), "sort": "asc"}
        if end is not None:
            wanted["end"] = end.isoformat()
        client, path = self._crypto, "/crypto/us/bars"
        if "/" not in symbol:
            client, path = self._stock_client(symbol), "/stocks/bars"
            wanted.update(feed=self._feed, adjustment="raw")
        rows: list[Any] = []
        token: str | None = None
        for _ in range(_MOST_REQUESTS):
            with self._errors():
                answer = client.get(path, {**wanted, "limit": limit - len(rows), "page_token": token})
            found, token = _part(answer, symbol)
            rows += found
            if not token or len(rows) >= limit:
                return rows
        raise TransientError(f"alpaca named a next page {_MOST_REQUESTS} times and filled none", kind="malformed")

    def _stock_client(self, symbol: str) -> Any:
        if self._stocks is None:
            raise ConfigError(
                f"alpaca gives bars of stocks such as {symbol!r} only with keys; set {' and '.join(KEYS)} in the environment "
                "or in .env. Crypto pairs, which have a slash as in BTC/USD, need none"
            )
        return self._stocks

    def _known(self, symbol: str) -> list[str]:
        """Return every symbol of the same kind, where keys allow to ask; a refusal only costs the hint."""
        if not self._keys:
            return []
        from alpaca.trading.client import TradingClient

        url = base_url(self._environment, "SEAWALL_ALPACA_URL")
        paper = switch(self._environment, "ALPACA_PAPER", default=True)
        kind = "crypto" if "/" in symbol else "us_equity"
        try:
            client = restrain(TradingClient(*self._keys, paper=paper, url_override=url), self._timeout)
            with self._errors():
                assets: Any = client.get("/assets", {"asset_class": kind, "status": "active"})
            return [str(asset["symbol"]) for asset in assets]
        except (SeawallError, KeyError, TypeError):
            return []

    def _errors(self) -> Any:
        return alpaca_errors(self._keys, self._timeout, f"{KEYS[0]} and {KEYS[1]}, and ALPACA_FEED")


def _part(answer: Any, symbol: str) -> tuple[list[Any], str | None]:
    try:
        bars: Any = answer["bars"] or {}
        return [*bars.get(symbol, [])], answer.get("next_page_token")
    except (KeyError, TypeError, AttributeError) as error:
        raise TransientError(
            f"alpaca answered something that is no page of bars ({type(error).__name__}): try again in a few minutes",
            kind="malformed",
        ) from None


def _spelled(symbol: str) -> str:
    text = symbol.strip().upper()
    if re.fullmatch(r"[A-Z0-9]+(/[A-Z0-9]+|[.-][A-Z0-9]+)?", text) is None:
        raise ConfigError(
            f"symbol {symbol!r} is not understood; allowed: a crypto pair such as BTC/USD or a US ticker such as AAPL"
        )
    return text


def _timeframe(timeframe: Timeframe) -> str:
    label = timeframe.label
    count, unit = int(label[:-1]), label[-1]
    units = {"m": ("Min", 59), "h": ("Hour", 23), "d": ("Day", 1), "w": ("Week", 1)}
    if unit not in units or count > units[unit][1]:
        raise ConfigError(f"alpaca has no bars of {label}; allowed: 1m to 59m, 1h to 23h, 1d and 1w")
    return f"{count}{units[unit][0]}"
