import math

import numpy as np
import pandas as pd
import pytest
from random_bars import DATA, random_bars, spelt_bars

from seawall.core.errors import ConfigError
from seawall.core.timeframe import Timeframe
from seawall.features.pipeline import compute_features
from seawall.features.registry import FeatureParams, feature_set
from seawall.features.sets.levels import pivots


def columns(bars, **options):
    made = feature_set(FeatureParams(set="levels", options=options))
    return dict(zip(made.columns, made(bars).T, strict=True))


def heat_of(found, row):
    names = [name for name in found if name.startswith("heat_")]
    return np.array([found[name][row] for name in names])


def test_a_pivot_exceeds_two_bars_on_either_side():
    #       0  1  2  3  4  5  6  7  8
    high = [5, 6, 9, 7, 6, 6, 8, 9, 4]
    low_ = [3, 2, 4, 5, 1, 3, 3, 2, 2]
    highs, lows = pivots(np.array(high, float), np.array(low_, float), 2)
    # High 9 at bar 2 exceeds 5, 6 and 7, 6. High 9 at bar 7 lacks a second bar after it.
    assert np.flatnonzero(highs).tolist() == [2]
    # Low 1 at bar 4 is below 4, 5 and 3, 3.
    assert np.flatnonzero(lows).tolist() == [4]


def test_a_plateau_is_one_pivot_at_its_first_bar_and_a_flat_market_has_none():
    highs, _ = pivots(np.array([1.0, 2.0, 5.0, 5.0, 2.0, 1.0, 1.0]), np.zeros(7), 2)
    assert np.flatnonzero(highs).tolist() == [2]
    assert not pivots(np.ones(50), np.ones(50), 2)[0].any()


def one_peak(rows=12, at=4):
    """Bars at 100 with one high of 102 and no other pivot: lows fall all along, so none is a pivot."""
    high = np.full(rows, 100.5)
    high[at] = 102.0
    low = 99.5 - 0.01 * np.arange(rows)
    return spelt_bars(np.full(rows, 100.0), high=high, low=low)


def test_a_pivot_is_used_from_the_bar_on_that_confirms_it():
    found = columns(one_peak(), window=8)
    # The peak at bar 4 is confirmed when bar 6 has closed; the window of bar 7 is the first whole one. At bar 9 it begins at
    # bar 2, two bars before the peak; at bar 10 at bar 3, and the peak's own neighbours are not all in it.
    strengths = found["resistance_strength"][7:].tolist()
    assert strengths == [1.0, 1.0, 1.0, 0.0, 0.0]
    early = columns(one_peak(at=6), window=8)["resistance_strength"]
    assert early[7:].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]


def test_the_heatmap_of_one_pivot_by_hand():
    found = columns(one_peak(), window=8, grid=11)
    # Grid of 11 prices from 95 to 105, a step of 1. One pivot at 102, no deviation. Bars 0 to 7: highest high 102, lowest low
    # 99.5 − 0.07 = 99.43, of which 0.02 is 0.0514; half a step is 0.5, so σ = 0.5 and v = exp(−½ (2 (g − 102))²):
    # 1 at 102, e^−2 at 101 and 103, e^−8 at 100 and 104, e^−18 at 99 and 105; 98 is 8 deviations off, 97 is 10 and beyond reach.
    wanted = [0, 0, 0, math.exp(-32), math.exp(-18), math.exp(-8), math.exp(-2), 1, math.exp(-2), math.exp(-8), math.exp(-18)]
    np.testing.assert_allclose(heat_of(found, 7), wanted, rtol=1e-9, atol=1e-30)


def test_nearest_levels_by_hand():
    found = columns(one_peak(), window=8, grid=11)
    # The one level is at 102: 2 % above the close of 100. Below there is none: 5 %, with no strength.
    assert found["resistance_distance"][7] == pytest.approx(0.02, rel=1e-12)
    assert (found["support_distance"][7], found["support_strength"][7]) == (0.05, 0.0)


def test_two_pivots_share_one_heatmap():
    high, low = np.full(12, 100.5), np.full(12, 99.5)
    high[3], low[5] = 103.0, 98.0
    found = columns(spelt_bars(np.full(12, 100.0), high=high, low=low), window=9, grid=11)
    # Bars 0 to 8 hold a pivot high at 103 and a pivot low at 98. Deviation of 98 and 103 is 2.5, range 103 − 98 = 5: σ is half a
    # step, 0.5. Both weigh the same, so both peaks are 1; 98 is 2 % below and 103 is 3 % above.
    assert [found[name][8] for name in ("support_distance", "resistance_distance")] == pytest.approx([0.02, 0.03], rel=1e-12)
    assert [found[name][8] for name in ("support_strength", "resistance_strength")] == pytest.approx([1.0, 1.0], rel=1e-12)


