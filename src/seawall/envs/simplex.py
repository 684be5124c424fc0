"""The space of weights: at least 0, adding up to 1."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from seawall.core.errors import InvariantError
from seawall.simulator.actions.weights import SUM_TOLERANCE


class Simplex(spaces.Box):
    """Weights along the last axis, float32. Samples are uniform over the simplex, as a Box's would not be on it."""

    def __init__(self, shape: tuple[int, ...], seed: int | np.random.Generator | None = None) -> None:
        """Take a shape.

        Args:
            shape: Its last axis is that along which weights add up to 1.
            seed: Seed of the samples.
        """
        super().__init__(0.0, 1.0, shape, np.float32, seed)

    def sample(self, mask: Any = None, probability: Any = None) -> np.ndarray:
        """Return weights drawn uniformly.

        Raises:
            InvariantError: A mask or probabilities were given, which are for spaces of whole numbers.
        """
        if mask is not None or probability is not None:
            raise InvariantError(f"a simplex was sampled with mask {mask} and probability {probability}; allowed: neither")
        drawn = self.np_random.standard_exponential(self.shape)
        return (drawn / drawn.sum(axis=-1, keepdims=True)).astype(np.float32)

    def contains(self, x: Any) -> bool:
        """Return whether these are weights of that shape that add up to 1 within the rounding of float32."""
        given = np.asarray(x)
        if given.dtype.kind != "f" or given.shape != self.shape or not (given >= 0.0).all():
            return False
        return bool((np.abs(given.sum(axis=-1, dtype=np.float64) - 1.0) <= SUM_TOLERANCE).all())

    def __repr__(self) -> str:
        """Return the name and the shape."""
        return f"Simplex({self.shape})"


@batch_space.register(Simplex)
def _batch_simplex(space: Simplex, n: int = 1) -> Simplex:
    return Simplex((n, *space.shape), seed=deepcopy(space.np_random))
