"""TradeLocker: log in with user, password and server for a token, and list the accounts with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fakes.server import FakeVenue


class FakeTradeLocker(FakeVenue):
    """One user with one demo account."""

    username, password, server = "fake@example.org", "fake-tradelocker-password", "FAKE-SERVER"
    token = "fake-header.fake-payload.fake-signature"

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if (method, path) == ("POST", "/backend-api/auth/jwt/token"):
            login = {"email": self.username, "password": self.password, "server": self.server}
            if json.loads(body) != login:
                return 400, {"message": f"no user {json.loads(body)}"}
            return 201, {"accessToken": self.token, "refreshToken": self.token}
        if headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"message": "Unauthorized"}
        if (method, path) == ("GET", "/backend-api/auth/jwt/all-accounts"):
            return 200, {"accounts": [{"id": "7", "name": "demo", "currency": "USD", "accNum": "1", "accountBalance": "10000.0"}]}
        return 404, {"s": "error", "errmsg": f"no {method} {path}"}
