"""Two assets whose prices wander together, while the gap between them closes again: a mean-reverting pair.

With c a random walk that both share and u a stationary AR(1) process of unit variance,

    log(first) = c + spread_deviation * u / 2,    log(second) = c - spread_deviation * u / 2

(up to their start price, which both take for the first bar's open). A position y on the spread holds the share y of equity in the
first and -y in the second, so that it trades both legs at each change. The informed trader sees u, which is the log of the price
ratio in its deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import Field

from seawall.core.errors import ConfigError
from seawall.core.seeding import generator
from seawall.market.synthetic.candles import bars_around
from seawall.market.synthetic.frame import SyntheticParams
from seawall.market.synthetic.known import DEFAULT_COST_PER_UNIT, LONG_FLAT_SHORT, autoregressive
from seawall.market.synthetic.switching import SwitchingPolicy, autoregressive_grid, best_switching, switching_costs

_LEGS = 2


class PairParams(SyntheticParams):
    """Two assets whose price ratio reverts to its mean."""

    volatility: float = Field(
        default=0.004, gt=0.0, le=0.05, description="Standard deviation per bar of the log return that both share"
    )
    spread_deviation: float = Field(default=0.02, gt=0.0, le=0.2, description="Standard deviation of the log of the price ratio")
    persistence: float = Field(default=0.95, ge=0.0, le=0.995, description="Lag-one autocorrelation of the log of the price ratio")

    @property
    def leg_volatility(self) -> float:
        """Standard deviation per bar of one asset's log return."""
        own = 0.25 * self.spread_deviation**2 * 2.0 * (1.0 - self.persistence)
        return float(np.sqrt(self.volatility**2 + own))


@dataclass(frozen=True)
class PairMarket:
    """A made pair.

    Attributes:
        first: Bar frame of T rows.
        second: Bar frame of the same T times.
        signal: Log of the price ratio at the close of each bar, less its mean, in its deviations; float64, shape (T,).
    """

    first: pd.DataFrame
    second: pd.DataFrame
    signal: np.ndarray


def pair_bars(params: PairParams, seed: int) -> PairMarket:
    """Make a mean-reverting pair.

    Args:
        params: Length, clock and strength.
        seed: Any whole number from 0.
    """
    signal = autoregressive(generator(seed, "pair spread").standard_normal(params.n_bars), params.persistence)
    shared = params.volatility * generator(seed, "pair shocks").standard_normal(params.n_bars) - 0.5 * params.volatility**2
    half = 0.5 * params.spread_deviation * np.diff(signal, prepend=0.0)
    legs = (("pair first", shared + half), ("pair second", shared - half))
    first, second = (bars_around(params, moves, params.leg_volatility, seed, stream) for stream, moves in legs)
    return PairMarket(first, second, signal)


def informed_pair_policy(
    params: PairParams,
    levels: Sequence[float] = LONG_FLAT_SHORT,
    cost_per_unit: float = DEFAULT_COST_PER_UNIT,
    *,
    refinement: float = 1.0,
) -> SwitchingPolicy:
    """Find the best policy on the spread of a trader who sees it; its ``mean`` is the attainable log growth per bar.

    Args:
        params: The market.
        levels: Positions on the spread that may be taken; 1 is all equity long the first and as much short the second.
        cost_per_unit: Cost per unit of traded notional in each leg, within [0, 1).
        refinement: Divides the grid's step.

    Raises:
        ConfigError: No level, or a cost that cannot be paid, or a level that can lose everything in one bar.
    """
    exposures, switching = switching_costs(levels, cost_per_unit, legs=_LEGS)
    grid, transition = autoregressive_grid(params.persistence, refinement)
    return best_switching(grid, transition, exposures, _expected_growth(params, exposures, grid), switching)


def pair_log_growth(
    first: pd.DataFrame, second: pd.DataFrame, targets: np.ndarray, cost_per_unit: float = DEFAULT_COST_PER_UNIT
) -> np.ndarray:
    """Return the log growth of equity over each bar for positions kept at their targets, after costs, starting flat.

    Args:
        first: Bar frame of T rows, whose bars open at the close before.
        second: Bar frame of the same times.
        targets: Position on the spread chosen at each close and filled at the next open, float64, shape (T,).
        cost_per_unit: Cost per unit of traded notional in each leg.

    Returns:
        float64, shape (T - 1,): entry t is the growth from the close of t to the close of t+1.
    """
    moves = [np.diff(bars["close"].to_numpy(np.float64)) / bars["close"].to_numpy(np.float64)[:-1] for bars in (first, second)]
    held = targets[:-1]
    traded = _LEGS * np.abs(np.diff(held, prepend=0.0))
    return np.log1p(-cost_per_unit * traded) + np.log1p(held * (moves[0] - moves[1]))


def _expected_growth(params: PairParams, levels: np.ndarray, grid: np.ndarray, n_nodes: int = 15) -> np.ndarray:
    # Over the shared move and the spread's own, by Gauss-Hermite quadrature; shape (K, G).
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    chances = weights / weights.sum()
    shared = np.exp(-0.5 * params.volatility**2 + params.volatility * nodes)
    innovation = float(np.sqrt(1.0 - params.persistence**2))
    widening = params.spread_deviation * ((params.persistence - 1.0) * grid[:, None] + innovation * nodes)
    # What the first gains on the second, along (states, shared moves, widenings).
    moves = 2.0 * shared[:, None] * np.sinh(0.5 * widening)[:, None, :]
    growth = np.empty((len(levels), len(grid)))
    for row, level in enumerate(levels):
        equity = 1.0 + level * moves
        if equity.min() <= 0.0:
            raise ConfigError(
                f"level {level} can lose all equity in one bar at spread_deviation {params.spread_deviation}; allowed: smaller"
            )
        growth[row] = np.einsum("gsw,s,w->g", np.log(equity), chances, chances)
    return growth
