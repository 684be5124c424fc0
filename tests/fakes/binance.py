"""Binance spot: exchangeInfo, the clock, bars a page at a time, and the account behind an HMAC-SHA256 signature."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import numpy as np

from fakes.brokers import FakeBroker, Fault
from fakes.trouble import Trouble

COLUMNS = ("time", "open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
Document = list[list[Any]]


class FakeBinance(FakeBroker):
    """One spot account with two assets, and the bars that a test gives by symbol and interval.

    Attributes:
        bars: One row a bar in the order of `COLUMNS`, float64, shape (T, 10), by (symbol, interval), as in ``("BTCUSDT", "1m")``.
        linear: The same of perpetual contracts that settle in USDT.
        clock: Returns the venue's time in milliseconds since 1970.
        trouble: Faults that befall a share of the pages.
        most_rows: Most rows a page.
        pages: Pages asked for so far.
        queries: What was asked of the bars.
    """

    key, secret = "fake-binance-key", "fake-binance-secret"

    def __init__(self) -> None:
        self.bars: dict[tuple[str, str], np.ndarray] = {}
        self.linear: dict[tuple[str, str], np.ndarray] = {}
        self.clock: Callable[[], int] = _now
        self.trouble: Trouble | None = None
        self.most_rows = 1_000
        self.pages = 0
        self.queries: list[dict[str, str]] = []
        super().__init__()

    def reply(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if path == "/api/v3/exchangeInfo":
            symbols = [market(symbol) for symbol in {"BTCUSDT", *(symbol for symbol, _ in self.bars)}]
            return 200, {"timezone": "UTC", "serverTime": self.clock(), "rateLimits": [], "exchangeFilters": [], "symbols": symbols}
        if path in ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"):
            names = {symbol for symbol, _ in self.linear} if path.startswith("/fapi") else set()
            return 200, {"timezone": "UTC", "serverTime": self.clock(), "symbols": [perpetual(symbol) for symbol in names]}
        if path == "/api/v3/time":
            return 200, {"serverTime": self.clock()}
        if path in ("/api/v3/klines", "/fapi/v1/klines"):
            return self._klines(dict(parse_qsl(query)), self.bars if path.startswith("/api") else self.linear)
        if path == "/api/v3/account" and method == "GET":
            return self._refusal(query, headers) or (200, _account())
        return 404, {"code": -1000, "msg": f"no {method} {path}"}

    def _klines(self, asked: dict[str, str], bars: Mapping[tuple[str, str], np.ndarray]) -> tuple[int, Any]:
        self.queries.append(asked)
        rows = bars.get((asked["symbol"], asked["interval"]))
        if rows is None:
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        step = milliseconds(asked["interval"])
        times = rows[:, 0].astype(np.int64)
        limit = min(int(asked.get("limit", 500)), self.most_rows)
        first = np.searchsorted(times, int(asked.get("startTime", 0)))
        # The bar that is open now is among them; none opens later.
        last = np.searchsorted(times, min(int(asked.get("endTime", 2**60)), self.clock()), side="right")
        page = rows[first:last][:limit] if "startTime" in asked else rows[first:last][-limit:]
        document: Document = [
            [
                int(row[0]),
                *(repr(value) for value in row[1:6]),
                int(row[0]) + step - 1,
                repr(row[6]),
                int(row[7]),
                *map(repr, row[8:]),
                "0",
            ]
            for row in page.tolist()
        ]
        self.pages += 1
        return 200, document if self.trouble is None else self.trouble.spoilt(document, self.pages)

    def fault_of(self, path: str) -> Fault | None:
        if path != "/api/v3/klines" or self.trouble is None:
            return None
        fault = self.trouble.instead(self.pages + 1)
        self.pages += fault is not None
        return fault

    def _refusal(self, query: str, headers: Mapping[str, str]) -> tuple[int, Any] | None:
        signed, _, signature = query.rpartition("&signature=")
        wanted = hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if headers.get("X-MBX-APIKEY") != self.key:
            return 401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
        if not hmac.compare_digest(wanted, signature):
            return 400, {"code": -1022, "msg": "Signature for this request is not valid."}
        if abs(_now() - int(parse_qs(signed)["timestamp"][0])) > 10_000:
            return 400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}
        return None


def make_klines(first_ms: int, step_ms: int, count: int, seed: int = 0, absent: Mapping[int, int] | None = None) -> np.ndarray:
    """Return bars with valid prices, in the order of `COLUMNS`.

    Args:
        first_ms: Opening time of the first.
        step_ms: Length of a bar.
        count: Bars before any is taken out.
        seed: Of the prices.
        absent: Rows at which bars are missing, and how many from there on.
    """
    random = np.random.default_rng(seed)
    closes = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 1e-4, count + 1))), 2)
    opens, closes = closes[:-1], closes[1:]
    highs, lows = np.maximum(opens, closes) + 0.25, np.minimum(opens, closes) - 0.25
    volumes = np.round(random.uniform(1.0, 9.0, count), 5)
    taker = np.round(volumes * random.uniform(0.2, 0.8, count), 5)
    times = (first_ms + step_ms * np.arange(count)).astype(np.float64)
    trades = random.integers(1, 500, count).astype(np.float64)
    rows = np.column_stack([times, opens, highs, lows, closes, volumes, volumes * closes, trades, taker, taker * closes])
    kept = np.ones(count, dtype=bool)
    for row, bars in (absent or {}).items():
        kept[row : row + bars] = False
    return rows[kept]


def milliseconds(interval: str) -> int:
    """Return the length of an interval in Binance's words."""
    return int(interval[:-1]) * {"m": 60_000, "h": 3_600_000, "d": 86_400_000}[interval[-1]]


def _now() -> int:
    return int(time.time() * 1000)


def _account() -> dict[str, Any]:
    balances = [
        {"asset": "BTC", "free": "0.50000000", "locked": "0.00000000"},
        {"asset": "USDT", "free": "1000.00000000", "locked": "0.00000000"},
        {"asset": "ETH", "free": "0.00000000", "locked": "0.00000000"},
    ]
    return {"canTrade": True, "updateTime": _now(), "accountType": "SPOT", "balances": balances, "permissions": ["SPOT"]}


def market(symbol: str) -> dict[str, Any]:
    """Return what exchangeInfo tells of a symbol that is quoted in USDT."""
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00001"},
            {"filterType": "NOTIONAL", "minNotional": "5.00", "applyMinToMarket": True, "maxNotional": "9000000.00"},
        ],
    }


def perpetual(symbol: str) -> dict[str, Any]:
    """Return what exchangeInfo tells of a perpetual contract on a symbol that settles in USDT."""
    contract = {"pair": symbol, "contractType": "PERPETUAL", "marginAsset": "USDT", "deliveryDate": 4_133_404_800_000}
    return {**market(symbol), **contract, "onboardDate": 1_569_398_400_000, "underlyingType": "COIN"}
