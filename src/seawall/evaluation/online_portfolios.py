"""Published rules of online portfolio selection: each bar's weights from the closes until then. Compiled; long only, no cash.

    EG      Helmbold, Schapire, Singer, Warmuth 1998, "On-line portfolio selection using multiplicative updates"
    ONS     Agarwal, Hazan, Kale, Schapire 2006, "Algorithms for portfolio management based on the Newton method"
    PAMR    Li, Zhao, Hoi, Gopalkrishnan 2012, "PAMR: passive aggressive mean reversion strategy for portfolio selection"
    OLMAR   Li, Hoi 2012, "On-line portfolio selection with moving average reversion" (the simple moving average)
    RMR     Huang, Zhou, Li, Hoi, Zhou 2013, "Robust median reversion strategy for on-line portfolio selection"

All begin with equal weights. Their settings are those of the papers' experiments. x is the bar's close over the close before, b the
weights, and Π the nearest point of the simplex (Duchi, Shalev-Shwartz, Singer, Chandra 2008).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

EG_RATE = 0.05
PAMR_SENSITIVITY = 0.5
REVERSION_WINDOW = 5
OLMAR_THRESHOLD, RMR_THRESHOLD = 10.0, 5.0
ONS_BETA, ONS_DELTA = 1.0, 0.125
_ROUNDS, _STILL = 200, 1e-10
_TINY = 1e-300

OnlineRule = Callable[[np.ndarray, int], np.ndarray]
"""Takes closes, shape (T, A), and the row of the first decision; returns the weights decided at each row, shape (T, A)."""


@njit(cache=True, error_model="numpy")
def nearest_on_simplex(point: np.ndarray) -> np.ndarray:
    """Return the nearest weights, at least 0 and adding up to 1, float64, shape (A,)."""
    falling = np.sort(point)[::-1]
    total, shift = 0.0, 0.0
    for place in range(len(falling)):
        total += falling[place]
        candidate = (total - 1.0) / (place + 1)
        if falling[place] > candidate:
            shift = candidate
    return np.maximum(point - shift, 0.0)


@njit(cache=True, error_model="numpy")
def _begin(closes: np.ndarray) -> np.ndarray:
    return np.full(closes.shape, 1.0 / closes.shape[1])


@njit(cache=True, error_model="numpy")
def exponentiated_gradient(closes: np.ndarray, first: int) -> np.ndarray:
    """EG: weights in proportion to b exp(η x / b·x)."""
    weights = _begin(closes)
    for t in range(first + 1, len(closes)):
        move = closes[t] / closes[t - 1]
        raised = weights[t - 1] * np.exp(EG_RATE * move / np.sum(weights[t - 1] * move))
        weights[t] = raised / raised.sum()
    return weights


@njit(cache=True, error_model="numpy")
def passive_aggressive(closes: np.ndarray, first: int) -> np.ndarray:
    """PAMR: Π(b − τ (x − mean x)), τ = max(0, b·x − ε) / |x − mean x|²."""
    weights = _begin(closes)
    for t in range(first + 1, len(closes)):
        move = closes[t] / closes[t - 1]
        away = move - move.mean()
        step = max(0.0, np.sum(weights[t - 1] * move) - PAMR_SENSITIVITY) / max(np.sum(away * away), _TINY)
        weights[t] = nearest_on_simplex(weights[t - 1] - step * away) if np.any(away != 0.0) else weights[t - 1]
    return weights


@njit(cache=True, error_model="numpy")
def _reverted(weights: np.ndarray, expected: np.ndarray, threshold: float) -> np.ndarray:
    """Return Π(b + λ (e − mean e)), λ = max(0, ε − b·e) / |e − mean e|², for the moves e that are expected."""
    away = expected - expected.mean()
    size = np.sum(away * away)
    if size <= 0.0:
        return weights
    return nearest_on_simplex(weights + max(0.0, threshold - np.sum(weights * expected)) / size * away)


@njit(cache=True, error_model="numpy")
def moving_average_reversion(closes: np.ndarray, first: int) -> np.ndarray:
    """OLMAR: expects each close to come back to the mean of the last five."""
    weights = _begin(closes)
    for t in range(first + 1, len(closes)):
        expected = np.zeros(closes.shape[1])
        begun = max(0, t - REVERSION_WINDOW + 1)
        for row in range(begun, t + 1):
            expected += closes[row] / closes[t]
        weights[t] = _reverted(weights[t - 1], expected / (t + 1 - begun), OLMAR_THRESHOLD)
    return weights


@njit(cache=True, error_model="numpy")
def median_of(points: np.ndarray) -> np.ndarray:
    """Return the point with the least sum of distances to some points, shape (K, A), by the modified Weiszfeld algorithm.

    Source: Vardi, Zhang 2000, "The multivariate L1-median and associated data depth".
    """
    at = np.zeros(points.shape[1])
    for point in points:
        at += point / len(points)
    for _ in range(_ROUNDS):
        pulled, pull, there, total = np.zeros(len(at)), np.zeros(len(at)), 0, 0.0
        for point in points:
            distance = np.sqrt(np.sum((point - at) ** 2))
            if distance > 1e-15:
                pulled += point / distance
                pull += (point - at) / distance
                total += 1.0 / distance
            else:
                there += 1
        if total == 0.0:
            return at
        strength = np.sqrt(np.sum(pull * pull))
        stays = min(1.0, there / strength) if strength > 0.0 else 1.0
        moved = (1.0 - stays) * pulled / total + stays * at if there > 0 else pulled / total
        still = np.sum(np.abs(moved - at)) <= _STILL * np.sum(np.abs(at))
        at = moved
        if still:
            break
    return at


@njit(cache=True, error_model="numpy")
def median_reversion(closes: np.ndarray, first: int) -> np.ndarray:
    """RMR: expects each close to come back to the L1-median of the last five.

    Closes are told as shares of the last one: the published median of plain prices follows whichever asset has the largest number.
    """
    weights = _begin(closes)
    for t in range(first + 1, len(closes)):
        expected = median_of(closes[max(0, t - REVERSION_WINDOW + 1) : t + 1] / closes[t])
        weights[t] = _reverted(weights[t - 1], expected, RMR_THRESHOLD)
    return weights


@njit(cache=True, error_model="numpy")
def _pinned(matrix: np.ndarray, goal: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the least of ½ p·M p − g·p over weights of the free places that add up to 1, and its multiplier."""
    places = np.flatnonzero(free)
    size = len(places)
    system, right = np.ones((size + 1, size + 1)), np.ones(size + 1)
    system[size, size] = 0.0
    for i in range(size):
        right[i] = goal[places[i]]
        for j in range(size):
            system[i, j] = matrix[places[i], places[j]]
    solved = np.linalg.solve(system, right)
    weights = np.zeros(len(goal))
    for i in range(size):
        weights[places[i]] = solved[i]
    return weights, solved[size]


