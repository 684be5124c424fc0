"""A market whose next drift is told by an indicator of its past closes, so that nothing is hidden from a trader who looks.

The indicator z is the distance of the log close x from its exponential mean m, in units of its deviation without an edge:

    m[t] = m[t-1] + a * (x[t] - m[t-1]),  a = 2 / (span + 1),  m[0] = x[0]
    z[t] = (x[t] - m[t]) / s,             s = volatility * (1 - a) / sqrt(1 - (1 - a)²)
    x[t+1] = x[t] + edge * tanh(gain * z[t]) - volatility² / 2 + volatility * normal[t+1]

With an edge above 0 the price runs on from its mean, with one below 0 it turns back. Since m follows from x, z is a Markov process
by itself: z[t+1] = (1 - a) * (z[t] + (x[t+1] - x[t]) / s). The best policy over z is therefore the best of all policies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numba import njit
from pydantic import Field, model_validator

from seawall.core.seeding import generator
from seawall.market.synthetic.candles import bars_around
from seawall.market.synthetic.frame import SyntheticParams
from seawall.market.synthetic.known import DEFAULT_COST_PER_UNIT, LONG_FLAT_SHORT, KnownMarket
from seawall.market.synthetic.switching import SwitchingPolicy, best_switching, drifting_grid, expected_log_growth, switching_costs


class IndicatorEdgeParams(SyntheticParams):
    """A market that a known indicator predicts to a known degree."""

    edge: float = Field(
        default=0.0013, ge=-0.05, le=0.05, description="Log drift per bar far above the mean; below 0 prices turn back to the mean"
    )
    volatility: float = Field(default=0.005, gt=0.0, le=0.05, description="Standard deviation of the log return per bar")
    span: int = Field(default=48, ge=2, le=200, description="Span of the exponential mean, in bars")
    gain: float = Field(default=1.5, gt=0.0, le=10.0, description="How fast the drift grows with the indicator")

    @model_validator(mode="after")
    def _edge_within_volatility(self) -> IndicatorEdgeParams:
        if abs(self.edge) > self.volatility:
            raise ValueError(f"edge is {self.edge} and volatility {self.volatility}; allowed: an edge within ± the volatility")
        return self

    @property
    def persistence(self) -> float:
        """Share of the distance from the mean that is left after a bar without a move."""
        return 1.0 - 2.0 / (self.span + 1.0)

    @property
    def deviation(self) -> float:
        """Deviation of the log close from its mean, were there no edge."""
        return self.volatility * self.persistence / float(np.sqrt(1.0 - self.persistence**2))

    def drifts(self, indicator: np.ndarray) -> np.ndarray:
        """Return the expected log drift to the next close, for values of the indicator, same shape."""
        return self.edge * np.tanh(self.gain * indicator)


def indicator_edge_bars(params: IndicatorEdgeParams, seed: int) -> KnownMarket:
    """Make a market with a planted indicator edge.

    Args:
        params: Length, clock and strength.
        seed: Any whole number from 0.

    Returns:
        Bars, with the indicator at the close of each bar as the signal. It holds nothing that the closes do not show.
    """
    noise = params.volatility * generator(seed, "indicator edge shocks").standard_normal(params.n_bars) - 0.5 * params.volatility**2
    moves, signal = _path(noise, params.edge, params.gain, params.persistence, params.deviation)
    return KnownMarket(bars_around(params, moves, params.volatility, seed, "indicator edge"), signal, params.drifts(signal))


def informed_indicator_policy(
    params: IndicatorEdgeParams,
    levels: Sequence[float] = LONG_FLAT_SHORT,
    cost_per_unit: float = DEFAULT_COST_PER_UNIT,
    *,
    refinement: float = 1.0,
) -> SwitchingPolicy:
    """Find the best policy of a trader who knows the indicator; its ``mean`` is the attainable log growth per bar.

    Args:
        params: The market.
        levels: Exposures that may be taken; 1 is all equity long.
        cost_per_unit: Cost per unit of traded notional, within [0, 1).
        refinement: Divides the grid's step.

    Raises:
        ConfigError: No level, or a cost that cannot be paid, or a level that can lose everything in one bar.
    """
    exposures, switching = switching_costs(levels, cost_per_unit)
    half_variance = 0.5 * params.volatility**2

    def push(states: np.ndarray) -> np.ndarray:
        return params.persistence * (params.drifts(states) - half_variance) / params.deviation

    strongest = params.persistence * (abs(params.edge) + half_variance) / params.deviation
    grid, transition = drifting_grid(params.persistence, push, strongest, refinement)
    earned = expected_log_growth(exposures, params.drifts(grid), params.volatility)
    return best_switching(grid, transition, exposures, earned, switching)


def close_above_mean(bars: pd.DataFrame, params: IndicatorEdgeParams) -> np.ndarray:
    """Return the indicator from bars alone, as anyone can compute it: known at the close of each bar; float64, shape (T,).

    Args:
        bars: A bar frame of T rows.
        params: Span and volatility of the market.
    """
    logs = pd.Series(np.log(bars["close"].to_numpy(np.float64)))
    mean = logs.ewm(span=params.span, adjust=False).mean()
    return (logs - mean).to_numpy(np.float64) / params.deviation


@njit(cache=True)
def _path(noise: np.ndarray, edge: float, gain: float, persistence: float, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    moves, signal = noise.copy(), np.zeros_like(noise)
    for row in range(1, len(noise)):
        moves[row] += edge * np.tanh(gain * signal[row - 1])
        signal[row] = persistence * (signal[row - 1] + moves[row] / deviation)
    return moves, signal
