import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_bars import DATA

from seawall.core.errors import DataError
from seawall.features.labels.regimes import (
    CONSOLIDATION,
    TREND_DOWN,
    TREND_UP,
    UNKNOWN,
    VOLATILE,
    RegimeLabelParams,
    class_balance,
    efficiency_ratio,
    refuse_rare,
    regimes,
    trailing_percentile,
)


def test_the_efficiency_ratio_is_progress_over_the_way():
    # Over 4 bars 10, 12, 11, 13, 14: progress 4, way 2 + 1 + 2 + 1 = 6.
    found = efficiency_ratio(np.array([10.0, 12.0, 11.0, 13.0, 14.0, 14.0]), 4)
    assert np.isnan(found[:4]).all()
    # Then 12 to 14: progress 2, way 1 + 2 + 1 + 0 = 4.
    assert found[4:].tolist() == pytest.approx([4 / 6, 2 / 4], rel=1e-12)
    assert efficiency_ratio(np.full(5, 7.0), 2)[-1] == 0.0


def test_a_percentile_counts_trailing_values_alone_and_equal_ones_half():
    found = trailing_percentile(np.array([np.nan, 3.0, 1.0, 2.0, 2.0, 5.0]), 3)
    # 3 alone: half of itself. 1 of {3, 1}: ½ / 2. 2 of {3, 1, 2}: 1 ½ / 3. 2 of {1, 2, 2}: (1 + 1) / 3. 5 of {2, 2, 5}: 2 ½ / 3.
    assert np.isnan(found[0])
    assert found[1:].tolist() == pytest.approx([0.5, 0.25, 0.5, 2 / 3, 2.5 / 3], rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(1, 20))
def test_a_percentile_is_what_counting_gives(values, n):
    array = np.array(values, dtype=np.float64)
    counted = [
        ((array[max(0, row - n + 1) : row + 1] < value).sum() + 0.5 * (array[max(0, row - n + 1) : row + 1] == value).sum())
        / min(row + 1, n)
        for row, value in enumerate(array)
    ]
    assert trailing_percentile(array, n).tolist() == pytest.approx(counted, rel=1e-12)


SHORT = RegimeLabelParams(trend_bars=4, volatility_bars=4, percentile_bars=50, ranked_from=3)


def zigzag(rows, size):
    return 100.0 * np.exp(size * (np.arange(rows) % 2))


def test_rising_falling_sideways_and_wild_prices_by_hand():
    quiet = zigzag(20, 0.001)
    up = quiet[-1] * np.exp(0.0005 * np.array([1, 2, 3, 4, 5, 6, 7, 6.8]))
    down = up[-1] * np.exp(-0.0005 * np.arange(1, 9))
    wild = down[-1] * zigzag(6, 0.05)[1:] / 100.0
    found = regimes(np.concatenate([quiet, up, down, wild]), SHORT)
    assert (found[: SHORT.lookback] == UNKNOWN).all()
    assert SHORT.lookback == 6
    assert (found[6:20] == CONSOLIDATION).all()
    # Four bars into the climb the whole way is progress, and most of it is where the last bar steps back; and so in the fall.
    assert (found[24:28] == TREND_UP).all()
    assert (found[32:36] == TREND_DOWN).all()
    assert (found[38:] == VOLATILE).all()


def test_the_published_rule_by_hand():
    params = RegimeLabelParams(rule="legacy", trend_bars=4, volatility_bars=4)
    steep = 100.0 * (1.0 + 0.0006 * np.arange(8))
    # 100 to 100.24 over 4 bars: 0.24 / (4 · 100) = 0.0006 a bar, above 0.0005; and deviations are near 0.
    assert regimes(steep, params)[4] == TREND_UP
    assert regimes(200.0 - steep, params)[4] == TREND_DOWN
    assert regimes(100.0 * (1.0 + 0.0004 * np.arange(8)), params)[4] == CONSOLIDATION
    # Returns of ±0.01 with a mean of 0: the sample deviation is 0.01 · √(4 / 3) = 0.0115; of ±0.008 it is 0.0092.
    assert regimes(zigzag(8, 0.01), params)[5] == VOLATILE
    assert regimes(zigzag(8, 0.008), params)[5] == CONSOLIDATION


def test_the_published_rule_is_blind_on_quiet_bars():
    closes = 2000.0 * np.exp(np.cumsum(0.0003 * np.random.default_rng(3).standard_normal(20_000)))
    balance = class_balance(regimes(closes, RegimeLabelParams(rule="legacy")))
    assert balance["consolidation"] > 0.99
    with pytest.raises(DataError, match=r"regimes are trend_up 0\.\d%, .*each needs at least 2\.0%"):
        refuse_rare(balance, 0.02)
    refuse_rare(class_balance(regimes(closes, RegimeLabelParams())), 0.02)


def test_a_trend_is_measured_over_what_each_rule_was_made_for():
    assert [RegimeLabelParams(rule=rule).trend_length for rule in ("quantile", "legacy")] == [16, 64]
    assert RegimeLabelParams(rule="legacy", trend_bars=9).trend_length == 9


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real bars of ../shared/data")
@pytest.mark.parametrize("name", ["binance_ETHUSDT_5m", "mt5_XAUUSD_15m", "binance_BTCUSDT_1h"])
def test_every_class_is_common_on_real_bars(name):
    closes = pd.read_parquet(DATA / f"{name}.parquet")["close"].to_numpy(np.float64)
    refuse_rare(class_balance(regimes(closes, RegimeLabelParams())), 0.05)
    with pytest.raises(DataError, match="trend_down"):
        refuse_rare(class_balance(regimes(closes, RegimeLabelParams(trend_bars=64))), 0.02)


def test_later_closes_change_no_earlier_regime():
    closes = 50.0 * np.exp(np.cumsum(0.01 * np.random.default_rng(5).standard_normal(600)))
    before = regimes(closes, SHORT)
    changed = closes.copy()
    changed[400:] *= np.linspace(0.2, 5.0, 200)
    after = regimes(changed, SHORT)
    assert (after[:400] == before[:400]).all()
    assert (after[400:] != before[400:]).any()


def test_class_balance_counts_known_labels():
    found = class_balance(np.array([UNKNOWN, TREND_UP, TREND_UP, VOLATILE, CONSOLIDATION]))
    assert found == {"trend_up": 0.5, "trend_down": 0.0, "consolidation": 0.25, "volatile": 0.25}
    with pytest.raises(DataError, match=r"trend_down 0\.0%"):
        refuse_rare(found, 0.02)
    with pytest.raises(DataError, match="nan"):
        refuse_rare(class_balance(np.full(3, UNKNOWN)), 0.02)
