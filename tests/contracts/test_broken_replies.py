"""Replies that arrive packed wrongly or byte by byte, to each source's own client: failures for now, and none lasts."""

from __future__ import annotations

import gzip
import json

import pytest

from fakes.alpaca import FakeAlpaca
from fakes.binance import FakeBinance, make_klines
from fakes.brokers import Fault, make_rows
from fakes.server import Dripped
from fakes.tradelocker import FakeTradeLocker
from seawall.core.errors import TransientError
from seawall.core.timeframe import Timeframe
from seawall.market.sources.alpaca_source import open_alpaca
from seawall.market.sources.ccxt_source import CcxtSource
from seawall.market.sources.tradelocker_source import open_tradelocker

T0 = 1_704_067_200_000
MINUTE_MS = 60_000
MINUTE = Timeframe.parse("1m")
PACKED = {"Content-Encoding": "gzip"}
WHOLE = gzip.compress(json.dumps([]).encode() * 50)
# A reply is given up after three times this, and no byte of the slow one is late by itself.
LIMIT, PAUSE = 0.2, 0.02
LONG = " " * 200


@pytest.fixture(params=["ccxt", "alpaca", "tradelocker"])
def asked(request):
    """A venue, the part of its address that bars are asked for at, and a function that asks for a page."""
    fakes = {"ccxt": (FakeBinance, "/klines"), "alpaca": (FakeAlpaca, "/bars"), "tradelocker": (FakeTradeLocker, "/history")}
    fake, path = fakes[request.param]
    with fake() as venue:
        source, symbol = opened(venue, request.param)
        source.stored_symbol(symbol, MINUTE)
        yield venue, path, lambda: source.page(symbol, MINUTE, T0, T0 + 50 * MINUTE_MS)


def opened(venue, name):
    if name == "ccxt":
        venue.bars = {("BTCUSDT", "1m"): make_klines(T0, MINUTE_MS, 50)}
        return CcxtSource("binance", {"SEAWALL_BINANCE_URL": venue.url}, timeout_seconds=LIMIT), "BTC/USDT"
    if name == "alpaca":
        venue.bars = {("BTC/USD", "1Min"): make_rows(T0, MINUTE_MS, 50)}
        return open_alpaca({"SEAWALL_ALPACA_DATA_URL": venue.url}, timeout_seconds=LIMIT), "BTC/USD"
    venue.bars = {("BTCUSD", "1m"): make_rows(T0, MINUTE_MS, 50)}
    words = {"USERNAME": venue.username, "PASSWORD": venue.password, "SERVER": venue.server, "ENVIRONMENT": venue.url}
    environment = {f"TRADELOCKER_{name}": value for name, value in words.items()}
    return open_tradelocker(environment, timeout_seconds=LIMIT), "BTCUSD"


@pytest.mark.parametrize(
    "content",
    [b"[]", b"\x1f\x8b\x08", WHOLE[:-12] + b"\0" * 12, WHOLE[:20] + b"\xff" * 20, WHOLE[: len(WHOLE) // 2], b""],
    ids=["not packed", "no more than a head", "another sum", "damaged", "half of it", "nothing"],
)
def test_a_reply_that_is_not_packed_as_it_says_is_asked_for_again(asked, content):
    venue, path, page = asked
    venue.meet(path, Fault(200, content, PACKED))
    with pytest.raises(TransientError) as caught:
        page()
    assert caught.value.kind in ("network", "malformed")
    assert len(page()) == 50


def test_a_reply_that_is_packed_is_read(asked):
    venue, path, page = asked
    venue.meet(path, Fault(429, gzip.compress(b'{"code": -1003, "msg": "x", "message": "x"}'), {**PACKED, "Retry-After": "7"}))
    with pytest.raises(TransientError) as caught:
        page()
    assert (caught.value.kind, caught.value.retry_after) == ("rate_limit", 7.0)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("headers", [{}, PACKED], ids=["plain", "packed"])
def test_a_reply_that_comes_byte_by_byte_is_given_up_before_it_is_whole(asked, status, headers):
    venue, path, page = asked
    # Whole, it would be a reply without JSON, or a server's error.
    venue.meet(path, Fault(status, Dripped(gzip.compress(LONG.encode(), 0) if headers else LONG, PAUSE), headers))
    with pytest.raises(TransientError) as caught:
        page()
    assert caught.value.kind == "timeout"
    assert len(page()) == 50
