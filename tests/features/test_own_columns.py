import pickle
import re

import numpy as np
import pandas as pd
import pytest
from random_bars import random_bars

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.core.timeframe import Timeframe
from seawall.features.own import fitted_too_late, from_first_number, scaled_in_file
from seawall.features.pipeline import compute_features, feature_hash, live_row
from seawall.features.registry import FeatureParams, feature_set
from seawall.features.scaling.file_scaler import FileScalingParams
from seawall.features.scaling.file_scaling import scale_files
from seawall.features.scaling.scaler import Scaler
from seawall.market.formats.tables import SCALING, read_tables, write_tables

HOUR = Timeframe.parse("1h")


def bars_with(**columns):
    return random_bars(1, 1_000).assign(**columns)


def own(*columns, **params):
    return feature_set(FeatureParams(set=params.pop("set", "own"), columns=columns, **params))


def test_own_columns_pass_through_bit_for_bit_from_the_first_bar_on():
    values = np.random.default_rng(0).normal(size=(1_000, 2))  # negative too
    bars = bars_with(macd=values[:, 0], rsi_14=values[:, 1], unused=np.nan)
    found = own("rsi_14", "macd")
    np.testing.assert_array_equal(compute_features(bars, found, HOUR), values[:, ::-1])
    assert (found.columns, found.requires, found.warmup) == (("rsi_14", "macd"), ("rsi_14", "macd"), 0)
    np.testing.assert_array_equal(live_row(bars.iloc[-5:], found, HOUR), values[-1, ::-1])


def test_own_columns_stand_after_those_of_a_set_and_change_none_of_them():
    bars = bars_with(mood=np.linspace(-1, 1, 1_000))
    alone = feature_set(FeatureParams(set="technical_ohlcv"))
    both = own("mood", set="technical_ohlcv")
    block = compute_features(bars, both, HOUR)
    assert both.columns == (*alone.columns, "mood")
    np.testing.assert_array_equal(block[:, :-1], compute_features(bars, alone, HOUR))
    np.testing.assert_array_equal(block[alone.warmup :, -1], bars["mood"].to_numpy()[alone.warmup :])


def test_the_hash_covers_the_names_and_their_order():
    sets = [
        own("a", "b"),
        own("b", "a"),
        own("a"),
        own("a", set="technical_ohlcv"),
        feature_set(FeatureParams(set="technical_ohlcv")),
    ]
    assert len({feature_hash(each) for each in sets}) == 5
    assert feature_hash(pickle.loads(pickle.dumps(sets[3]))) == feature_hash(sets[3])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_without_a_number_is_refused_by_column_and_bar(value):
    mood = np.zeros(1_000)
    mood[7] = value
    bars = bars_with(mood=mood)
    with pytest.raises(
        DataError, match=rf"bar {re.escape(bars['timestamp'].iloc[7].isoformat())}: mood is {value}; a finite number is"
    ):
        compute_features(bars, own("mood"), HOUR)


def test_prices_and_raw_amounts_are_judged_as_ever_beside_own_columns():
    bars = bars_with(mood=-1.0)
    bars.loc[5, "volume"] = -1.0
    with pytest.raises(DataError, match=r"volume is -1.0; a finite number at least 0"):
        compute_features(bars, own("mood"), HOUR)
    bars.loc[5, ["volume", "close"]] = [1.0, 0.0]
    with pytest.raises(DataError, match=r"close is 0.0; a finite number above 0"):
        compute_features(bars, own("mood"), HOUR)
    bars.loc[5, ["close", "trades"]] = [1.0, -1.0]
    with pytest.raises(DataError, match=r"trades is -1.0; a finite number at least 0"):
        compute_features(bars, own("mood", set="technical", omit=("trends",)), HOUR)


