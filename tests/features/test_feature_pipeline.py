import re
from dataclasses import replace

import numpy as np
import pytest
from random_bars import HOUR, random_bars

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.protocols import FeatureSet
from seawall.features.pipeline import ANCHOR_BARS, compute_features, difference, feature_hash, live_row, rows_for_live
from seawall.features.registry import FeatureParams, feature_set

TECHNICAL = feature_set(FeatureParams())


@pytest.fixture(scope="module")
def bars():
    return random_bars(11, 2 * ANCHOR_BARS)


@pytest.fixture(scope="module")
def features(bars):
    return compute_features(bars, TECHNICAL, HOUR)


def moment(bars, row):
    return re.escape(bars["timestamp"][row].isoformat())


def test_the_warm_up_is_nan_and_every_later_row_is_finite(features):
    assert features.dtype == np.float64
    assert np.isnan(features[: TECHNICAL.warmup]).all()
    assert np.isfinite(features[TECHNICAL.warmup :]).all()


def test_bars_are_not_changed(bars):
    before = bars.copy(deep=True)
    compute_features(bars, TECHNICAL, HOUR)
    assert before.equals(bars)


def test_anchors_are_fixed_in_time_so_older_history_does_not_matter(bars, features):
    later = compute_features(bars.iloc[1_000:], TECHNICAL, HOUR)
    anchors = timestamps_ms(bars) // (ANCHOR_BARS * HOUR.milliseconds)
    first = int(np.flatnonzero((np.diff(anchors) > 0) & (np.arange(1, len(bars)) >= 1_000 + TECHNICAL.warmup))[0]) + 1
    assert first < len(bars) - 1_000
    np.testing.assert_array_equal(later[first - 1_000 :], features[first:])


def test_a_recursion_started_at_the_data_instead_would_not_give_the_same_bits(bars, features):
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = TECHNICAL(bars)
    assert (plain[TECHNICAL.warmup :] != features[TECHNICAL.warmup :]).any()


def test_one_row_more_than_the_warm_up_is_enough_and_one_less_is_refused(bars):
    enough = TECHNICAL.warmup + 1
    assert np.isfinite(compute_features(bars.iloc[:enough], TECHNICAL, HOUR)[-1]).all()
    with pytest.raises(DataError, match=f"{enough - 1} rows.*{enough} are required"):
        compute_features(bars.iloc[: enough - 1], TECHNICAL, HOUR)
    with pytest.raises(DataError, match=f"{enough - 1} rows.*{enough} are required"):
        live_row(bars.iloc[: enough - 1], TECHNICAL, HOUR)


def test_no_bars_at_all_are_refused(bars):
    for function in (compute_features, live_row):
        with pytest.raises(DataError, match="0 rows"):
            function(bars.iloc[:0], TECHNICAL, HOUR)


def test_a_missing_optional_column_is_refused_with_what_it_feeds_and_the_setting(bars):
    with pytest.raises(DataError, match=r"trades, trends.*trades_log_returns, trends.*features\.omit=\[trades,trends\]"):
        compute_features(bars.drop(columns=["trades", "trends"]), TECHNICAL, HOUR)
    with pytest.raises(DataError, match=r"column trends, which feeds trends of .*features\.omit=\[trends\]"):
        live_row(bars.drop(columns="trends"), TECHNICAL, HOUR)


def test_a_missing_volume_is_refused_without_offering_to_omit_it(bars):
    with pytest.raises(DataError, match=r"column volume, which feeds volume_log_returns") as refusal:
        compute_features(bars.drop(columns="volume"), TECHNICAL, HOUR)
    assert "omit" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"), [("close", np.nan), ("open", 0.0), ("low", -1.0), ("high", np.inf), ("volume", -1.0), ("trends", np.nan)]
)
def test_a_raw_value_that_cannot_be_is_refused_with_its_bar(bars, name, value):
    bad = bars.copy()
    bad.loc[700, name] = value
    with pytest.raises(DataError, match=rf"bar {moment(bars, 700)}: {name} is "):
        compute_features(bad, TECHNICAL, HOUR)


def test_bars_out_of_order_or_twice_are_refused(bars):
    swapped = bars.iloc[[*range(500), 501, 500, *range(502, 1_000)]]
    doubled = bars.iloc[[*range(501), *range(500, 1_000)]]
    for bad in (swapped, doubled):
        with pytest.raises(DataError, match=f"bar {moment(bars, 500)}"):
            compute_features(bad, TECHNICAL, HOUR)


def broken_set(value):
    def compute(bars):
        block = bars[["close", "volume"]].to_numpy(copy=True)
        block[bars["volume"] == bars["volume"].max(), 1] = value
        return block

    return FeatureSet("broken", ("close", "activity"), 5, (), compute)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_result_that_is_not_finite_is_refused_with_its_column_and_bar(bars, value):
    tail = bars.iloc[:300].copy()
    tail["volume"] = np.where(np.arange(300) == 123, 9e9, 1.0)
    with pytest.raises(DataError, match=f"activity is {value} at bar {moment(bars, 123)}"):
        compute_features(tail, broken_set(value), HOUR)
    with pytest.raises(DataError, match=f"activity is {value}"):
        live_row(tail.iloc[:124], broken_set(value), HOUR)


def test_a_set_that_returns_another_shape_is_refused(bars):
    with pytest.raises(ConfigError, match=r"'broken' returned a block of shape"):
        compute_features(bars, replace(broken_set(1.0), columns=("close",)), HOUR)


def test_a_live_tail_of_the_stated_length_is_always_enough(bars, features):
    rows = rows_for_live(TECHNICAL, HOUR)
    for end in (rows, rows + 1, 6_000, len(bars)):
        np.testing.assert_array_equal(live_row(bars.iloc[end - rows : end], TECHNICAL, HOUR), features[end - 1])


def test_the_hash_changes_with_anything_a_model_must_agree_on():
    variants = [
        TECHNICAL,
        replace(TECHNICAL, name="other"),
        replace(TECHNICAL, columns=TECHNICAL.columns[::-1]),
        replace(TECHNICAL, warmup=TECHNICAL.warmup + 1),
    ]
    assert len({feature_hash(variant) for variant in variants}) == len(variants)


def test_the_hash_is_the_same_in_every_process():
    assert feature_hash(FeatureSet("a", ("x", "y"), 3, (), len)) == feature_hash(FeatureSet("a", ("x", "y"), 3, ("trades",), abs))


def test_difference_says_what_is_alone_where():
    assert difference(("a", "b"), ("a", "b")) == ""
    assert difference(("a", "b"), ("b", "c", "d")) == "only in the bundle: a; only here: c, d"
    assert difference(("a", "b"), ("b", "a")) == "order differs: in the bundle a, b; here b, a"
