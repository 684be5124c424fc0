"""The bars on which the tests of the leak detector judge, made once."""

from __future__ import annotations

from functools import cache

from seawall.evaluation.leaks.worlds import World, judging_bars


@cache
def world(seed: int = 0, n_bars: int = 700) -> World:
    """Made hourly bars with gaps, quiet and still stretches."""
    return World.of(judging_bars(seed, n_bars), seed)
