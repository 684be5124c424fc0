"""Each bar as four numbers without units: its prices as log returns from the close before, in units of trailing volatility."""

from __future__ import annotations

import numpy as np

from seawall.core.bars import PRICE_COLUMNS
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.arithmetic.windows import previous

CANDLE = PRICE_COLUMNS


def scaled_candles(bars: BarArrays, volatility: np.ndarray) -> np.ndarray:
    """Return open, high, low and close of each bar, relative to the bars before it.

    Args:
        bars: T bars of one series.
        volatility: Deviation of a bar's log return, known at its close, shape (T,).

    Returns:
        ``ln(P(t) / C(t − 1)) / volatility(t − 1)`` for each of the four prices P, float64, shape (T, 4); NaN where that volatility
        is unknown or 0.
    """
    before, usual = previous(bars["close"]), previous(volatility)
    usual = np.where(usual > 0.0, usual, np.nan)
    with np.errstate(invalid="ignore"):
        return np.column_stack([np.log(bars[name] / before) / usual for name in CANDLE])
