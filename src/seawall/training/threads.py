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
    # The same as torch.use_deterministic_algorithms, which first imports the compiler of graphs: over a second in each process.
    torch.set_deterministic_debug_mode("warn")