def test_a_column_that_the_file_lacks_is_named():
    with pytest.raises(DataError, match=r"no column mood, named by features\.columns"):
        compute_features(random_bars(1, 1_000), own("mood"), HOUR)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"columns": ()}, r"needs features\.columns"),
        ({"columns": ("a", "a")}, "twice"),
        ({"columns": ("label_direction",)}, "a label looks ahead"),
        ({"columns": ("Label_up",)}, "a label looks ahead"),
        ({"columns": ("timestamp",)}, "the time"),
        ({"set": "technical", "columns": ("rsi",)}, "column of set 'technical' too"),
    ],
)
def test_what_cannot_be_a_feature_is_refused(params, message):
    with pytest.raises(ConfigError, match=message):
        feature_set(FeatureParams(**{"set": "own", **params}))


def test_a_set_of_own_columns_has_no_use_for_what_a_recipe_omits():
    assert feature_set(FeatureParams(set="own", columns=("a",), omit=("trends",))).columns == ("a",)


def test_bars_before_the_first_number_of_an_own_column_are_left_out_and_later_holes_stay():
    bars = pd.DataFrame({"close": np.arange(6.0), "fast": [np.nan, 1, 2, np.nan, 4, 5], "slow": [np.nan, np.nan, np.nan, 3, 4, 5]})
    kept, note = from_first_number(bars, ("fast", "slow"))
    assert kept["close"].tolist() == [3.0, 4.0, 5.0]
    assert note == "the first 3 bars are left out: slow has no number before"
    assert kept["fast"].isna().tolist() == [True, False, False]
    assert from_first_number(kept, ("slow",)) == (kept, None)
    with pytest.raises(DataError, match="never, in which the file has no number"):
        from_first_number(bars.assign(never=np.nan), ("never",))


def test_columns_scaled_in_their_file_are_never_scaled_again(tmp_path):
    times = random_bars(1, 1_000)
    given = times.assign(rsi=np.linspace(0, 100, 1_000), label_up=1.0)
    write_tables(tmp_path / "bars.parquet", {"": given})
    scale_files([tmp_path / "bars.parquet"], FileScalingParams(columns=("rsi",), clip=False), tmp_path / "out")
    read = read_tables(tmp_path / "out" / "bars_normalized.parquet")[""]
    read["mood"] = np.linspace(-50, 50, 1_000)
    found = own("rsi", "mood")
    passed = scaled_in_file(found, read.attrs[SCALING])
    block = compute_features(read, found, HOUR)
    scaled = Scaler.fit(block, RowRange(0, 100), found.columns, "minmax", unscaled=passed).transform(block)
    assert passed == ("rsi",)
    # Fitted on the first 700 of 1,000 rows in the file: the last is 999 / 699, beyond the scale of 100 rows.
    np.testing.assert_allclose(scaled[:, 0], np.arange(1_000) / 699, rtol=1e-6)
    assert scaled[:100, 1].max() == 1.0
    again = Scaler.fit(block, RowRange(0, 100), found.columns, "minmax").transform(block)
    assert np.abs(again[:, 0] - scaled[:, 0]).max() > 0.5


def test_files_with_scaled_prices_or_raw_inputs_are_refused_for_training():
    marker = {"method": "minmax", "columns": ["close", "rsi"], "fitted_on": {"file": "a.csv"}}
    with pytest.raises(DataError, match="the file's close are scaled"):
        scaled_in_file(own("rsi"), marker)
    with pytest.raises(DataError, match="the file's trades are scaled"):
        scaled_in_file(own("mood", set="technical"), {**marker, "columns": ["mood", "trades"]})
    assert scaled_in_file(own("mood"), {**marker, "columns": ["rsi"]}) == ()
    assert scaled_in_file(own("mood"), None) == ()
    with pytest.raises(DataError, match="damaged"):
        scaled_in_file(own("rsi"), {"columns": "rsi"})


def test_a_scale_that_knows_bars_after_training_is_told():
    end = pd.Timestamp("2024-03-01", tz="UTC")
    marker = {"columns": [], "fitted_on": {"file": "a.csv", "last": "2024-03-01T00:00:00+00:00"}}
    assert fitted_too_late(marker, end) is None
    assert fitted_too_late(None, end) is None
    assert "later than the last training bar" in str(fitted_too_late(marker, end - pd.Timedelta("1h")))
