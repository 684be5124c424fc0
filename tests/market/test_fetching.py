"""A fetch from a venue in memory: what is stored, what is refused, and where it goes on."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from fakes.sources import HOUR, STEP, ListSource, at, hourly, rules
from seawall.core.bars import bars_digest, timestamps_ms
from seawall.core.errors import ConfigError, DataError, TransientError
from seawall.core.timeframe import Timeframe, moment_ms
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.fetching.fetch import Fetch
from seawall.market.fetching.rules import Patience
from seawall.market.storage.store import Store

REFERENCE = "listed/AAA/1h"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


def fetched(store, source, start=None, stop=None, told=None, **changes):
    work = Fetch(store, source, (told if told is not None else []).append, rules(source, **changes))
    return work.fetch("AAA", HOUR, None if start is None else at(start), None if stop is None else at(stop))


def updated(store, source, **changes):
    return Fetch(store, source, lambda _progress: None, rules(source, **changes)).update(REFERENCE)


def hours(store):
    return ((timestamps_ms(store.load(REFERENCE)[0]) - at(0)) // STEP).tolist()


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


def test_rows_out_of_order_repeated_and_outside_the_range_do_no_harm(store):
    source = ListSource(hourly(60))
    everything = source.bars

    def bend(page, _number):
        return pd.concat([everything.head(3), page, page, everything.tail(3)]).sample(frac=1.0, random_state=1)

    source.bend = bend
    fetched(store, source, start=5, stop=50)
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(everything.iloc[5:50])


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


def test_what_is_stored_is_not_asked_for_again(store):
    source = ListSource(hourly(40))
    fetched(store, source)
    asked = len(source.asked)
    assert fetched(store, source).status == "unchanged"
    assert fetched(store, source, start=10, stop=20).status == "unchanged"
    assert len(source.asked) == asked


def test_an_update_appends_what_has_closed_and_reads_the_seam_again(store):
    source = ListSource(hourly(80), now=at(50))
    fetched(store, source)
    asked = len(source.asked)
    source.now = at(73.5)
    assert updated(store, source).status == "replaced"
    assert hours(store) == list(range(73))
    assert source.asked[asked][0] == 40
    assert updated(store, source).status == "unchanged"


def test_a_later_fetch_fills_up_both_ends_and_leaves_no_hole_of_its_own_making(store):
    source = ListSource(hourly(100))
    fetched(store, source, start=40, stop=50)
    fetched(store, source, start=70, stop=80)
    assert hours(store) == list(range(40, 80))
    fetched(store, source, start=10, stop=20)
    assert hours(store) == list(range(10, 80))
    fetched(store, source)
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(hourly(100))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda bars: bars.assign(volume=bars["volume"].where(bars.index != 45, 1.0)),
            r"02T21:00:00Z of .* has volume .* 1\.0 at the",
        ),
        (lambda bars: bars.drop(index=46), "02T22:00:00Z of .* is stored, but the venue has it no more"),
        (lambda bars: bars.assign(trades=1.0), "the venue gives .*trades for"),
    ],
)
def test_a_venue_that_has_changed_its_mind_changes_nothing(store, change, message):
    source = ListSource(hourly(80), now=at(50))
    fetched(store, source)
    before = (store.folder("listed", "AAA", "1h") / "manifest.json").read_bytes()
    source.bars, source.now = change(source.bars), at(80)
    with pytest.raises(DataError, match=f"{message}.*nothing was changed.*--overwrite"):
        updated(store, source)
    assert (store.folder("listed", "AAA", "1h") / "manifest.json").read_bytes() == before
    assert fetched(store, source, overwrite=True).status == "replaced"
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(source.bars.reset_index(drop=True))


def test_bars_from_files_are_not_continued(store):
    bars, report = apply_quality(hourly(20), QualityParams())
    store.import_bars(bars, report, source="listed", symbol="AAA", origin="x.csv")
    with pytest.raises(ConfigError, match="imported from files, not fetched"):
        fetched(store, ListSource(hourly(40)))
    with pytest.raises(ConfigError, match="imported from files, not fetched"):
        updated(store, ListSource(hourly(40)))
    assert fetched(store, ListSource(hourly(40)), overwrite=True).manifest["rows"] == 40


def test_an_update_from_another_source_is_refused(store):
    fetched(store, ListSource(hourly(40)))
    other = ListSource(hourly(50))
    other.name = "elsewhere"
    with pytest.raises(ConfigError, match=r"listed/AAA/1h is of source listed, not of elsewhere"):
        updated(store, other)


def interrupted(store, source, pages, **changes):
    """Fetch until Ctrl-C comes with a page."""

    def bend(page, number):
        if number > pages:
            raise KeyboardInterrupt
        return page

    source.bend = bend
    with pytest.raises(KeyboardInterrupt):
        fetched(store, source, start=0, **changes)
    source.bend = lambda page, number: page
    source.asked.clear()


def without_times(manifest):
    kept = {name: value for name, value in manifest.items() if name not in ("imported_at", "updated_at")}
    kept["provenance"] = {name: value for name, value in kept["provenance"].items() if name != "fetched_at"}
    return kept


@pytest.mark.parametrize("part_pages", [1, 3, 20])
def test_a_fetch_goes_on_where_ctrl_c_stopped_it_and_leaves_what_one_without_would(store, tmp_path, part_pages):
    source = ListSource(hourly(60, absent=(31,)))
    interrupted(store, source, 3, part_pages=part_pages)
    stopped = fetched(store, source, start=0)
    assert source.asked[0][0] == 30
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(source.bars)
    assert not list(store.root.rglob(".partial/**/*.parquet"))
    whole = fetched(Store(tmp_path / "whole"), source, start=0)
    assert without_times(stopped.manifest) == without_times(whole.manifest)
    files = [(done.folder / "bars.parquet").read_bytes() for done in (stopped, whole)]
    assert files[0] == files[1]


@pytest.mark.parametrize("damage", ["state", "part", "part gone", "other place", "earlier start"])
def test_what_cannot_be_gone_on_from_is_fetched_anew(store, damage):
    source = ListSource(hourly(60))
    interrupted(store, source, 3, part_pages=1)
    folder = store.partial("listed", "AAA", "1h") / "whole"
    if damage == "state":
        (folder / "state.json").write_text("{")
    if damage == "part":
        bars = pd.read_parquet(folder / "000001.parquet")
        bars.assign(close=bars["close"] + 0.01).to_parquet(folder / "000001.parquet", index=False)
    if damage == "part gone":
        (folder / "000000.parquet").unlink()
    if damage == "other place":
        source.place = "there"
    start = -5 if damage == "earlier start" else 0
    told = []
    fetched(store, source, start=start, told=told)
    assert "starting anew" in told[0].note
    assert source.asked[0][0] == start
    assert hours(store) == list(range(60))


def test_a_file_that_the_state_does_not_name_is_no_part_of_the_fetch(store):
    source = ListSource(hourly(60))
    interrupted(store, source, 3, part_pages=1)
    folder = store.partial("listed", "AAA", "1h") / "whole"
    state = json.loads((folder / "state.json").read_text())
    assert [part["rows"] for part in state["parts"]] == [10, 10, 10]
    hourly(10, first=30, seed=9).to_parquet(folder / "000003.parquet", index=False)
    fetched(store, source, start=0)
    assert bars_digest(store.load(REFERENCE)[0]) == bars_digest(source.bars)


def test_a_second_fetch_of_a_series_is_refused_while_the_first_runs(store):
    source = ListSource(hourly(60))
    messages = []

    def bend(page, number):
        if number == 2:
            import threading

            def second():
                with pytest.raises(TransientError) as caught:
                    fetched(Store(store.root), ListSource(hourly(60)), start=0)
                messages.append(str(caught.value))

            thread = threading.Thread(target=second)
            thread.start()
            thread.join()
        return page

    source.bend = bend
    fetched(store, source, start=0)
    assert "is being written by another process" in messages[0]
    assert hours(store) == list(range(60))


def test_progress_tells_how_far_a_fetch_is(store):
    told = []
    fetched(store, ListSource(hourly(60)), start=0, told=told)
    assert [progress.done_bars for progress in told] == [10, 20, 30, 40, 50, 60]
    assert {progress.expected_bars for progress in told} == {60}
    assert told[0].at == "2024-01-01T10:00:00Z"


class Waits:
    """A venue that fails in a given way a number of times, and what was waited."""

    def __init__(self, store, error, times, **patience):
        self.waited = []
        source = ListSource(hourly(30), page_bars=100)
        source.bend = self._bend
        self._left, self._error = times, error
        self._run = lambda: fetched(store, source, start=0, patience=Patience(sleep=self.waited.append, **patience))

    def _bend(self, page, _number):
        if self._left:
            self._left -= 1
            raise self._error
        return page

    def __call__(self):
        self._run()
        return self.waited


@pytest.mark.parametrize(
    ("kind", "first"),
    [("network", 1.0), ("timeout", 1.0), ("server", 1.0), ("malformed", 1.0), ("rate_limit", 5.0), ("banned", 60.0)],
)
def test_waits_double_from_a_first_one_that_depends_on_the_kind_of_failure(store, kind, first):
    waited = Waits(store, TransientError("x", kind=kind), 4, longest_wait=10_000.0)()
    # Half of each wait is random, so that many clients do not ask at once.
    for wait, usual in zip(waited, (first, 2 * first, 4 * first, 8 * first), strict=True):
        assert 0.5 * usual <= wait <= 1.5 * usual


def test_waits_are_never_longer_than_allowed(store):
    waited = Waits(store, TransientError("x"), 7, longest_wait=3.0)()
    assert max(waited) <= 4.5


def test_a_venue_is_left_alone_for_as_long_as_it_asks(store):
    waited = Waits(store, TransientError("x", kind="banned", retry_after=120.0), 2)()
    assert [120.0 <= wait <= 121.0 for wait in waited] == [True, True]


def test_a_ban_longer_than_allowed_ends_the_fetch_at_once(store):
    waits = Waits(store, TransientError("it is banned", kind="banned", retry_after=5_000.0), 1)
    with pytest.raises(TransientError, match=r"asks to be left alone for 5000 s, until 20\d\d-.*run the same command again"):
        waits()
    assert waits.waited == []


def test_a_venue_that_keeps_failing_is_given_up_after_eight_tries(store):
    waits = Waits(store, TransientError("it is down", kind="server"), 100)
    with pytest.raises(TransientError, match="it is down; 8 tries in a row failed"):
        waits()
    assert len(waits.waited) == 7


def test_a_refusal_for_good_is_not_asked_again(store):
    waits = Waits(store, ConfigError("no such plan"), 1)
    with pytest.raises(ConfigError, match="no such plan"):
        waits()
    assert waits.waited == []


def test_the_pause_between_two_questions_is_kept(store):
    waited = []
    source = ListSource(hourly(30))
    source.pause_seconds = 0.25
    fetched(store, source, start=0, patience=Patience(sleep=waited.append))
    # Symbol, clock and three pages, each asked at once after the other.
    assert len(waited) == 4
    assert all(0.0 < wait <= 0.25 for wait in waited)


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


def test_pages_of_a_longer_range_outlive_an_update_that_adds_nothing(store):
    source = ListSource(hourly(100))
    fetched(store, source, start=60)

    def stop(page, number):
        if number > 3:
            raise KeyboardInterrupt
        return page

    source.bend = stop
    source.asked.clear()
    with pytest.raises(KeyboardInterrupt):
        fetched(store, source, start=0)
    source.bend = lambda page, number: page
    assert updated(store, source).status == "unchanged"
    source.asked.clear()
    fetched(store, source, start=0)
    assert source.asked[0][0] == 30
    assert hours(store) == list(range(100))


def windows(count=400, absent=tuple(range(60, 180)), page_bars=10):
    """A venue that answers by windows, with a hole of many pages."""
    return ListSource(hourly(count, absent=absent), page_bars, looks_ahead=False)


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


def test_an_open_bar_is_not_kept_over_an_interruption_where_the_venue_has_no_clock(store):
    source = ListSource(hourly(60), 10)
    source.now = None
    true = source.bars.iloc[29]
    # This machine's clock is ahead: it takes the hour 29, which is open still, for closed.
    source.bars.loc[29, "volume"] = 0.125

    def stop(page, number):
        if number > 3:
            raise KeyboardInterrupt
        return page.iloc[:10]

    source.bend = stop
    with pytest.raises(KeyboardInterrupt):
        fetched(store, source, start=0, now_ms=lambda: at(40))
    source.bend = lambda page, _number: page
    source.bars.loc[29, "volume"] = true["volume"]
    fetched(store, source, start=0, now_ms=lambda: at(60))
    assert store.load(REFERENCE)[0].loc[29, "volume"] == true["volume"]


def test_an_update_forgets_no_hole(store):
    source = ListSource(hourly(80, absent=(3, 4, 20)), now=at(50))
    fetched(store, source)
    source.now = at(80)
    holes = updated(store, source).manifest["provenance"]["holes"]
    assert [hole["from"] for hole in holes] == ["2024-01-01T03:00:00Z", "2024-01-01T20:00:00Z"]


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


def test_a_venue_that_no_longer_reaches_back_is_said_and_added_across_the_gap_only_where_asked_for(store):
    source = ListSource(hourly(400), now=at(50))
    fetched(store, source)
    source.bars, source.now = source.bars.iloc[120:].reset_index(drop=True), at(200)
    with pytest.raises(
        DataError, match=r"no longer reaches back .* begin at 2024-01-06T00:00:00Z, those stored end at 2024-01-03T01.*--across-gap"
    ):
        updated(store, source)
    stored = updated(store, source, across_gap=True)
    assert hours(store) == [*range(50), *range(120, 200)]
    assert (stored.manifest["gaps"], stored.manifest["missing"]) == (1, 70)


def test_a_venue_that_reaches_back_into_the_seam_alone_is_compared_there(store):
    source = ListSource(hourly(400), now=at(50))
    fetched(store, source)
    source.bars, source.now = source.bars.iloc[46:].reset_index(drop=True), at(60)
    updated(store, source)
    assert hours(store) == list(range(60))


def test_the_first_page_is_kept_at_once(store):
    source = ListSource(hourly(100))
    interrupted(store, source, 1)
    fetched(store, source, start=0)
    assert source.asked[0][0] == 10


def test_another_version_of_the_client_or_spelling_of_the_symbol_is_the_same_fetch(store):
    source = ListSource(hourly(100))
    told = source.provenance
    source.provenance = lambda symbol: {**told(symbol), "client": "list 1.0"}
    interrupted(store, source, 3, part_pages=1)
    source.provenance = lambda symbol: {**told(symbol), "client": "list 1.1"}
    Fetch(store, source, lambda _progress: None, rules(source)).fetch("A/AA", HOUR, at(0))
    assert source.asked[0][0] == 30


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
