"""Rolling arithmetic whose value depends on its window alone, not on where the data starts.

Running sums (add the newest, subtract the oldest) carry the rounding of every earlier bar. Here each window is
added up afresh, oldest first, so the same window gives the same bits in training and live.
All functions return float64 of the input's length; the first ``n - 1`` rows, whose window is not full, are NaN.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RELATIVE_FLOOR = 0.01


def rolling_sum(values: np.ndarray, n: int) -> np.ndarray:
    """Return the sum of the last n values, shape (T,), known with the newest of them; NaN spreads over its windows."""
    result = np.full(len(values), np.nan)
    if len(values) >= n:
        result[n - 1 :] = _added(values, n)
    return result


def rolling_mean(values: np.ndarray, n: int) -> np.ndarray:
    """Return the mean of the last n values, shape (T,), known with the newest of them; NaN spreads over its windows."""
    return rolling_sum(values, n) / n


def rolling_deviation(values: np.ndarray, n: int) -> np.ndarray:
    """Return the population standard deviation of the last n values, shape (T,), in the units of the values.

    The mean is subtracted before squaring: the shortcut ``E[x²] − E[x]²`` loses all digits of quiet prices.
    """
    result = np.full(len(values), np.nan)
    if len(values) >= n:
        mean = _added(values, n) / n
        squares, gap = np.zeros(len(mean)), np.empty(len(mean))
        for part in _shifted(values, n):
            np.subtract(part, mean, out=gap)
            gap *= gap
            squares += gap
        result[n - 1 :] = np.sqrt(squares / n)
    return result


def previous(values: np.ndarray) -> np.ndarray:
    """Return the value one row before, shape (T,); NaN in the first row."""
    result = np.full(len(values), np.nan)
    result[1:] = values[:-1]
    return result


def ratio(numerator: np.ndarray, denominator: np.ndarray, *, where_zero: float | np.ndarray) -> np.ndarray:
    """Divide, shape (T,), with a stated value where the denominator is exactly zero; NaN stays NaN."""
    zero = denominator == 0.0
    return np.where(zero, where_zero, numerator / np.where(zero, 1.0, denominator))


def log_ratio_with_floor(values: np.ndarray, base: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return ``log((values + 0.01 mean) / (base + 0.01 mean))``, shape (T,): a log change that zeros cannot break.

    The floor is a hundredth of a trailing mean, so the result does not depend on units, and it is bounded where the
    mean is that of n values among which both are: ``|result| <= log(100 n + 1)``.

    Args:
        values: Amounts now, at least 0, shape (T,).
        base: Amounts compared with, at least 0, shape (T,).
        mean: Trailing mean of the amounts, known with the newest of them, shape (T,).

    Returns:
        float64, shape (T,); 0 where the mean is 0, which is to say nothing was traded or searched for in its window.
    """
    floor = RELATIVE_FLOOR * mean
    return np.log(ratio(values + floor, base + floor, where_zero=1.0))


def _shifted(values: np.ndarray, n: int) -> Iterator[np.ndarray]:
    rows = len(values) - n + 1
    return (values[first : first + rows] for first in range(n))


def _added(values: np.ndarray, n: int) -> np.ndarray:
    total = np.zeros(len(values) - n + 1)
    for part in _shifted(values, n):
        total += part
    return total
