"""Indicators that TA-Lib lacks, or defines otherwise than two of the published systems do. All depend on their window alone."""

from __future__ import annotations

import numpy as np

from seawall.features.arithmetic.windows import previous, ratio, rolling_mean


def simple_rsi(close: np.ndarray, n: int) -> np.ndarray:
    """Return the relative strength index with simple means: 100 · gains / (gains + losses) over the last n changes, shape (T,).

    TA-Lib's, and Wilder's, is an exponential mean of gains and losses; the two differ by tens of points. 50 where no change of the
    n is other than zero.
    """
    change = close - previous(close)
    gains, losses = rolling_mean(np.maximum(change, 0.0), n), rolling_mean(np.maximum(-change, 0.0), n)
    return 100.0 * ratio(gains, gains + losses, where_zero=0.5)


def true_range(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """Return the range of each bar with the gap from the close before it, shape (T,); NaN in the first row."""
    before = previous(close)
    return np.maximum(high, before) - np.minimum(low, before)


def simple_atr(high: np.ndarray, low: np.ndarray, close: np.ndarray, n: int) -> np.ndarray:
    """Return the average true range as a simple mean of n, shape (T,); TA-Lib's is Wilder's exponential mean."""
    return rolling_mean(true_range(high, low, close), n)
