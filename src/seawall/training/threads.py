"""How many threads the tensors use: part of a recipe, since sums in another order round otherwise."""

from __future__ import annotations

import torch

from seawall.simulator.compiled import start_threads


def use_threads(count: int) -> None:
    """Give torch a number of threads, and ask it for results that repeat bit by bit.

    Args:
        count: At least 1.
    """
    start_threads()
    torch.set_num_threads(count)
    torch.use_deterministic_algorithms(True, warn_only=True)
