"""Support and resistance from confirmed pivots: a heatmap of the prices around the close, and the nearest levels in it.

A bar is a pivot high where its high is above those of the two bars before it and not below those of the two after it (a plateau
counts once, at its first bar); a pivot low likewise. It is known only when the last of those bars has closed: a pivot at bar i is
used from bar i + 2 on, never before. Pivots are looked for among the last 256 bars alone.

The heatmap is a kernel density of the pivots' prices p on a grid of 64 prices from 5 % below the close to 5 % above::

    v(g) = Σ w · exp(−½ ((g − p) / σ)²), divided by its largest value; 0 everywhere without a pivot in reach

with σ = max(0.02 · deviation of p, 0.02 · (highest high − lowest low of the 256 bars), half a step of the grid); with
``bandwidth: silverman``, σ = max(1.06 · deviation of p · n^(−1/5), half a step). Weights w are 1; with ``weights`` they are halved
every 64 bars of age (recency), are the pivot bar's volume (volume), or both.

A level is a local maximum of v. Columns, all free of price units and known at the close:

===========================  =======================================================================================================
column                       definition
===========================  =======================================================================================================
heat_00 … heat_63            v at each price of the grid, from below to above
support_distance             (close − g) / close of the nearest level below the close; 0.05 where there is none in reach
resistance_distance          (g − close) / close of the nearest level above; 0.05 where there is none in reach
support_strength             v at that level; 0 where there is none
resistance_strength          v at that level; 0 where there is none
===========================  =======================================================================================================
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numba
import numpy as np
from pydantic import Field

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.core.protocols import FeatureSet
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.arithmetic.table import ColumnFunction, ColumnTable
from seawall.features.sets.inputs import refuse_omit

Weights = Literal["equal", "recency", "volume", "recency_volume"]
# Beyond nine deviations a kernel is below the rounding of its peak.
_REACH = 9.0
_SHARE = 0.02


class LevelParams(Params):
    """What counts as a pivot, and the kernel."""

    window: int = Field(default=256, ge=8, le=10_000, description="Bars in which pivots are looked for")
    span: int = Field(default=2, ge=1, le=50, description="Bars on either side that a pivot exceeds; known that many bars later")
    grid: int = Field(default=64, ge=8, le=512, description="Prices of the heatmap")
    reach: float = Field(default=0.05, gt=0.0, le=0.5, description="How far the grid goes from the close, as a share of it")
    bandwidth: Literal["range", "silverman"] = Field(default="range", description="How the width of the kernel is found")
    weights: Weights = Field(default="equal", description="What a pivot weighs: equal, recency, volume or recency_volume")
    half_life: float = Field(default=64.0, gt=0.0, le=1e6, description="Bars after which a pivot weighs half, with recency")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: the heatmap, then the nearest levels."""
        heat = tuple(f"heat_{cell:02d}" for cell in range(self.grid))
        return (*heat, "support_distance", "resistance_distance", "support_strength", "resistance_strength")


def levels(omit: tuple[str, ...], params: LevelParams) -> FeatureSet:
    """Return the feature set ``levels``.

    Raises:
        ConfigError: `omit` names anything, as this set has no optional inputs; or the window holds no pivot.
    """
    refuse_omit(omit, "levels")
    if params.window < 2 * params.span + 1:
        raise ConfigError(f"features.options.window is {params.window}; at least {2 * params.span + 1} bars are needed for a pivot")
    functions: dict[str, ColumnFunction] = {
        name: partial(_column, place=place, params=params) for place, name in enumerate(params.columns)
    }
    table = ColumnTable(functions, params.columns)
    return FeatureSet("levels", params.columns, params.window - 1, (), table, params.model_dump(), windowed=True)


def pivots(high: np.ndarray, low: np.ndarray, span: int) -> tuple[np.ndarray, np.ndarray]:
    """Find pivot highs and lows; one at bar i is known at the close of bar i + span, and not before.

    Args:
        high: Highs, float64, shape (T,).
        low: Lows, float64, shape (T,).
        span: Bars on either side.

    Returns:
        Where the highs and the lows are pivots, bool, shape (T,) each; False at the ends, where a side is not whole.
    """
    return _peaks(np.ascontiguousarray(high), span), _peaks(-np.ascontiguousarray(low), span)


def _column(bars: BarArrays, place: int, params: LevelParams) -> np.ndarray:
    return bars.once(partial(_map, params=params), "levels")[place]


def _map(bars: BarArrays, params: LevelParams) -> np.ndarray:
    volume = bars["volume"] if "volume" in params.weights else np.ones(len(bars))
    decay = np.log(2.0) / params.half_life if "recency" in params.weights else 0.0
    highs, lows = pivots(bars["high"], bars["low"], params.span)
    return _level_map(
        (bars["high"], bars["low"], bars["close"], volume), (highs, lows),
        (params.window, params.span, params.grid), (params.reach, decay), params.bandwidth == "silverman",
    )  # fmt: skip


