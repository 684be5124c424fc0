"""Binance spot: exchangeInfo, and the account behind an HMAC-SHA256 signature."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from fakes.server import FakeVenue


class FakeBinance(FakeVenue):
    """One spot account with two assets."""

    key, secret = "fake-binance-key", "fake-binance-secret"

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if path == "/api/v3/exchangeInfo":
            return 200, {"timezone": "UTC", "serverTime": _now(), "rateLimits": [], "exchangeFilters": [], "symbols": [_SYMBOL]}
        if path == "/api/v3/account" and method == "GET":
            return self._refusal(query, headers) or (200, _account())
        return 404, {"code": -1000, "msg": f"no {method} {path}"}

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


def _now() -> int:
    return int(time.time() * 1000)


def _account() -> dict[str, Any]:
    balances = [
        {"asset": "BTC", "free": "0.50000000", "locked": "0.00000000"},
        {"asset": "USDT", "free": "1000.00000000", "locked": "0.00000000"},
        {"asset": "ETH", "free": "0.00000000", "locked": "0.00000000"},
    ]
    return {"canTrade": True, "updateTime": _now(), "accountType": "SPOT", "balances": balances, "permissions": ["SPOT"]}


_SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
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
