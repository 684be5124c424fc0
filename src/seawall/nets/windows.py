"""Windows of features, gathered from one block where a network needs them.

Buffers store rows of 4 bytes, not windows of kilobytes. The block is a view of the (memory-mapped) market, lives once on
the device, and belongs to no network: it is never saved with weights.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from seawall.core.errors import DataError
from seawall.core.market import Market
from seawall.core.protocols import Observation


def feature_tensor(features: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """View a feature block as a tensor; on the CPU nothing is copied.

    Args:
        features: Scaled features, float32, shape (T, F), possibly read-only. Nothing here ever writes to it.
        device: Where the tensor shall live.

    Raises:
        DataError: The block is not two-dimensional float32.
    """
    if features.ndim != 2 or features.dtype != np.float32:
        raise DataError(f"features have shape {features.shape} and type {features.dtype}; (rows, columns) of float32 is needed")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(features)).to(device)


class WindowGatherer:
    """Gathers windows of one feature block."""

    def __init__(self, features: Tensor, window: int) -> None:
        """Take a block; no window is copied before it is asked for.

        Args:
            features: Shape (T, F).
            window: L, rows in a window.

        Raises:
            DataError: The block is shorter than one window.
        """
        rows, columns = features.shape
        if rows < window:
            raise DataError(f"the market has {rows} rows; a window needs at least {window}")
        self.window, self.columns = window, columns
        # Window i starts at row i: overlapping views of one block, so that a gather copies one run of memory per window.
        self._windows = features.contiguous().as_strided((rows - window + 1, window * columns), (columns, 1))

    def __call__(self, rows: Tensor) -> Tensor:
        """Return the windows that end at some rows.

        Args:
            rows: Row of the bar that has just closed, any integer type, shape (B,).

        Returns:
            Rows t - L + 1 .. t of the block for each t, oldest first, shape (B, L, F). All of it is known at the close of t.

        Raises:
            IndexError: A window would start before the first row, or end after the last.
        """
        return self._windows.index_select(0, rows.long() - (self.window - 1)).view(-1, self.window, self.columns)


class ObservedWindows:
    """Gathers the windows that observations refer to, on the host, so that live's growing tail costs nothing extra."""

    def __init__(self, window: int) -> None:
        """Take L, rows in a window; no market is known before the first observation."""
        self.window = window
        self._market: Market | None = None
        self._gather: WindowGatherer | None = None

    def __call__(self, observation: Observation) -> Tensor:
        """Return the window of each environment, shape (N, L, F), known at the close of its row.

        Raises:
            IndexError: A window would start before the market's first row.
        """
        if self._gather is None or self._market is not observation.market:
            self._market = observation.market
            self._gather = WindowGatherer(feature_tensor(observation.market.features), self.window)
        return self._gather(torch.as_tensor(observation.rows))
