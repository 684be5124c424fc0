"""Several sets side by side, their options, and columns of longer bars."""

import numpy as np
import pytest
from random_bars import HOUR, random_bars

from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.features.pipeline import LONGER_ANCHOR_BARS, compute_features, feature_hash, live_row, rows_for_live
from seawall.features.registry import FEATURE_SETS, FeatureParams, feature_set, omitted_inputs, resolved_options
from seawall.market.resample import resample


@pytest.fixture(scope="module")
def bars():
    return random_bars(21, 9_000)


def test_sets_side_by_side_have_the_columns_of_each_bit_for_bit(bars):
    both = feature_set(FeatureParams(set=("price_action", "ichimoku")))
    block = compute_features(bars, both, HOUR)
    assert (both.name, both.warmup, len(both.columns)) == ("price_action+ichimoku", 190, 25)
    for name, columns in (("price_action", slice(0, 19)), ("ichimoku", slice(19, 25))):
        alone = compute_features(bars, feature_set(FeatureParams(set=name)), HOUR)
        np.testing.assert_array_equal(block[190:, columns], alone[190:])


def test_a_live_tail_is_as_long_as_its_longest_part_needs(bars):
    assert rows_for_live(feature_set(FeatureParams(set=("price_action", "ichimoku"))), HOUR) == 191
    assert rows_for_live(feature_set(FeatureParams(set=("price_action", "technical"))), HOUR) == 4_096 + 384


def test_an_option_belongs_to_the_set_that_knows_it(bars):
    both = feature_set(FeatureParams(set=("ichimoku", "levels"), options={"binary": True, "grid": 16}))
    assert both.settings["ichimoku"]["binary"]
    assert len(both.columns) == 6 + 16 + 4
    with pytest.raises(ConfigError, match=r"options has 'gird'; allowed for ichimoku, levels: .*grid.*tenkan"):
        feature_set(FeatureParams(set=("ichimoku", "levels"), options={"gird": 16}))


def test_options_of_several_sets_can_be_given_by_their_names_and_are_resolved_so():
    given = FeatureParams(set=("levels", "wide_ohlcv"), options={"window": 100, "wide_ohlcv": {"window": 48, "bins": 12}})
    resolved = resolved_options(given)
    assert [resolved[name]["window"] for name in ("levels", "wide_ohlcv")] == [100, 48]
    assert (resolved["levels"]["grid"], resolved["wide_ohlcv"]["bins"]) == (64, 12)
    assert feature_hash(feature_set(given)) == feature_hash(feature_set(given.model_copy(update={"options": resolved})))
    alone = FeatureParams(set="ichimoku", options={"binary": True})
    assert resolved_options(alone) == {"tenkan": 9, "kijun": 26, "senkou_b": 52, "binary": True, "leaky_chikou": False}
    with pytest.raises(ConfigError, match=r"features\.options\.levels is 3"):
        feature_set(FeatureParams(set=("levels", "ichimoku"), options={"levels": 3}))


def test_an_input_to_omit_belongs_to_the_set_that_reads_it():
    both = FeatureParams(set=("ichimoku", "technical"), omit=("trends", "quote_volume"))
    assert feature_set(both).requires == ("trades",)
    assert omitted_inputs(both) == ("trends",)
    with pytest.raises(ConfigError, match=r"omit has 'tredns'; allowed: quote_volume, trades, .*trends"):
        feature_set(FeatureParams(set=("ichimoku", "technical"), omit=("tredns",)))


def test_to_do_without_what_a_set_does_not_read_leaves_nothing_out():
    alone = FeatureParams(set="ichimoku", omit=("trades", "trends"))
    assert feature_set(alone).columns == feature_set(FeatureParams(set="ichimoku")).columns
    assert omitted_inputs(alone) == ()


def test_sets_that_share_a_column_name_are_refused_together():
    with pytest.raises(ConfigError, match=r"log_return, .*in more than one set"):
        feature_set(FeatureParams(set=("long_short", "long_short_levels")))


