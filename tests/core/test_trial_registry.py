import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from seawall.core import trials
from seawall.core.errors import DataError, TransientError
from seawall.core.trials import Trial, count, judged_before, open_registry, record, record_sharpe, registry_path, tried

BTC = Trial("bars", "a", "tradernet", "BTCUSDT", "1h", 1_000, 2_000)


def other(**changes):
    return Trial(**{**vars(BTC), **changes})


def test_distinct_configurations_on_the_same_bars_are_counted(tmp_path):
    noted = [record(tmp_path, each) for each in (BTC, BTC, other(config_hash="b"), other(data_hash="others", config_hash="c"))]
    assert noted == [True, False, True, True]
    assert (count(tmp_path, "bars"), count(tmp_path, "others"), count(tmp_path, "unknown")) == (2, 1, 0)
    # One line each: the same trial again adds none.
    assert len((tmp_path / "trials.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_another_test_span_of_the_same_configuration_is_no_new_one(tmp_path):
    assert record(tmp_path, BTC)
    assert record(tmp_path, other(test_first_ms=3_000, test_last_ms=4_000))
    assert count(tmp_path, "bars") == 1


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({"data_hash": "newer", "test_first_ms": 2_000, "test_last_ms": 3_000}, 2),
        ({"data_hash": "newer", "test_first_ms": 2_001, "test_last_ms": 3_000}, 1),
        ({"data_hash": "older", "test_first_ms": 1, "test_last_ms": 1_000}, 2),
        ({"data_hash": "older", "test_first_ms": 1, "test_last_ms": 999}, 1),
        ({"data_hash": "newer", "symbol": "ETHUSDT"}, 1),
        ({"data_hash": "newer", "timeframe": "4h"}, 2),
        ({"data_hash": "newer", "config_hash": "a"}, 1),
    ],
    ids=[
        "last bar shared",
        "later bars",
        "first bar shared",
        "earlier bars",
        "another series",
        "longer bars",
        "the same configuration",
    ],
)
def test_test_bars_of_one_series_that_overlap_count_together(tmp_path, changes, counted):
    record(tmp_path, BTC)
    record(tmp_path, other(**{"config_hash": "a" if "timeframe" in changes else "b", **changes}))
    assert len(tried(tmp_path, BTC)) == counted


def test_made_bars_share_nothing_with_others_of_their_name(tmp_path):
    record(tmp_path, other(symbol=""))
    record(tmp_path, other(symbol="", data_hash="other seed", config_hash="b"))
    assert set(tried(tmp_path, other(symbol=""))) == {("a", "1h")}


def test_the_last_sharpe_ratio_of_each_trial_is_kept(tmp_path):
    for each, figures in ((BTC, [0.3, 0.1]), (other(config_hash="b"), [0.2, None]), (other(config_hash="c"), [])):
        record(tmp_path, each)
        for figure in figures:
            record_sharpe(tmp_path, each, figure)
    assert tried(tmp_path, BTC) == {("a", "1h"): 0.1, ("b", "1h"): None, ("c", "1h"): None}


def test_a_configuration_keeps_its_sharpe_ratio_where_newer_bars_have_not_judged_it(tmp_path):
    record(tmp_path, BTC)
    record_sharpe(tmp_path, BTC, 0.3)
    record(tmp_path, other(data_hash="newer"))
    assert tried(tmp_path, BTC) == {("a", "1h"): 0.3}


def test_a_folder_inside_counts_where_a_registry_is_already(tmp_path):
    runs, inside = tmp_path / "runs", tmp_path / "runs" / "suite" / "now" / "runs"
    open_registry(runs)
    record(inside, BTC)
    assert registry_path(inside) == runs / "trials.jsonl"
    assert count(runs, "bars") == 1
    assert not inside.exists()
    # Without one above, a folder of runs has its own.
    assert registry_path(tmp_path / "elsewhere") == tmp_path / "elsewhere" / "trials.jsonl"


def test_half_a_line_of_a_dying_process_is_cut_off(tmp_path):
    record(tmp_path, BTC)
    path = tmp_path / "trials.jsonl"
    with path.open("ab") as file:
        file.write(b'{"kind": "trial", "data_ha')
    assert count(tmp_path, "bars") == 1
    assert record(tmp_path, other(config_hash="b"))
    assert [json.loads(line)["config_hash"] for line in path.read_text(encoding="utf-8").splitlines()] == ["a", "b"]


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"kind": "trial"}', '{"kind": "judged", "data_hash": "a"}'])
def test_a_damaged_line_is_named(tmp_path, line):
    record(tmp_path, BTC)
    path = tmp_path / "trials.jsonl"
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"^line 2 of .*trials.jsonl is damaged; repair or remove that line"):
        count(tmp_path, "bars")
    with pytest.raises(DataError, match="line 2"):
        record(tmp_path, BTC)


def test_writers_at_the_same_time_lose_no_line(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: record(tmp_path, other(config_hash=str(number % 40))), range(80)))
    assert count(tmp_path, "bars") == 40
    assert len((tmp_path / "trials.jsonl").read_text(encoding="utf-8").splitlines()) == 40


def test_a_registry_that_another_process_holds_is_a_reason_to_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "_WAIT_SECONDS", 0.05)
    with FileLock(tmp_path / "trials.lock"), pytest.raises(TransientError, match="is held by another process"):
        record(tmp_path, BTC)


def test_a_registry_that_cannot_be_written_or_read_is_told(tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(DataError, match="cannot write"):
        record(tmp_path / "file", BTC)
    with pytest.raises(DataError, match="cannot be read"):
        count(tmp_path / "file", "bars")


def test_a_configuration_set_up_after_another_was_judged_on_its_test_bars_has_seen_them(tmp_path):
    first, second = Trial("bars", "a", "one"), Trial("bars", "b", "two")
    record(tmp_path, first)
    record(tmp_path, second)
    record_sharpe(tmp_path, first, 0.1)
    assert judged_before(tmp_path, first) is None
    assert judged_before(tmp_path, second) is None
    third = Trial("bars", "c", "three")
    record(tmp_path, third)
    earlier = judged_before(tmp_path, third)
    assert earlier is not None
    assert earlier[0] == first
    record(tmp_path, Trial("other bars", "c", "three"))
    assert judged_before(tmp_path, Trial("other bars", "c", "three")) is None
