"""Profiles of what was traded at which price over a trailing window, and the nodes in them.

The prices between the lowest low and the highest high of the last W bars are cut into bins. Each bar's amount (its volume, its
trades, or 1 for time) is spread evenly over the bins that it touched, and the bins are smoothed with a Gaussian of one bin. High
nodes are local maxima of that profile, the strongest first; low nodes its local minima, the emptiest first. Published code
computes one profile of the whole history and shows it to every bar of it; here row t knows bars t − W + 1 to t alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

_SMOOTH_RADIUS = 4


def node_names(family: str, nodes: int) -> tuple[str, ...]:
    """Return the columns of one family: the profile at the close, then level, strength and low level of each node."""
    parts = (f"{family}_{part}_{place}" for place in range(1, nodes + 1) for part in ("high", "strength", "low"))
    return (f"{family}_node", *parts)


def profile_nodes(
    prices: tuple[np.ndarray, np.ndarray, np.ndarray], amounts: Sequence[np.ndarray], window: int, bins: int, nodes: int
) -> np.ndarray:
    """Compute the node columns of several amounts.

    Args:
        prices: High, low and close, float64, shape (T,) each.
        amounts: What each bar adds, at least 0, float64, shape (T,) each; K of them.
        window: Bars of a profile, W.
        bins: Bins of a profile.
        nodes: High and low nodes told.

    Returns:
        float64, shape (K · (1 + 3 · nodes), T), in the order of `node_names`; NaN in the first W − 1 rows. The profile at the
        close is the share of all there is in the close's bin; levels are prices divided by the close, strengths shares of the
        strongest node. Where a profile has fewer nodes, or nothing was traded, a level is 1 (the close) and a strength 0.
    """
    high, low, close = (np.ascontiguousarray(each) for each in prices)
    return _profile_nodes(high, low, close, np.stack([np.ascontiguousarray(each) for each in amounts]), (window, bins, nodes))


@numba.njit(cache=True, error_model="numpy")
def _profile_nodes(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, amounts: np.ndarray, sizes: tuple[int, int, int]
) -> np.ndarray:  # pragma: no cover  (compiled)
    window, bins, nodes = sizes
    families, rows = amounts.shape
    per_family = 1 + 3 * nodes
    result = np.full((families * per_family, rows), np.nan)
    kernel = np.exp(-0.5 * np.arange(-_SMOOTH_RADIUS, _SMOOTH_RADIUS + 1) ** 2.0)
    kernel /= kernel.sum()
    profile = np.empty((families, bins))
    last_bad = -1
    for row in range(rows):
        if not np.isfinite(high[row] + low[row] + close[row] + amounts[:, row].sum()):
            last_bad = row
        first = row - window + 1
        # A bin cannot be made of what is no number: such a window has no profile.
        if first <= last_bad:
            continue
        lowest, highest = low[first : row + 1].min(), high[first : row + 1].max()
        per_price = bins / (highest - lowest) if highest > lowest else 0.0
        profile[:] = 0.0
        for bar in range(first, row + 1):
            from_bin = min(int((low[bar] - lowest) * per_price), bins - 1)
            to_bin = min(int((high[bar] - lowest) * per_price), bins - 1)
            share = 1.0 / (to_bin - from_bin + 1)
            for family in range(families):
                part = amounts[family, bar] * share
                for place in range(from_bin, to_bin + 1):
                    profile[family, place] += part
        at_close = min(int((close[row] - lowest) * per_price), bins - 1)
        step = (highest - lowest) / bins
        for family in range(families):
            column = result[family * per_family : (family + 1) * per_family, row]
            _tell(_smoothed(profile[family], kernel), column, at_close, lowest, step, close[row])
    return result


@numba.njit(cache=True, error_model="numpy")
def _smoothed(profile: np.ndarray, kernel: np.ndarray) -> np.ndarray:  # pragma: no cover  (compiled)
    # Bins beyond an end mirror those within it, so that nothing is lost there.
    bins = len(profile)
    result = np.zeros(bins)
    for place in range(bins):
        for step in range(len(kernel)):
            other = place + step - _SMOOTH_RADIUS
            while other < 0 or other >= bins:
                other = -other - 1 if other < 0 else 2 * bins - 1 - other
            result[place] += kernel[step] * profile[other]
    return result


@numba.njit(cache=True, error_model="numpy")
def _tell(
    profile: np.ndarray, column: np.ndarray, at_close: int, lowest: float, step: float, close: float
) -> None:  # pragma: no cover  (compiled)
    nodes = (len(column) - 1) // 3
    total, largest = profile.sum(), profile.max()
    column[0] = profile[at_close] / total if total > 0.0 else 0.0
    for node in range(nodes):
        column[1 + 3 * node], column[2 + 3 * node], column[3 + 3 * node] = 1.0, 0.0, 1.0
    if total <= 0.0:
        return
    taken = np.zeros(len(profile), np.bool_)
    for node in range(nodes):
        best = _extreme(profile, taken, 1.0)
        if best >= 0:
            column[1 + 3 * node] = (lowest + (best + 0.5) * step) / close
            column[2 + 3 * node] = profile[best] / largest
    taken[:] = False
    for node in range(nodes):
        best = _extreme(profile, taken, -1.0)
        if best >= 0:
            column[3 + 3 * node] = (lowest + (best + 0.5) * step) / close


@numba.njit(cache=True, error_model="numpy")
def _extreme(profile: np.ndarray, taken: np.ndarray, sign: float) -> int:  # pragma: no cover  (compiled)
    """Take the largest local maximum left (sign 1), or the smallest local minimum (sign −1, not at the ends); −1 for none."""
    bins, best = len(profile), -1
    for place in range(bins):
        at_end = place in (0, bins - 1)
        if taken[place] or (at_end and sign < 0.0):
            continue
        here = sign * profile[place]
        left = -np.inf if place == 0 else sign * profile[place - 1]
        right = -np.inf if place == bins - 1 else sign * profile[place + 1]
        # The left one of equal neighbours counts.
        if here > left and here >= right and (best < 0 or here > sign * profile[best]):
            best = place
    if best >= 0:
        taken[best] = True
    return best
