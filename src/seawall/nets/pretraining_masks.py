"""Masks over runs of bars: single bars are too easy, as their neighbours give them away."""

from __future__ import annotations

import numpy as np


def span_masks(random: np.random.Generator, n: int, window: int, ratio: float, mean_span: float) -> np.ndarray:
    """Draw which bars of windows are hidden, in runs of geometric length.

    A chain of two states in its stationary distribution: a hidden bar is followed by another with probability
    ``1 − 1 / mean_span``, and a visible one by a hidden one so often that each bar is hidden with probability `ratio`.

    Args:
        random: Source of the numbers.
        n: Windows.
        window: L, bars in a window.
        ratio: Share of bars that are hidden, below ``mean_span / (1 + mean_span)``.
        mean_span: Mean length of a run, at least 1; the ends of a window cut runs short.

    Returns:
        True where a bar is hidden, bool, shape (n, L).
    """
    draws = random.random((window, n))
    ends, begins = 1.0 / mean_span, ratio / ((1.0 - ratio) * mean_span)
    masks = np.empty((window, n), dtype=bool)
    masks[0] = draws[0] < ratio
    for bar in range(1, window):
        masks[bar] = np.where(masks[bar - 1], draws[bar] >= ends, draws[bar] < begins)
    return masks.T
