"""Bars up to the one that has just closed, for parts that must not see a later one."""

from __future__ import annotations

import numpy as np

from seawall.core.bars import CLOSE
from seawall.core.market import Market


class PastBars:
    """The bars of N accounts, each up to its own row; there is no way to ask for a later one.

    Attributes:
        bar_ms: Length of a bar in milliseconds.
        feature_names: Names of the F columns of `features`.
    """

    def __init__(self, market: Market, rows: np.ndarray) -> None:
        """Take the bars.

        Args:
            market: Holds the bars; live's growing tail holds the newest alone.
            rows: Row of the bar that has just closed, int64, shape (N,).
        """
        self._market, self._rows = market, rows
        self.bar_ms = market.timeframe.milliseconds
        self.feature_names = market.feature_names

    def prices(self, n_bars: int) -> np.ndarray:
        """Return the last bars of each account, the one just closed included, oldest first.

        Returns:
            Open, high, low, close, volume; float64, shape (N, n_bars, 5); NaN before the first bar of a series.
        """
        rows, known = self._places(n_bars)
        return np.where(known[:, :, None], self._market.prices[rows], np.nan)

    def closes(self, n_bars: int) -> np.ndarray:
        """Return the closes of the last bars, oldest first, float64, shape (N, n_bars); NaN before the first bar of a series."""
        rows, known = self._places(n_bars)
        return np.where(known, self._market.prices[rows, CLOSE], np.nan)

    def times(self, n_bars: int) -> np.ndarray:
        """Return the opening times of the last bars, oldest first, int64, shape (N, n_bars); −1 before the first of a series."""
        rows, known = self._places(n_bars)
        return np.where(known, self._market.timestamps[rows], -1)

    def features(self) -> np.ndarray:
        """Return the scaled features of the bar just closed, float32, shape (N, F)."""
        return self._market.features[self._rows]

    def seen_by_policies(self) -> tuple[Market, np.ndarray]:
        """Return the market and the rows, for an observation: a policy that supervises sees what one that trades does."""
        return self._market, self._rows

    def _places(self, n_bars: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the last bars, and which of them there are; both of shape (N, n_bars)."""
        starts = np.asarray(self._market.starts, dtype=np.int64)
        first = starts[np.searchsorted(starts, self._rows, side="right") - 1]
        rows = self._rows[:, None] + np.arange(1 - n_bars, 1)
        return np.maximum(rows, first[:, None]), rows >= first[:, None]
