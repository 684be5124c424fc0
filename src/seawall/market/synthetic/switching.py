"""The best way to switch exposure when the state is seen and switching costs: average-reward dynamic programming.

A state s moves by itself on a grid (the market does not react to us). Holding level x in state s earns a known amount;
changing level costs a known amount. Relative value iteration (Puterman, "Markov Decision Processes", §8.5) finds the policy with
the highest long-run mean, which no policy that sees less can exceed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
        level = int(np.argmin(np.abs(self.levels - held)))
        taken = np.empty(len(states), dtype=np.int64)
        for row, node in enumerate(nodes):
            level = taken[row] = self.choice[level, node]
        return self.levels[taken]


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
    kernel = np.exp(-0.5 * ((grid[None, :] - persistence * grid[:, None]) / deviation) ** 2)
    return grid, kernel / kernel.sum(axis=1, keepdims=True)


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
