"""Markets whose best result is known: a planted edge, and its driftless twin.

A hidden signal s is a stationary AR(1) process of unit variance. The next close moves by

    log(close[t+1] / close[t]) = edge * tanh(1.5 * s[t]) - volatility² / 2 + volatility * z[t+1]

with z standard normal, so that the price is a martingale where the edge is 0. Bar t shows s[t] through the place of its close
between low and high, with noise; the rest of its shape, its volume and its trades say nothing of the signal. A bar opens at the
close before it, so that a decision at the close of t, filled at the open of t+1, earns exactly the move above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from pydantic import Field

from seawall.core.seeding import generator
from seawall.market.synthetic.candles import bars_around
from seawall.market.synthetic.frame import SyntheticParams
from seawall.market.synthetic.switching import (
    SwitchingPolicy,
    autoregressive_grid,
    best_switching,
    expected_log_growth,
    switching_costs,
)

LONG_FLAT_SHORT = (-1.0, 0.0, 1.0)
# 11 basis points: a fee of 10 and half a spread of 1.
DEFAULT_COST_PER_UNIT = 0.0011
_SIGNAL_GAIN = 1.5


class PlantedEdgeParams(SyntheticParams):
    """A market that can be predicted to a known degree."""

    edge: float = Field(
        default=0.0013, ge=0.0, le=0.05, description="Log drift per bar where the hidden signal is strongest; 0 makes a martingale"
    )
    volatility: float = Field(default=0.005, gt=0.0, le=0.05, description="Standard deviation of the log return per bar")
    persistence: float = Field(default=0.97, ge=0.0, le=0.995, description="Lag-one autocorrelation of the hidden signal")
    observation_noise: float = Field(
        default=0.35,
        ge=0.0,
        le=100.0,
        description="Deviation of the noise on the signal that each bar shows, in deviations of the signal",
    )


@dataclass(frozen=True)
class KnownMarket:
    """A made market with what a trader cannot see.

    Attributes:
        bars: A bar frame of T rows with a ``trades`` column.
        signal: The hidden signal at the close of each bar, float64, shape (T,).
        drift: Expected log drift from the close of each bar to the next close, float64, shape (T,).
    """

    bars: pd.DataFrame
    signal: np.ndarray
    drift: np.ndarray


def planted_edge_bars(params: PlantedEdgeParams, seed: int) -> KnownMarket:
    """Make a market with a planted edge.

    Shocks, signal and shape depend on the seed alone: the same seed with another edge gives the same market but for the drift.

    Args:
        params: Length, clock and strength.
        seed: Any whole number from 0.
    """
    rows = params.n_bars
    signal = autoregressive(generator(seed, "planted edge signal").standard_normal(rows), params.persistence)
    drift = params.edge * np.tanh(_SIGNAL_GAIN * signal)
    shocks = generator(seed, "planted edge shocks").standard_normal(rows)
    moves = -0.5 * params.volatility**2 + params.volatility * shocks
    moves[1:] += drift[:-1]
    noise = generator(seed, "planted edge observation").standard_normal(rows)
    place = signal + params.observation_noise * noise
    return KnownMarket(bars_around(params, moves, params.volatility, seed, "planted edge", place), signal, drift)


def random_walk_bars(params: PlantedEdgeParams, seed: int) -> KnownMarket:
    """Make the driftless twin of a planted-edge market: same seed, same shocks and shapes, no edge; a martingale."""
    return planted_edge_bars(params.model_copy(update={"edge": 0.0}), seed)


def informed_policy(
    params: PlantedEdgeParams,
    levels: Sequence[float] = LONG_FLAT_SHORT,
    cost_per_unit: float = DEFAULT_COST_PER_UNIT,
    *,
    refinement: float = 1.0,
) -> SwitchingPolicy:
    """Find the best policy of a trader who sees the hidden signal.

    Its exposure is one of `levels` of equity, kept at that level through each bar; a change from x to y costs the share
    ``cost_per_unit * |y - x|`` of equity.

    Args:
        params: The market.
        levels: Exposures that may be taken; 1 is all equity long.
        cost_per_unit: Cost per unit of traded notional, within [0, 1).
        refinement: Divides the grid's step; the default is within 1e-4 of the growth itself.

    Raises:
        ConfigError: No level, or a cost that cannot be paid, or a level that can lose everything in one bar.
    """
    exposures, switching = switching_costs(levels, cost_per_unit)
    grid, transition = autoregressive_grid(params.persistence, refinement)
    earned = expected_log_growth(exposures, params.edge * np.tanh(_SIGNAL_GAIN * grid), params.volatility)
    return best_switching(grid, transition, exposures, earned, switching)


def attainable_growth(
    params: PlantedEdgeParams,
    levels: Sequence[float] = LONG_FLAT_SHORT,
    cost_per_unit: float = DEFAULT_COST_PER_UNIT,
    *,
    refinement: float = 1.0,
) -> float:
    """Return the highest long-run log growth per bar, after costs, of any policy: that of `informed_policy`.

    Args:
        params: The market.
        levels: Exposures that may be taken.
        cost_per_unit: Cost per unit of traded notional.
        refinement: Divides the grid's step.

    Raises:
        ConfigError: As `informed_policy`.
    """
    return informed_policy(params, levels, cost_per_unit, refinement=refinement).mean


def optimal_targets(
    known: KnownMarket,
    params: PlantedEdgeParams,
    levels: Sequence[float] = LONG_FLAT_SHORT,
    cost_per_unit: float = DEFAULT_COST_PER_UNIT,
) -> np.ndarray:
    """Return the informed policy's exposures on one market, starting flat.

    Args:
        known: The market.
        params: What it was made with.
        levels: Exposures that may be taken.
        cost_per_unit: Cost per unit of traded notional.

    Returns:
        Target chosen at the close of each bar, to be held from the next open on; float64, shape (T,).

    Raises:
        ConfigError: As `informed_policy`.
    """
    return informed_policy(params, levels, cost_per_unit).follow(known.signal)


def net_log_growth(bars: pd.DataFrame, targets: np.ndarray, cost_per_unit: float = DEFAULT_COST_PER_UNIT) -> np.ndarray:
    """Return the log growth of equity over each bar for exposures kept at their targets, after costs, starting flat.

    Args:
        bars: A bar frame of T rows.
        targets: Exposure chosen at each close and filled at the next open, float64, shape (T,).
        cost_per_unit: Cost per unit of traded notional.

    Returns:
        float64, shape (T - 1,): entry t is the growth from the close of t to the close of t+1.
    """
    opens, closes = bars["open"].to_numpy(np.float64), bars["close"].to_numpy(np.float64)
    held = targets[:-1]
    before = np.concatenate([[0.0], held[:-1]])
    overnight = 1.0 + before * (opens[1:] / closes[:-1] - 1.0)
    within = 1.0 + held * (closes[1:] / opens[1:] - 1.0)
    return np.log(overnight) + np.log1p(-cost_per_unit * np.abs(held - before)) + np.log(within)


def sharpe_per_bar(growth: np.ndarray) -> float:
    """Return mean over sample deviation of per-bar growth, without annualising; NaN where the growth never varies.

    Args:
        growth: Log growth per bar, shape (T,), at least two.
    """
    deviation = float(np.std(growth, ddof=1))
    return float(np.mean(growth)) / deviation if deviation > 0.0 else float("nan")


def close_location(bars: pd.DataFrame) -> np.ndarray:
    """Return the place of the close within the bar: -1 at the low, 1 at the high, 0 for a bar without range; shape (T,)."""
    high, low, close = (bars[name].to_numpy(np.float64) for name in ("high", "low", "close"))
    spread = high - low
    return np.divide((close - low) - (high - close), spread, out=np.zeros_like(spread), where=spread > 0.0)


@njit(cache=True)
def autoregressive(shocks: np.ndarray, persistence: float) -> np.ndarray:
    """Return a stationary AR(1) path of unit variance, shape (T,), from standard normal shocks, shape (T,)."""
    signal = np.empty_like(shocks)
    signal[0] = shocks[0]
    deviation = np.sqrt(1.0 - persistence**2)
    for row in range(1, len(shocks)):
        signal[row] = persistence * signal[row - 1] + deviation * shocks[row]
    return signal
