"""Four regimes of a market, told from trailing closes: rising, falling, sideways, or unusually volatile.

A label of bar t is known at the close of t. ``quantile``, the default, is free of units and of bar length::

    volatile        the deviation of log returns over `volatility_bars` is above the `volatile_above` quantile of its own
                    values in the trailing `percentile_bars`
    trend_up/down   else, the efficiency ratio |C(t) − C(t − n)| / Σ |C(i) − C(i − 1)| over n bars is above `efficient_above`,
                    by the sign of C(t) − C(t − n)
    consolidation   else

A random walk's efficiency over n bars is about 1 / √n, so n decides how rare a trend is: of real bars (ETH 5m, gold 15m, BTC 1h)
9 to 14 % rise and 8 to 11 % fall at n = 16, and at n = 64 at most 3 % and often less than 1 %.

``legacy`` is the design's published rule, with limits in price units a bar: volatile from a deviation of 0.01 on, a trend where
(C(t) − C(t − 64)) / (64 · C(t − 64)) is beyond ±0.0005. On bars of a minute these almost never fire, so that one class takes all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numba
import numpy as np
from pydantic import Field

from seawall.core.errors import DataError
from seawall.core.params import Params
from seawall.features.arithmetic.windows import previous, ratio, rolling_deviation, rolling_sum, shifted

REGIMES = ("trend_up", "trend_down", "consolidation", "volatile")
TREND_UP, TREND_DOWN, CONSOLIDATION, VOLATILE = range(4)
UNKNOWN = -1
_LEGACY_DEVIATION, _LEGACY_SLOPE = 0.01, 0.0005


class RegimeLabelParams(Params):
    """What counts as a trend, and as volatile."""

    rule: Literal["quantile", "legacy"] = Field(default="quantile", description="quantile: free of units; legacy: as published")
    trend_bars: int | None = Field(
        default=None, ge=2, le=100_000, description="Bars over which a trend is measured; null: 16, or 64 by the legacy rule"
    )
    volatility_bars: int = Field(default=128, ge=2, le=100_000, description="Bars over which volatility is measured")
    percentile_bars: int = Field(
        default=105_120, ge=2, le=10_000_000, description="Trailing volatilities that one is ranked among; 105,120 is a year of 5m"
    )
    ranked_from: int = Field(default=64, ge=1, le=10_000_000, description="Volatilities needed before one is ranked")
    efficient_above: float = Field(default=0.35, ge=0.0, lt=1.0, description="Efficiency ratio above which there is a trend")
    volatile_above: float = Field(default=0.8, ge=0.0, lt=1.0, description="Quantile above which volatility is unusual")
    rarest: float = Field(default=0.02, ge=0.0, le=0.25, description="Share of the labels below which a class is refused")

    @property
    def trend_length(self) -> int:
        """Bars over which a trend is measured."""
        return self.trend_bars or (16 if self.rule == "quantile" else 64)

    @property
    def lookback(self) -> int:
        """Bars before the first that has a label."""
        ranked = self.ranked_from - 1 if self.rule == "quantile" else 0
        return max(self.trend_length, self.volatility_bars + ranked)


def regimes(closes: np.ndarray, params: RegimeLabelParams) -> np.ndarray:
    """Return the regime at each close.

    Args:
        closes: Closing prices of one series, above 0, float64, shape (T,).
        params: The rule.

    Returns:
        A place in `REGIMES`, known at the close of its bar, int64, shape (T,); `UNKNOWN` in the first `lookback` bars.
    """
    n = params.trend_length
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.log(closes / previous(closes))
    deviations = rolling_deviation(returns, params.volatility_bars, sample=True)
    if params.rule == "legacy":
        slope = (closes - shifted(closes, n)) / (shifted(closes, n) * n)
        volatile, trending, rising = deviations >= _LEGACY_DEVIATION, np.abs(slope) > _LEGACY_SLOPE, slope > 0.0
    else:
        volatile = trailing_percentile(deviations, params.percentile_bars) > params.volatile_above
        trending = efficiency_ratio(closes, n) > params.efficient_above
        rising = closes > shifted(closes, n)
    found = np.where(volatile, VOLATILE, np.where(trending, np.where(rising, TREND_UP, TREND_DOWN), CONSOLIDATION))
    found[: params.lookback] = UNKNOWN
    return found.astype(np.int64)


def efficiency_ratio(closes: np.ndarray, n: int) -> np.ndarray:
    """Return Kaufman's efficiency ratio: how much of the way that prices went over n bars was progress.

    Args:
        closes: Closing prices, float64, shape (T,).
        n: Bars.

    Returns:
        From 0 to 1, known at the close, shape (T,); NaN in the first n bars, 0 where no price moved.
    """
    progress = np.abs(closes - shifted(closes, n))
    way = rolling_sum(np.abs(closes - previous(closes)), n)
    return ratio(progress, way, where_zero=0.0)


def trailing_percentile(values: np.ndarray, n: int) -> np.ndarray:
    """Rank each value among the last n, itself included, as a share of them; equal ones count half.

    Args:
        values: float64, shape (T,), with NaN at the start alone.
        n: How many values are kept; before there are n, all that there are.

    Returns:
        From 0 to 1, shape (T,); NaN where the value is. A series that never changes is at 0.5 throughout.
    """
    known = np.isfinite(values)
    # Ranks among all values are only names for them: each is counted among trailing ones alone.
    _, ranks = np.unique(values[known], return_inverse=True)
    result = np.full(len(values), np.nan)
    result[known] = _percentiles(ranks.astype(np.int64), n)
    return result


@numba.njit(cache=True)
def _percentiles(ranks: np.ndarray, n: int) -> np.ndarray:  # pragma: no cover  (compiled)
    # A Fenwick tree of counts by rank: Fenwick 1994, "A new data structure for cumulative frequency tables".
    size = ranks.max() + 1 if len(ranks) else 0
    tree = np.zeros(size + 1, np.int64)
    result = np.empty(len(ranks))
    for row in range(len(ranks)):
        _count(tree, ranks[row], 1)
        if row >= n:
            _count(tree, ranks[row - n], -1)
        below = _counted(tree, ranks[row])
        up_to = _counted(tree, ranks[row] + 1)
        result[row] = 0.5 * (below + up_to) / min(row + 1, n)
    return result


@numba.njit(cache=True)
def _count(tree: np.ndarray, rank: int, by: int) -> None:  # pragma: no cover  (compiled)
    place = rank + 1
    while place < len(tree):
        tree[place] += by
        place += place & -place


@numba.njit(cache=True)
def _counted(tree: np.ndarray, rank: int) -> int:  # pragma: no cover  (compiled)
    total, place = 0, rank
    while place > 0:
        total += tree[place]
        place -= place & -place
    return total


def class_balance(labels: np.ndarray) -> dict[str, float]:
    """Return the share of each regime among known labels, shape (T,) of int64; NaN where none is known."""
    known = labels[labels != UNKNOWN]
    counts = np.bincount(known, minlength=len(REGIMES))
    return {name: float(count / len(known)) if len(known) else float("nan") for name, count in zip(REGIMES, counts, strict=True)}


def refuse_rare(balance: Mapping[str, float], rarest: float) -> None:
    """Refuse labels of which a class hardly occurs: there is nothing to learn it from, and accuracy would flatter.

    Args:
        balance: Share of each class.
        rarest: Smallest share that is allowed.

    Raises:
        DataError: A class is rarer, or no label is known; the message shows the balance.
    """
    if all(share >= rarest for share in balance.values()):
        return
    shown = ", ".join(f"{name} {share:.1%}" for name, share in balance.items())
    raise DataError(
        f"regimes are {shown}; each needs at least {rarest:.1%}: change efficient_above, volatile_above or trend_bars, "
        "take more bars, or switch the regime head off"
    )