def test_weights_by_age_and_volume_by_hand():
    high, low, volume = np.full(12, 100.5), np.full(12, 99.5), np.ones(12)
    high[3], low[5], volume[3] = 103.0, 98.0, 4.0
    bars = spelt_bars(np.full(12, 100.0), high=high, low=low, volume=volume)
    # At bar 8 the high is 5 bars old and the low 3: with a half-life of 2 they weigh 2^−2.5 and 2^−1.5, a ratio of one half.
    aged = columns(bars, window=9, grid=11, weights="recency", half_life=2.0)
    assert aged["resistance_strength"][8] == pytest.approx(0.5, rel=1e-12)
    # By volume 4 to 1, and both together 4 · 0.5 = 2 to 1.
    assert columns(bars, window=9, grid=11, weights="volume")["support_strength"][8] == pytest.approx(0.25, rel=1e-12)
    both = columns(bars, window=9, grid=11, weights="recency_volume", half_life=2.0)
    assert both["support_strength"][8] == pytest.approx(0.5, rel=1e-12)


def test_silvermans_bandwidth_by_hand():
    high, low = np.full(12, 100.5), np.full(12, 99.5)
    high[3], low[5] = 104.0, 96.0
    found = columns(spelt_bars(np.full(12, 100.0), high=high, low=low), window=9, grid=11, bandwidth="silverman")
    # Pivots 96 and 104: deviation 4, n = 2: σ = 1.06 · 4 · 2^−0.2 = 3.69115. At the grid's 100 both add exp(−½ (4/σ)²), at 104
    # one adds 1 and the other exp(−½ (8/σ)²).
    width = 1.06 * 4 * 2**-0.2
    middle = 2 * math.exp(-0.5 * (4 / width) ** 2)
    edge = 1 + math.exp(-0.5 * (8 / width) ** 2)
    heat = heat_of(found, 8)
    assert heat[5] / heat[9] == pytest.approx(middle / edge, rel=1e-12)


def test_a_market_without_pivots_has_an_empty_map():
    found = columns(spelt_bars(np.full(300, 7.0)))
    assert heat_of(found, 299).tolist() == [0.0] * 64
    assert [found[name][299] for name in ("support_distance", "resistance_distance")] == [0.05, 0.05]


def test_prices_in_another_currency_change_nothing():
    bars = random_bars(5, 900)
    other = bars.copy()
    for name in ("open", "high", "low", "close"):
        other[name] *= 1_024.0
    for ours, theirs in zip(columns(bars).values(), columns(other).values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_bandwidth_and_kernel_reach_leave_no_trace_of_the_cut():
    bars = random_bars(8, 700, flat=(2, 3))
    found = columns(bars)
    row = 650
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    highs, lows = pivots(high[row - 255 : row + 1], low[row - 255 : row + 1], 2)
    prices = np.concatenate([high[row - 255 : row + 1][highs], low[row - 255 : row + 1][lows]])
    extent = high[row - 255 : row + 1].max() - low[row - 255 : row + 1].min()
    width = max(0.02 * prices.std(), 0.02 * extent, 0.05 * close[row] / 63)
    grid = np.linspace(close[row] * 0.95, close[row] * 1.05, 64)
    density = np.exp(-0.5 * ((grid[:, None] - prices) / width) ** 2).sum(axis=1)
    np.testing.assert_allclose(heat_of(found, row), density / density.max(), rtol=1e-9, atol=1e-15)


def test_real_bars_give_levels_within_reach():
    path = DATA / "binance_ETHUSDT_5m.parquet"
    if not path.is_file():
        pytest.skip("needs the real 5-minute ETHUSDT bars")
    bars = pd.read_parquet(path).iloc[:10_000]
    made = feature_set(FeatureParams(set="levels"))
    block = compute_features(bars, made, Timeframe.parse("5m"))[made.warmup :]
    assert (block[:, :64].min(), block[:, :64].max()) == (0.0, 1.0)
    assert block[:, 64:66].min() >= 0.0
    assert block[:, 64:66].max() == 0.05
    assert (block[:, 66:] > 0).mean() > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 8, "span": 4}, "window is 8; at least 9 bars are needed for a pivot"),
        ({"reach": 0.0}, r"reach is 0\.0: input should be greater than 0"),
        ({"weights": "age"}, "weights is 'age'"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        feature_set(FeatureParams(set="levels", options=options))
