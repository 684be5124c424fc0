"""Correlation of columns with past and future returns: advice, never proof."""

from __future__ import annotations

import numpy as np

from seawall.evaluation.leaks.blocks import Block
from seawall.evaluation.leaks.worlds import World

STRONG = 0.5
_SHIFTS = (1, 2, 3, 5, 10)
_LEAST_ROWS = 100


def shifted_correlations(column: np.ndarray, close: np.ndarray) -> dict[int, float]:
    """Correlate a column with the log return over k bars, ahead (positive shifts) and back (negative ones).

    Args:
        column: float64, shape (T,); rows that are not finite are left out.
        close: Closes, above 0, shape (T,).

    Returns:
        Shift in bars to correlation, where at least a hundred rows are known and neither side is constant.
    """
    log = np.log(np.where(close > 0, close, np.nan))
    found: dict[int, float] = {}
    for shift in (*_SHIFTS, *(-shift for shift in _SHIFTS)):
        change = np.full(len(log), np.nan)
        if shift > 0:
            change[:-shift] = log[shift:] - log[:-shift]
        else:
            change[-shift:] = log[-shift:] - log[:shift]
        known = np.isfinite(change) & np.isfinite(column)
        left, right = column[known], change[known]
        if known.sum() >= _LEAST_ROWS and np.ptp(left) > 0 and np.ptp(right) > 0:
            left = left / np.abs(left).max()
            with np.errstate(all="ignore"):
                found[shift] = float(np.corrcoef(left, right)[0, 1])
    return found


def correlation_advice(block: Block, world: World, warmup: int, leave_out: set[str]) -> list[str]:
    """Name the columns that go with the returns of later bars.

    Args:
        block: Columns on the world's bars.
        world: Whose closes are read.
        warmup: First rows to leave out.
        leave_out: Columns of which more is known.
    """
    close = world.bars["close"].to_numpy(np.float64)[warmup:]
    said: list[str] = []
    for place, name in enumerate(block.names):
        found = {} if name in leave_out else shifted_correlations(block.values[warmup:, place], close)
        ahead = {shift: value for shift, value in found.items() if shift > 0 and abs(value) >= STRONG}
        if ahead:
            shift = max(ahead, key=lambda each: abs(ahead[each]))
            bars = "the next bar" if shift == 1 else f"the next {shift} bars"
            said.append(
                f"{name} goes with the return of {bars} (correlation {ahead[shift]:+.2f}): an edge can do that, and a leak too"
            )
    return said
