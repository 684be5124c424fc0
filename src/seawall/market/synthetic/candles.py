"""Bars around a known path of closes: candles as wide as the move needs, and activity that says nothing of what comes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seawall.core.seeding import generator
from seawall.market.synthetic.frame import SyntheticParams, bar_frame

# A close nearer to an extreme than a fifth of the range would need wicks many times longer than the body.
FURTHEST_CLOSE_LOCATION = 0.6
_TYPICAL_RANGE, _RANGE_DEVIATION = 1.2, 0.25
_TYPICAL_VOLUME, _VOLUME_DEVIATION = 1_000.0, 0.3
_VOLUME_PER_TRADE, _TRADE_SIZE_DEVIATION = 0.5, 0.1


def bars_around(
    params: SyntheticParams, moves: np.ndarray, volatility: float, seed: int, stream: str, place: np.ndarray | None = None
) -> pd.DataFrame:
    """Return bars whose closes follow given moves; each bar opens at the close before it.

    Args:
        params: Clock and start price of the market.
        moves: Log return of each bar, from its open to its close, float64, shape (T,).
        volatility: Deviation of the log return per bar, which scales the ranges.
        seed: Any whole number from 0.
        stream: Name of the market's random streams.
        place: Sets the place of the close within the bar, where it is to show something: -inf at the lowest, inf at the highest
            that a close may lie, float64, shape (T,). None draws it at random.

    Returns:
        A bar frame of T rows with a ``trades`` column.
    """
    shown = generator(seed, f"{stream} place").standard_normal(len(moves)) if place is None else place
    closes = np.log(params.start_price) + np.cumsum(moves)
    below = 0.5 + 0.5 * FURTHEST_CLOSE_LOCATION * np.tanh(shown)
    spread = generator(seed, f"{stream} range").standard_normal(len(moves))
    usual = volatility * _TYPICAL_RANGE * np.exp(_RANGE_DEVIATION * spread)
    reach = np.maximum(usual, np.maximum(moves / below, -moves / (1.0 - below)))
    prices = np.exp(np.column_stack([closes - moves, closes + (1.0 - below) * reach, closes - below * reach, closes]))
    prices[1:, 0] = prices[:-1, 3]
    return bar_frame(params, _enclosed(prices), *_activity(len(moves), seed, stream))


def _enclosed(prices: np.ndarray) -> np.ndarray:
    # Rounding of exp(log(x)) may leave a high one unit below the body.
    prices[:, 1] = prices.max(axis=1)
    prices[:, 2] = prices.min(axis=1)
    return prices


def _activity(rows: int, seed: int, stream: str) -> tuple[np.ndarray, np.ndarray]:
    draws = generator(seed, f"{stream} activity").standard_normal((2, rows))
    volume = _TYPICAL_VOLUME * np.exp(_VOLUME_DEVIATION * draws[0])
    trades = np.maximum(np.rint(volume / _VOLUME_PER_TRADE * np.exp(_TRADE_SIZE_DEVIATION * draws[1])), 1.0)
    return volume, trades
