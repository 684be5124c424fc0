import numpy as np
import pandas as pd
import pytest
from random_bars import DATA, HOUR, random_bars, spelt_bars

from seawall.core.errors import ConfigError
from seawall.features.pipeline import compute_features
from seawall.features.registry import FeatureParams, feature_set
from seawall.features.sets.ichimoku import ICHIMOKU_COLUMNS, get_ichimoku_features

SHORT = {"tenkan": 2, "kijun": 3, "senkou_b": 4}
#             0     1     2     3     4     5     6     7
HIGH = [10.0, 12.0, 11.0, 14.0, 13.0, 16.0, 15.0, 20.0]
LOW = [8.0, 9.0, 7.0, 10.0, 9.0, 12.0, 11.0, 14.0]
CLOSE = [9.0, 11.0, 8.0, 13.0, 10.0, 15.0, 12.0, 19.0]
# Tenkan, middle of 2 bars: 1: (12+8)/2=10, 2: (12+7)/2=9.5, 3: (14+7)/2=10.5, 4: (14+9)/2=11.5, 5: (16+9)/2=12.5, 6: (16+11)/2=13.5
# Kijun, middle of 3 bars: 2: (12+7)/2=9.5, 3: (14+7)/2=10.5, 4: (14+7)/2=10.5, 5: (16+9)/2=12.5, 6: (16+9)/2=12.5
# Span A, their mean: 2: 9.5, 3: 10.5, 4: 11, 5: 12.5, 6: 13
# Span B, middle of 4 bars: 3: (14+7)/2=10.5, 4: (14+7)/2=10.5, 5: (16+7)/2=11.5, 6: (16+9)/2=12.5
# 7: tenkan (20+11)/2=15.5, kijun (20+11)/2=15.5, span A 15.5, span B (20+9)/2=14.5
# The cloud over bar t holds the spans of bar t − 3: over 6: A 10.5, B 10.5; over 7: A 11, B 10.5.


def columns(bars, **options):
    made = feature_set(FeatureParams(set="ichimoku", options=options))
    return dict(zip(made.columns, made(bars).T, strict=True))


def short(**options):
    return columns(spelt_bars(CLOSE, high=HIGH, low=LOW), **SHORT, **options)


def test_the_designs_own_fixture_of_60_bars_is_above_the_cloud():
    frame = pd.DataFrame({"high": 110.0, "low": 90.0, "close": np.arange(100.0, 160.0), "open": 100.0, "volume": 1.0})
    made = get_ichimoku_features(frame)
    # Span A over bar 59 is that of bar 33: (100 + 100) / 2. Span B needs 52 + 26 bars and is unknown, so A alone is the cloud.
    assert made["feature_price_cloud_position"].iloc[-1] == 1
    assert made["feature_normalized_distance_from_cloud"].iloc[-1] == pytest.approx((159 - 100) / 159, rel=1e-15)
    assert list(made.columns) == list(ICHIMOKU_COLUMNS)


def test_position_and_distance_by_hand():
    found = short()
    # Over bar 7 the cloud is 10.5 to 11: 19 is above, (19 − 11) / 19. Over bar 6 it is 10.5: (12 − 10.5) / 12.
    assert found["feature_price_cloud_position"][6:].tolist() == [1.0, 1.0]
    np.testing.assert_allclose(found["feature_normalized_distance_from_cloud"][6:], [1.5 / 12, 8 / 19], rtol=1e-15)


def test_below_and_inside_the_cloud():
    close = [*CLOSE[:7], 8.0]
    low = [*LOW[:7], 7.0]
    found = columns(spelt_bars(close, high=HIGH, low=low), **SHORT)
    assert found["feature_price_cloud_position"][7] == -1.0
    assert found["feature_normalized_distance_from_cloud"][7] == pytest.approx((8 - 10.5) / 8, rel=1e-15)
    inside = columns(spelt_bars([*CLOSE[:7], 10.75], high=HIGH, low=low), **SHORT)
    assert (inside["feature_price_cloud_position"][7], inside["feature_normalized_distance_from_cloud"][7]) == (0.0, 0.0)


