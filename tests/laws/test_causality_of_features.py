"""No feature knows the future, and a live tail gives the bits of the full history."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "features"))
from random_bars import DATA, HOUR, random_bars

from seawall.core.bars import timestamps_ms
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.causality import truncation_leaks
from seawall.features.clocks import ClockedFeatureSet
from seawall.features.pipeline import ANCHOR_BARS, compute_features, live_row, rows_for_live
from seawall.features.registry import FEATURE_SETS, FeatureParams, feature_set

few = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SETS = {name: feature_set(FeatureParams(set=name)) for name in FEATURE_SETS}
SETS["technical without trends"] = feature_set(FeatureParams(omit=("trends",)))
SETS["ichimoku binary"] = feature_set(FeatureParams(set="ichimoku", options={"binary": True}))
SETS["levels weighted"] = feature_set(
    FeatureParams(
        set="levels", options={"bandwidth": "silverman", "weights": "recency_volume", "window": 64, "grid": 16, "span": 3}
    )
)
SETS["two sets"] = feature_set(FeatureParams(set=("price_action", "technical")))
SETS["longer bars"] = feature_set(FeatureParams(set="technical", timeframes=("2h", "4h")))
SETS["longer bars of two sets"] = feature_set(FeatureParams(set=("ichimoku", "long_short"), timeframes=("4h",)))
SEEDS = st.integers(0, 2**32 - 1)
N = 6_000


def anchor_numbers(bars, timeframe):
    return timestamps_ms(bars) // (ANCHOR_BARS * timeframe.milliseconds)


@pytest.mark.parametrize("known", SETS.values(), ids=SETS)
@few
@given(seed=SEEDS, seconds=st.sampled_from([60, 3_600, 86_400]), cuts=st.tuples(st.integers(1, N), st.integers(1, N)))
def test_no_registered_feature_changes_with_its_future(known, seed, seconds, cuts):
    # Longer bars are named by their length, so their base is an hour.
    timeframe = HOUR if isinstance(known, ClockedFeatureSet) else Timeframe(seconds)
    bars = random_bars(seed, N, timeframe=timeframe)
    anchor = int(np.argmax(anchor_numbers(bars, timeframe) == anchor_numbers(bars, timeframe)[-1]))
    assert truncation_leaks(known, bars, timeframe, [*cuts, max(1, anchor), anchor + 1]) == []


@pytest.mark.parametrize("known", SETS.values(), ids=SETS)
@few
@given(seed=SEEDS)
def test_bars_that_arrive_in_any_portions_through_restarts_give_the_full_history(known, seed):
    rng = np.random.default_rng(seed)
    bars = random_bars(seed, N)
    full = compute_features(bars, known, HOUR)
    anchors = anchor_numbers(bars, HOUR)
    enough = rows_for_live(known, HOUR)
    row = known.warmup_on(HOUR)
    while row < N:
        # A plain set needs its warm-up before the anchor; one that reads longer bars as many rows as it says.
        anchor = (
            int(np.searchsorted(anchors, anchors[row])) - known.warmup if known.warmup_on(HOUR) == known.warmup else row - enough
        )
        first = int(rng.integers(0, max(0, anchor) + 1))
        np.testing.assert_array_equal(live_row(bars.iloc[first : row + 1], known, HOUR), full[row])
        row += int(rng.integers(1, 600))


@pytest.mark.parametrize("known", SETS.values(), ids=SETS)
def test_every_bar_in_turn_equals_the_full_history_from_a_tail_of_the_stated_length(known):
    bars = random_bars(77, 5_200, gaps=3)
    full = compute_features(bars, known, HOUR)
    rows = rows_for_live(known, HOUR)
    for row in range(5_000, 5_200):
        np.testing.assert_array_equal(live_row(bars.iloc[max(0, row + 1 - rows) : row + 1], known, HOUR), full[row])


@pytest.mark.parametrize("name", ["technical_ohlcv", "ichimoku", "long_short", "price_action", "levels", "wide_ohlcv"])
def test_real_bars_give_the_same_bits_live(name):
    path = DATA / "binance_BTCUSDT_1h.parquet"
    if not path.is_file():
        pytest.skip("needs the real hourly BTCUSDT bars")
    bars = pd.read_parquet(path).iloc[:20_000]
    for known in (SETS[name], feature_set(FeatureParams(set=name, timeframes=("4h", "1d")))):
        full = compute_features(bars, known, HOUR)
        rows = rows_for_live(known, HOUR)
        for row in np.random.default_rng(0).integers(13_000, 20_000, 60).tolist():
            np.testing.assert_array_equal(live_row(bars.iloc[row + 1 - rows : row + 1], known, HOUR), full[row])
        assert truncation_leaks(known, bars, HOUR, [12_345, 19_999]) == []


@pytest.mark.parametrize("known", SETS.values(), ids=SETS)
def test_the_rounded_numbers_that_networks_read_are_the_same_live_too(known):
    bars = random_bars(78, 5_200, gaps=3)
    full = compute_features(bars, known, HOUR, np.float32)
    for row in (4_100, 5_000, 5_199):
        live = live_row(bars.iloc[: row + 1], known, HOUR, np.float32)
        assert live.dtype == np.float32
        np.testing.assert_array_equal(live, full[row])


def centred_mean(bars):
    return np.column_stack([bars["close"].pct_change(), bars["close"].rolling(5, center=True).mean() / bars["close"]])


def full_sample_mean(bars):
    return np.column_stack([bars["close"].pct_change(), bars["volume"] / bars["volume"].mean()])


def next_return(bars):
    return np.column_stack([bars["close"].pct_change(), bars["close"].shift(-1) / bars["close"] - 1])


def filled_backwards(bars):
    return np.column_stack([bars["close"].pct_change(), bars["volume"].where(bars["volume"] > 0).bfill()])


def capped_by_the_latest(bars):
    return np.column_stack([bars["close"].pct_change(), np.minimum(bars["close"], bars["close"].iloc[-1])])


def share_of_the_sample(bars):
    return np.column_stack([bars["close"].pct_change(), np.arange(len(bars)) / len(bars)])


def warned_of_a_tripling(bars):
    return np.column_stack([bars["close"].pct_change(), bars["close"].shift(-1) > 3 * bars["close"]])


# The first changed row: two before the cut, any row of the last chunk, one before, and so on; never after the cut.
LEAKS = {
    "a centred window": (centred_mean, 4_998),
    "the mean of the whole sample": (full_sample_mean, None),
    "the next return": (next_return, 4_999),
    "values filled backwards": (filled_backwards, None),
    "a cap known only at the end": (capped_by_the_latest, None),
    "where in the sample the bar stands": (share_of_the_sample, None),
    "a warning of a move that the data does not hold": (warned_of_a_tripling, 4_999),
}


@pytest.mark.parametrize(("compute", "row"), LEAKS.values(), ids=LEAKS)
def test_a_planted_leak_is_caught_and_named(compute, row):
    bars = random_bars(5, N, flat=(5, 20), gaps=0)
    bars.loc[4_990:5_005, "volume"] = 0.0
    leaking = FeatureSet("leaking", ("honest", "leak"), 50, (), compute)
    leaks = truncation_leaks(leaking, bars, HOUR, [5_000])
    assert len(leaks) == 1
    assert leaks[0].startswith("leak at bar ")
    if row is not None:
        assert f"{bars['timestamp'][row].isoformat()} (row {row})" in leaks[0]


def test_a_leak_is_caught_close_to_the_end_of_the_data():
    leaking = FeatureSet("leaking", ("honest", "leak"), 50, (), share_of_the_sample)
    assert len(truncation_leaks(leaking, random_bars(5, N), HOUR, [N - 1])) == 1


def trailing_mean(bars):
    return np.column_stack([bars["close"].pct_change(), bars["close"].rolling(5).mean().shift(1) / bars["close"]])


def test_an_honest_set_raises_no_alarm():
    honest = FeatureSet("honest", ("change", "mean"), 50, (), trailing_mean)
    assert truncation_leaks(honest, random_bars(5, N), HOUR, [60, 1_000, 5_000, N]) == []
