"""Holes of a venue in memory, and where its history begins: nothing absent is believed before it was asked for again."""

from __future__ import annotations

import pytest

from fakes.sources import REFERENCE, STEP, ListSource, at, fetched, hourly, hours, windows
from seawall.core.bars import bars_digest, timestamps_ms
from seawall.core.errors import DataError, TransientError
from seawall.core.timeframe import moment_ms
from seawall.market.storage.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


def test_holes_of_the_venue_are_kept_counted_and_told(store):
    absent = (3, 4, 20, *range(25, 60))
    stored = fetched(store, ListSource(hourly(80, absent=absent)))
    assert hours(store) == [hour for hour in range(80) if hour not in absent]
    assert (stored.manifest["gaps"], stored.manifest["missing"]) == (3, 38)
    assert stored.manifest["provenance"]["confirmed_holes"] == 3
    assert stored.manifest["provenance"]["holes"][1] == {"from": "2024-01-01T20:00:00Z", "to": "2024-01-01T21:00:00Z"}


@pytest.mark.parametrize("looks_ahead", [True, False])
def test_a_hole_longer_than_several_pages_is_crossed(store, looks_ahead):
    # The first day ends two bars after the hole began.
    absent = tuple(range(22, 200))
    source = ListSource(hourly(230, absent=absent), 10, looks_ahead=looks_ahead)
    source.daily = True
    fetched(store, source)
    assert hours(store) == [*range(22), *range(200, 230)]


def test_a_start_before_a_venue_s_history_is_found_over_its_daily_bars(store):
    source = ListSource(hourly(2_000, first=3_000, absent=tuple(range(3_040, 3_200))), 10, looks_ahead=False)
    source.daily = True
    fetched(store, source, start=5)
    assert hours(store) == [*range(3_000, 3_040), *range(3_200, 5_000)]
    # 3,000 hours are 300 windows of 10.
    assert sum(stop <= 3_000 for _start, stop in source.asked) < 60


@pytest.mark.parametrize("looks_ahead", [True, False])
def test_a_venue_that_leaves_everything_out_once_loses_no_bar_after_a_long_hole(store, looks_ahead):
    source = ListSource(hourly(230, absent=tuple(range(15, 200))), 10, looks_ahead=looks_ahead)
    source.bend = lambda page, number: page.head(0) if number % 4 == 1 else page
    fetched(store, source, start=0)
    assert hours(store) == [*range(15), *range(200, 230)]


@pytest.mark.parametrize("row", [0, 4, 9])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_bar_that_one_answer_leaves_out_is_asked_for_again(store, row, number):
    source = ListSource(hourly(40))
    source.bend = lambda page, asked: page.drop(index=row, errors="ignore") if asked == number else page
    stored = fetched(store, source)
    assert hours(store) == list(range(40))
    assert stored.manifest["provenance"]["confirmed_holes"] == 0


def test_each_hole_costs_three_more_questions_and_no_hole_costs_none(store, tmp_path):
    whole, holed = ListSource(hourly(40)), ListSource(hourly(40, absent=(17,)))
    fetched(Store(tmp_path / "other"), whole, start=0)
    fetched(store, holed, start=0)
    assert (len(whole.asked), len(holed.asked)) == (4, 7)


def test_an_answer_without_a_bar_that_is_known_proves_no_hole(store):
    source = ListSource(hourly(40, absent=(17,)))
    source.bend = lambda page, number: page.iloc[1:] if number > 2 and len(page) < 9 else page
    with pytest.raises(TransientError, match="keeps leaving out the bar") as caught:
        fetched(store, source, start=0)
    assert caught.value.kind == "malformed"
    assert not store.has(REFERENCE)


def test_a_page_that_is_repeated_for_ever_ends_the_fetch_and_keeps_what_came(store):
    source = ListSource(hourly(60))
    first = source.bars.head(10)
    source.bend = lambda page, number: page if number < 4 else first
    with pytest.raises(TransientError, match=r"answers a question for bars of AAA from 2024-01-02T06.*goes on from there"):
        fetched(store, source, start=0, part_pages=1)
    assert not store.has(REFERENCE)
    source.bend = lambda page, number: page
    asked = len(source.asked)
    told = []
    fetched(store, source, start=0, told=told)
    assert source.asked[asked][0] == 30
    assert "an earlier fetch had got to 2024-01-02T06:00:00Z: its 30 bars were taken up" in told[0].note
    assert hours(store) == list(range(60))


