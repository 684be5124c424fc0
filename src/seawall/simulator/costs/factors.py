"""How much costs differ from episode to episode: a pure function of (key, environment, episode)."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from seawall.core.counters import uniform
from seawall.simulator.costs.params import RandomizationParams

# The middle of the hash's grid of 2**-53, so that neither 0 nor 1, whose normal numbers are infinite, is asked for.
_HALF_STEP = 2.0**-54
_BELOW_ONE = 1.0 - 2.0**-53
_NORMAL = NormalDist()


def cost_factors(params: RandomizationParams, key: int, environments: np.ndarray, episodes: np.ndarray) -> np.ndarray:
    """Return by how much the costs of some episodes are multiplied: max(0, 1 + sigma·z), z standard normal.

    Each number depends on its own place alone, whatever else is asked for with it. Known when the episode starts.

    Args:
        params: Standard deviation of each kind; a kind of 0 has factors of exactly 1.
        key: 63-bit key of the stream, as from `seawall.core.seeding.derived_seed`.
        environments: Index of each environment, at least 0, shape (K,).
        episodes: Index of each episode, at least 0, shape (K,).

    Returns:
        Factors on commission, spread and slippage, float64, shape (3, K), never NaN.
    """
    factors = np.ones((3, len(environments)))
    for kind, sigma in enumerate(params.sigmas):
        if sigma > 0.0:
            drawn = np.minimum(uniform(key + kind, environments, episodes) + _HALF_STEP, _BELOW_ONE)
            # The standard library's inverse is exact, and the same in every batch, which vector code need not be.
            normal = np.array([_NORMAL.inv_cdf(share) for share in drawn.tolist()])
            factors[kind] = np.maximum(0.0, 1.0 + sigma * normal)
    return factors
