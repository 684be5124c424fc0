"""The compiled part of the bootstrap: stationary resamples of several series, and what their figures are made of.

The draws are those of ``arch.bootstrap.StationaryBootstrap`` with the same generator, bar for bar: a place and a chance for each
bar, and a new block where the chance is at most one in the mean length. Nothing resampled is ever laid out in memory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from numba import njit

from seawall.simulator.compiled import heed_sources

SUMS = 6
"""Sum of log returns; deepest fall of their path below its peak, at most 0; sum and sum of squares of simple returns less their
mean; sum of squares of losses; largest absolute simple return."""

_MOST_THREADS = 8


def resampled_sums(series: np.ndarray, block: int, n_resamples: int, source: np.random.Generator) -> np.ndarray:
    """Resample several series together by the stationary bootstrap.

    Args:
        series: Log returns, float64, shape (S, T), at least one bar.
        block: Mean block length in bars, at least 1.
        n_resamples: B.
        source: Of the draws.

    Returns:
        What `SUMS` says of each resample, float64, shape (B, S, SUMS). It does not depend on the number of threads.
    """
    logs = np.ascontiguousarray(series, dtype=np.float64)
    simple = np.expm1(logs)
    centre = simple.mean(axis=1)
    sums = np.empty((n_resamples, len(logs), SUMS))
    chance = 1.0 / block

    def fill(drawn: tuple[int, np.ndarray, np.ndarray]) -> None:
        number, places, chances = drawn
        _follow(places, chances, chance)
        _add_up(logs, simple, centre, places, sums[number])

    draws = _draws(logs.shape[1], n_resamples, source)
    threads = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        # A few draws at a time: all at once would fill the memory.
        while drawn := list(islice(draws, 4 * threads)):
            list(pool.map(fill, drawn))
    return sums


def _draws(n_bars: int, n_resamples: int, source: np.random.Generator) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    for number in range(n_resamples):
        places = source.integers(n_bars, size=n_bars, dtype=np.int64)
        yield number, places, source.random(n_bars)


@njit(cache=True, error_model="numpy", nogil=True)
def _follow(places: np.ndarray, chances: np.ndarray, chance: float) -> None:
    """Turn places drawn for every bar into blocks: a bar follows the one before it unless a new block begins."""
    n_bars = len(places)
    for bar in range(1, n_bars):
        if chances[bar] > chance:
            following = places[bar - 1] + 1
            places[bar] = 0 if following == n_bars else following


@njit(cache=True, error_model="numpy", nogil=True)
def _add_up(logs: np.ndarray, simple: np.ndarray, centre: np.ndarray, places: np.ndarray, out: np.ndarray) -> None:
    """Fill what `SUMS` says of one resample of every series, shape (S, SUMS)."""
    for each in range(len(logs)):
        path, peak, deepest, first, second, losses, largest = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        log, gains, mean = logs[each], simple[each], centre[each]
        for place in places:
            path += log[place]
            peak = max(peak, path)
            deepest = min(deepest, path - peak)
            gain = gains[place]
            away, loss = gain - mean, min(gain, 0.0)
            first += away
            second += away * away
            losses += loss * loss
            largest = max(largest, abs(gain))
        out[each, 0], out[each, 1], out[each, 2] = path, deepest, first
        out[each, 3], out[each, 4], out[each, 5] = second, losses, largest


heed_sources(sys.modules[__name__])
