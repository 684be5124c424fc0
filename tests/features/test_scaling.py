import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seawall.core.errors import DataError
from seawall.core.files import read_json, write_json
from seawall.core.market import RowRange
from seawall.features.scaling.scaler import CLIP, Scaler

KINDS = ("minmax", "zscore", "robust", "none")
NAMES = ("a", "b", "c")
BLOCKS = hnp.arrays(np.float64, (20, 3), elements=st.floats(-1e9, 1e9))


def example_block():
    return np.random.default_rng(0).normal([0.0, 5.0, -3.0], [1.0, 1e-3, 1e4], (20, 3))


def test_minmax_maps_the_training_range_to_zero_and_one():
    block = np.array([[2.0], [4.0], [6.0], [8.0], [100.0], [-100.0]])
    scaler = Scaler.fit(block, RowRange(0, 4), ["a"], "minmax")
    # (x − 2) / 6; outside the training range clipped at −1 and 2
    np.testing.assert_array_equal(scaler.transform(block)[:, 0], np.array([0, 1 / 3, 2 / 3, 1, 2, -1], np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_the_training_range_is_that_of_the_scaled_training_rows_and_is_saved(kind):
    block = np.concatenate([example_block(), [[1e9, 1e9, 1e9]]])
    scaler = Scaler.from_dict(json.loads(json.dumps(Scaler.fit(block, RowRange(0, 20), NAMES, kind).to_dict())))
    seen = scaler.transform(block[:20])
    np.testing.assert_array_equal(scaler.training_range, [seen.min(axis=0), seen.max(axis=0)])


def test_a_scaler_that_was_saved_without_a_training_range_knows_none():
    saved = Scaler.fit(example_block(), RowRange(0, 20), NAMES, "minmax").to_dict()
    del saved["seen"]
    assert Scaler.from_dict(saved).training_range is None
    with pytest.raises(DataError, match="a training range of shape"):
        Scaler.from_dict({**saved, "seen": [[0.0], [1.0]]})


def test_zscore_gives_mean_zero_and_deviation_one_on_the_training_rows():
    block = np.array([[1.0], [3.0], [1e6], [-1e6]])
    scaler = Scaler.fit(block, RowRange(0, 2), ["a"], "zscore")  # mean 2, deviation 1
    np.testing.assert_array_equal(scaler.transform(block)[:, 0], np.array([-1, 1, 10, -10], np.float32))


def test_robust_takes_the_median_away_and_divides_by_the_distance_of_the_quartiles():
    block = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [1e6], [-1e6]])
    scaler = Scaler.fit(block, RowRange(0, 5), ["a"], "robust")  # median 3, quartiles 2 and 4
    np.testing.assert_array_equal(scaler.transform(block)[:, 0], np.array([-1, -0.5, 0, 0.5, 1, 10, -10], np.float32))


def test_one_outlier_moves_the_robust_scale_less_than_the_others():
    block = np.arange(101.0)[:, None]
    spoilt = block.copy()
    spoilt[100] = 1e6
    scales = {
        kind: [Scaler.fit(each, RowRange(0, 101), ["a"], kind).scale[0] for each in (block, spoilt)]
        for kind in ("robust", "zscore")
    }
    assert scales["robust"] == [50.0, 50.0]
    assert scales["zscore"][1] > 1_000 * scales["zscore"][0]


def test_a_column_that_moves_seldom_has_equal_quartiles_and_keeps_its_steps():
    block = np.array([[0.0]] * 9 + [[4.0]])
    scaler = Scaler.fit(block, RowRange(0, 10), ["a"], "robust")
    assert (scaler.offset[0], scaler.scale[0]) == (0.0, 1.0)
    assert scaler.transform(block)[:, 0].tolist() == [0.0] * 9 + [4.0]


def test_columns_that_were_scaled_before_pass_as_they_are():
    block = example_block()
    block[12:, 1] = 50.0  # beyond every clip
    scaler = Scaler.fit(block, RowRange(0, 10), NAMES, "zscore", unscaled=("b",))
    full = Scaler.fit(block, RowRange(0, 10), NAMES, "zscore").transform(block)
    scaled = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict()))).transform(block)
    np.testing.assert_array_equal(scaled[:, 1], block[:, 1].astype(np.float32))
    np.testing.assert_array_equal(scaled[:, [0, 2]], full[:, [0, 2]])
    assert (scaler.offset[1], scaler.scale[1], scaler.unscaled) == (0.0, 1.0, ("b",))


def test_none_passes_values_as_float32():
    block = example_block()
    scaled = Scaler.fit(block, RowRange(0, 5), NAMES, "none").transform(block)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, block.astype(np.float32))


@pytest.mark.parametrize(("kind", "value"), [("minmax", 0.5), ("zscore", 0.0), ("robust", 0.0), ("none", 7.1)])
def test_a_column_that_is_constant_in_training_has_a_stated_value(kind, value):
    block = np.full((6, 1), 7.1)
    block[5] = 7.6
    scaler = Scaler.fit(block, RowRange(0, 5), ["a"], kind)
    assert scaler.scale[0] == 1.0
    # 7.1 − (7.1 − 0.5) rounds at 1e-15, far below a step of float32
    assert scaler.transform(block)[:, 0].tolist() == [np.float32(value)] * 5 + [np.float32(value + 0.5)]


