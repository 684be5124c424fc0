"""The compiled part of the bootstrap: stationary resamples of several series, and what their figures are made of.

The draws are those of ``arch.bootstrap.StationaryBootstrap`` with the same generator, bar for bar: a place and a chance for each
bar, and a new block where the chance is at most one in the mean length. Nothing resampled is ever laid out in memory.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numba import njit

from seawall.simulator.compiled import heed_sources
from seawall.simulator.kernel import prefetch
from seawall.simulator.kernel.prefetch import prefetch_row

SUMS = 6
"""Sum of log returns; deepest fall of their path below its peak, at most 0; sum and sum of squares of simple returns less their
mean; sum of squares of losses; largest absolute simple return."""

_MOST_THREADS = 8
_WIDTH = 32
"""Most series that are added up side by side."""
_LINE = 8
"""Numbers in a cache line."""
_AHEAD = 8
"""Bars by which a resample's memory is asked for before it is needed."""


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
    groups = [_laid_out(logs[first : first + _WIDTH]) for first in range(0, len(logs), _WIDTH)]
    sums = np.empty((n_resamples, len(logs), SUMS))
    chance = 1.0 / block

    def fill(number: int, places: np.ndarray, chances: np.ndarray) -> None:
        _follow(places, chances, chance)
        for first, (laid, centre) in zip(range(0, len(logs), _WIDTH), groups, strict=True):
            _add_up(laid, laid.reshape(-1, _LINE), centre, places, sums[number, first : first + _WIDTH])

    threads = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[None]] = deque()
        for drawn in _draws(logs.shape[1], n_resamples, source):
            waiting.append(pool.submit(fill, *drawn))
            # A few draws ahead of the threads: all at once would fill the memory.
            if len(waiting) > 2 * threads:
                waiting.popleft().result()
        for each in waiting:
            each.result()
    return sums


def _draws(n_bars: int, n_resamples: int, source: np.random.Generator) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    for number in range(n_resamples):
        places = source.integers(n_bars, size=n_bars, dtype=np.int64)
        yield number, places, source.random(n_bars)


def _laid_out(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all that a bar has of some series side by side, and the mean simple return of each series.

    Returns:
        Log returns, then simple returns, with zeros up to a whole number of cache lines; float64, shape (T, 2 · lanes).
    """
    simple = np.expm1(logs)
    lanes = -(-len(logs) // (_LINE // 2)) * (_LINE // 2)
    laid, centre = np.zeros((logs.shape[1], 2, lanes)), np.zeros(lanes)
    laid[:, 0, : len(logs)], laid[:, 1, : len(logs)] = logs.T, simple.T
    centre[: len(logs)] = simple.mean(axis=1)
    return laid.reshape(len(laid), -1), centre


@njit(cache=True, error_model="numpy", nogil=True)
def _follow(places: np.ndarray, chances: np.ndarray, chance: float) -> None:
    """Turn places drawn for every bar into blocks: a bar follows the one before it unless a new block begins."""
    n_bars = len(places)
    for bar in range(1, n_bars):
        if chances[bar] > chance:
            following = places[bar - 1] + 1
            places[bar] = 0 if following == n_bars else following


_PEAK, _DEEPEST, _FIRST, _SECOND, _LOSSES, _LARGEST = (_WIDTH * number for number in range(1, 7))


@njit(cache=True, error_model="numpy", nogil=True)
def _add_up(laid: np.ndarray, lines: np.ndarray, centre: np.ndarray, places: np.ndarray, out: np.ndarray) -> None:
    """Fill what `SUMS` says of one resample of at most `_WIDTH` series.

    All series take a bar together, in one loop that the compiler turns into instructions for several numbers. It does so
    because what is kept stands in one array, at distances that it knows.

    Args:
        laid: From `_laid_out`, shape (T, 2 · lanes).
        lines: The same memory by cache lines, shape (·, `_LINE`).
        centre: From `_laid_out`, shape (lanes,).
        places: The bars of the resample, int64, shape (T,).
        out: Filled, shape (S, SUMS).
    """
    n_bars, lanes = len(places), len(centre)
    per_bar = 2 * lanes // _LINE
    kept = np.zeros(7 * _WIDTH)
    for bar in range(n_bars):
        later = places[min(bar + _AHEAD, n_bars - 1)] * per_bar
        for line in range(per_bar):
            prefetch_row(lines, later + line)
        row = laid[places[bar]]
        for each in range(lanes):
            path = kept[each] + row[each]
            kept[each] = path
            peak = max(kept[_PEAK + each], path)
            kept[_PEAK + each] = peak
            kept[_DEEPEST + each] = min(kept[_DEEPEST + each], path - peak)
            gain = row[lanes + each]
            away, loss = gain - centre[each], min(gain, 0.0)
            kept[_FIRST + each] += away
            kept[_SECOND + each] += away * away
            kept[_LOSSES + each] += loss * loss
            kept[_LARGEST + each] = max(kept[_LARGEST + each], abs(gain))
    for each in range(len(out)):
        out[each, 0] = kept[each]
        for number, place in enumerate((_DEEPEST, _FIRST, _SECOND, _LOSSES, _LARGEST)):
            out[each, number + 1] = kept[place + each]


heed_sources(sys.modules[__name__], compiled_with=(prefetch,))
