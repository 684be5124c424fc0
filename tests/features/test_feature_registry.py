import pickle

import numpy as np
import pydantic
import pytest
from random_bars import random_bars

from seawall.core.errors import ConfigError
from seawall.features.pipeline import feature_hash
from seawall.features.registry import FEATURE_SETS, FeatureParams, feature_set


def test_the_default_is_the_full_set_of_21_columns():
    default = feature_set(FeatureParams())
    assert (default.name, len(default.columns), default.requires) == ("technical", 21, ("trades", "trends"))


def test_omit_leaves_columns_out_and_their_inputs_unasked():
    full, less = feature_set(FeatureParams()), feature_set(FeatureParams(omit=("trends",)))
    assert less.columns == tuple(name for name in full.columns if name != "trends")
    assert less.requires == ("trades",)


def test_the_ohlcv_variant_has_the_19_columns_that_need_no_optional_input():
    named, omitted = feature_set(FeatureParams(set="technical_ohlcv")), feature_set(FeatureParams(omit=("trades", "trends")))
    assert len(named.columns) == 19
    assert named.requires == ()
    assert named.columns == omitted.columns


def test_an_omitted_column_does_not_change_the_others():
    bars = random_bars(1, 1_000)
    full, less = feature_set(FeatureParams()), feature_set(FeatureParams(set="technical_ohlcv"))
    kept = [full.columns.index(name) for name in less.columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_array_equal(less(bars), full(bars)[:, kept])


@pytest.mark.parametrize("params", [{"set": "tecnical"}, {"omit": ("volume",)}, {"set": "technical_ohlcv", "omit": ("trade",)}])
def test_a_set_or_input_that_does_not_exist_is_refused(params):
    with pytest.raises(ConfigError):
        feature_set(FeatureParams(**params))


def test_an_unknown_set_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'tecnical'.*technical, technical_ohlcv"):
        feature_set(FeatureParams(set="tecnical"))


@pytest.mark.parametrize("key", [{"scaling": "quantile"}, {"omitt": ("trades",)}])
def test_unknown_keys_and_scalings_are_refused(key):
    with pytest.raises(pydantic.ValidationError):
        FeatureParams(**key)


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_every_set_bears_its_registered_name_and_can_be_sent_to_another_process(name):
    known = feature_set(FeatureParams(set=name))
    assert known.name == name
    assert feature_hash(pickle.loads(pickle.dumps(known))) == feature_hash(known)
