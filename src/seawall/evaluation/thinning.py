"""Fewer points for the eye: curves keep their extremes, and tables and figures in numbers stay exact."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

MOST_POINTS = 4_000


def kept_points(values: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """Return which points of a curve to draw.

    The curve is cut into equal stretches; of each the lowest and the highest point are kept, and so are the first and
    the last point of the curve.

    Args:
        values: The curve, shape (T,), no NaN.
        most: Points to keep at most, at least 4.

    Returns:
        Ascending indices, int64; all of them where T is at most `most`.
    """
    n_points = len(values)
    if n_points <= most:
        return np.arange(n_points)
    n_stretches = (most - 2) // 2
    edges = np.linspace(0, n_points, n_stretches + 1).astype(np.int64)
    kept = [0, n_points - 1]
    for start, stop in pairwise(edges.tolist()):
        stretch = values[start:stop]
        kept += [start + int(stretch.argmin()), start + int(stretch.argmax())]
    return np.unique(np.array(kept, dtype=np.int64))


def kept_marks(n_marks: int, most: int = MOST_POINTS // 4) -> np.ndarray:
    """Return which of many marks to draw: evenly spread indices, first and last among them; all where they are few."""
    if n_marks <= most:
        return np.arange(n_marks)
    return np.unique(np.linspace(0, n_marks - 1, most).round().astype(np.int64))
