"""Blocks of features kept on disk: computed once over all processes, told apart by all they depend on, whole or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from random_bars import HOUR, random_bars

from fakes.killed import ENDED, run_until_killed
from seawall.core.errors import ConfigError, DataError
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.cache import key as cache_key
from seawall.features.cache.cache import FeatureCache, cached_features
from seawall.features.cache.key import Undescribed, block_key, described
from seawall.features.pipeline import compute_features
from seawall.features.registry import FeatureParams, feature_set

BARS = random_bars(1, 1_200)
FEATURES = Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def version_of_the_files_as_they_are_now():
    """Another process reads the files when it starts; they may have been changed since this one did."""
    cache_key.code_version.cache_clear()


def slopes(bars, *, length=3, told=None):
    """The change of the close over some bars, and the search interest; each call is told as a line of a file, and may take long."""
    if told is not None:
        with open(told, "a") as lines:
            lines.write("computed\n")
    time.sleep(float(os.environ.get("PAUSE_SECONDS", "0")))
    close = bars["close"].to_numpy()
    changes = np.full(len(close), np.nan)
    changes[length:] = close[length:] / close[:-length] - 1.0
    return np.column_stack([changes, bars["trends"].to_numpy()])


def slope_set(**holds):
    return FeatureSet("slopes", ("slope", "interest"), 3, ("trends",), partial(slopes, **holds))


def key(bars=BARS, known=None, timeframe=HOUR):
    return block_key(bars, slope_set() if known is None else known, timeframe)


def altered(name, row=700):
    bars = BARS.copy()
    bars.loc[row, name] = np.nextafter(bars.loc[row, name], np.inf)
    return bars


def calls(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def in_another_process(folder, told, pause=0.0):
    """Begin to ask for the block of `BARS` in a process of its own, which prints the sum of its bytes."""
    code = (
        "import sys; from pathlib import Path; from test_feature_cache import *\n"
        f"block = FeatureCache(Path({str(folder)!r})).block(BARS, slope_set(told={str(told)!r}), HOUR)\n"
        "print(int(np.ascontiguousarray(block).view(np.uint8).sum(dtype=np.int64)))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{FEATURES}{os.pathsep}{FEATURES.parent}", "PAUSE_SECONDS": str(pause)}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)


def byte_sum(block):
    return int(np.ascontiguousarray(block).view(np.uint8).sum(dtype=np.int64))


@pytest.mark.parametrize(
    "params",
    [FeatureParams(), FeatureParams(set="technical_ohlcv", timeframes=("4h",))],
    ids=["one set", "with longer bars"],
)
def test_a_block_is_a_read_only_map_equal_bit_for_bit_to_the_computed_one(tmp_path, params):
    known, bars = feature_set(params), random_bars(2, 6_000)
    computed = compute_features(bars, known, HOUR, np.float32)
    for _ in range(2):
        block = FeatureCache(tmp_path).block(bars, known, HOUR)
        assert isinstance(block, np.memmap)
        assert block.dtype == np.float32
        assert block.tobytes() == computed.tobytes()
        with pytest.raises(ValueError, match="read-only"):
            block[0, 0] = 1.0


def test_a_second_call_computes_nothing_nor_does_another_process(tmp_path):
    told = tmp_path / "told"
    first = FeatureCache(tmp_path / "cache").block(BARS, slope_set(told=str(told)), HOUR)
    made = calls(told)
    assert made > 0
    FeatureCache(tmp_path / "cache").block(BARS, slope_set(told=str(told)), HOUR)
    other = in_another_process(tmp_path / "cache", told)
    assert int(other.communicate(timeout=60)[0]) == byte_sum(first)
    assert calls(told) == made


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume", "trends"])
def test_one_bit_of_one_value_that_is_read_changes_the_key(name):
    assert key(altered(name)) != key()


def test_a_column_that_is_not_read_does_not_change_the_key():
    assert key(altered("trades")) == key()
    assert key(BARS.drop(columns="trades")) == key()


def test_a_bar_more_or_later_another_length_or_another_parameter_changes_the_key():
    later = BARS.copy()
    later.loc[1_199, "timestamp"] += HOUR.milliseconds * np.timedelta64(1, "ms")
    known = slope_set()
    others = [
        key(BARS.iloc[:-1]),
        key(later),
        key(timeframe=Timeframe(900)),
        key(known=slope_set(length=2)),
        key(known=replace(known, settings={"length": 3})),
        key(known=replace(known, lookahead=1)),
        key(known=replace(known, warmup=4)),
        key(known=replace(known, own=("trends",))),
        key(known=replace(known, columns=("slope", "trend"))),
        key(known=replace(known, compute=lambda bars: slopes(bars, length=3))),
        key(known=replace(known, compute=lambda bars: slopes(bars, length=2))),
    ]
    assert len({key(), *others}) == 12


def test_an_option_of_a_registered_set_and_one_column_less_change_the_key():
    made = [FeatureParams(), FeatureParams(omit=("trends",)), FeatureParams(timeframes=("4h",)), FeatureParams(timeframes=("1d",))]
    assert len({key(known=feature_set(params)) for params in made}) == 4


def test_what_a_function_holds_in_its_closure_or_defaults_tells_it_from_another():
    def times(factor):
        def scaled(bars, shift=0.0):
            return bars["close"].to_numpy()[:, None] * factor + shift

        return scaled

    def shifted(bars, shift=1.0):
        return bars

    def unshifted(bars, shift=0.0):
        return bars

    assert described(times(2.0)) == described(times(2.0))
    assert described(times(2.0)) != described(times(3.0))
    assert described(times(np.arange(3))) != described(times(np.arange(3)[::-1]))
    unshifted.__qualname__ = shifted.__qualname__
    assert described(shifted) != described(unshifted)


def test_another_version_of_the_code_changes_the_key_and_the_block_is_made_anew(tmp_path, monkeypatch):
    told, cache = tmp_path / "told", FeatureCache(tmp_path / "cache")
    cache.block(BARS, slope_set(told=str(told)), HOUR)
    made = calls(told)
    monkeypatch.setattr(cache_key, "code_version", lambda: "another")
    cache.block(BARS, slope_set(told=str(told)), HOUR)
    assert calls(told) == 2 * made
    assert len(cache.entries()) == 2


def test_a_set_that_no_hash_can_tell_from_another_is_computed_each_time_and_a_note_says_so(tmp_path):
    cache, drawn = FeatureCache(tmp_path), np.random.default_rng(0)
    known = replace(slope_set(), compute=partial(lambda bars, source: slopes(bars), source=drawn.bit_generator))
    with pytest.raises(Undescribed):
        key(known=known)
    block = cache.block(BARS, known, HOUR)
    np.testing.assert_array_equal(block, compute_features(BARS, slope_set(), HOUR, np.float32))
    assert cache.entries() == []
    assert "no hash can tell" in cache.notes[0]


def test_several_processes_at_once_build_a_block_once(tmp_path):
    told = tmp_path / "told"
    builders = [in_another_process(tmp_path / "cache", told, pause=0.3) for _ in range(4)]
    sums = {int(builder.communicate(timeout=60)[0]) for builder in builders}
    chunks = tmp_path / "chunks"
    block = compute_features(BARS, slope_set(told=str(chunks)), HOUR, np.float32)
    assert sums == {byte_sum(block)}
    assert calls(told) == calls(chunks)


def test_a_builder_that_is_killed_leaves_a_cache_that_works_and_its_rest_is_removed(tmp_path):
    told, folder = tmp_path / "told", tmp_path / "cache"
    builder = in_another_process(folder, told, pause=30.0)
    deadline = time.monotonic() + 30
    while calls(told) == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    builder.send_signal(signal.SIGKILL)
    builder.communicate(timeout=10)
    known = slope_set(told=str(told))
    name = key(known=known)
    rest = folder / name[:2] / f".{name}-rest"
    rest.mkdir(parents=True)
    (rest / "block.npy").write_bytes(b"half")
    block = FeatureCache(folder).block(BARS, known, HOUR)
    np.testing.assert_array_equal(block, compute_features(BARS, slope_set(), HOUR, np.float32))
    assert sorted(path.name for path in (folder / name[:2]).iterdir()) == [name]


def build(folder):
    FeatureCache(folder).block(BARS, slope_set(), HOUR)


def test_a_builder_that_ends_at_any_change_of_the_disk_leaves_a_cache_that_works(tmp_path):
    expected = compute_features(BARS, slope_set(), HOUR, np.float32)
    name, moments = key(), 0
    while run_until_killed(build, (tmp_path / str(moments),), moments) == ENDED:
        folder = tmp_path / str(moments)
        np.testing.assert_array_equal(FeatureCache(folder).block(BARS, slope_set(), HOUR), expected)
        assert [path.name for path in (folder / name[:2]).iterdir()] == [name]
        moments += 1
    assert moments >= 4


def _shorter(entry):
    path = entry / "block.npy"
    path.write_bytes(path.read_bytes()[:-4])


def _other_shape(entry):
    np.save(entry / "block.npy", np.zeros((3, 2), np.float32))


def _other_bit(entry):
    path = entry / "block.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _facts_changed(entry, **facts):
    meta = json.loads((entry / "meta.json").read_text())
    (entry / "meta.json").write_text(json.dumps({**meta, **facts}))


@pytest.mark.parametrize(
    "damage",
    [
        _shorter,
        _other_shape,
        _other_bit,
        lambda entry: (entry / "block.npy").write_bytes(b""),
        lambda entry: (entry / "block.npy").unlink(),
        lambda entry: (entry / "meta.json").unlink(),
        lambda entry: (entry / "meta.json").write_text("{"),
        lambda entry: (entry / "meta.json").write_text("[]"),
        lambda entry: _facts_changed(entry, columns=7),
        lambda entry: _facts_changed(entry, rows=7),
    ],
)
def test_a_damaged_entry_is_built_again(tmp_path, damage):
    told, cache = tmp_path / "told", FeatureCache(tmp_path / "cache")
    known = slope_set(told=str(told))
    expected = cache.block(BARS, known, HOUR).copy()
    made = calls(told)
    damage(cache.entries()[0].folder)
    np.testing.assert_array_equal(cache.block(BARS, known, HOUR), expected)
    assert calls(told) == 2 * made
    cache.block(BARS, known, HOUR)
    assert calls(told) == 2 * made


def test_what_was_not_used_for_the_longest_time_is_dropped_and_what_is_in_use_never(tmp_path):
    cache = FeatureCache(tmp_path)
    names = []
    for place in range(3):
        known = slope_set(length=place + 1)
        cache.block(BARS, known, HOUR)
        names.append(key(known=known))
        os.utime(tmp_path / names[-1][:2] / names[-1] / "meta.json", (1_000 + place, 1_000 + place))
    size = cache.entries()[0].size
    # The first was used last: of four entries of about one size, room is left for two.
    cache.block(BARS, slope_set(length=1), HOUR)
    FeatureCache(tmp_path, limit_gib=2.5 * size / 2**30).block(BARS, slope_set(told=str(tmp_path / "told")), HOUR)
    left = {entry.key for entry in cache.entries()}
    assert left == {names[0], key(known=slope_set(told=str(tmp_path / "told")))}


def test_a_block_larger_than_the_limit_is_returned_and_a_note_says_that_it_is_not_kept(tmp_path):
    cache = FeatureCache(tmp_path, limit_gib=2**-20)
    block = cache.block(BARS, slope_set(), HOUR)
    np.testing.assert_array_equal(block, compute_features(BARS, slope_set(), HOUR, np.float32))
    assert cache.entries() == []
    assert "SEAWALL_CACHE_GIB allows 9.54e-07" in cache.notes[0]


def test_a_folder_that_cannot_be_written_does_not_fail_the_run(tmp_path):
    (tmp_path / "cache").write_text("a file is in the way")
    cache = FeatureCache(tmp_path / "cache")
    assert cache.block(BARS, slope_set(), HOUR).shape == (1_200, 2)
    assert cache.notes[0].startswith("the features are not kept for later runs")


def test_bad_bars_are_refused_as_without_a_cache(tmp_path):
    bad = BARS.copy()
    bad.loc[5, "close"] = -1.0
    cases = {"close is -1.0": bad, "has 2 rows": BARS.iloc[:2], "no column trends": BARS.drop(columns="trends")}
    FeatureCache(tmp_path).block(BARS, slope_set(), HOUR)
    for message, bars in cases.items():
        with pytest.raises(DataError, match=message):
            FeatureCache(tmp_path).block(bars, slope_set(), HOUR)


@pytest.mark.parametrize("switch", ["on", "off"])
def test_a_set_that_reads_what_it_does_not_require_is_refused_by_name_with_and_without_the_cache(tmp_path, monkeypatch, switch):
    monkeypatch.setenv("SEAWALL_CACHE", switch)
    known = replace(slope_set(), compute=lambda bars: bars[["trades", "trends"]].to_numpy())
    with pytest.raises(ConfigError, match="reads trades, which is not among its requires"):
        cached_features(BARS, known, HOUR, tmp_path)


def test_the_cache_can_be_switched_off_and_the_block_is_the_same(tmp_path, monkeypatch):
    kept, _ = cached_features(BARS, slope_set(), HOUR, tmp_path)
    monkeypatch.setenv("SEAWALL_CACHE", "off")
    plain, notes = cached_features(BARS, slope_set(), HOUR, tmp_path / "none")
    assert plain.tobytes() == kept.tobytes()
    assert notes == ()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("SEAWALL_CACHE", "perhaps"), ("SEAWALL_CACHE_GIB", "-1"), ("SEAWALL_CACHE_GIB", "much")]
)
def test_a_setting_that_is_not_allowed_is_refused_by_name(tmp_path, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name} is '{value}'; allowed"):
        cached_features(BARS, slope_set(), HOUR, tmp_path)


def test_clearing_removes_entries_and_what_killed_builders_left(tmp_path):
    cache = FeatureCache(tmp_path)
    cache.block(BARS, slope_set(), HOUR)
    (tmp_path / "zz" / ".left").mkdir(parents=True)
    assert len(cache.clear()) == 1
    assert cache.entries() == []
    assert [path for path in tmp_path.glob("??/*")] == []
