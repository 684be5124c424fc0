"""Random numbers that are hashes of a counter: each depends on its own place alone.

A trajectory drawn from them does not depend on how many environments run beside it, in which order they end, or on how many
threads.
"""

from __future__ import annotations

import numpy as np

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_MULTIPLIER = np.uint64(0x94D049BB133111EB)


def uniform(key: int, environments: np.ndarray, episodes: np.ndarray) -> np.ndarray:
    """Return one uniform number in [0, 1) for each (environment, episode), float64, shape (K,).

    Args:
        key: 63-bit key of the stream, as from `seawall.core.seeding.derived_seed`.
        environments: Index of each environment, at least 0, shape (K,).
        episodes: Index of each episode, at least 0, shape (K,).
    """
    bits = _mixed(np.asarray(environments, dtype=np.uint64) ^ _mixed(np.full(len(environments), key, dtype=np.uint64)))
    bits = _mixed(np.asarray(episodes, dtype=np.uint64) ^ bits)
    return (bits >> np.uint64(11)) * 2.0**-53


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return the SplitMix64 output for each uint64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014)."""
    mixed = values + _INCREMENT
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST_MULTIPLIER
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND_MULTIPLIER
    return mixed ^ (mixed >> np.uint64(31))
