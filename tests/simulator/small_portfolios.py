"""Small panels, and portfolios over them."""

from __future__ import annotations

import numpy as np

from seawall.core.timeframe import Timeframe
from seawall.market.panel import Panel
from seawall.simulator.costs.params import CostParams
from seawall.simulator.portfolio.simulator import PortfolioParams, PortfolioSimulator

FREE = CostParams(taker_bps=0.0, spread_bps=0.0)


def panel_of(closes, opens=None, stale=None):
    """A panel of closes, shape (A, T); each bar opens at the close before it unless told otherwise."""
    close = np.asarray(closes, dtype=np.float64)
    opening = np.concatenate([close[:, :1], close[:, :-1]], axis=1) if opens is None else np.asarray(opens, dtype=np.float64)
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones_like(close)], axis=-1)
    names = tuple("ABCDEFGHIJKLMNO"[: len(close)])
    marks = np.zeros(close.shape, dtype=bool) if stale is None else np.asarray(stale)
    return Panel(names, Timeframe.parse("1h"), np.arange(close.shape[1]) * 3_600_000, prices, marks)


def walk(seed, assets=4, rows=400):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (assets, rows)), axis=1))
    opening = np.concatenate([close[:, :1], close[:, :-1]], axis=1) * np.exp(rng.normal(0, 0.002, (assets, rows)))
    return panel_of(close, opening, stale=rng.random((assets, rows)) < 0.05)


def started(panel, n=1, costs=FREE, **params):
    simulator = PortfolioSimulator(panel, n, costs, PortfolioParams(initial_equity=1_000.0, **params))
    simulator.reset(np.arange(n), np.zeros(n), np.full(n, len(panel)))
    return simulator