@pytest.mark.parametrize("name", [name for name, entry in FEATURE_SETS.items() if entry.options.model_fields])
def test_another_option_is_another_hash(name):
    option = {"ichimoku": {"tenkan": 8}, "price_action": {"horizons": [1, 2, 12, 60]}, "levels": {"span": 3}}.get(
        name, {"bins": 25}
    )
    assert feature_hash(feature_set(FeatureParams(set=name))) != feature_hash(feature_set(FeatureParams(set=name, options=option)))


def test_columns_of_longer_bars_are_those_of_the_longer_bars_once_they_have_closed(bars):
    made = feature_set(FeatureParams(set="price_action", timeframes=("4h",)))
    block = compute_features(bars, made, HOUR)
    four = Timeframe.parse("4h")
    longer, _ = resample(bars, HOUR, four)
    alone = compute_features(longer, feature_set(FeatureParams(set="price_action")), four)
    assert made.columns[19:] == tuple(f"4h_{name}" for name in made.columns[:19])
    row = 5_000
    closed = bars["timestamp"][row] + np.timedelta64(1, "h")
    newest = int(np.flatnonzero((longer["timestamp"] + np.timedelta64(4, "h") <= closed).to_numpy())[-1])
    np.testing.assert_array_equal(block[row, 19:], alone[newest])


def test_the_open_longer_bar_is_never_seen(bars):
    made = feature_set(FeatureParams(set="price_action", timeframes=("4h",)))
    block = compute_features(bars, made, HOUR)
    # Within a longer bar nothing changes: its columns move at the base bar that closes it, that is one in four.
    moved = (np.diff(block[3_000:, 19], axis=0) != 0).mean()
    assert 0.15 < moved <= 0.3


def test_the_warm_up_is_counted_in_base_bars(bars):
    made = feature_set(FeatureParams(set="price_action", timeframes=("4h",)))
    assert made.warmup_on(HOUR) == (190 + 2) * 4
    # price_action needs its window alone; technical has anchors every 128 longer bars.
    assert rows_for_live(made, HOUR) == (190 + 1 + 2) * 4
    technical = feature_set(FeatureParams(set="technical", timeframes=("1d",)))
    assert rows_for_live(technical, HOUR) == (LONGER_ANCHOR_BARS + 384 + 2) * 24


def test_too_few_bars_for_the_longer_ones_are_refused_with_both_numbers(bars):
    made = feature_set(FeatureParams(set="price_action", timeframes=("1d",)))
    wanted = (190 + 2) * 24 + 1
    with pytest.raises(DataError, match=f"has {wanted - 1} rows; at least {wanted} are required"):
        compute_features(bars.iloc[: wanted - 1], made, HOUR)
    assert np.isfinite(compute_features(bars.iloc[:wanted], made, HOUR)[-1]).all()
    assert np.isfinite(live_row(bars.iloc[:wanted], made, HOUR)).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"timeframes": ("4h", "4h")}, "names a length twice"),
        ({"timeframes": ("4h",), "set": "own", "columns": ("mine",)}, "needs a feature set to compute; own columns have none"),
    ],
)
def test_longer_bars_that_cannot_be_are_refused(params, message):
    with pytest.raises(ConfigError, match=message):
        feature_set(FeatureParams(**{"set": "price_action", **params}))


@pytest.mark.parametrize("label", ["30m", "90m", "1h"])
def test_longer_bars_that_the_base_does_not_make_are_refused(bars, label):
    made = feature_set(FeatureParams(set="price_action", timeframes=(label,)))
    with pytest.raises(
        ConfigError, match=f"features.timeframes has {label}, and bars are of 1h; allowed: whole multiples above it"
    ):
        compute_features(bars, made, HOUR)


def test_own_columns_stand_for_the_base_bars_alone(bars):
    made = feature_set(FeatureParams(set="price_action", columns=("mood",), timeframes=("4h",)))
    assert made.columns.count("mood") == 1
    assert "4h_mood" not in made.columns
    block = compute_features(bars.assign(mood=np.arange(9_000.0)), made, HOUR)
    assert block[-1, made.columns.index("mood")] == 8_999.0
