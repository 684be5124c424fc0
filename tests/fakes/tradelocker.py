"""TradeLocker: a login for tokens that end, accounts, instruments, limits and price history."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from fakes.brokers import FakeBroker, Row


class FakeTradeLocker(FakeBroker):
    """One user, and the bars that a test gives by instrument and resolution.

    Attributes:
        accounts: The user's; one demo account unless a test adds some.
        bars: Rows of each (instrument, resolution), as in ``("XAUUSD", "15m")``.
        most_bars: Most bars that the span of one request may hold.
        lifetime: Seconds that an access token is said to last.
        valid: Tokens that are let in; a test that clears it ends them all at once.
        refreshable: Whether a token can be had for a refresh token.
        backwards: Whether rows come newest first.
        queries: What was asked of the history.
    """

    username, password, server = "fake@example.org", "fake-tradelocker-password", "FAKE-SERVER"

    def __init__(self) -> None:
        self.accounts = [account_of("7", "1")]
        self.bars: dict[tuple[str, str], list[Row]] = {}
        self.most_bars = 20_000
        self.lifetime = 3_600.0
        self.valid: set[str] = set()
        self.issued: list[str] = []
        self.refreshable = True
        self.backwards = False
        self.queries: list[dict[str, str]] = []
        super().__init__()

    def reply(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if method == "POST":
            return self._token(path, json.loads(body))
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return 401, {"message": "Unauthorized"}
        if path == "/backend-api/auth/jwt/all-accounts":
            return 200, {"accounts": self.accounts}
        if headers.get("accNum") not in [account["accNum"] for account in self.accounts]:
            return 400, {"s": "error", "errmsg": "accNum is missing"}
        return self._data(path, dict(parse_qsl(query)))

    def _data(self, path: str, asked: dict[str, str]) -> tuple[int, Any]:
        if path == "/backend-api/trade/config":
            return 200, {"s": "ok", "d": self._config()}
        if path.startswith("/backend-api/trade/accounts/") and path.endswith("/instruments"):
            return 200, {"s": "ok", "d": {"instruments": [_instrument(place, name) for place, name in enumerate(self._names())]}}
        if path == "/backend-api/trade/history":
            self.queries.append(asked)
            return self._history(asked)
        return 404, {"s": "error", "errmsg": f"no {path}"}

    def _token(self, path: str, body: dict[str, str]) -> tuple[int, Any]:
        if path == "/backend-api/auth/jwt/refresh":
            if not self.refreshable or body["refreshToken"] not in self.issued:
                return 401, {"message": f"no token {body}"}
        elif body != {"email": self.username, "password": self.password, "server": self.server}:
            return 400, {"message": f"no user {body}"}
        now = time.time()
        claims = {"sub": len(self.issued), "iat": now, "exp": now + self.lifetime}
        token = "fake-header." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".fake-signature"
        self.issued.append(token)
        self.valid = {token}
        return 201, {"accessToken": token, "refreshToken": token}

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.bars))

    def _config(self) -> dict[str, Any]:
        rate = {"rateLimitType": "QUOTES_HISTORY", "measure": "SECONDS", "intervalNum": 1, "limit": 1_000}
        return {"limits": [{"limitType": "QUOTES_HISTORY_BARS", "limit": self.most_bars}], "rateLimits": [rate]}

    def _history(self, asked: dict[str, str]) -> tuple[int, Any]:
        step = {"m": 60_000, "H": 3_600_000, "D": 86_400_000, "W": 604_800_000}[asked["resolution"][-1]]
        first, last = int(asked["from"]), int(asked["to"])
        if (last - first) // (step * int(asked["resolution"][:-1])) >= self.most_bars:
            return 400, {"s": "error", "errmsg": "too many bars are asked for"}
        name = self._names()[int(asked["tradableInstrumentId"]) - 100]
        rows = [row for row in self.bars.get((name, asked["resolution"]), []) if first <= row[0] <= last]
        if asked["routeId"] != "2" or not rows:
            return 200, {"s": "no_data"}
        if self.backwards:
            rows.reverse()
        return 200, {"s": "ok", "d": {"barDetails": [dict(zip("tohlcv", row[:6], strict=True)) for row in rows]}}


def account_of(number: str, place: str) -> dict[str, str]:
    """Return an account of an id and an accNum."""
    return {"id": number, "name": "demo", "currency": "USD", "accNum": place, "accountBalance": "10000.0"}


def _instrument(place: int, name: str) -> dict[str, Any]:
    routes = [{"id": 1, "type": "TRADE"}, {"id": 2, "type": "INFO"}]
    number = {"tradableInstrumentId": 100 + place, "id": 1_000 + place, "name": name}
    return {**number, "routes": routes, "barSource": "BID", "hasIntraday": True, "hasDaily": name != "NODAYS"}
