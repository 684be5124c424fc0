"""How lively the last bars were, each figure from a fixed number of closed bars, so that live equals training to the bit."""

from __future__ import annotations

import numpy as np

from seawall.core.bars import CLOSE, HIGH, LOW
from seawall.core.past import PastBars

YEAR_MS = 365.25 * 86_400_000


def bar_volatility(past: PastBars, n_bars: int) -> np.ndarray:
    """Return the volatility of a bar: the root mean square of the last log returns between closes, their mean taken as 0.

    Source: the estimator of RiskMetrics (1996) with equal weights, as for a drift that no short window can tell from 0.

    Args:
        past: Bars up to the decision.
        n_bars: Returns taken; one bar more is read.

    Returns:
        float64, shape (N,); NaN where fewer bars are known.
    """
    returns = np.diff(np.log(past.closes(n_bars + 1)), axis=1)
    return np.sqrt(np.ascontiguousarray(returns * returns).mean(axis=1))


def true_range_share(past: PastBars, n_bars: int) -> np.ndarray:
    """Return the average true range of the last bars as a share of the last close.

    The true range is the largest of high − low, high − the close before, and the close before − low (Wilder, "New Concepts in
    Technical Trading Systems", 1978). It is averaged plainly: his smoothing never forgets, and so would hang on where it began.

    Args:
        past: Bars up to the decision.
        n_bars: Bars averaged; one bar more is read.

    Returns:
        float64, shape (N,); NaN where fewer bars are known.
    """
    bars = past.prices(n_bars + 1)
    before, high, low = bars[:, :-1, CLOSE], bars[:, 1:, HIGH], bars[:, 1:, LOW]
    ranges = np.maximum(high, before) - np.minimum(low, before)
    return np.ascontiguousarray(ranges).mean(axis=1) / bars[:, -1, CLOSE]
