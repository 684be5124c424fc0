"""Windows of features, copied out of the market in a compiled call, for faces that must show them."""

from __future__ import annotations

import numpy as np
from numba import njit

from seawall.core.errors import InvariantError

_ALL_THERE = -1


@njit(cache=True, error_model="numpy")
def _copy_windows(block: np.ndarray, columns: int, window: int, rows: np.ndarray, out: np.ndarray, first: int) -> int:
    """Copy the windows, unless one is not all there: then nothing is copied, and the place of its row is returned."""
    for i in range(len(rows)):
        if rows[i] < window - 1 or (rows[i] + 1) * columns > len(block):
            return i
    width = window * columns
    for i in range(len(rows)):
        stop = (rows[i] + 1) * columns
        # From 0 to the width, so that the compiler need not mind negative places: four times as fast as any other way.
        source, target = block[stop - width : stop], out[i, first : first + width]
        for j in range(width):
            target[j] = source[j]
    return _ALL_THERE


class WindowCopier:
    """Copies windows of one feature block.

    Attributes:
        window: L, rows in a window.
        columns: F, columns of the block.
        width: L · F, numbers in a window.
    """

    def __init__(self, features: np.ndarray, window: int) -> None:
        """Take a block; nothing is copied before it is asked for.

        Args:
            features: Features of every row, float32, shape (T, F), possibly memory-mapped.
            window: L, at least 1.
        """
        self._rows, self.columns = features.shape
        self.window = window
        self.width = window * self.columns
        # One type for the compiler, whatever kind of array the market holds.
        self._block = np.ascontiguousarray(features, dtype=np.float32).view(np.ndarray).reshape(-1)
        self._block.flags.writeable = False

    def fill(self, rows: np.ndarray, out: np.ndarray, first: int = 0) -> None:
        """Copy the windows that end at some rows: rows t − L + 1 .. t, oldest first, all of it known at the close of t.

        Args:
            rows: Row of the bar that has just closed, int64, shape (N,), in any order.
            out: Filled from column `first` on, float32, shape (N, at least `first` + L · F); other columns are left alone.
            first: The column.

        Raises:
            InvariantError: The array is too small, or a window would start before the first row or end after the last.
        """
        if len(out) < len(rows) or out.shape[1] < first + self.width:
            raise InvariantError(f"{len(rows)} windows of {self.width} numbers from column {first} on do not fit into {out.shape}")
        wrong = _copy_windows(self._block, self.columns, self.window, rows, out, first)
        if wrong != _ALL_THERE:
            raise InvariantError(f"row {rows[wrong]} has no whole window; allowed: {self.window - 1} to {self._rows - 1}")

    def windows(self, rows: np.ndarray) -> np.ndarray:
        """Return the windows that end at some rows as a new array, float32, shape (N, L, F); see `fill`."""
        out = np.empty((len(rows), self.width), dtype=np.float32)
        self.fill(rows, out)
        return out.reshape(len(rows), self.window, self.columns)
