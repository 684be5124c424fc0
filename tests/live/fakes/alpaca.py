"""Alpaca trading: the account behind the two key headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakes.server import FakeVenue


class FakeAlpaca(FakeVenue):
    """One paper account."""

    key, secret = "fake-alpaca-key", "fake-alpaca-secret"

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")) != (self.key, self.secret):
            return 403, {"code": 40310000, "message": "forbidden."}
        if (method, path) == ("GET", "/v2/account"):
            return 200, {
                "id": "904837e3-3b76-47ec-b432-046db621571b",
                "account_number": "PA1234567",
                "status": "ACTIVE",
                "currency": "USD",
                "cash": "100000",
                "equity": "100000",
                "buying_power": "100000",
                "trading_blocked": False,
                "account_blocked": False,
            }
        return 404, {"code": 40410000, "message": f"no {method} {path}"}
