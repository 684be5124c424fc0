import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import DataError
from seawall.nets.windows import WindowGatherer, feature_tensor

BLOCK = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


@given(window=st.integers(1, 50), data=st.data())
def test_gathering_equals_slicing(window, data):
    rows = data.draw(st.lists(st.integers(window - 1, 49), min_size=1, max_size=20))
    gathered = WindowGatherer(feature_tensor(BLOCK), window)(torch.tensor(rows))
    np.testing.assert_array_equal(gathered, np.stack([BLOCK[row - window + 1 : row + 1] for row in rows]))


def test_rows_may_be_of_four_bytes():
    gather = WindowGatherer(feature_tensor(BLOCK), 4)
    rows = torch.tensor([10, 20])
    assert torch.equal(gather(rows.int()), gather(rows))


@pytest.mark.parametrize("row", [2, 50, -1])
def test_a_window_outside_the_block_is_refused(row):
    with pytest.raises(IndexError):
        WindowGatherer(feature_tensor(BLOCK), 4)(torch.tensor([row]))


def test_a_block_shorter_than_a_window_is_refused():
    with pytest.raises(DataError, match="50 rows; a window needs at least 51"):
        WindowGatherer(feature_tensor(BLOCK), 51)


def test_a_read_only_mapped_block_is_viewed_and_not_copied(tmp_path):
    np.save(tmp_path / "features.npy", BLOCK)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    tensor = feature_tensor(mapped)
    assert tensor.data_ptr() == mapped.ctypes.data
    np.testing.assert_array_equal(tensor, BLOCK)


def test_features_of_another_type_are_refused():
    with pytest.raises(DataError, match="float64"):
        feature_tensor(BLOCK.astype(np.float64))