def test_a_cross_shows_at_its_bar_alone_with_its_direction():
    # T > K: 2: 9.5 > 9.5 no, 3: no, 4: 11.5 > 10.5 yes, 5: 12.5 > 12.5 no, 6: 13.5 > 12.5 yes, 7: no
    assert short()["feature_tk_cross"][3:].tolist() == [0.0, 1.0, -1.0, 1.0, -1.0]
    assert short(binary=True)["feature_tk_cross"][3:].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]


def test_the_twist_is_that_of_this_bars_spans_and_the_thickness_of_the_cloud_over_it():
    # Spans of bar 3: equal; 4: 11 > 10.5; 5: 12.5 > 11.5; 6: 13 > 12.5; 7: 15.5 > 14.5
    assert short()["feature_kumo_twist"][3:].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]
    np.testing.assert_allclose(short()["feature_kumo_thickness_normalized"][6:], [0.0, 0.5 / 19], atol=1e-16)


def test_chikou_compares_with_the_past_and_only_the_legacy_form_with_the_future():
    # closes 3 apart: 13−9, 10−11, 15−8, 12−13, 19−10
    assert short()["feature_chikou_position"][3:].tolist() == [1.0, -1.0, 1.0, -1.0, 1.0]
    # t=3: close 6 (12) against close 0 (9); t=4: 19 against 11; from 5 on the future is not there.
    assert short(leaky_chikou=True)["feature_chikou_position"].tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert feature_set(FeatureParams(set="ichimoku", options={"leaky_chikou": True})).lookahead == 26
    assert feature_set(FeatureParams(set="ichimoku")).lookahead == 0


def test_the_warm_up_is_that_of_the_displaced_second_span():
    made = feature_set(FeatureParams(set="ichimoku"))
    assert made.warmup == 77  # 52 − 1 + 26
    bars = random_bars(3, 400, flat=(1, 2))
    thickness = made(bars)[:, 4]
    assert np.isnan(thickness[:77]).all()
    assert np.isfinite(thickness[77:]).all()


def test_the_lines_are_pandas_rolling_extremes_on_real_bars():
    path = DATA / "binance_BTCUSDT_1h.parquet"
    if not path.is_file():
        pytest.skip("needs the real hourly BTCUSDT bars")
    bars = pd.read_parquet(path).iloc[:5_000]
    made = feature_set(FeatureParams(set="ichimoku"))
    block = pd.DataFrame(compute_features(bars, made, HOUR), columns=list(made.columns))

    def middle(n):
        return (bars["high"].rolling(n).max() + bars["low"].rolling(n).min()) / 2

    span_a, span_b = ((middle(9) + middle(26)) / 2).shift(26), middle(52).shift(26)
    thickness = ((span_a - span_b).abs() / bars["close"])[77:]
    np.testing.assert_allclose(block["feature_kumo_thickness_normalized"][77:], thickness, rtol=1e-12)
    inside = (bars["close"] <= np.maximum(span_a, span_b)) & (bars["close"] >= np.minimum(span_a, span_b))
    assert (block["feature_price_cloud_position"][77:] == 0).tolist() == inside[77:].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tenkan": 1}, r"features\.options\.tenkan is 1: input should be greater than or equal to 2"),
        (
            {"binari": True},
            r"features\.options has 'binari'; allowed for set 'ichimoku': tenkan, kijun, senkou_b, binary, leaky_chikou",
        ),
    ],
)
def test_options_out_of_range_or_misspelt_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        feature_set(FeatureParams(set="ichimoku", options=options))


def test_a_frame_without_its_columns_is_refused_by_name():
    with pytest.raises(ConfigError, match="no column high, low"):
        get_ichimoku_features(pd.DataFrame({"close": [1.0]}))
