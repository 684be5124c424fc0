"""Support and resistance around the close, as a grid of prices: where confirmed pivots lie, and where prices will turn.

``structure`` is the heatmap of feature set ``levels``, causal to the bar. ``reaction`` looks `ahead` bars into the future: a cell
is 1 where prices come within ``touch`` ATR of its price and then close at least ``turn`` ATR back on the side from which they
came, before any close lies more than ``touch`` ATR beyond it; else 0. A close comes after the high and low of its bar, so the order
within a bar is never guessed. The ATR is the mean true range of the trailing ``atr_bars``.
"""

from __future__ import annotations

from typing import Literal

import numba
import numpy as np
from pydantic import Field

from seawall.core.params import Params
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.arithmetic.windows import previous, rolling_mean
from seawall.features.sets.levels import LevelParams, levels


class LevelLabelParams(Params):
    """Which heatmap a network is taught."""

    target: Literal["structure", "reaction"] = Field(
        default="structure", description="structure: where confirmed pivots lie; reaction: where prices will turn"
    )
    pivots: LevelParams = Field(default_factory=LevelParams, description="Pivots, grid and kernel; reaction reads the grid alone")
    ahead: int = Field(default=15, ge=1, le=10_000, description="Bars in which prices turn, for reaction")
    touch: float = Field(default=0.1, ge=0.0, le=10.0, description="How near prices come, in ATR, for reaction")
    turn: float = Field(default=1.0, gt=0.0, le=100.0, description="How far prices turn back, in ATR, for reaction")
    atr_bars: int = Field(default=64, ge=1, le=10_000, description="Bars of the ATR, for reaction")

    @property
    def horizon(self) -> int:
        """Bars that a target looks ahead."""
        return self.ahead if self.target == "reaction" else 0

    @property
    def lookback(self) -> int:
        """Bars before the first that has a target."""
        return self.atr_bars if self.target == "reaction" else self.pivots.window - 1


def level_heatmap(bars: BarArrays, params: LevelLabelParams) -> np.ndarray:
    """Return the heatmap of each bar.

    Args:
        bars: T bars of one series.
        params: Which, and how.

    Returns:
        From 0 to 1, float64, shape (T, grid), from the lowest price to the highest; NaN in the first `lookback` rows, and in the
        last `horizon`.
    """
    if params.target == "reaction":
        return _reactions(bars, params)
    made = levels((), params.pivots)
    return np.ascontiguousarray(made.compute.on_arrays(bars)[:, : params.pivots.grid])


def _reactions(bars: BarArrays, params: LevelLabelParams) -> np.ndarray:
    high, low, close = bars["high"], bars["low"], bars["close"]
    before = previous(close)
    ranges = np.maximum(high, before) - np.minimum(low, before)
    atr = rolling_mean(ranges, params.atr_bars)
    offsets = np.linspace(-params.pivots.reach, params.pivots.reach, params.pivots.grid)
    return _turns((high, low, close, atr), offsets, params.ahead, params.touch, params.turn)


@numba.njit(cache=True)
def _turns(
    columns: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], offsets: np.ndarray, ahead: int, touch: float, turn: float
) -> np.ndarray:  # pragma: no cover  (compiled)
    high, low, close, atr = columns
    result = np.full((len(close), len(offsets)), np.nan)
    for row in range(len(close) - ahead):
        if not np.isfinite(atr[row]):
            continue
        for cell in range(len(offsets)):
            # A level below the close is met from above: mirrored, it is one above.
            side = 1.0 if offsets[cell] >= 0.0 else -1.0
            level = side * close[row] * (1.0 + offsets[cell])
            touched, turned = False, False
            for bar in range(row + 1, row + ahead + 1):
                extreme = high[bar] if side > 0.0 else -low[bar]
                last = side * close[bar]
                touched = touched or extreme >= level - touch * atr[row]
                if last > level + touch * atr[row]:
                    break
                if touched and last <= level - turn * atr[row]:
                    turned = True
                    break
            result[row, cell] = 1.0 if turned else 0.0
    return result