@njit(cache=True, error_model="numpy")
def nearest_by(matrix: np.ndarray, goal: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the weights p with the least ½ p·M p − g·p: the nearest ones to M⁻¹ g in the norm of M. An active-set method.

    Args:
        matrix: Symmetric, with eigenvalues of at least 1, float64, shape (A, A).
        goal: g, shape (A,).
        start: Any weights, to begin with.
    """
    at, free = start.copy(), start > 0.0
    for _ in range(20 * len(goal)):
        best, multiplier = _pinned(matrix, goal, free)
        share, blocked = 1.0, -1
        for i in range(len(goal)):
            if free[i] and best[i] < 0.0 and at[i] / (at[i] - best[i]) < share:
                share, blocked = at[i] / (at[i] - best[i]), i
        at = at + share * (best - at)
        if blocked >= 0:
            free[blocked], at[blocked] = False, 0.0
            continue
        slope = np.dot(matrix, at) - goal + multiplier
        slope[free] = 0.0
        worst = int(np.argmin(slope))
        if slope[worst] >= -1e-12:
            break
        free[worst] = True
    at = np.maximum(at, 0.0)
    return at / at.sum()


@njit(cache=True, error_model="numpy")
def online_newton_step(closes: np.ndarray, first: int) -> np.ndarray:
    """ONS: with ∇ = x / b·x, M = I + Σ ∇∇ᵀ and g = (1 + 1/β) Σ ∇, the nearest weights to δ M⁻¹ g in the norm of M."""
    weights, assets = _begin(closes), closes.shape[1]
    matrix, goal = np.eye(assets), np.zeros(assets)
    for t in range(first + 1, len(closes)):
        move = closes[t] / closes[t - 1]
        slope = move / np.sum(weights[t - 1] * move)
        matrix += np.outer(slope, slope)
        goal += (1.0 + 1.0 / ONS_BETA) * slope
        weights[t] = nearest_by(matrix, ONS_DELTA * goal, weights[t - 1])
    return weights


ONLINE_RULES: dict[str, OnlineRule] = {
    "olmar": moving_average_reversion,
    "rmr": median_reversion,
    "ons": online_newton_step,
    "eg": exponentiated_gradient,
    "pamr": passive_aggressive,
}
"""Every rule, by name."""
