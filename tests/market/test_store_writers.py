"""Several processes at one store: writers take turns or are refused, readers see whole series."""

from __future__ import annotations

import threading
from multiprocessing import get_context

import pytest

from fakes.sources import hourly
from seawall.core.bars import bars_digest
from seawall.core.errors import TransientError
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.storage.store import Store

STATES = [hourly(count) for count in (30, 40, 50)]
DIGESTS = {bars_digest(bars) for bars in STATES}


def write(root, times, offset, symbol="AAA"):
    for turn in range(times):
        bars, report = apply_quality(STATES[(turn + offset) % len(STATES)], QualityParams())
        Store(root).import_bars(bars, report, source="made", symbol=symbol, origin="x.csv", overwrite=True)


def read(root, times, symbol="AAA"):
    store = Store(root)
    for _ in range(times):
        bars, manifest = store.load(f"made/{symbol}/1h")
        assert bars_digest(bars) == manifest["content_hash"]
        assert manifest["content_hash"] in DIGESTS
        assert manifest["rows"] == len(bars)
        assert [entry["problem"] for entry in store.list()] == [None]


def test_readers_and_writers_in_six_processes_never_meet_half_a_series(tmp_path):
    write(tmp_path, 1, 0)
    context = get_context("forkserver")
    processes = [context.Process(target=write, args=(tmp_path, 20, offset)) for offset in range(3)]
    processes += [context.Process(target=read, args=(tmp_path, 60)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 6
    left = sorted(path.name for path in (tmp_path / "made" / "AAA").iterdir())
    assert left == ["1h"]


def test_writers_of_different_series_do_not_wait_for_each_other(tmp_path):
    store = Store(tmp_path)
    with store.lock("made", "AAA", "1h"):
        thread = threading.Thread(target=write, args=(tmp_path, 1, 0, "BBB"))
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    assert store.has("made/BBB/1h")


def test_a_second_writer_is_refused_by_name_and_let_in_when_the_first_has_ended(tmp_path):
    store = Store(tmp_path)
    refused: list[str] = []

    def second():
        try:
            with store.lock("made", "AAA", "1h"):
                refused.append("let in")
        except TransientError as error:
            refused.append(str(error))

    for held in (True, False):
        thread = threading.Thread(target=second)
        if held:
            with store.lock("made", "AAA", "1h"):
                thread.start()
                thread.join()
        else:
            thread.start()
            thread.join()
    assert "made/AAA/1h is being written by another process; wait for it to end" in refused[0].replace("\\", "/")
    assert refused[1] == "let in"


def test_the_writer_may_write_what_it_holds(tmp_path):
    with Store(tmp_path).lock("made", "AAA", "1h"):
        write(tmp_path, 1, 0)
    assert Store(tmp_path).has("made/AAA/1h")


def test_a_lock_is_let_go_where_the_work_fails(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(ZeroDivisionError), store.lock("made", "AAA", "1h"):
        raise ZeroDivisionError
    with store.lock("made", "AAA", "1h"):
        pass
