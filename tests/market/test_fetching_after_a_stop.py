"""A fetch that was stopped goes on where it was, and leaves what one that was not would."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from fakes.sources import HOUR, REFERENCE, ListSource, at, fetched, hourly, hours, interrupted, rules
from seawall.core.bars import bars_digest
from seawall.core.errors import TransientError
from seawall.market.fetching.fetch import Fetch
from seawall.market.storage.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


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
