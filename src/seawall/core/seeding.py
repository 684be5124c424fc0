"""One seed for every generator. Streams are keyed by name, so adding one never shifts another."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, stream: str) -> np.random.Generator:
    """Return the counter-based generator of one named stream of a seed.

    Args:
        seed: The run's seed, at least 0.
        stream: What the numbers are for, as in ``"minibatches"``.
    """
    return np.random.Generator(np.random.Philox(key=np.array([seed, zlib.crc32(stream.encode())], dtype=np.uint64)))


def derived_seed(seed: int, stream: str) -> int:
    """Return a 63-bit seed for a library that keeps its own generator."""
    return int(generator(seed, stream).integers(2**63))
