import math

import numpy as np
import pytest
from pydantic import ValidationError
from random_bars import random_bars, spelt_bars

from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.labels.candles import scaled_candles
from seawall.features.labels.levels import LevelLabelParams, level_heatmap
from seawall.features.labels.regimes import RegimeLabelParams
from seawall.features.labels.returns import future_log_returns, scaled_future_returns, trailing_volatility
from seawall.features.labels.targets import TargetParams, targets_of
from seawall.features.sets.levels import LevelParams

PIVOTS = LevelParams(window=8, grid=11)
SMALL = TargetParams(
    regimes=RegimeLabelParams(trend_bars=8, volatility_bars=8, percentile_bars=100, ranked_from=4),
    levels=LevelLabelParams(pivots=PIVOTS),
    volatility_bars=8,
)


def test_future_returns_by_hand():
    found = future_log_returns(np.array([1.0, 2.0, 4.0, 2.0]), (1, 3))
    double = math.log(2.0)
    np.testing.assert_allclose(found, [[double, double], [double, np.nan], [-double, np.nan], [np.nan, np.nan]], rtol=1e-12)


def test_future_returns_are_told_in_units_of_a_random_walk():
    closes = np.exp([0.0, 0.1, 0.0, 0.1, 0.3])
    volatility = trailing_volatility(closes, 2)
    # √((0.1² + 0.1²) / 2) = 0.1 at bars 2 and 3; at bar 4 √((0.1² + 0.2²) / 2).
    assert volatility[2:].tolist() == pytest.approx([0.1, 0.1, math.sqrt(0.025)], rel=1e-9)
    found = scaled_future_returns(closes, (1, 2), volatility)
    # Bar 2: 0.1 / 0.1 over one bar, 0.3 / (0.1 √2) over two.
    assert found[2].tolist() == pytest.approx([1.0, 3.0 / math.sqrt(2.0)], rel=1e-9)
    assert np.isnan(found[[0, 1, 4]]).all()


def test_candles_are_told_from_the_close_before_in_units_of_the_volatility_before():
    bars = BarArrays.of(spelt_bars(np.exp([0.0, 0.1, 0.0, 0.05]), high=np.exp([0.0, 0.1, 0.1, 0.15])))
    found = scaled_candles(bars, trailing_volatility(bars["close"], 2))
    # Bar 3, after a close of e^0 and with volatility 0.1: open and close 0.05, high 0.15.
    assert found[3].tolist() == pytest.approx([0.5, 1.5, 0.5, 0.5], rel=1e-9)
    assert np.isnan(found[:3]).all()


def test_a_still_market_has_no_scale_and_so_no_targets():
    bars = BarArrays.of(spelt_bars(np.full(20, 5.0)))
    made = targets_of(bars, SMALL)
    assert np.isnan(made.returns).all()
    assert np.isnan(made.candles).all()


def test_one_bar_after_a_still_market_is_no_lesson():
    closes = np.concatenate([100.0 + 1e-6 * (np.arange(10) % 2), np.full(3, 200.0)])
    made = targets_of(BarArrays.of(spelt_bars(closes)), SMALL)
    assert made.candles[10].tolist() == [10.0, 10.0, 10.0, 10.0]


def one_peak():
    high, low = np.full(16, 100.5), 99.5 - 0.01 * np.arange(16)
    high[6] = 102.0
    return spelt_bars(np.full(16, 100.0), high=high, low=low)


def test_a_heatmap_knows_a_pivot_only_when_it_is_confirmed():
    params = LevelLabelParams(pivots=PIVOTS)
    before = level_heatmap(BarArrays.of(one_peak()), params)
    assert before.shape == (16, 11)
    # The peak at bar 6 is confirmed by bars 7 and 8: 102 is cell 7 of 95 … 105.
    assert before[7].max() == 0.0
    assert before[8, 7] == 1.0
    later = one_peak()
    later.loc[9:, ["high", "close"]] *= 1.01
    np.testing.assert_array_equal(level_heatmap(BarArrays.of(later), params)[:9], before[:9])
    within = one_peak()
    within.loc[8, "high"] = 103.0
    assert level_heatmap(BarArrays.of(within), params)[8, 7] == 0.0


def test_reactions_by_hand():
    #        row 0..3 make an ATR of 1; then the close of row 3 is 100, and the future is rows 4 to 6.
    close = [100.0, 100.0, 100.0, 100.0, 101.0, 99.5, 97.0]
    high = [100.5, 100.5, 100.5, 100.5, 102.0, 101.0, 99.5]
    low = [99.5, 99.5, 99.5, 99.5, 100.0, 99.0, 96.0]
    bars = BarArrays.of(spelt_bars(close, high=high, low=low))
    params = LevelLabelParams(target="reaction", pivots=LevelParams(grid=11, reach=0.05), ahead=3, atr_bars=3, touch=0.1, turn=1.0)
    found = level_heatmap(bars, params)
    assert np.isnan(np.delete(found, 3, axis=0)).all()
    # Cells 95 … 105. 102 is met by the high of row 4 and row 4 closes at 101 = 102 − 1: turned. 101 is met, no close is beyond
    # 101.1, and row 5 closes at 99.5: turned. 103 and more are never met. 100 is met, but row 4 closes beyond it: broken.
    # 99 is met by the low of row 5, which closes at 99.5, less than 1 back; row 6 closes at 97: broken, as is 98. 97 is met, but
    # no close is 1 above it. 96 is met by the low of row 6, which closes 1 above: turned. 95 is never met.
    assert found[3].tolist() == [0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0]


def test_reactions_from_above_mirror_those_from_below():
    params = LevelLabelParams(target="reaction", pivots=LevelParams(grid=11), ahead=3, atr_bars=3)
    close = np.array([100.0, 100.0, 100.0, 100.0, 99.0, 100.5, 103.0])
    bars = BarArrays.of(spelt_bars(close, high=close + 0.5, low=[99.5, 99.5, 99.5, 99.5, 98.0, 99.0, 100.5]))
    assert level_heatmap(bars, params)[3].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]


def test_targets_reach_no_further_ahead_than_they_say():
    bars = random_bars(3, 400, flat=(20, 21))
    horizon, changed = SMALL.horizons[-1], bars.copy()
    changed.loc[301:, ["open", "high", "low", "close"]] *= 1.5
    before, after = (targets_of(BarArrays.of(frame), SMALL) for frame in (bars, changed))
    for name in ("regimes", "heatmap", "candles", "volatility"):
        np.testing.assert_array_equal(getattr(after, name)[:301], getattr(before, name)[:301])
    np.testing.assert_array_equal(after.returns[: 301 - horizon], before.returns[: 301 - horizon])
    assert (after.returns[301 - horizon] != before.returns[301 - horizon]).any()


def test_horizons_ascend():
    with pytest.raises(ValidationError, match=r"horizons are \[3, 1\]; allowed: numbers of bars from 1 to 100000, ascending"):
        TargetParams(horizons=(3, 1))
