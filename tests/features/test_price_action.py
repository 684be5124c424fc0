import math

import numpy as np
import pandas as pd
import pytest
from random_bars import DATA, HOUR, random_bars, spelt_bars

from seawall.core.errors import ConfigError
from seawall.features.pipeline import compute_features
from seawall.features.registry import FeatureParams, feature_set


def columns(bars, **options):
    made = feature_set(FeatureParams(set="price_action", options=options))
    with np.errstate(divide="ignore", invalid="ignore"):
        return dict(zip(made.columns, made(bars).T, strict=True))


def test_the_columns_are_those_of_the_design_without_raw_prices():
    assert feature_set(FeatureParams(set="price_action")).columns == (
        "logret_1", "logret_3", "logret_12", "logret_60", "range_pct", "body_pct", "upper_wick", "lower_wick", "gap_pct",
        "dow", "hour_sin", "hour_cos", "realized_vol_32", "realized_vol_96", "parkinson_64", "volume_z_96",
        "session_asia", "session_london", "session_newyork",
    )  # fmt: skip


def test_the_shape_of_a_bar_by_hand():
    bars = spelt_bars([100.0, 104.0], high=[101.0, 110.0], low=[99.0, 95.0]).assign(open=[100.0, 102.0])
    found = {name: values[1] for name, values in columns(bars).items()}
    # Bar 1: open 102, high 110, low 95, close 104; the close before it 100.
    assert found["range_pct"] == pytest.approx(15 / 104, rel=1e-15)
    assert found["body_pct"] == pytest.approx(2 / 104, rel=1e-15)
    assert found["upper_wick"] == pytest.approx(6 / 104, rel=1e-15)  # 110 − 104
    assert found["lower_wick"] == pytest.approx(7 / 104, rel=1e-15)  # 102 − 95
    assert found["gap_pct"] == pytest.approx(0.02, rel=1e-14)  # 102 to 100
    assert found["logret_1"] == pytest.approx(math.log(1.04), rel=1e-14)


def test_log_returns_over_several_bars():
    found = columns(spelt_bars(2.0 ** np.arange(70)))
    assert [found[f"logret_{h}"][69] for h in (1, 3, 12, 60)] == pytest.approx([h * math.log(2) for h in (1, 3, 12, 60)], rel=1e-14)


def test_the_calendar_is_in_utc_and_monday_is_0():
    # 1970-01-05 was a Monday; 06:00 is a quarter of a day: sine 1, cosine 0.
    monday = 4 * 86_400_000
    found = columns(spelt_bars(np.ones(3), first_ms=monday + 5 * 3_600_000))
    assert found["dow"].tolist() == [0.0, 0.0, 0.0]
    assert found["hour_sin"][1] == 1.0
    assert abs(found["hour_cos"][1]) < 1e-15
    sunday = columns(spelt_bars(np.ones(2), first_ms=monday - 3_600_000))["dow"].tolist()
    assert sunday == [6.0, 0.0]


def test_realised_volatility_is_the_root_of_the_mean_square_of_returns():
    # Closes 1, e, 1, e, …: every return is ±1, so the root of their mean square is 1 over any window.
    found = columns(spelt_bars(np.exp(np.arange(40) % 2)), realized=(4, 32))
    assert found["realized_vol_4"][10] == pytest.approx(1.0, rel=1e-14)
    # Two returns of ±1 and two of 0: sqrt(2 / 4)
    mixed = columns(spelt_bars(np.exp([0, 1, 0, 0, 0])), realized=(4,))
    assert mixed["realized_vol_4"][4] == pytest.approx(math.sqrt(0.5), rel=1e-14)


def test_parkinson_volatility_by_hand():
    # ln(H / L) is 1 and 3 over two bars: sqrt((1 + 9) / 2 / (4 ln 2)) = sqrt(5 / 2.7725887) = 1.3428957
    bars = spelt_bars([1.0, 1.0], high=[1.0, math.exp(1.5)], low=[math.exp(-1), math.exp(-1.5)])
    found = columns(bars, parkinson=(2,))["parkinson_2"][1]
    assert found == pytest.approx(math.sqrt(5 / (4 * math.log(2))), rel=1e-14)
    assert found == pytest.approx(1.3428957, rel=1e-7)


def test_the_volume_score_knows_no_units_and_is_0_where_volume_does_not_change():
    bars = random_bars(4, 600)
    thousandfold = bars.assign(volume=1_024.0 * bars["volume"])
    np.testing.assert_array_equal(columns(bars)["volume_z_96"], columns(thousandfold)["volume_z_96"])
    assert columns(spelt_bars(np.ones(300), volume=np.full(300, 0.1)))["volume_z_96"][-1] == 0.0
    assert columns(spelt_bars(np.ones(300), volume=np.zeros(300)))["volume_z_96"][-1] == 0.0


def test_sessions_follow_the_clock_of_their_place():
    # 2024-07-01 was a Monday; London has summer time, so its 08:00 to 17:00 are 07:00 to 16:00 in UTC.
    first = pd.Timestamp("2024-07-01", tz="UTC")
    found = columns(spelt_bars(np.ones(24), first_ms=int(first.timestamp() * 1_000)), sessions=("london",))
    assert np.flatnonzero(found["session_london"]).tolist() == list(range(7, 16))
    winter = pd.Timestamp("2024-01-08", tz="UTC")
    found = columns(spelt_bars(np.ones(24), first_ms=int(winter.timestamp() * 1_000)), sessions=("london",))
    assert np.flatnonzero(found["session_london"]).tolist() == list(range(8, 17))


def test_prices_in_another_currency_change_nothing_beyond_rounding():
    bars = random_bars(5, 800)
    other = bars.copy()
    for name in ("open", "high", "low", "close"):
        other[name] *= 1_024.0
    ours, theirs = columns(bars), columns(other)
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name])


def test_real_bars_of_metals_with_weekend_gaps_give_finite_columns():
    path = DATA / "mt5_XAUUSD_15m.parquet"
    if not path.is_file():
        pytest.skip("needs the real 15-minute XAUUSD bars")
    bars = pd.read_parquet(path).iloc[:20_000]
    made = feature_set(FeatureParams(set="price_action"))
    block = compute_features(bars, made, HOUR.__class__.parse("15m"))
    assert np.isfinite(block[made.warmup :]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizons": [0]}, r"horizons is \[0\]: allowed: numbers of bars from 1 to 100000"),
        ({"volume": [1]}, r"volume is \[1\]: allowed: at least 2 bars"),
        ({"sessions": ["tokyo"]}, r"sessions is \['tokyo'\]: trading window 'tokyo' is unknown; allowed: asia, london"),
        ({"realized": [5, 5]}, "each once"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        feature_set(FeatureParams(set="price_action", options=options))
