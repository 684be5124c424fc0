"""A random panel with features, and portfolio environments over it."""

from __future__ import annotations

import numpy as np

from seawall.core.market import RowRange
from seawall.envs.portfolio import PortfolioEnv
from seawall.envs.portfolio_params import PortfolioEnvironmentParams
from seawall.envs.portfolio_vector import PortfolioVectorEnv
from seawall.market.panel import Panel
from simulator.small_portfolios import walk

ASSETS, ROWS, FEATURES, READY = 3, 200, 2, 5


def bars(seed: int = 0) -> Panel:
    """A random walk of three assets with some bars missing."""
    return walk(seed, ASSETS, ROWS)


def features(seed: int = 0) -> np.ndarray:
    """Features of every asset, ready at row READY."""
    block = np.random.default_rng(seed).standard_normal((ASSETS, ROWS, FEATURES)).astype(np.float32)
    block[:, :READY] = np.nan
    return block


def batch(n: int, rows: RowRange | list[RowRange] | None = None, **chosen: object) -> PortfolioVectorEnv:
    """N environments with windows of 4 and episodes of 20 bars."""
    params = PortfolioEnvironmentParams(**({"window": 4, "episode_bars": 20} | chosen))
    rows = RowRange(0, ROWS) if rows is None else rows
    return PortfolioVectorEnv(bars(), rows, n, features=features(), ready=READY, params=params)


def single(render_mode: str | None = None, **chosen: object) -> PortfolioEnv:
    """One of them."""
    params = PortfolioEnvironmentParams(**({"window": 4, "episode_bars": 20} | chosen))
    return PortfolioEnv(bars(), RowRange(0, ROWS), features=features(), ready=READY, params=params, render_mode=render_mode)


def random_weights(seed: int, steps: int, n: int) -> np.ndarray:
    """Weights of cash and the assets, (steps, n, ASSETS + 1)."""
    return np.random.default_rng(seed).dirichlet(np.ones(ASSETS + 1), (steps, n))
