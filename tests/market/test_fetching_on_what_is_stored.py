"""A fetch of what is stored in part already: what is asked for, compared, added, or refused."""

from __future__ import annotations

import pytest

from fakes.sources import REFERENCE, ListSource, at, fetched, hourly, hours, updated
from seawall.core.bars import bars_digest
from seawall.core.errors import ConfigError, DataError
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.storage.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


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


def test_an_update_forgets_no_hole(store):
    source = ListSource(hourly(80, absent=(3, 4, 20)), now=at(50))
    fetched(store, source)
    source.now = at(80)
    holes = updated(store, source).manifest["provenance"]["holes"]
    assert [hole["from"] for hole in holes] == ["2024-01-01T03:00:00Z", "2024-01-01T20:00:00Z"]


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


def test_a_venue_that_takes_its_change_back_is_believed_by_the_next_update(store):
    source = ListSource(hourly(120), now=at(50))
    fetched(store, source)
    sound = source.bars
    source.bars, source.now = sound.assign(volume=sound["volume"].where(sound.index != 45, 1.0)), at(100)
    with pytest.raises(DataError, match="the venue changed its history"):
        updated(store, source, part_pages=1)
    source.bars = sound
    updated(store, source)
    assert hours(store) == list(range(100))
