"""A process killed at any call that changes the disk: the store is as before or as after, and the next run ends the work."""

from __future__ import annotations

import pytest

from fakes.killed import ENDED, run_until_killed
from fakes.sources import HOUR, ListSource, at, hourly, rules
from seawall.core.bars import bars_digest
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.fetching.fetch import Fetch
from seawall.market.storage.store import Store

REFERENCE = "listed/AAA/1h"
BARS = hourly(45, absent=(17, 18))


def fetch(root, stop):
    source = ListSource(BARS)
    Fetch(Store(root), source, lambda _progress: None, rules(source, part_pages=1)).fetch("AAA", HOUR, at(0), at(stop))


def replace(root, count):
    bars, report = apply_quality(BARS.head(count), QualityParams(gaps="bridge"))
    Store(root).import_bars(bars, report, source="listed", symbol="AAA", origin="x.csv", overwrite=True)


@pytest.mark.parametrize(
    ("work", "first", "second"), [pytest.param(fetch, None, 45, marks=pytest.mark.slow), (fetch, 20, 45), (replace, 20, 43)]
)
def test_what_is_stored_is_the_old_or_the_new_and_the_next_run_ends_the_work(tmp_path, work, first, second):
    wanted = bars_digest(BARS)
    points = 0
    while True:
        root = tmp_path / str(points)
        if first is not None:
            work(root, first)
        before = bars_digest(Store(root).load(REFERENCE)[0]) if first is not None else None
        status = run_until_killed(work, (root, second), points)
        store = Store(root)
        found = bars_digest(store.load(REFERENCE)[0]) if store.has(REFERENCE) else None
        assert found in (before, wanted)
        assert [entry["problem"] for entry in store.list()] == [None] * (found is not None)
        work(root, second)
        assert bars_digest(store.load(REFERENCE)[0]) == wanted
        left = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and ".locks" not in path.parts]
        assert sorted(left) == [f"{REFERENCE}/bars.parquet", f"{REFERENCE}/manifest.json"]
        if status == 0:
            break
        assert status == ENDED
        points += 1
    assert points > 8


def test_a_killed_process_is_seen_by_its_status(tmp_path):
    assert run_until_killed(replace, (tmp_path, 43), 0) == ENDED
    assert run_until_killed(replace, (tmp_path, 43), 10_000) == 0
