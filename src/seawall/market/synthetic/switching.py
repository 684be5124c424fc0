"""The best way to switch exposure when the state is seen and switching costs: average-reward dynamic programming.

A state s moves by itself on a grid (the market does not react to us). Holding level x in state s earns a known amount;
changing level costs a known amount. Relative value iteration (Puterman, "Markov Decision Processes", §8.5) finds the policy with
the highest long-run mean, which no policy that sees less can exceed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from seawall.core.errors import ConfigError, InvariantError

_REACH = 5.0
_NODES_PER_DEVIATION = 4.0
_WIDEST_STEP = 0.02
_MOST_SWEEPS = 200_000


@dataclass(frozen=True)
class SwitchingPolicy:
    """The best policy on a grid.

    Attributes:
        grid: States, ascending and evenly spaced, float64, shape (G,).
        levels: Exposures, float64, shape (K,).
        choice: Index of the level to hold next, for the level held now and the state; int64, shape (K, G).
        mean: Long-run mean reward per step.
    """

    grid: np.ndarray
    levels: np.ndarray
    choice: np.ndarray
    mean: float

    def follow(self, states: np.ndarray, held: float = 0.0) -> np.ndarray:
        """Return the exposures that the policy takes along a path of states.

        Args:
            states: States in order of time, float64, shape (T,).
            held: Exposure before the first; the nearest level stands for it.

        Returns:
            The exposure chosen at each state, float64, shape (T,).
        """
        step = self.grid[1] - self.grid[0]
        nodes = np.clip(np.rint((states - self.grid[0]) / step), 0, len(self.grid) - 1).astype(np.int64)
        return self.levels[_chosen(self.choice, nodes, int(np.argmin(np.abs(self.levels - held))))]


@njit(cache=True)
def _chosen(choice: np.ndarray, nodes: np.ndarray, level: int) -> np.ndarray:
    taken = np.empty_like(nodes)
    for row in range(len(nodes)):
        level = choice[level, nodes[row]]
        taken[row] = level
    return taken


def switching_costs(levels: Sequence[float], cost_per_unit: float, legs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return exposures in ascending order, and the log growth that changing between them costs.

    Args:
        levels: Exposures that may be taken; 1 is all equity.
        cost_per_unit: Cost per unit of traded notional.
        legs: Assets that are traded at each change, by the same notional each.

    Returns:
        float64, shapes (K,) and (K, K): entry (i, j) is the cost, at most 0, of going from exposure i to j.

    Raises:
        ConfigError: No level, or a cost that cannot be paid.
    """
    exposures = np.unique(np.asarray(levels, dtype=np.float64))
    if exposures.size == 0:
        raise ConfigError("levels is empty; allowed: at least one exposure, as in -1, 0, 1")
    traded = legs * np.abs(exposures[:, None] - exposures[None, :])
    if not (cost_per_unit >= 0.0 and cost_per_unit * traded.max() < 1.0):
        raise ConfigError(f"cost_per_unit is {cost_per_unit}; allowed: at least 0, and below all equity for the largest change")
    return exposures, np.log1p(-cost_per_unit * traded)


