"""Rolling arithmetic whose value depends on its window alone, not on where the data starts.

Running sums (add the newest, subtract the oldest) carry the rounding of every earlier bar. Here each window is
added up afresh, oldest first, so the same window gives the same bits in training and live.
All functions return float64 of the input's length; the first ``n - 1`` rows, whose window is not full, are NaN.
"""

from __future__ import annotations

import numba
import numpy as np

RELATIVE_FLOOR = 0.01
# Rows whose windows are added up together: they stay in the processor's nearest memory, and it adds several at once.
_TILE_ROWS = 512


def rolling_sum(values: np.ndarray, n: int) -> np.ndarray:
    """Return the sum of the last n values, shape (T,), known with the newest of them; NaN spreads over its windows."""
    result = np.empty(len(values))
    result[: n - 1] = np.nan
    if len(values) >= n:
        result[n - 1 :] = window_sums(np.ascontiguousarray(values), n)
    return result


def rolling_mean(values: np.ndarray, n: int) -> np.ndarray:
    """Return the mean of the last n values, shape (T,), known with the newest of them; NaN spreads over its windows."""
    return rolling_sum(values, n) / n


def rolling_deviation(values: np.ndarray, n: int, *, sample: bool = False) -> np.ndarray:
    """Return the standard deviation of the last n values, shape (T,), in the units of the values.

    The mean is subtracted before squaring: the shortcut ``E[x²] − E[x]²`` loses all digits of quiet prices.

    Args:
        values: float64, shape (T,).
        n: Length of the window.
        sample: Divide by n − 1 (a sample's estimate) rather than by n.
    """
    result = np.empty(len(values))
    result[: n - 1] = np.nan
    if len(values) >= n:
        whole = np.ascontiguousarray(values)
        squares = _squared_distances(whole, window_sums(whole, n) / n, n)
        result[n - 1 :] = np.sqrt(squares / (n - 1 if sample else n))
    return result


def previous(values: np.ndarray) -> np.ndarray:
    """Return the value one row before, shape (T,); NaN in the first row."""
    return shifted(values, 1)


def shifted(values: np.ndarray, n: int) -> np.ndarray:
    """Return the value n rows before, shape (T,); NaN in the first n rows."""
    result = np.empty(len(values))
    result[:n] = np.nan
    result[n:] = values[: max(0, len(values) - n)]
    return result


def ratio(numerator: np.ndarray, denominator: np.ndarray, *, where_zero: float | np.ndarray) -> np.ndarray:
    """Divide, shape (T,), with a stated value where the denominator is exactly zero; NaN stays NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result = numerator / denominator
    zero = denominator == 0.0
    if zero.any():
        np.copyto(result, where_zero, where=zero)
    return result


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
    return np.log(_floored_ratio(np.ascontiguousarray(values), np.ascontiguousarray(base), mean))


@numba.njit(cache=True)
def window_sums(values: np.ndarray, n: int) -> np.ndarray:  # pragma: no cover  (compiled)
    """Return the sums of n values that follow each other, oldest first; shape (T − n + 1,), T at least n."""
    total = np.zeros(len(values) - n + 1)
    for start in range(0, len(total), _TILE_ROWS):
        tile = total[start : start + _TILE_ROWS]
        rows = len(tile)
        whole = n - n % 4
        for step in range(start, start + whole, 4):
            # Four values to one visit of the tile.
            one, two = values[step : step + rows], values[step + 1 : step + 1 + rows]
            three, four = values[step + 2 : step + 2 + rows], values[step + 3 : step + 3 + rows]
            for row in range(rows):
                tile[row] = tile[row] + one[row] + two[row] + three[row] + four[row]
        for step in range(start + whole, start + n):
            one = values[step : step + rows]
            for row in range(rows):
                tile[row] += one[row]
    return total


@numba.njit(cache=True)
def _squared_distances(values: np.ndarray, mean: np.ndarray, n: int) -> np.ndarray:  # pragma: no cover  (compiled)
    total = np.zeros(len(mean))
    for start in range(0, len(total), _TILE_ROWS):
        tile, middle = total[start : start + _TILE_ROWS], mean[start : start + _TILE_ROWS]
        rows = len(tile)
        whole = n - n % 2
        for step in range(start, start + whole, 2):
            one, two = values[step : step + rows], values[step + 1 : step + 1 + rows]
            for row in range(rows):
                first, second = one[row] - middle[row], two[row] - middle[row]
                tile[row] = tile[row] + first * first + second * second
        for step in range(start + whole, start + n):
            one = values[step : step + rows]
            for row in range(rows):
                first = one[row] - middle[row]
                tile[row] += first * first
    return total


@numba.njit(cache=True, error_model="numpy")
def _floored_ratio(values: np.ndarray, base: np.ndarray, mean: np.ndarray) -> np.ndarray:  # pragma: no cover  (compiled)
    result = np.empty(len(values))
    for row in range(len(values)):
        floor = RELATIVE_FLOOR * mean[row]
        under = base[row] + floor
        result[row] = 1.0 if under == 0.0 else (values[row] + floor) / under
    return result
