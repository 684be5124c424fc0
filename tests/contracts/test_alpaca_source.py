"""Bars of Alpaca: the real alpaca-py against a fake Alpaca on this machine, with faults."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from fakes.alpaca import FakeAlpaca
from fakes.brokers import Fault, make_rows
from seawall.core.bars import BAR_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError, TransientError
from seawall.core.timeframe import Timeframe
from seawall.market.fetching.fetch import Fetch
from seawall.market.fetching.rules import FetchRules, Patience
from seawall.market.sources.alpaca_source import open_alpaca
from seawall.market.sources.registry import open_source
from seawall.market.storage.store import Store

T0 = 1_704_067_200_000
MINUTE_MS = 60_000
MINUTE = Timeframe.parse("1m")
DAY = Timeframe.parse("1d")
ROWS = make_rows(T0, MINUTE_MS, 250)


@pytest.fixture
def venue():
    with FakeAlpaca() as alpaca:
        alpaca.bars = {("BTC/USD", "1Min"): ROWS, ("ETH/USD", "1Min"): ROWS[:5], ("AAPL", "1Day"): ROWS[:3]}
        yield alpaca


@pytest.fixture
def free(venue):
    """Return what a user without keys has in the environment."""
    return {"SEAWALL_ALPACA_DATA_URL": venue.url, "SEAWALL_ALPACA_URL": venue.url}


@pytest.fixture
def keyed(venue, free):
    return {**free, "ALPACA_API_KEY_ID": venue.key, "ALPACA_API_SECRET_KEY": venue.secret}


def everything(source, symbol="BTC/USD", timeframe=MINUTE):
    return source.page(symbol, timeframe, T0, T0 + 10**9)


def test_a_page_of_crypto_needs_no_keys_and_holds_what_the_venue_has(venue, free):
    page = everything(open_alpaca(free))
    assert list(page.columns) == ["timestamp", *BAR_COLUMNS, "trades"]
    assert timestamps_ms(page).tolist() == [row[0] for row in ROWS]
    assert page[[*BAR_COLUMNS, "trades"]].to_numpy().tolist() == [[float(value) for value in row[1:]] for row in ROWS]
    assert venue.requests == [("GET", "/v1beta3/crypto/us/bars")]
    assert not any(name.startswith("apca") for name in venue.headers_seen[0])


def test_keys_are_sent_where_there_are_some(venue, keyed):
    everything(open_alpaca(keyed))
    assert venue.headers_seen[0]["apca-api-key-id"] == venue.key


def test_the_start_belongs_to_a_page_and_the_stop_does_not(free):
    page = open_alpaca(free).page("BTC/USD", MINUTE, T0 + 5 * MINUTE_MS, T0 + 8 * MINUTE_MS)
    assert timestamps_ms(page).tolist() == [T0 + n * MINUTE_MS for n in (5, 6, 7)]


def test_several_pages_are_one_request_each_and_together_the_whole(venue, free):
    source = open_alpaca(free, page_bars=100)
    found, cursor = [], T0
    while len(page := source.page("BTC/USD", MINUTE, cursor, T0 + 10**9)):
        found += timestamps_ms(page).tolist()
        cursor = found[-1] + MINUTE_MS
    assert found == [row[0] for row in ROWS]
    assert len(venue.requests) == 4
    assert [query["limit"] for query in venue.queries] == ["100"] * 4


def test_a_page_that_alpaca_cuts_short_is_filled_by_its_token(venue, free):
    venue.most_rows = 30
    page = open_alpaca(free, page_bars=100).page("BTC/USD", MINUTE, T0, T0 + 10**9)
    assert timestamps_ms(page).tolist() == [row[0] for row in ROWS[:100]]
    assert [query["limit"] for query in venue.queries] == ["100", "70", "40", "10"]


@pytest.mark.parametrize("token", ["", None])
def test_a_token_that_is_empty_names_no_further_page(venue, free, token):
    bar = {"t": "2024-01-01T00:00:00Z", "o": 1, "h": 2, "l": 1, "c": 2, "v": 1, "n": 1, "vw": 1}
    venue.meet("/bars", Fault(document={"bars": {"BTC/USD": [bar]}, "next_page_token": token}))
    assert len(everything(open_alpaca(free))) == len(venue.requests) == 1


def test_pages_that_are_empty_for_ever_end(venue, free):
    venue.empty_pages = True
    with pytest.raises(TransientError, match="named a next page 100 times") as caught:
        everything(open_alpaca(free))
    assert caught.value.kind == "malformed"
    assert len(venue.requests) == 100


def test_rows_out_of_order_and_the_bar_still_open_are_handed_on_as_they_came(venue, free):
    now = int(time.time() * 1_000) // MINUTE_MS * MINUTE_MS
    venue.bars[("BTC/USD", "1Min")] = make_rows(now - 2 * MINUTE_MS, MINUTE_MS, 3)
    venue.backwards = True
    page = open_alpaca(free).page("BTC/USD", MINUTE, now - 5 * MINUTE_MS, now + MINUTE_MS)
    assert timestamps_ms(page).tolist() == [now, now - MINUTE_MS, now - 2 * MINUTE_MS]


def test_where_there_are_no_bars_the_page_is_empty(venue, free):
    page = open_alpaca(free).page("BTC/USD", MINUTE, T0 - 10 * MINUTE_MS, T0)
    assert (len(page), len(venue.requests)) == (0, 1)
    venue.meet("/bars", Fault(document={"bars": None, "next_page_token": None}))
    assert len(everything(open_alpaca(free))) == 0


def test_stocks_are_unadjusted_and_of_the_free_feed_unless_another_is_named(venue, keyed):
    assert len(everything(open_alpaca(keyed), "AAPL", DAY)) == 3
    everything(open_alpaca({**keyed, "ALPACA_FEED": "SIP"}), "AAPL", DAY)
    assert [(query["feed"], query["adjustment"]) for query in venue.queries] == [("iex", "raw"), ("sip", "raw")]
    assert {path for _, path in venue.requests} == {"/v2/stocks/bars"}
    assert open_alpaca({**keyed, "ALPACA_FEED": "sip"}).provenance("AAPL")["stock_feed"] == "sip"


def test_stocks_without_keys_name_the_keys_and_ask_nothing(venue, free):
    with pytest.raises(ConfigError, match=r"'AAPL' only with keys; set ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY"):
        everything(open_alpaca(free), "AAPL", DAY)
    assert venue.requests == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ALPACA_FEED": "fast"}, "ALPACA_FEED is 'fast'; allowed: iex, sip"),
        ({"ALPACA_API_SECRET_KEY": ""}, "ALPACA_API_SECRET_KEY is not set beside ALPACA_API_KEY_ID"),
        ({"SEAWALL_ALPACA_DATA_URL": "http://example.org"}, "SEAWALL_ALPACA_DATA_URL is an address with http"),
        ({"SEAWALL_ALPACA_DATA_URL": "http://127.0.0.1:x"}, "SEAWALL_ALPACA_DATA_URL is no address that can be read"),
        ({"ALPACA_API_KEY_ID": "a\nb"}, "ALPACA_API_KEY_ID holds a character that no key has"),
        ({"ALPACA_API_SECRET_KEY": "a\u20acb"}, "ALPACA_API_SECRET_KEY holds a character that no key has"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_asked(keyed, change, message):
    with pytest.raises(ConfigError, match=message):
        open_alpaca({**keyed, **change})


@pytest.mark.parametrize(
    ("label", "spelled"),
    [("1m", "1Min"), ("59m", "59Min"), ("60m", "1Hour"), ("23h", "23Hour"), ("24h", "1Day"), ("7d", "1Week")],
)
def test_bar_lengths_are_asked_for_in_alpaca_s_words(venue, free, label, spelled):
    everything(open_alpaca(free), timeframe=Timeframe.parse(label))
    assert venue.queries[0]["timeframe"] == spelled


@pytest.mark.parametrize("label", ["30s", "61m", "25h", "2d", "2w"])
def test_other_bar_lengths_are_refused_before_anything_is_asked(venue, free, label):
    with pytest.raises(ConfigError, match=f"no bars of {label}; allowed: 1m to 59m, 1h to 23h, 1d and 1w"):
        open_alpaca(free).stored_symbol("BTC/USD", Timeframe.parse(label))
    assert venue.requests == []


def test_a_pair_is_stored_without_its_slash_and_a_stock_as_it_is(keyed):
    source = open_alpaca(keyed)
    assert source.stored_symbol("btc/usd", MINUTE) == "BTCUSD"
    assert source.stored_symbol("AAPL", DAY) == "AAPL"


def test_an_unknown_symbol_is_refused_with_near_ones_where_keys_allow_to_ask(keyed, free):
    with pytest.raises(ConfigError, match=r"no bars of 'BTC/USX'; near it: BTC/USD, ETH/USD"):
        open_alpaca(keyed).stored_symbol("BTC/USX", MINUTE)
    with pytest.raises(ConfigError, match=r"no bars of 'BTC/USX'; crypto pairs have a slash"):
        open_alpaca(free).stored_symbol("BTC/USX", MINUTE)
    with pytest.raises(ConfigError, match="symbol 'BTC USD' is not understood; allowed: a crypto pair such as BTC/USD"):
        open_alpaca(free).stored_symbol("BTC USD", MINUTE)


def test_a_failing_list_of_symbols_only_costs_the_hint(venue, keyed):
    venue.meet("/v2/assets", Fault(status=500, document={}))
    with pytest.raises(ConfigError, match="no bars of 'BTC/USX'; crypto pairs have a slash"):
        open_alpaca(keyed).stored_symbol("BTC/USX", MINUTE)


@pytest.mark.parametrize(
    ("fault", "kind", "wait"),
    [
        (Fault(429, {"message": "too many requests."}, {"Retry-After": "7"}), "rate_limit", 7.0),
        (Fault(429, {"message": "too many requests."}), "rate_limit", None),
        (Fault(500, {"message": "oops"}), "server", None),
        (Fault(503, "<html>"), "server", None),
        (Fault(503, {"message": "later"}, {"Retry-After": "30"}), "server", 30.0),
        (Fault(408, {"message": "late"}, {"Retry-After": "3"}), "server", 3.0),
        (Fault(504, {"message": "late"}), "server", None),
        (Fault(delay=1.0), "timeout", None),
    ],
)
def test_a_failure_for_now_says_its_kind_and_is_left_to_the_walk_to_retry(venue, free, fault, kind, wait):
    venue.meet("/bars", fault)
    source = open_alpaca(free, timeout_seconds=0.4)
    with pytest.raises(TransientError) as caught:
        everything(source)
    assert (caught.value.kind, caught.value.retry_after) == (kind, wait)
    assert len(venue.requests) == 1
    assert len(everything(source)) == 250


def test_a_venue_that_is_down_is_a_failure_for_now(venue, free):
    source = open_alpaca(free)
    venue.stop()
    with pytest.raises(TransientError, match="could not be reached") as caught:
        everything(source)
    assert caught.value.kind == "network"


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "<html>",
        [],
        {},
        7,
        {"bars": 3},
        {"bars": {"BTC/USD": 3}},
        {"bars": {"BTC/USD": [3]}},
        {"bars": {"BTC/USD": [{"t": T0}]}},
    ],
    ids=str,
)
def test_an_answer_that_is_no_page_is_never_taken_for_no_bars(venue, free, document):
    venue.meet("/bars", Fault(document=document))
    with pytest.raises(TransientError) as caught:
        everything(open_alpaca(free))
    assert caught.value.kind == "malformed"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_for_good_is_said_in_the_venue_s_words(venue, keyed, status):
    venue.meet("/bars", Fault(status, {"code": 1, "message": "no such plan"}))
    with pytest.raises(ConfigError, match=f"HTTP {status}: no such plan"):
        everything(open_alpaca(keyed))
    assert len(venue.requests) == 1


def test_wrong_keys_name_the_settings_to_check(keyed):
    with pytest.raises(ConfigError, match="check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY"):
        everything(open_alpaca({**keyed, "ALPACA_API_SECRET_KEY": "wrong"}))


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500])
def test_no_key_stands_in_a_message(venue, keyed, status, caplog):
    caplog.set_level("DEBUG")
    both = f"{venue.key} {venue.secret}"
    venue.meet("/bars", Fault(status, {"message": both, "code": 1, "bars": both}))
    with pytest.raises((ConfigError, TransientError)) as caught:
        everything(open_alpaca(keyed))
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert venue.key not in shown
    assert venue.secret not in shown


def test_the_venue_s_clock_is_asked_for_once_and_read_off_every_answer(venue, free):
    source = open_alpaca(free)
    for _ in range(2):
        # HTTP dates have whole seconds, and the answer takes a moment: 5 s is far above both.
        assert abs(source.now_ms() - time.time() * 1_000) < 5_000
    assert len(venue.requests) == 1


def test_days_that_begin_at_midnight_in_new_york_are_fetched_over_both_changes_of_its_clock(tmp_path, venue, free):
    days = pd.date_range("2023-03-01", "2023-11-20", freq="D", tz="America/New_York")
    times = [int(day.timestamp() * 1_000) for day in days]
    rows = [(time, *row[1:]) for time, row in zip(times, make_rows(T0, MINUTE_MS, len(times)), strict=True)]
    venue.bars = {("BTC/USD", "1Day"): rows[:40] + rows[41:]}
    rules = FetchRules(patience=Patience(sleep=lambda _seconds: None))
    Fetch(Store(tmp_path), open_alpaca(free, page_bars=12), lambda _progress: None, rules).fetch("BTC/USD", DAY, times[0])
    bars, manifest = Store(tmp_path).load("alpaca/BTCUSD/1d")
    assert timestamps_ms(bars).tolist() == times[:40] + times[41:]
    # The twelfth day, the last of a page, lasts 23 hours; another one 25, and one is absent.
    assert (manifest["missing"], manifest["provenance"]["confirmed_holes"]) == (1, 1)


def test_the_registry_opens_it(free):
    assert open_source("alpaca", environment=free).stored_symbol("ETH/USD", MINUTE) == "ETHUSD"
