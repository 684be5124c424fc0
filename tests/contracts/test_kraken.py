"""Bars of an exchange that keeps its newest 720 alone: the real ccxt by its general way, against a fake Kraken on this machine."""

from __future__ import annotations

import pytest

from fakes.brokers import Fault, make_rows
from fakes.kraken import FakeKraken
from seawall.core.bars import BAR_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError, DataError, TransientError
from seawall.core.timeframe import Timeframe
from seawall.market.fetching.fetch import Fetch
from seawall.market.fetching.rules import FetchRules, Patience
from seawall.market.sources.ccxt_source import CcxtSource
from seawall.market.storage.store import Store

T0 = 1_704_067_200_000
HOUR_MS = 3_600_000
HOUR = Timeframe.parse("1h")
ROWS = make_rows(T0, HOUR_MS, 3_000)


@pytest.fixture
def venue():
    with FakeKraken() as kraken:
        kraken.bars = {60: ROWS, 1_440: make_rows(T0, 24 * HOUR_MS, 125)}
        kraken.clock = lambda: at(1_000.5)
        yield kraken


@pytest.fixture
def source(venue):
    return CcxtSource("kraken", {"SEAWALL_KRAKEN_URL": venue.url}, timeout_seconds=2.0)


def at(hour):
    return int(T0 + hour * HOUR_MS)


def hours(store):
    return ((timestamps_ms(store.load("kraken/BTCUSD/1h")[0]) - T0) // HOUR_MS).tolist()


def work(store, source, **changes):
    return Fetch(store, source, lambda _progress: None, FetchRules(patience=Patience(sleep=lambda _seconds: None), **changes))


def test_a_page_holds_prices_and_volume_to_the_last_digit(source):
    page = source.page("BTC/USD", HOUR, at(400), at(410))
    within = page[(timestamps_ms(page) >= at(400)) & (timestamps_ms(page) < at(410))]
    assert within[list(BAR_COLUMNS)].to_numpy().tolist() == [list(row[1:6]) for row in ROWS[400:410]]


@pytest.mark.parametrize("start", [None, 0, 500])
def test_the_newest_closed_bars_are_fetched_and_what_is_no_longer_there_is_told(tmp_path, source, start):
    store = Store(tmp_path)
    stored = work(store, source).fetch("BTC/USD", HOUR, None if start is None else at(start))
    # Of the 720 bars one is open.
    assert hours(store) == list(range(281 if start != 500 else 500, 1_000))
    told = [note for note in stored.manifest["provenance"]["notes"] if "before" in note]
    assert told == (
        ["bars from 2024-01-01T00:00:00Z on were asked for, but kraken has none of BTC/USD before 2024-01-12T17:00:00Z"]
        if start == 0
        else []
    )


def test_an_update_in_time_joins_and_one_too_late_says_so_and_leaves_a_gap_only_where_asked_to(venue, tmp_path, source):
    store = Store(tmp_path)
    work(store, source).fetch("BTC/USD", HOUR)
    venue.clock = lambda: at(1_700.5)
    work(store, source).update("kraken/BTCUSD/1h")
    assert hours(store) == list(range(281, 1_700))
    venue.clock = lambda: at(2_900.5)
    with pytest.raises(DataError, match=r"no longer reaches back .*--across-gap"):
        work(store, source).update("kraken/BTCUSD/1h")
    assert work(store, source, across_gap=True).update("kraken/BTCUSD/1h").manifest["missing"] == 481
    assert hours(store) == [*range(281, 1_700), *range(2_181, 2_900)]


@pytest.mark.parametrize(
    ("said", "kind"), [("EAPI:Rate limit exceeded", "rate_limit"), ("EService:Busy", "server"), ("EService:Unavailable", "server")]
)
def test_an_error_in_a_reply_that_says_200_is_a_failure_for_now(venue, source, said, kind):
    source.stored_symbol("BTC/USD", HOUR)
    venue.meet("/OHLC", Fault(200, {"error": [said]}))
    with pytest.raises(TransientError) as caught:
        source.page("BTC/USD", HOUR, at(400), at(410))
    assert caught.value.kind == kind


def test_an_unknown_symbol_or_length_is_refused_with_what_is_allowed(source):
    with pytest.raises(ConfigError, match="did you mean BTC/USD"):
        source.stored_symbol("BTC/USDX", HOUR)
    with pytest.raises(ConfigError, match="kraken has no 2h bars; allowed: 1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w, 2w"):
        source.stored_symbol("BTC/USD", Timeframe.parse("2h"))
