"""Alpaca: the account behind the two key headers, and bars of crypto and stocks, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from fakes.brokers import FakeBroker, Row


class FakeAlpaca(FakeBroker):
    """One paper account, and the bars that a test gives it by symbol and timeframe in Alpaca's words.

    Attributes:
        bars: Rows of each (symbol, timeframe), as in ``("BTC/USD", "1Min")``.
        most_rows: Most rows a page, whatever is asked for.
        backwards: Whether rows come newest first within a page.
        empty_pages: Whether every page is empty and names a next one.
    """

    key, secret = "fake-alpaca-key", "fake-alpaca-secret"

    def __init__(self) -> None:
        self.bars: dict[tuple[str, str], list[Row]] = {}
        self.most_rows = 10_000
        self.backwards = False
        self.empty_pages = False
        self.queries: list[dict[str, str]] = []
        super().__init__()

    def reply(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        keys = headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")
        without_keys = path.startswith("/v1beta3/crypto/") and keys == (None, None)
        if keys != (self.key, self.secret) and not without_keys:
            return 403, {"code": 40310000, "message": "forbidden."}
        asked = dict(parse_qsl(query))
        if (method, path) == ("GET", "/v2/account"):
            return 200, _account()
        if (method, path) == ("GET", "/v2/assets"):
            return 200, [{"symbol": symbol} for symbol, _ in self.bars if ("/" in symbol) == (asked["asset_class"] == "crypto")]
        if path == "/v1beta3/crypto/us/latest/bars":
            return 200, {"bars": {}}
        if path in ("/v1beta3/crypto/us/bars", "/v2/stocks/bars"):
            self.queries.append(asked)
            return self._page(asked)
        return 404, {"code": 40410000, "message": f"no {method} {path}"}

    def _page(self, asked: dict[str, str]) -> tuple[int, Any]:
        symbol = asked["symbols"]
        rows = self.bars.get((symbol, asked["timeframe"]), [])
        if not rows and asked["timeframe"] == "1Day":
            rows = next((given for (name, _), given in self.bars.items() if name == symbol), [])
        first = int(asked.get("page_token") or _milliseconds(asked["start"]))
        last = _milliseconds(asked["end"]) if "end" in asked else 2**60
        found = [row for row in rows if first <= row[0] <= last]
        page = found[: min(int(asked["limit"]), self.most_rows)]
        rest = found[len(page) :]
        if self.empty_pages:
            return 200, {"bars": {}, "next_page_token": "1"}
        if self.backwards:
            page.reverse()
        bars = [dict(zip("tohlcvn", (_text(row[0]), *row[1:]), strict=True)) | {"vw": row[4]} for row in page]
        return 200, {"bars": {symbol: bars} if bars else {}, "next_page_token": str(rest[0][0]) if rest else None}


def _milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


def _text(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _account() -> dict[str, Any]:
    return {
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
