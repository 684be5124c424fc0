"""Windows are the rows of the market up to the one that has closed, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.errors import InvariantError
from seawall.simulator.windows import WindowCopier

ROWS, COLUMNS = 40, 3
FEATURES = np.arange(ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)


@settings(max_examples=30, deadline=None)
@given(window=st.integers(1, ROWS), data=st.data())
def test_a_window_holds_the_rows_up_to_its_own_oldest_first(window, data):
    rows = data.draw(st.lists(st.integers(window - 1, ROWS - 1), min_size=1, max_size=9))
    seen = WindowCopier(FEATURES, window).windows(np.array(rows))
    assert (seen.shape, seen.dtype) == ((len(rows), window, COLUMNS), np.float32)
    for i, row in enumerate(rows):
        assert seen[i].tolist() == FEATURES[row - window + 1 : row + 1].tolist()


def test_windows_are_written_beside_what_stands_there():
    out = np.full((3, 2 + 6 + 1), -1.0, dtype=np.float32)
    WindowCopier(FEATURES, 2).fill(np.array([1, 39]), out, first=2)
    assert out.tolist() == [
        [-1.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, -1.0],
        [-1.0, -1.0, 114.0, 115.0, 116.0, 117.0, 118.0, 119.0, -1.0],
        [-1.0] * 9,
    ]


def test_a_memory_mapped_block_is_read_in_place(tmp_path):
    np.save(tmp_path / "block.npy", FEATURES)
    mapped = np.load(tmp_path / "block.npy", mmap_mode="r")
    copier = WindowCopier(mapped, 4)
    assert np.shares_memory(copier._block, mapped)
    assert copier.windows(np.array([7])).tobytes() == FEATURES[4:8].tobytes()


@pytest.mark.parametrize("row", [-1, 2, 40, 2**40])
def test_a_row_without_a_whole_window_is_refused_and_nothing_is_copied(row):
    out = np.full((2, 12), -1.0, dtype=np.float32)
    with pytest.raises(InvariantError, match=rf"row {row} has no whole window; allowed: 3 to 39"):
        WindowCopier(FEATURES, 4).fill(np.array([20, row]), out)
    assert (out == -1.0).all()


@pytest.mark.parametrize(("shape", "first"), [((1, 6), 0), ((2, 5), 0), ((2, 7), 2)])
def test_an_array_that_is_too_small_is_refused(shape, first):
    with pytest.raises(InvariantError, match=r"2 windows of 6 numbers from column \d on do not fit"):
        WindowCopier(FEATURES, 2).fill(np.array([5, 6]), np.empty(shape, dtype=np.float32), first)