@numba.njit(cache=True, error_model="numpy")
def _peaks(values: np.ndarray, span: int) -> np.ndarray:  # pragma: no cover  (compiled)
    peak = np.zeros(len(values), np.bool_)
    for row in range(span, len(values) - span):
        found = True
        for step in range(1, span + 1):
            if not (values[row] > values[row - step] and values[row] >= values[row + step]):
                found = False
                break
        peak[row] = found
    return peak


@numba.njit(cache=True, error_model="numpy")
def _level_map(
    columns: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    marks: tuple[np.ndarray, np.ndarray],
    sizes: tuple[int, int, int],
    lengths: tuple[float, float],
    silverman: bool,
) -> np.ndarray:  # pragma: no cover  (compiled)
    high, low, close, volume = columns
    window, span, grid = sizes
    reach, decay = lengths
    rows = len(close)
    result = np.full((grid + 4, rows), np.nan)
    prices, weights = np.empty(2 * window), np.empty(2 * window)
    last_bad = -1
    for row in range(rows):
        if not np.isfinite(high[row] + low[row] + close[row] + volume[row]):
            last_bad = row
        first = row - window + 1
        # A place in the grid cannot be made of what is no number: such a window has no map.
        if first <= last_bad:
            continue
        count, heaviest, top, bottom = 0, 0.0, high[first], low[first]
        for bar in range(first, row + 1):
            top, bottom = max(top, high[bar]), min(bottom, low[bar])
            # The bars that make it a pivot lie in the window, the last of them no later than this row.
            if bar < first + span or bar + span > row:
                continue
            weight = volume[bar] * np.exp(-decay * (row - bar))
            if marks[0][bar]:
                prices[count], weights[count] = high[bar], weight
                count += 1
            if marks[1][bar]:
                prices[count], weights[count] = low[bar], weight
                count += 1
        for pivot in range(count):
            heaviest = max(heaviest, weights[pivot])
        step = 2.0 * reach * close[row] / (grid - 1)
        width = max(_bandwidth(prices[:count], top - bottom, silverman), 0.5 * step)
        heat = result[:grid, row]
        heat[:] = 0.0
        if heaviest > 0.0:
            _add_kernels(heat, prices[:count], weights[:count], close[row] * (1.0 - reach), step, width)
        _nearest(result[:, row], grid, reach)
    return result


@numba.njit(cache=True, error_model="numpy")
def _bandwidth(prices: np.ndarray, extent: float, silverman: bool) -> float:  # pragma: no cover  (compiled)
    count = len(prices)
    if count == 0:
        return 0.0
    mean = 0.0
    for price in prices:
        mean += price / count
    square = 0.0
    for price in prices:
        square += (price - mean) ** 2 / count
    deviation = np.sqrt(square)
    return 1.06 * deviation * count**-0.2 if silverman else max(_SHARE * deviation, _SHARE * extent)


@numba.njit(cache=True, error_model="numpy")
def _add_kernels(
    heat: np.ndarray, prices: np.ndarray, weights: np.ndarray, lowest: float, step: float, width: float
) -> None:  # pragma: no cover  (compiled)
    grid = len(heat)
    for pivot in range(len(prices)):
        start = int(max(0.0, np.ceil((prices[pivot] - _REACH * width - lowest) / step)))
        stop = int(min(grid - 1.0, np.floor((prices[pivot] + _REACH * width - lowest) / step)))
        for cell in range(start, stop + 1):
            distance = (lowest + cell * step - prices[pivot]) / width
            heat[cell] += weights[pivot] * np.exp(-0.5 * distance * distance)
    largest = heat.max()
    if largest > 0.0:
        heat /= largest


@numba.njit(cache=True, error_model="numpy")
def _nearest(column: np.ndarray, grid: int, reach: float) -> None:  # pragma: no cover  (compiled)
    # The close lies midway between two cells where the grid is even, and on the middle one where it is odd.
    column[grid], column[grid + 1], column[grid + 2], column[grid + 3] = reach, reach, 0.0, 0.0
    heat = column[:grid]
    for cell in range(grid):
        left = heat[cell - 1] if cell > 0 else 0.0
        right = heat[cell + 1] if cell < grid - 1 else 0.0
        # The left one of two equal cells is the level.
        if heat[cell] <= 0.0 or heat[cell] <= left or heat[cell] < right:
            continue
        distance = reach * (2.0 * cell / (grid - 1) - 1.0)
        if distance <= 0.0:
            column[grid], column[grid + 2] = -distance, heat[cell]
        elif column[grid + 3] == 0.0:
            column[grid + 1], column[grid + 3] = distance, heat[cell]
