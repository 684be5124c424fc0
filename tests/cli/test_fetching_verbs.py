"""``seawall data fetch`` and ``update`` as a user types them, against venues on this machine."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pandas as pd
import pytest

from fakes.alpaca import FakeAlpaca
from fakes.binance import FakeBinance, make_klines
from fakes.brokers import Fault, make_rows
from fakes.tradelocker import FakeTradeLocker
from seawall.market.sources.ccxt_source import CcxtSource

T0 = 1_704_067_200_000
HOUR_MS = 3_600_000
NOW = T0 + 2_000 * HOUR_MS


@pytest.fixture
def store(tmp_path):
    return ("--data-dir", tmp_path / "data")


@pytest.fixture
def binance(monkeypatch):
    with FakeBinance() as venue:
        pairs = ("BTCUSDT", "ETHUSDT", "ADAUSDT", "XRPUSDT", "LTCUSDT")
        venue.bars = {(pair, "1h"): make_klines(T0, HOUR_MS, 2_100, seed) for seed, pair in enumerate(pairs)}
        venue.bars["BTCUSDT", "15m"] = make_klines(T0, HOUR_MS // 4, 3_000)
        venue.clock = lambda: NOW
        monkeypatch.setenv("SEAWALL_BINANCE_URL", venue.url)
        yield venue


def test_a_fetch_stores_closed_bars_under_the_exchange_and_says_what_they_are(seawall, binance, store):
    told = seawall("data", "fetch", "ccxt", "BTC/USDT", "--timeframe", "1h", "--json", *store)
    (series,) = told.json["series"]
    assert (series["reference"], series["status"], series["rows"]) == ("binance/BTCUSDT/1h", "imported", 2_000)
    assert series["last"] == "2024-03-24T07:00:00Z"
    assert series["columns"] == [
        "timestamp", "open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote",
    ]  # fmt: skip
    assert series["provenance"]["exchange"] == "binance"
    assert seawall("data", "check", "binance/BTCUSDT/1h", "--json", "--no-html", *store).json["gaps"] == 0


def test_bars_of_15_minutes_are_fetched_where_no_length_is_named(seawall, binance, store):
    (series,) = seawall("data", "fetch", "binance", "BTCUSDT", "--json", *store).json["series"]
    assert series["reference"] == "binance/BTCUSDT/15m"


def test_a_start_and_an_end_cut_the_range(seawall, binance, store):
    span = ("--start", "2024-01-02", "--end", "2024-01-03T12:00")
    (series,) = seawall("data", "fetch", "ccxt", "BTC/USDT", "--timeframe", "1h", *span, "--json", *store).json["series"]
    assert (series["first"], series["last"], series["rows"]) == ("2024-01-02T00:00:00Z", "2024-01-03T11:00:00Z", 36)


def test_every_series_of_a_recipe_comes_in_one_call_that_goes_on_where_one_failed(seawall, binance, store):
    binance.meet("/klines", *[Fault(400, {"code": -1100, "msg": "not now"})])
    words = ("data", "fetch", "--recipe", "tradernet", "--json", *store)
    first = seawall(*words)
    assert (first.code, len(first.json["series"])) == (1, 4)
    told = seawall(*words)
    assert told.code == 0, told.err
    references = [series["reference"] for series in told.json["series"]]
    assert references == [f"binance/{pair}USDT/1h" for pair in ("BTC", "ETH", "ADA", "XRP", "LTC")]
    again = seawall(*words).json["series"]
    assert [series["status"] for series in again] == ["unchanged"] * 5


def test_the_coins_of_a_portfolio_come_in_one_call(seawall, binance, store):
    coins = ("BTC", "ETH", "BNB", "XRP", "ADA", "SOL", "DOGE", "DOT", "LTC", "AVAX")
    binance.bars |= {(f"{coin}USDT", "5m"): make_klines(T0, HOUR_MS // 12, 600, seed) for seed, coin in enumerate(coins)}
    span = ("--start", "2024-01-01", "--end", "2024-01-02")
    told = seawall("data", "fetch", "--recipe", "portfolio", *span, "--json", *store)
    assert told.code == 0, told.err
    assert [(series["reference"], series["rows"]) for series in told.json["series"]] == [
        (f"binance/{coin}USDT/5m", 288) for coin in coins
    ]


def test_an_update_appends_what_has_closed_to_every_fetched_series(seawall, binance, store, tmp_path):
    for pair in ("BTC/USDT", "ETH/USDT"):
        seawall("data", "fetch", "ccxt", pair, "--timeframe", "1h", *store)
    seawall("data", "synth", tmp_path / "made_WALK_1h.parquet", "--kind", "random_walk", "--bars", 200)
    seawall("data", "import", tmp_path / "made_WALK_1h.parquet", *store)
    binance.clock = lambda: NOW + 7 * HOUR_MS + 1_000
    told = seawall("data", "update", "--json", *store).json["series"]
    assert [(series["reference"], series["rows"]) for series in told] == [
        ("binance/BTCUSDT/1h", 2_007),
        ("binance/ETHUSDT/1h", 2_007),
    ]
    refused = seawall("data", "update", "made/WALK/1h", *store)
    assert refused.code == 2
    assert "imported from files" in refused.err


def test_what_is_noted_is_said_once_by_the_name_of_its_series_and_not_again_of_a_later_call(seawall, binance, store):
    words = ("data", "fetch", "ccxt", "BTC/USDT", "ETH/USDT", "--timeframe", "1h", "--start", "2023-01-01", *store)
    for call in range(2):
        said = " ".join(seawall(*words).err.split())
        for pair in ("BTC/USDT", "ETH/USDT"):
            assert said.count(f"ccxt {pair} 1h: this machine's clock is") == 1
            assert said.count(f"but binance has none of {pair} before 2024-01-01T00:00:00Z") == (call == 0)


def test_a_changed_history_is_refused_and_named(seawall, binance, store):
    seawall("data", "fetch", "ccxt", "BTC/USDT", "--timeframe", "1h", *store)
    rows = binance.bars["BTCUSDT", "1h"]
    rows[1_995, 5] += 1.0
    binance.clock = lambda: NOW + 7 * HOUR_MS
    result = seawall("data", "update", *store)
    assert result.code == 2
    assert "2024-03-24T03:00:00Z" in result.err
    assert len(pd.read_parquet(store[1] / "binance" / "BTCUSDT" / "1h" / "bars.parquet")) == 2_000


@pytest.mark.parametrize(
    ("symbols", "banned", "code", "said"),
    [
        (("BTC/USDT", "ETH/USDT"), True, 1, "ccxt BTC/USDT 1h: binance has banned this address"),
        (("XYZ/USDT", "ETH/USDT"), False, 2, "ccxt XYZ/USDT 1h: binance has no symbol 'XYZ/USDT'"),
    ],
)
def test_one_series_that_fails_keeps_no_other_out(seawall, binance, store, symbols, banned, code, said):
    if banned:
        # Longer than anyone would wait.
        binance.meet("/klines", Fault(418, {"code": -1003, "msg": "x"}, {"Retry-After": "5000"}))
    result = seawall("data", "fetch", "ccxt", *symbols, "--timeframe", "1h", "--json", *store)
    assert (result.code, [series["reference"] for series in result.json["series"]]) == (code, ["binance/ETHUSDT/1h"])
    assert said in result.json["failed"][0]
    assert said in result.err


@pytest.mark.parametrize(("symbol", "timeframe", "word"), [("BTC/USDX", "1h", "BTC/USDT"), ("BTC/USDT", "7m", "5m")])
def test_an_unknown_symbol_or_length_is_bad_input_with_a_hint(seawall, binance, store, symbol, timeframe, word):
    result = seawall("data", "fetch", "ccxt", symbol, "--timeframe", timeframe, *store)
    assert result.code == 2
    assert word in result.err
    assert not list(store[1].rglob("*.parquet"))


def test_alpaca_and_tradelocker_are_fetched_by_the_same_verb(seawall, store, monkeypatch):
    with FakeAlpaca() as alpaca, FakeTradeLocker() as locker:
        alpaca.bars = {("BTC/USD", "1Hour"): make_rows(T0, HOUR_MS, 300)}
        locker.bars = {("XAUUSD", "1H"): make_rows(T0, HOUR_MS, 300), ("XAUUSD", "1D"): make_rows(T0, 24 * HOUR_MS, 13)}
        for name, value in {
            "SEAWALL_ALPACA_DATA_URL": alpaca.url,
            "TRADELOCKER_USERNAME": locker.username,
            "TRADELOCKER_PASSWORD": locker.password,
            "TRADELOCKER_SERVER": locker.server,
            "TRADELOCKER_ENVIRONMENT": locker.url,
        }.items():
            monkeypatch.setenv(name, value)
        for source, symbol, stored in (("alpaca", "BTC/USD", "BTCUSD"), ("tradelocker", "XAUUSD", "XAUUSD")):
            told = seawall("data", "fetch", source, symbol, "--timeframe", "1h", "--start", "2023-12-30", "--json", *store)
            assert told.code == 0, told.err
            (series,) = told.json["series"]
            assert (series["reference"], series["rows"]) == (f"{source}/{stored}/1h", 300)
    manifest = (store[1] / "tradelocker" / "XAUUSD" / "1h" / "manifest.json").read_text()
    assert locker.password not in manifest
    assert locker.username not in manifest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--recipe", "tradernet", "--exchange", "kraken"), "--exchange would do nothing with --recipe; allowed: --start, --end"),
        (("--recipe", "tradernet", "--timeframe", "1m"), "--timeframe would do nothing with --recipe"),
        (("files", "bars.csv", "--start", "2024-01-01"), "--start would do nothing with files; allowed: none of these options"),
        (("files", "bars.csv", "--recipe", "tradernet"), "--recipe would do nothing with files"),
        (("trends", "t.csv", "--timeframe", "1h", "--end", "2024-01-01"), "--timeframe, --end would do nothing with trends"),
        (("ccxt", "BTC/USDT", "--keyword", "bitcoin"), "--keyword would do nothing with the source ccxt; allowed: --time"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused_before_anything_is_asked(seawall, binance, store, words, said):
    result = seawall("data", "fetch", *words, *store)
    assert result.code == 2
    assert said in " ".join(result.err.split())
    assert binance.requests == []


def test_an_update_of_several_series_opens_their_venue_once(seawall, binance, store):
    for pair in ("BTC/USDT", "ETH/USDT", "ADA/USDT"):
        seawall("data", "fetch", "ccxt", pair, "--timeframe", "1h", *store)
    binance.requests.clear()
    binance.clock = lambda: NOW + 7 * HOUR_MS
    assert [series["rows"] for series in seawall("data", "update", "--json", *store).json["series"]] == [2_007] * 3
    assert [path for _, path in binance.requests].count("/api/v3/exchangeInfo") == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals are needed to press Ctrl-C from a test")
def test_ctrl_c_that_a_client_swallows_stops_the_fetch_at_its_next_page(seawall, binance, store, tmp_path, monkeypatch):
    ask = CcxtSource.page

    def page(self, *question):
        bars = ask(self, *question)
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return bars

    monkeypatch.setattr(CcxtSource, "page", page)
    stopped = seawall("data", "fetch", "ccxt", "BTC/USDT", *store)
    assert stopped.code == 130
    assert "run the same command to go on" in stopped.err
    assert not (tmp_path / "data" / "binance").exists()
    monkeypatch.setattr(CcxtSource, "page", ask)
    assert seawall("data", "fetch", "ccxt", "BTC/USDT", "--json", *store).json["series"][0]["rows"] == 3_000
