"""Kraken spot: asset pairs, the clock, and the newest 720 bars of a length, whatever is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from fakes.brokers import FakeBroker, Row


class FakeKraken(FakeBroker):
    """One market, BTC/USD, and the bars that a test gives by minutes.

    Attributes:
        bars: Rows by the length of a bar in minutes.
        clock: Returns the venue's time in milliseconds since 1970.
        queries: What was asked of the bars.
    """

    most_rows = 720

    def __init__(self) -> None:
        self.bars: dict[int, list[Row]] = {}
        self.clock: Callable[[], int] = lambda: int(time.time() * 1_000)
        self.queries: list[dict[str, str]] = []
        super().__init__()

    def reply(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if path == "/0/public/Assets":
            return 200, {"error": [], "result": _ASSETS}
        if path == "/0/public/AssetPairs":
            return 200, {"error": [], "result": {"XXBTZUSD": _PAIR}}
        if path == "/0/public/Time":
            return 200, {"error": [], "result": {"unixtime": self.clock() // 1_000}}
        if path == "/0/public/OHLC":
            return 200, self._page(dict(parse_qsl(query)))
        return 200, {"error": ["EGeneral:Unknown method"]}

    def _page(self, asked: dict[str, str]) -> dict[str, Any]:
        self.queries.append(asked)
        # The bar that is open is the last one.
        there = [row for row in self.bars.get(int(asked["interval"]), []) if row[0] <= self.clock()][-self.most_rows :]
        rows = [row for row in there if row[0] // 1_000 > int(asked.get("since", 0))]
        document = [[row[0] // 1_000, *map(str, row[1:5]), "0.0", str(row[5]), row[6]] for row in rows]
        return {"error": [], "result": {"XXBTZUSD": document, "last": there[-2][0] // 1_000 if len(there) > 1 else 0}}


_ASSETS = {
    "XXBT": {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5, "status": "enabled"},
    "ZUSD": {"aclass": "currency", "altname": "USD", "decimals": 4, "display_decimals": 2, "status": "enabled"},
}
_PAIR = {
    "altname": "XBTUSD",
    "wsname": "XBT/USD",
    "aclass_base": "currency",
    "base": "XXBT",
    "aclass_quote": "currency",
    "quote": "ZUSD",
    "lot": "unit",
    "cost_decimals": 5,
    "pair_decimals": 1,
    "lot_decimals": 8,
    "lot_multiplier": 1,
    "leverage_buy": [],
    "leverage_sell": [],
    "fees": [[0, 0.4]],
    "fees_maker": [[0, 0.25]],
    "fee_volume_currency": "ZUSD",
    "ordermin": "0.00005",
    "status": "online",
}
