"""A fetch from a venue in memory: which bars are stored, in which order, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fakes.sources import REFERENCE, ListSource, at, fetched, hourly, hours, rules, updated
from seawall.core.bars import bars_digest
from seawall.core.errors import ConfigError, DataError, TransientError
from seawall.core.timeframe import Timeframe, moment_ms
from seawall.market.fetching.fetch import Fetch
from seawall.market.storage.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


@pytest.mark.parametrize("looks_ahead", [True, False])
@pytest.mark.parametrize("page_bars", [1, 7, 45, 1_000])
def test_every_closed_bar_is_stored_once(store, looks_ahead, page_bars):
    source = ListSource(hourly(45, first=5), page_bars, looks_ahead=looks_ahead)
    assert fetched(store, source).status == "imported"
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(hourly(45, first=5))


def test_a_start_belongs_to_the_range_and_an_end_does_not(store):
    fetched(store, ListSource(hourly(60)), start=10, stop=25)
    assert hours(store) == list(range(10, 25))


@pytest.mark.parametrize(("now", "last"), [(30.0, 29), (30.5, 29), (30.999, 29), (31.0, 30)])
def test_the_open_bar_is_never_stored(store, now, last):
    fetched(store, ListSource(hourly(40), now=at(now)))
    assert hours(store)[-1] == last


@pytest.mark.parametrize(("venue", "machine", "last"), [(30.5, 33.5, 29), (33.5, 30.5, 29), (33.5, 33.5, 32)])
def test_of_two_clocks_the_earlier_decides_what_has_closed(store, venue, machine, last):
    stored = fetched(store, ListSource(hourly(40), now=at(venue)), now_ms=lambda: at(machine))
    assert hours(store)[-1] == last
    notes = stored.manifest["provenance"]["notes"]
    assert [("10800 s ahead of" in note, "10800 s behind" in note) for note in notes] == (
        [] if venue == machine else [(machine > venue, machine < venue)]
    )


def test_a_late_clock_of_this_machine_is_told_where_nothing_seems_to_have_closed(store):
    source = ListSource(hourly(40), now=at(30))
    fetched(store, source)
    source.now = at(40)
    told = []
    assert fetched(store, source, told=told, now_ms=lambda: at(30)).status == "unchanged"
    with pytest.raises(ConfigError, match="no 1h bar of AAA"):
        fetched(store, source, start=30, told=told, now_ms=lambda: at(30))
    assert [progress.note.partition(":")[0] for progress in told] == ["this machine's clock is 36000 s behind the venue's"] * 2


def test_a_venue_without_a_clock_has_its_newest_bar_left_out(store):
    source = ListSource(hourly(40))
    source.now = None
    stored = fetched(store, source, now_ms=lambda: at(40.0))
    assert hours(store)[-1] == 38
    assert "newest bar was left out" in stored.manifest["provenance"]["notes"][0]


def test_rows_out_of_order_repeated_and_outside_the_range_do_no_harm(store):
    source = ListSource(hourly(60))
    everything = source.bars

    def bend(page, _number):
        return pd.concat([everything.head(3), page, page, everything.tail(3)]).sample(frac=1.0, random_state=1)

    source.bend = bend
    fetched(store, source, start=5, stop=50)
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(everything.iloc[5:50])


def test_two_values_of_one_bar_are_asked_for_again_and_then_refused_by_name(store):
    source = ListSource(hourly(30))
    other = source.bars.iloc[[14]].assign(volume=0.125)

    def twice(page):
        return pd.concat([page, other]) if other["timestamp"].iloc[0] in set(page["timestamp"]) else page

    source.bend = lambda page, number: twice(page) if number == 2 else page
    fetched(store, source, start=0)
    assert hours(store) == list(range(30))
    source.bend = lambda page, number: twice(page)
    with pytest.raises(DataError, match=r"two different values of one 1h bar of AAA.*2024-01-01T14:00:00Z: volume is"):
        fetched(store, source, start=0, overwrite=True)
    assert hours(store) == list(range(30))


def test_a_bad_bar_of_the_venue_is_refused_by_name_or_set_aside_and_never_in_the_way_of_an_update(store):
    bars = hourly(40)
    bars.loc[35, "high"] = bars.loc[35, "low"] / 2
    source = ListSource(bars, now=at(38))
    with pytest.raises(DataError, match=r"AAA 1h of listed: .*2024-01-02T11:00:00Z.*high_below_body"):
        fetched(store, source)
    assert not store.has(REFERENCE)
    stored = fetched(store, source, bad_bars="drop")
    assert stored.manifest["quality"]["dropped"] == 1
    assert 35 not in hours(store)
    source.now = at(40)
    assert updated(store, source).manifest["rows"] == 39
    assert hours(store) == [hour for hour in range(40) if hour != 35]


def test_nothing_there_is_an_error_and_leaves_nothing(store):
    source = ListSource(hourly(30), now=at(200))
    with pytest.raises(DataError, match=r"no closed 1h bar of AAA before 2024-01-08T12:00:00Z"):
        fetched(store, source, start=100, stop=180)
    with pytest.raises(ConfigError, match=r"no 1h bar of AAA that opens from 2024-01-09"):
        fetched(store, source, start=200)
    assert list(store.root.rglob("*.parquet")) == []


def test_progress_tells_how_far_a_fetch_is(store):
    told = []
    fetched(store, ListSource(hourly(60)), start=0, told=told)
    assert [progress.done_bars for progress in told] == [10, 20, 30, 40, 50, 60]
    assert {progress.expected_bars for progress in told} == {60}
    assert told[0].at == "2024-01-01T10:00:00Z"


def test_every_column_of_a_page_is_kept_in_the_order_of_the_store(store):
    bars = hourly(20).assign(trades=np.arange(20.0), quote_volume=1.0)
    fetched(store, ListSource(bars))
    columns = [str(name) for name in store.load(REFERENCE)[0].columns]
    assert columns == ["timestamp", "open", "high", "low", "close", "volume", "quote_volume", "trades"]


def test_a_page_without_a_price_is_malformed(store):
    source = ListSource(hourly(20))
    source.bend = lambda page, _number: page.drop(columns="high")
    with pytest.raises(TransientError, match="the venue's page has no high"):
        fetched(store, source)


@pytest.mark.parametrize("page_bars", [7, 40, 1_000])
def test_days_of_a_local_clock_are_fetched_over_its_changes(store, page_bars):
    days = pd.date_range("2023-02-20", "2023-11-20", freq="D", tz="America/New_York").tz_convert("UTC").as_unit("ms")
    bars = hourly(len(days)).assign(timestamp=days).drop(index=[30, 31, 100]).reset_index(drop=True)
    source = ListSource(bars, page_bars, now=int(days[-1].timestamp() * 1_000) + 2 * 86_400_000, looks_ahead=False)
    source.local_days = True
    source.by_length[Timeframe.parse("1d")] = bars
    Fetch(store, source, lambda _progress: None, rules(source)).fetch("AAA", Timeframe.parse("1d"))
    found, manifest = store.load("listed/AAA/1d")
    assert bars_digest(found) == bars_digest(bars)
    assert (manifest["gaps"], manifest["missing"], manifest["quality"]["bad"]) == (2, 3, 0)
    assert manifest["provenance"]["confirmed_holes"] == 2
    assert "bars open by the clock of America/New_York" in manifest["quality"]["notes"][0]


def test_a_day_of_25_hours_has_not_closed_after_24(store):
    days = pd.date_range("2023-10-20", "2023-11-06", freq="D", tz="America/New_York").tz_convert("UTC").as_unit("ms")
    bars = hourly(len(days)).assign(timestamp=days)
    source = ListSource(bars, 100, looks_ahead=False)
    source.local_days = True
    source.by_length[Timeframe.parse("1d")] = bars
    # 5 November 2023 lasts until 05:00 UTC on the 6th.
    for now, last in (("2023-11-06T04:30", "2023-11-04"), ("2023-11-06T05:00", "2023-11-05")):
        source.now = moment_ms(now)
        Fetch(store, source, lambda _progress: None, rules(source, overwrite=True)).fetch("AAA", Timeframe.parse("1d"))
        assert str(store.load("listed/AAA/1d")[0]["timestamp"].iloc[-1])[:10] == last
