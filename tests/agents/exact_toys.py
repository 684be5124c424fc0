"""Small markets for the exact policy gradient: random bars, and one whose last feature tells the drift of the next bar."""

import numpy as np

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe

WINDOW = 4


def market_of(prices, features=None):
    rows = len(prices)
    features = np.zeros((rows, 1), np.float32) if features is None else features
    return Market(
        symbols=("TOY",),
        starts=(0, rows),
        timeframe=Timeframe(3_600),
        timestamps=np.arange(rows, dtype=np.int64) * 3_600_000,
        prices=np.asarray(prices, np.float64),
        features=features,
        feature_names=tuple(f"x{column}" for column in range(features.shape[1])),
        ready=(0,),
    )


def random_market(rows, seed, volatility=0.01):
    """Bars with gaps at the open and wicks at both ends, and two columns of noise."""
    rng = np.random.default_rng(seed)
    gaps, moves = volatility * rng.standard_normal((2, rows))
    path = np.cumsum(gaps + moves)
    closes, opens = 100.0 * np.exp(path), 100.0 * np.exp(path - moves)
    wicks = np.exp(0.3 * volatility * np.abs(rng.standard_normal((2, rows))))
    highs, lows = np.maximum(opens, closes) * wicks[0], np.minimum(opens, closes) / wicks[1]
    return market_of(
        np.column_stack([opens, highs, lows, closes, np.ones(rows)]), rng.standard_normal((rows, 2)).astype(np.float32)
    )


def signal_market(rows, seed, edge=0.004, noise=0.004, stay=0.9, shuffled=False):
    """A sign that stays from bar to bar with some probability moves the next bar by `edge` on its own side, under noise.

    The last feature shows the sign, the others are noise; bars open at the close before. Shuffled, it shows the sign of other rows.
    """
    rng = np.random.default_rng(seed)
    sign = np.cumprod(np.where(rng.random(rows) < stay, 1.0, -1.0))
    moves = np.zeros(rows)
    moves[1:] = edge * sign[:-1] + noise * rng.standard_normal(rows - 1)
    closes = 100.0 * np.exp(np.cumsum(moves))
    opens = np.concatenate([[100.0], closes[:-1]])
    prices = np.column_stack([opens, np.maximum(opens, closes), np.minimum(opens, closes), closes, np.ones(rows)])
    features = rng.standard_normal((rows, 3)).astype(np.float32)
    features[:, -1] = rng.permutation(sign) if shuffled else sign
    return market_of(prices, features), sign


def whole(market):
    return RowRange(0, len(market))
