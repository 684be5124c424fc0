"""Places worth a look in sound bars: moves far outside their neighbours' and runs of equal bars.

Both are legal and are only named. A move counts as an outlier where it is more than twelve local deviations: the log return from
one close to the next, over the square root of the bars between them, beside the median of such moves around it. The window is
centred, so these are known only afterwards: they are for the eye and never for a decision.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from seawall.core.bars import from_milliseconds

DEVIATIONS = 12.0
_BLOCK = 256
_REACH = 2
# The median of |x| times this is the standard deviation where x is normal.
_MEDIAN_TO_DEVIATION = 1.4826
# A market that stands still is not allowed to make its next tick an outlier.
_LEAST_SHARE = 0.25


def find_outliers(times: np.ndarray, closes: np.ndarray, step_ms: int) -> pd.DataFrame:
    """Return the moves of more than twelve local deviations.

    Args:
        times: Opening times in milliseconds, sorted and unique, int64, shape (T,).
        closes: Their closes, shape (T,). Moves from or to a close that is not finite or not above zero are left out.
        step_ms: Length of a bar in milliseconds.

    Returns:
        One line an outlier in the order of time: ``timestamp`` (opening time of the bar that ended the move), ``move`` (change of
        the close as a share) and ``deviations`` (signed).
    """
    moves, ends = _moves(times, closes, step_ms)
    deviations = moves / _local_deviation(moves) if moves.size else moves
    far = np.abs(deviations) > DEVIATIONS
    at = ends[far]
    with np.errstate(over="ignore"):
        shares = closes[at] / closes[at - 1] - 1.0
    return pd.DataFrame({"timestamp": from_milliseconds(times[at]), "move": shares, "deviations": deviations[far]})


def find_runs(times: np.ndarray, chosen: np.ndarray) -> pd.DataFrame:
    """Return the runs of chosen bars; a gap does not end a run.

    Args:
        times: Opening times in milliseconds, sorted, int64, shape (T,).
        chosen: Which bars count, bool, shape (T,).

    Returns:
        One line a run in the order of time: ``start`` (opening time of its first bar) and ``bars`` (how many).
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    return pd.DataFrame({"start": from_milliseconds(times[starts]), "bars": (stops - starts).astype(np.int64)})


def _moves(times: np.ndarray, closes: np.ndarray, step_ms: int) -> tuple[np.ndarray, np.ndarray]:
    """Return log returns over the square root of the bars they took, and the rows at which they end."""
    usable = np.isfinite(closes) & (closes > 0.0)
    ends = 1 + np.flatnonzero(usable[1:] & usable[:-1])
    logs = np.log(closes, out=np.zeros(len(closes)), where=usable)
    took = (times[ends] - times[ends - 1]) / step_ms
    return (logs[ends] - logs[ends - 1]) / np.sqrt(took), ends


def _local_deviation(moves: np.ndarray) -> np.ndarray:
    """Return a robust deviation around every move: the median over five blocks of each block's median of |move|."""
    sizes = np.abs(moves)
    n_blocks = max(1, len(sizes) // _BLOCK)
    whole = sizes[: n_blocks * _BLOCK].reshape(n_blocks, -1)
    medians = np.pad(np.median(whole, axis=1), _REACH, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(medians, 2 * _REACH + 1), axis=1)
    block = np.minimum(np.arange(len(sizes)) // _BLOCK, n_blocks - 1)
    moving = sizes[sizes > 0.0]
    usual = float(np.median(moving)) if moving.size else np.inf
    return _MEDIAN_TO_DEVIATION * np.maximum(around, _LEAST_SHARE * usual)[block]
