"""Small markets for the simulator's tests."""

from __future__ import annotations

import numpy as np

from seawall.core.market import Market
from seawall.core.timeframe import Timeframe


def market_of(prices: np.ndarray, starts: tuple[int, ...] = ()) -> Market:
    """A market of (T, 5) prices without features; `starts` lays several series end to end."""
    rows = len(prices)
    edges = (*starts, rows) if starts else (0, rows)
    return Market(
        symbols=tuple(f"S{number}" for number in range(len(edges) - 1)),
        starts=edges,
        timeframe=Timeframe(3_600),
        timestamps=np.arange(rows, dtype=np.int64) * 3_600_000,
        prices=np.asarray(prices, dtype=np.float64),
        features=np.zeros((rows, 0), dtype=np.float32),
        feature_names=(),
        ready=edges[:-1],
    )


def bars(*rows: tuple[float, float, float, float]) -> Market:
    """A market of open, high, low, close bars."""
    return market_of(np.array([(*row, 1.0) for row in rows]))


def flat_bars(*closes: float) -> Market:
    """Bars that open at the close before and move straight to their own close."""
    opens = (closes[0], *closes[:-1])
    return bars(*((o, max(o, c), min(o, c), c) for o, c in zip(opens, closes, strict=True)))


def random_prices(seed: int, rows: int, volatility: float) -> np.ndarray:
    """Bars with gaps at the open and wicks beyond both ends, (T, 5)."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((rows, 2)) * volatility
    close = 100.0 * np.exp(np.cumsum(steps.sum(axis=1)))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(steps[:, 0] * 0.5)
    wicks = np.exp(np.abs(rng.standard_normal((rows, 2))) * volatility * 0.5)
    high = np.maximum(opening, close) * wicks[:, 0]
    low = np.minimum(opening, close) / wicks[:, 1]
    return np.stack([opening, high, low, close, np.ones(rows)], axis=1)
