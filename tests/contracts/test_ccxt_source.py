"""Bars of ccxt exchanges: the real ccxt against a fake Binance on this machine, with faults."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from fakes.binance import COLUMNS, FakeBinance, make_klines
from fakes.brokers import Fault
from fakes.server import DROPPED
from seawall.core.bars import BAR_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError, SeawallError, TransientError
from seawall.core.timeframe import Timeframe, moment_ms
from seawall.market.fetching.fetch import Fetch
from seawall.market.fetching.rules import FetchRules, Patience
from seawall.market.sources.ccxt_source import CcxtSource, open_ccxt
from seawall.market.sources.registry import open_source
from seawall.market.storage.store import Store

T0 = 1_704_067_200_000
MINUTE_MS = 60_000
MINUTE = Timeframe.parse("1m")
ROWS = make_klines(T0, MINUTE_MS, 2_500)


@pytest.fixture
def venue():
    with FakeBinance() as binance:
        binance.bars = {("BTCUSDT", "1m"): ROWS, ("ETHUSDT", "1m"): ROWS[:5]}
        yield binance


@pytest.fixture
def environment(venue):
    return {"SEAWALL_BINANCE_URL": venue.url}


@pytest.fixture
def source(environment):
    return CcxtSource("binance", environment, timeout_seconds=1.5)


def asked(source, first=0, bars=2_500, symbol="BTC/USDT"):
    return source.page(symbol, MINUTE, T0 + first * MINUTE_MS, T0 + (first + bars) * MINUTE_MS)


def fetched(root, source, sleep=lambda _seconds: None):
    """Fetch all bars, with waits that take no time."""
    rules = FetchRules(patience=Patience(sleep=sleep))
    return Fetch(Store(root), source, lambda _progress: None, rules).fetch("BTC/USDT", MINUTE, T0)


def test_a_page_holds_every_column_of_the_venue_to_the_last_digit(source):
    page = asked(source, bars=100)
    assert list(page.columns) == ["timestamp", *BAR_COLUMNS, *COLUMNS[6:]]
    assert timestamps_ms(page).tolist() == ROWS[:100, 0].tolist()
    np.testing.assert_array_equal(page.drop(columns="timestamp").to_numpy(), ROWS[:100, 1:])


def test_no_key_is_read_or_sent_and_nothing_but_the_named_address_is_asked(venue, environment):
    source = open_ccxt("binance", {**environment, "BINANCE_API_KEY": "k", "BINANCE_API_SECRET": "s"})
    asked(source, bars=10)
    assert venue.requests == [("GET", "/api/v3/exchangeInfo"), ("GET", "/api/v3/klines")]
    assert not any("x-mbx-apikey" in headers for headers in venue.headers_seen)


def test_the_start_belongs_to_a_page_and_the_stop_does_not(source):
    assert timestamps_ms(asked(source, first=5, bars=3)).tolist() == [T0 + n * MINUTE_MS for n in (5, 6, 7)]


def test_a_page_is_as_long_as_the_venue_allows_and_together_they_are_the_whole(venue, source):
    found, cursor = [], 0
    while len(page := asked(source, first=cursor)):
        found += timestamps_ms(page).tolist()
        cursor += len(page)
    assert found == ROWS[:, 0].tolist()
    assert [query["limit"] for query in venue.queries] == ["1000"] * 4


def test_the_venue_s_clock_is_asked(venue, source):
    venue.clock = lambda: T0 + 7
    assert source.now_ms() == T0 + 7


@pytest.mark.parametrize("spelled", ["BTC/USDT", "BTCUSDT", "btc/usdt", " btcusdt"])
def test_a_symbol_goes_by_its_pair_or_its_id_in_any_case(source, spelled):
    assert source.stored_symbol(spelled, MINUTE) == "BTCUSDT"
    assert len(asked(source, bars=4, symbol=spelled)) == 4


def test_a_contract_is_found_after_a_spot_market_and_not_taken_for_it(venue, source):
    perpetual = make_klines(T0, MINUTE_MS, 30, seed=1)
    venue.linear = {("BTCUSDT", "1m"): perpetual}
    assert source.stored_symbol("BTC/USDT", MINUTE) == "BTCUSDT"
    assert [path for _, path in venue.requests] == ["/api/v3/exchangeInfo"]
    # A list that fails half-way is asked for again.
    venue.meet("/dapi/v1/exchangeInfo", Fault(503, {}))
    with pytest.raises(TransientError):
        source.stored_symbol("BTC/USDT:USDT", MINUTE)
    assert source.stored_symbol("BTC/USDT:USDT", MINUTE) == "BTCUSDT-USDT"
    page = asked(source, symbol="BTC/USDT:USDT")
    np.testing.assert_array_equal(page.drop(columns="timestamp").to_numpy(), perpetual[:, 1:])
    assert venue.requests[-1] == ("GET", "/fapi/v1/klines")
    assert timestamps_ms(asked(source, bars=1_000)).tolist() == ROWS[:1_000, 0].tolist()
    assert venue.requests[-1] == ("GET", "/api/v3/klines")
    assert [path for _, path in venue.requests].count("/fapi/v1/exchangeInfo") == 2


def test_an_unknown_symbol_or_length_is_refused_with_near_ones(source):
    with pytest.raises(ConfigError, match=r"binance has no symbol 'BTC/USDX'; allowed: 2 names .* did you mean BTC/USDT"):
        source.stored_symbol("BTC/USDX", MINUTE)
    with pytest.raises(ConfigError, match=r"binance has no 7m bars; allowed: .*1m, 3m, 5m, 15m"):
        source.stored_symbol("BTC/USDT", Timeframe.parse("7m"))


def test_an_exchange_goes_by_its_name_in_any_case():
    for opened in (open_source("ccxt", exchange=" Binance ", environment={}), open_source("KRAKEN", environment={})):
        assert opened.name == opened.provenance("BTC/USDT")["exchange"]
        assert opened.name in ("binance", "kraken")


@pytest.mark.parametrize("name", ["mtgox", "binanze"])
def test_an_exchange_that_ccxt_does_not_know_is_refused(name):
    with pytest.raises(ConfigError, match=f"'{name}'"):
        open_source(name, environment={})
    with pytest.raises(ConfigError, match=f"exchange '{name}' is one that ccxt does not know"):
        open_source("ccxt", exchange=name, environment={})


def test_the_exchange_is_binance_unless_another_is_named():
    assert open_source("ccxt", environment={}).name == "binance"
    assert open_source("ccxt", environment={"SEAWALL_CCXT_EXCHANGE": "Kraken"}).name == "kraken"
    assert open_source("ccxt", exchange="okx", environment={"SEAWALL_CCXT_EXCHANGE": "kraken"}).name == "okx"
    assert open_source("coinbase", environment={}).provenance("BTC/USD")["exchange"] == "coinbase"


def test_the_switch_to_the_test_network_is_not_heeded_for_history():
    ours = open_ccxt("binance", {"BINANCE_SANDBOX": "true"})
    assert "testnet" not in str(ours._exchange.urls["api"])


@pytest.mark.parametrize(
    ("fault", "kind", "wait"),
    [
        (Fault(429, {"code": -1003, "msg": "slow down"}, {"Retry-After": "7"}), "rate_limit", 7.0),
        (Fault(429, {"code": -1003, "msg": "slow down"}), "rate_limit", None),
        (Fault(418, {"code": -1003, "msg": "banned"}, {"Retry-After": "120"}), "banned", 120.0),
        (Fault(500, {"msg": "oops"}), "server", None),
        (Fault(502, "<html>Bad Gateway</html>"), "server", None),
        (Fault(503, {"code": -1001, "msg": "Internal error"}), "server", None),
        (Fault(503, {"msg": "later"}, {"Retry-After": "30"}), "server", 30.0),
        (Fault(504, ""), "server", None),
        (Fault(delay=3.0), "timeout", None),
        (Fault(document=DROPPED), "network", None),
        (Fault(document="["), "malformed", None),
        (Fault(document=""), "malformed", None),
        (Fault(document="<html>"), "malformed", None),
        (Fault(document={}), "malformed", None),
        (Fault(document=[7]), "malformed", None),
        (Fault(document=[[]]), "malformed", None),
        (Fault(document=[[T0, "1", "2", "0.5", "1"]]), "malformed", None),
        (Fault(document=[[T0, "much", *["1"] * 10]]), "malformed", None),
        (Fault(document=[["soon", *["1"] * 11]]), "malformed", None),
        (Fault(document=[[T0, None, *["1"] * 10]]), "malformed", None),
    ],
)
def test_a_failure_for_now_says_its_kind_and_is_left_to_the_walk_to_retry(venue, source, fault, kind, wait):
    source.stored_symbol("BTC/USDT", MINUTE)
    venue.meet("/klines", fault)
    with pytest.raises(TransientError) as caught:
        asked(source)
    assert (caught.value.kind, caught.value.retry_after) == (kind, wait)
    assert [path for _, path in venue.requests].count("/api/v3/klines") == 1
    assert len(asked(source)) == 1_000


def test_an_empty_list_is_no_bars(venue, source):
    venue.meet("/klines", Fault(document=[]))
    assert len(asked(source)) == 0


def test_a_venue_that_is_down_is_a_failure_for_now(venue, source):
    source.stored_symbol("BTC/USDT", MINUTE)
    venue.stop()
    with pytest.raises(TransientError, match="binance could not be reached") as caught:
        asked(source)
    assert caught.value.kind == "network"


@pytest.mark.parametrize(
    "fault", [Fault(400, {"code": -1100, "msg": "Illegal characters"}), Fault(400, {"code": -1121, "msg": "Invalid symbol."})]
)
def test_a_refusal_for_good_is_said_in_the_venue_s_words(venue, source, fault):
    venue.meet("/klines", fault)
    with pytest.raises(SeawallError, match=fault.document["msg"]) as caught:
        asked(source)
    assert not isinstance(caught.value, TransientError)


@pytest.mark.parametrize(
    ("status", "hint"), [(404, "it offers no such thing under this address"), (451, "does not serve this place; another exchange")]
)
@pytest.mark.parametrize("path", ["/exchangeInfo", "/time", "/klines"])
def test_a_place_or_an_address_that_is_not_served_stops_a_fetch_at_its_first_request(tmp_path, venue, source, path, status, hint):
    said = {"code": 0, "msg": "Service unavailable from a restricted location."}
    venue.meet(path, *[Fault(status, said)] * 9)
    with pytest.raises(ConfigError, match=rf"HTTP {status}: Service unavailable from a restricted location.*{hint}"):
        fetched(tmp_path, source)
    assert len(venue.faults) == 8


def test_a_refusal_that_may_be_of_a_place_or_for_a_while_is_asked_again_and_then_says_both(tmp_path, venue, source):
    venue.meet("/klines", *[Fault(403, "<html>The distribution is configured to block access from your country.</html>")] * 9)
    with pytest.raises(TransientError, match=r"HTTP 403.*try again in a few minutes.*may not serve this place: another exchange"):
        fetched(tmp_path, source)
    assert len(venue.faults) == 1


def test_a_ban_of_three_days_stops_a_fetch_at_once_and_says_when_to_come_back(tmp_path, venue, source):
    venue.meet("/klines", *[Fault(418, {"code": -1003, "msg": "Way too many requests"}, {"Retry-After": str(3 * 86_400)})] * 9)
    with pytest.raises(TransientError, match=r"banned this address.*left alone for 259200 s, until (\S+Z); ") as caught:
        fetched(tmp_path, source)
    assert len(venue.faults) == 8
    until = moment_ms(re.search(r"until (\S+)Z", str(caught.value)).group(1)) / 1_000
    # The message has whole seconds, and the test takes a moment: a minute is far above both.
    assert abs(until - time.time() - 3 * 86_400) < 60


@pytest.mark.parametrize(
    "fault",
    [
        Fault(400, {"code": -1000, "msg": "An unknown error occurred while processing the request."}),
        Fault(400, {"code": -1001, "msg": "Internal error; unable to process your request."}),
        Fault(400, {"code": -1007, "msg": "Timeout waiting for response from backend server."}),
    ],
)
def test_an_operation_that_failed_at_the_venue_is_asked_for_again(tmp_path, venue, source, fault):
    venue.meet("/klines", fault, fault)
    waited = []
    stored = fetched(tmp_path, source, waited.append)
    assert (stored.manifest["rows"], len(waited), venue.faults) == (2_500, 2, [])


def test_a_list_of_markets_that_fails_is_a_failure_for_now(venue, source):
    venue.meet("/exchangeInfo", Fault(503, {"code": -1001, "msg": "x"}))
    with pytest.raises(TransientError):
        source.stored_symbol("BTC/USDT", MINUTE)
    assert source.stored_symbol("BTC/USDT", MINUTE) == "BTCUSDT"


def test_rows_outside_the_range_are_handed_on_as_they_came(venue, source):
    venue.meet("/klines", Fault(document=[[T0 - MINUTE_MS, "1", "2", "0.5", "1", "1", T0 - 1, "1", 3, "1", "1", "0"]]))
    assert timestamps_ms(asked(source)).tolist() == [T0 - MINUTE_MS]
