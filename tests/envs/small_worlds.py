"""A random market with features, and environments over it."""

from __future__ import annotations

import numpy as np

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.guards.n_consecutive import NConsecutiveParams
from seawall.guards.registry import guard_chain
from seawall.simulator.actions.registry import action_scheme

ROWS, FEATURES, READY = 300, 3, 5


def world(seed: int = 0, rows: int = ROWS, starts: tuple[int, ...] = (0,), volatility: float = 0.02) -> Market:
    """A market of one or more series, each ready READY rows after its start."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(rows) * volatility))
    opening = np.concatenate([[100.0], close[:-1]])
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(rows)], axis=1)
    return Market(
        symbols=tuple(f"S{number}" for number in range(len(starts))),
        starts=(*starts, rows),
        timeframe=Timeframe(3_600),
        timestamps=np.arange(rows, dtype=np.int64) * 3_600_000,
        prices=prices,
        features=rng.standard_normal((rows, FEATURES)).astype(np.float32),
        feature_names=tuple(f"f{column}" for column in range(FEATURES)),
        ready=tuple(start + READY for start in starts),
    )


def batch(
    n: int, market: Market | None = None, rows: RowRange | list[RowRange] | None = None, **settings: object
) -> TradingVectorEnv:
    """N environments with the N-consecutive guard, windows of 4 and episodes of 20 bars."""
    chosen = {"window": 4, "episode_bars": 20} | settings
    return TradingVectorEnv(
        world() if market is None else market,
        RowRange(0, ROWS) if rows is None else rows,
        n,
        action_scheme("sell_buy_hold", short=True),
        params=EnvironmentParams(**chosen),
        guards=guard_chain([("n_consecutive", NConsecutiveParams())]),
    )


def random_actions(seed: int, steps: int, n: int) -> np.ndarray:
    """Actions of the scheme, (steps, n)."""
    return np.random.default_rng(seed).integers(0, 3, (steps, n))