def test_a_constant_whose_deviation_rounds_above_zero_is_still_constant():
    block = np.full((10, 1), 0.3)
    assert block.std(axis=0)[0] > 0.0
    scaler = Scaler.fit(block, RowRange(0, 10), ["a"], "zscore")
    assert (scaler.offset[0], scaler.scale[0]) == (0.3, 1.0)


def test_a_column_whose_deviation_rounds_to_zero_is_constant():
    block = np.array([[0.0], [1e-200], [0.0]])  # the square, 1e-400, is no float64
    assert Scaler.fit(block, RowRange(0, 3), ["a"], "zscore").scale[0] == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_rows_after_training_change_nothing(kind):
    block, altered = example_block(), example_block()
    altered[10:] = 1e9
    altered[:3] = np.nan  # the warm-up before training
    fitted = [Scaler.fit(each, RowRange(3, 10), NAMES, kind).to_dict() for each in (block, altered)]
    assert fitted[0] == fitted[1]


@pytest.mark.parametrize("kind", ["minmax", "zscore", "robust"])
def test_fitting_on_all_rows_would_be_seen_by_that_check(kind):
    block, altered = example_block(), example_block()
    altered[10:] = 1e9
    fitted = [Scaler.fit(each, RowRange(0, len(each)), NAMES, kind).to_dict() for each in (block, altered)]
    assert fitted[0] != fitted[1]


@given(BLOCKS, st.sampled_from(KINDS), st.integers(0, 18), st.integers(1, 19))
def test_scaled_values_are_bounded_finite_and_round_trip_through_json(block, kind, start, length):
    scaler = Scaler.fit(block, RowRange(start, min(20, start + length)), NAMES, kind)
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    scaled = scaler.transform(block)
    assert again.to_dict() == scaler.to_dict()
    np.testing.assert_array_equal(again.transform(block), scaled)
    assert np.isfinite(scaled).all()
    assert CLIP[kind][0] <= scaled.min() <= scaled.max() <= CLIP[kind][1]


@given(BLOCKS)
def test_minmax_spans_zero_to_one_on_its_own_rows(block):
    scaled = Scaler.fit(block, RowRange(0, 20), NAMES, "minmax").transform(block)
    constant = block.min(axis=0) == block.max(axis=0)
    np.testing.assert_array_equal(scaled.min(axis=0), np.where(constant, 0.5, 0.0).astype(np.float32))
    np.testing.assert_array_equal(scaled.max(axis=0), np.where(constant, 0.5, 1.0).astype(np.float32))


def test_a_file_gives_back_the_same_bits(tmp_path):
    scaler = Scaler.fit(example_block(), RowRange(2, 11), NAMES, "zscore")
    write_json(tmp_path / "scaler.json", scaler.to_dict())
    again = Scaler.from_dict(read_json(tmp_path / "scaler.json"))
    np.testing.assert_array_equal(again.scale, scaler.scale)
    np.testing.assert_array_equal(again.offset, scaler.offset)
    assert (again.kind, again.columns, again.fitted_rows) == ("zscore", NAMES, (2, 11))


def test_the_warm_up_stays_nan():
    block = example_block()
    scaler = Scaler.fit(block, RowRange(5, 20), NAMES, "minmax")
    block[:5] = np.nan
    assert np.isnan(scaler.transform(block)).all(axis=1).tolist() == [True] * 5 + [False] * 15


def test_training_rows_in_the_warm_up_are_refused_with_column_and_row():
    block = example_block()
    block[4, 1] = np.nan
    with pytest.raises(DataError, match="feature b is nan at training row 4"):
        Scaler.fit(block, RowRange(2, 10), NAMES, "minmax")


@pytest.mark.parametrize("rows", [range(5, 21), range(5, 5), slice(-3, 4)])
def test_training_rows_outside_the_block_are_refused(rows):
    with pytest.raises(DataError, match="training rows"):
        Scaler.fit(example_block(), rows, NAMES, "minmax")


@pytest.mark.parametrize("columns", [("a", "b"), ("a", "b", "d"), ("b", "a", "c")])
def test_other_columns_are_refused(columns):
    scaler = Scaler.fit(example_block(), RowRange(0, 10), NAMES, "minmax")
    with pytest.raises(DataError, match="other features"):
        scaler.transform(np.zeros((4, len(columns))), columns)
    with pytest.raises(DataError, match=r"shape \(4, 5\)"):
        scaler.transform(np.zeros((4, 5)))
    with pytest.raises(DataError, match=r"shape \(3,\)"):
        scaler.transform(np.zeros(3))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "quantile"},
        {"scale": [1.0, 1.0]},
        {"scale": [1.0, 0.0, 1.0]},
        {"offset": [None, 0.0, 0.0]},
        {"fitted_rows": [1]},
        {"unscaled": ["a"]},
        {"unscaled": ["d"]},
    ],
)
def test_a_damaged_scaler_is_refused(change):
    whole = Scaler.fit(example_block(), RowRange(0, 10), NAMES, "minmax").to_dict()
    with pytest.raises(DataError, match="scaler"):
        Scaler.from_dict(whole | change)


def test_a_scaler_without_a_part_is_refused():
    with pytest.raises(DataError, match="KeyError: 'columns'"):
        Scaler.from_dict({"kind": "none", "offset": [], "scale": [], "fitted_rows": [0, 1]})