def autoregressive_grid(persistence: float, refinement: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Lay a grid over a stationary AR(1) process of unit variance.

    The row-normalised Gaussian kernel integrates exactly up to an error that falls faster than any power of the step, as the
    step is at most a quarter of the innovation's deviation.

    Args:
        persistence: Lag-one autocorrelation, within [0, 1).
        refinement: Divides the grid's step; 2 doubles the nodes.

    Returns:
        States within ±5 deviations, shape (G,); and the probability to go from state i to j, shape (G, G).
    """
    deviation = np.sqrt(1.0 - persistence**2)
    step = min(_WIDEST_STEP, deviation / _NODES_PER_DEVIATION) / refinement
    half = int(np.ceil(_REACH / step))
    grid = step * np.arange(-half, half + 1)
    return grid, _gaussian_steps(grid, persistence * grid, deviation)


def drifting_grid(
    persistence: float, push: Callable[[np.ndarray], np.ndarray], strongest: float, refinement: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Lay a grid over an AR(1) process that is pushed on by a bounded function of itself.

    From s it goes to ``persistence * s + push(s)`` plus normal noise of variance ``1 - persistence²``.

    Args:
        persistence: Within [0, 1).
        push: Takes states, shape (G,), and returns what is added to each, shape (G,).
        strongest: No push is larger in size.
        refinement: Divides the grid's step.

    Returns:
        States as far as any push can hold the process, and 5 deviations more, shape (G,); and the probability to go from state
        i to j, shape (G, G).
    """
    deviation = np.sqrt(1.0 - persistence**2)
    step = min(_WIDEST_STEP, deviation / _NODES_PER_DEVIATION) / refinement
    half = int(np.ceil((_REACH + strongest / (1.0 - persistence)) / step))
    grid = step * np.arange(-half, half + 1)
    return grid, _gaussian_steps(grid, persistence * grid + push(grid), deviation)


def _gaussian_steps(grid: np.ndarray, means: np.ndarray, deviation: float) -> np.ndarray:
    kernel = np.exp(-0.5 * ((grid[None, :] - means[:, None]) / deviation) ** 2)
    return kernel / kernel.sum(axis=1, keepdims=True)


def best_switching(
    grid: np.ndarray,
    transition: np.ndarray,
    levels: np.ndarray,
    earned: np.ndarray,
    switching: np.ndarray,
    tolerance: float = 1e-12,
) -> SwitchingPolicy:
    """Find the policy with the highest long-run mean reward.

    Args:
        grid: States, shape (G,).
        transition: Probability to go from state i to j, shape (G, G).
        levels: Exposures, shape (K,).
        earned: Expected reward of holding level k from state s on, shape (K, G).
        switching: Reward, at most 0, of changing from level i to j, shape (K, K).
        tolerance: Width of the interval in which the mean is known to lie when the search ends.

    Raises:
        InvariantError: The search did not settle.
    """
    value = np.zeros_like(earned)
    width = np.inf
    for _ in range(_MOST_SWEEPS):
        ahead = earned + value @ transition.T
        options = switching[:, :, None] + ahead[None, :, :]
        better = options.max(axis=1)
        change = better - value
        lowest, highest = float(change.min()), float(change.max())
        width = highest - lowest
        if width < tolerance:
            return SwitchingPolicy(grid, levels, options.argmax(axis=1), 0.5 * (lowest + highest))
        value = better - better[0, len(grid) // 2]
    raise InvariantError(f"value iteration did not settle within {_MOST_SWEEPS} sweeps: the mean is only known to {width}")


def expected_log_growth(levels: np.ndarray, drift: np.ndarray, volatility: float, n_nodes: int = 15) -> np.ndarray:
    """Return the expected log growth of one bar at each exposure and drift.

    The price moves by ``exp(r)`` with r normal, mean ``drift - volatility²/2`` and deviation `volatility`; equity moves by
    ``1 + level * (exp(r) - 1)``. The expectation is taken by Gauss-Hermite quadrature.

    Args:
        levels: Exposures as fractions of equity, shape (K,).
        drift: Log drift of the price, shape (G,).
        volatility: Deviation of the log return per bar.
        n_nodes: Quadrature nodes.

    Returns:
        float64, shape (K, G).

    Raises:
        ConfigError: A level can lose more than everything within one bar.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    moves = np.expm1(drift[:, None] - 0.5 * volatility**2 + volatility * nodes)
    growth = 1.0 + levels[:, None, None] * moves
    if growth.min() <= 0.0:
        raise ConfigError(
            f"levels {levels.tolist()} can lose all equity in one bar at volatility {volatility}; allowed: smaller levels"
        )
    return np.log(growth) @ (weights / weights.sum())
