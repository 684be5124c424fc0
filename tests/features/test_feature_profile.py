"""Timing a feature set: every column is there once, the slowest comes first, and what is timed is what is computed."""

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from random_bars import HOUR, random_bars

from seawall.core.errors import DataError
from seawall.core.protocols import FeatureSet
from seawall.features.arithmetic.table import ColumnTable
from seawall.features.columns import COLUMNS, Column
from seawall.features.pipeline import anchored_block
from seawall.features.profile import LIVE_CALLS, profile, single_columns
from seawall.features.registry import FeatureParams, feature_set

BARS = random_bars(4, 6_000)
PAUSE = 0.06


def slow(arrays):
    time.sleep(PAUSE)
    return arrays["close"] * 2.0


def planted():
    table = ColumnTable({"close": lambda arrays: arrays["close"], "slow": slow, "open": lambda arrays: arrays["open"]}, ())
    columns = ("close", "slow", "open")
    return FeatureSet("planted", columns, 0, (), table.only(columns))


@pytest.fixture
def gain(monkeypatch):
    monkeypatch.setitem(COLUMNS, "gain", Column(lambda bars: bars["close"] / bars["open"]))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"set": ("technical_ohlcv", "ichimoku")},
        {"columns": ("gain", "trades")},
        {"set": "own", "columns": ("gain", "trades")},
        {"set": "technical_ohlcv", "columns": ("gain",), "timeframes": ("4h", "1d")},
    ],
    ids=["table", "joined", "with own columns", "own alone", "with longer bars"],
)
def test_a_set_is_taken_apart_into_its_columns_which_are_the_same_bits_alone(gain, params):
    known = feature_set(FeatureParams(**params))
    whole = anchored_block(BARS, known, HOUR, np.float32)
    warm = known.warmup_on(HOUR)
    parts = list(single_columns(known))
    assert tuple(name for name, _ in parts) == known.columns
    for place, (_, single) in enumerate(parts):
        alone = anchored_block(BARS, single, HOUR, np.float32)
        assert alone[warm:].tobytes() == np.ascontiguousarray(whole[warm:, place : place + 1]).tobytes()


def test_a_set_that_is_one_function_is_timed_as_one():
    known = replace(planted(), compute=partial(lambda bars, columns: bars[columns].to_numpy(), columns=["close", "high", "open"]))
    assert [name for name, _ in single_columns(known)] == ["close, slow, open"]


def test_the_slowest_column_comes_first_and_the_whole_takes_no_less():
    seen = []
    timed = profile(BARS, planted(), HOUR, lambda name, total: seen.append((name, total)))
    assert seen == [("close", 3), ("slow", 3), ("open", 3)]
    assert timed.columns[0].column == "slow"
    seconds = [column.seconds for column in timed.columns]
    assert seconds == sorted(seconds, reverse=True)
    assert {column.column for column in timed.columns} == {"close", "slow", "open"}
    # Each chunk of bars pauses once.
    assert min(seconds[0], timed.whole_seconds) >= PAUSE
    assert 0.0 < seconds[1] < PAUSE
    assert timed.columns[0].microseconds_per_bar * timed.rows == pytest.approx(1e6 * seconds[0], rel=1e-9)


def test_live_rows_are_timed_on_the_tail_that_they_need():
    timed = profile(random_bars(5, 9_000), planted(), HOUR)
    assert (timed.live_rows, timed.live_calls) == (4_096, LIVE_CALLS)
    assert timed.live_milliseconds >= 1e3 * PAUSE
    few = profile(BARS.iloc[:100], planted(), HOUR)
    assert (few.live_rows, few.live_calls, few.rows) == (100, 1, 100)


def test_a_profile_as_plain_values_has_the_columns_the_whole_and_the_rows():
    told = profile(BARS, feature_set(FeatureParams()), HOUR).to_dict()
    assert {"columns", "whole_seconds", "rows", "rows_per_second", "live_milliseconds"} <= set(told)
    assert set(told["columns"][0]) == {"column", "seconds", "microseconds_per_bar"}
    assert told["rows_per_second"] * told["whole_seconds"] == pytest.approx(told["rows"], rel=1e-9)


def test_bad_bars_are_refused_before_anything_is_timed():
    with pytest.raises(DataError, match="has 10 rows"):
        profile(BARS.iloc[:10], feature_set(FeatureParams()), HOUR)