@pytest.mark.parametrize("number", range(1, 80, 3))
@pytest.mark.parametrize("shift", ["the page before", "a window ahead", "the newest page", "no rows"])
def test_one_wrong_page_never_cuts_a_history_off_at_a_long_hole(tmp_path, number, shift):
    source = windows()
    whole, older = source.bars, [source.bars.head(0)]

    def bend(page, asked):
        if asked != number:
            older[0] = page
            return page
        if shift == "the page before":
            return older[0]
        if shift == "the newest page":
            return whole.tail(10)
        first = int(timestamps_ms(page)[0]) if len(page) else 0
        times = timestamps_ms(whole)
        return (
            whole[(times >= first + 10 * STEP) & (times < first + 20 * STEP)]
            if shift == "a window ahead" and first
            else page.head(0)
        )

    source.bend = bend
    store = Store(tmp_path)
    fetched(store, source, start=0)
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(whole)


@pytest.mark.parametrize("cap", [3, 4, 7])
@pytest.mark.parametrize("absent", [(), (33,), tuple(range(60, 180))])
@pytest.mark.parametrize("newest", [True, False])
def test_a_venue_whose_pages_are_smaller_than_it_says_loses_nothing(tmp_path, cap, absent, newest):
    source = windows(300, absent)
    source.bend = lambda page, _asked: page.tail(cap) if newest else page.head(cap)
    store = Store(tmp_path)
    fetched(store, source, start=0)
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(source.bars)


def test_a_venue_that_gives_its_newest_page_to_a_start_before_its_time_is_searched(store):
    source = windows(400, ())
    newest = source.bars.tail(10)
    source.daily = True

    def bend(page, number):
        return newest if source.asked[number - 1][0] < -200_000 else page

    source.bend = bend
    fetched(store, source)
    assert hours(store) == list(range(400))


@pytest.mark.parametrize("page_bars", [7, 50, 100, 200])
@pytest.mark.parametrize("daily", [True, False])
@pytest.mark.parametrize("start", [None, 0, 35])
def test_a_venue_that_gives_its_newest_page_to_any_start_before_its_first_bar_loses_none(store, page_bars, daily, start):
    # 17 days are less than three pages of them, so that a page before the newest one begins before the history too.
    source = ListSource(hourly(360, first=40), page_bars, looks_ahead=False)
    source.daily = daily
    page = source.page

    def newest_for_early(symbol, timeframe, start_ms, stop_ms):
        found = page(symbol, timeframe, start_ms, stop_ms)
        early = start_ms < at(40 if timeframe.milliseconds == STEP else 24)
        return page(symbol, timeframe, at(400) - page_bars * timeframe.milliseconds, at(400)) if early else found

    source.page = newest_for_early
    fetched(store, source, start=start)
    assert hours(store) == list(range(40, 400))


def test_a_delisted_symbol_of_such_a_venue_loses_nothing_after_a_long_hole(store):
    source = windows()
    source.now = at(900)
    newest = source.bars.tail(10)
    source.bend = lambda page, number: newest if source.asked[number - 1][0] < -200_000 else page
    fetched(store, source, start=0)
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(source.bars)


def test_a_range_before_a_venue_s_history_is_found_empty_without_a_walk_through_it(store):
    source = ListSource(hourly(100, first=4_000))
    with pytest.raises(DataError, match="listed has no closed 1h bar of AAA before 2024-06-05"):
        fetched(store, source, start=0, stop=3_744)
    # 3,744 hours are 375 windows of 10.
    assert len(source.asked) < 20


def test_of_many_holes_all_are_counted_and_the_longest_are_told_in_the_order_of_time(store):
    # 80 holes of a bar, then 40 of two.
    absent = tuple(hour for hour in range(520) if (hour % 4 == 1 if hour < 320 else hour % 5 in (1, 2)))
    told = fetched(store, ListSource(hourly(521, absent=absent))).manifest["provenance"]
    assert (told["confirmed_holes"], len(told["holes"])) == (120, 100)
    begins = [moment_ms(hole["from"]) for hole in told["holes"]]
    lengths = [(moment_ms(hole["to"]) - begin) // STEP for hole, begin in zip(told["holes"], begins, strict=True)]
    assert (begins, lengths.count(2)) == (sorted(begins), 40)


def test_a_hole_of_many_windows_is_told_from_its_first_bar_on(store):
    stored = fetched(store, windows(), start=0)
    assert stored.manifest["provenance"]["holes"] == [{"from": "2024-01-03T12:00:00Z", "to": "2024-01-08T12:00:00Z"}]
