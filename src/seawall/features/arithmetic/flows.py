"""What volume and movement say of each bar, in one pass each. Compiled; arrays are float64 of shape (T,) unless said otherwise."""

from __future__ import annotations

import numba
import numpy as np

from seawall.features.arithmetic.windows import window_sums


@numba.njit(cache=True)
def bars_without_direction(high: np.ndarray, low: np.ndarray) -> np.ndarray:  # pragma: no cover  (compiled)
    """Count, up to each bar, the bars in a row whose high did not rise, nor their low fall, by more than the other moved.

    Returns:
        int64, shape (T,); 0 at a bar with directional movement. The first bar, which has no bar before it, counts as one.
    """
    count = np.empty(len(high), np.int64)
    run = 0
    for row in range(len(high)):
        run += 1
        if row:
            rise, fall = high[row] - high[row - 1], low[row - 1] - low[row]
            # Written so that NaN counts as no direction.
            if rise != fall and (rise > 0.0 or fall > 0.0):
                run = 0
        count[row] = run
    return count


@numba.njit(cache=True)
def bars_without_change(values: np.ndarray) -> np.ndarray:  # pragma: no cover  (compiled)
    """Count, up to each bar, the bars in a row whose value is the one before; int64, shape (T,). The first bar counts as one."""
    count = np.empty(len(values), np.int64)
    run = 0
    for row in range(len(values)):
        run = run + 1 if row == 0 or values[row] == values[row - 1] else 0
        count[row] = run
    return count


@numba.njit(cache=True, error_model="numpy")
def money_flow_share(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray, volume_sum: np.ndarray
) -> np.ndarray:  # pragma: no cover  (compiled)
    """Return each bar's money flow volume as a share of a volume; 0 for a bar without range, or where that volume is zero.

    Money flow volume is the volume times the place of the close in the bar's range, from −1 at the low to 1 at the high.
    """
    share = np.empty(len(close))
    for row in range(len(close)):
        span, total = high[row] - low[row], volume_sum[row]
        position = 0.0 if span == 0.0 else ((close[row] - low[row]) - (high[row] - close[row])) / span
        share[row] = 0.0 if total == 0.0 else position * volume[row] / total
    return share


@numba.njit(cache=True, error_model="numpy")
def signed_volume_share(
    close: np.ndarray, volume: np.ndarray, volume_sum: np.ndarray
) -> np.ndarray:  # pragma: no cover  (compiled)
    """Return each bar's volume, with the sign of the close's change, as a share of a volume; 0 where that volume is zero."""
    share = np.empty(len(close))
    share[:1] = np.nan
    for row in range(1, len(close)):
        change, total = close[row] - close[row - 1], volume_sum[row]
        # No change times volume is 0, and NaN stays NaN.
        direction = 1.0 if change > 0.0 else (-1.0 if change < 0.0 else 0.0 * change)
        share[row] = 0.0 if total == 0.0 else direction * volume[row] / total
    return share


@numba.njit(cache=True, error_model="numpy")
def volume_weighted_mean(values: np.ndarray, volume: np.ndarray, n: int) -> np.ndarray:  # pragma: no cover  (compiled)
    """Return the mean of the last n values weighted by volume; the plain mean where they have none, NaN before the n-th row."""
    mean = np.full(len(values), np.nan)
    if len(values) < n:
        return mean
    volumes, weighted = window_sums(volume, n), window_sums(values * volume, n)
    for row in range(n - 1, len(values)):
        total = volumes[row - n + 1]
        if total != 0.0:
            mean[row] = weighted[row - n + 1] / total
            continue
        plain = 0.0
        for step in range(row - n + 1, row + 1):
            plain += values[step]
        mean[row] = plain / n
    return mean
