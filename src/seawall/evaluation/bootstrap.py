"""How sure a figure is: intervals by the stationary bootstrap, and paired comparisons with rivals.

Blocks of bars of random length are drawn with replacement, the same blocks for every series, so that the dependence
between neighbouring bars and between policies is kept (Politis and Romano 1994). The mean block length is the optimum of
Politis and White (2004, corrected 2009), the largest over the judged series and its absolute values, capped so that at
least ten blocks make up a resample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from seawall.core.params import Params
from seawall.core.seeding import generator
from seawall.evaluation.metrics import MIN_YEARS
from seawall.evaluation.resampling import resampled_sums

MIN_BARS = 30
"""With fewer bars than this no interval is given."""
MEASURES = ("total_return", "annual_return", "mean_log_return", "sharpe", "sortino", "max_drawdown")

_LEAST_BLOCKS = 10
_MOST_UNDEFINED = 0.05
_CONSTANT = 1e-12
_LARGEST_EXPONENT = 700.0


class BootstrapParams(Params):
    """Settings of the intervals."""

    n_resamples: int = Field(default=1_000, ge=100, le=100_000, description="Resamples drawn")
    confidence: float = Field(default=0.95, ge=0.9, lt=1.0, description="Share of resamples that an interval holds")
    seed: int = Field(default=0, ge=0, description="Seed of the resamples")


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval, or why there is none.

    Attributes:
        low: Lower bound; None where undefined.
        high: Upper bound; None where undefined.
        reason: Why it is undefined; empty where it is not.
    """

    low: float | None
    high: float | None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the interval as plain values."""
        return {"low": self.low, "high": self.high, **({"reason": self.reason} if self.reason else {})}


@dataclass(frozen=True)
class Difference:
    """A paired comparison: mean log return per bar of the judged policy less that of a rival, over the same bars.

    Attributes:
        mean: Observed mean difference per bar.
        interval: Its bootstrap interval.
    """

    mean: float
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values."""
        return {"mean": self.mean, **self.interval.to_dict()}


@dataclass(frozen=True)
class Resamples:
    """Resampled figures of several series.

    Attributes:
        names: The S series.
        values: Figure of each measure of `MEASURES` per resample and series, NaN where undefined; shape (M, B, S).
        mean_block_bars: Mean block length used.
        confidence: Share of resamples that an interval holds.
    """

    names: tuple[str, ...]
    values: np.ndarray
    mean_block_bars: int
    confidence: float

    def interval(self, measure: str, name: str) -> Interval:
        """Return the interval of one measure of one series."""
        return self._interval(self.values[MEASURES.index(measure), :, self.names.index(name)])

    def difference(self, name: str, rival: str, observed: float) -> Difference:
        """Return the paired comparison of the mean log returns of two series.

        Args:
            name: The judged series.
            rival: The other series.
            observed: Observed mean difference per bar.
        """
        return Difference(observed, self.paired("mean_log_return", name, rival))

    def paired(self, measure: str, name: str, rival: str) -> Interval:
        """Return the interval of one measure of a series less that of another over the same resamples."""
        figures = self.values[MEASURES.index(measure)]
        return self._interval(figures[:, self.names.index(name)] - figures[:, self.names.index(rival)])

    def _interval(self, values: np.ndarray) -> Interval:
        defined = values[np.isfinite(values)]
        if defined.size < (1.0 - _MOST_UNDEFINED) * values.size or defined.size == 0:
            return Interval(None, None, "the figure is undefined in too many resamples")
        tail = 100.0 * (1.0 - self.confidence) / 2.0
        low, high = np.percentile(defined, [tail, 100.0 - tail])
        return Interval(float(low), float(high))


def resample(log_returns: Mapping[str, np.ndarray], periods_per_year: float, params: BootstrapParams) -> Resamples:
    """Resample several series of net log returns together.

    Args:
        log_returns: Net log return per bar of each series, float64, all of the same shape (T,); the first is the judged
            one and sets the block length.
        periods_per_year: Bars per year.
        params: Settings.

    Returns:
        The figures; all NaN with fewer than `MIN_BARS` bars.
    """
    names = tuple(log_returns)
    series = np.stack([np.asarray(log_returns[name], dtype=np.float64) for name in names])
    n_bars = series.shape[1]
    block = mean_block_bars(series[0])
    if n_bars < MIN_BARS:
        return Resamples(names, np.full((len(MEASURES), params.n_resamples, len(names)), math.nan), block, params.confidence)
    sums = resampled_sums(series, block, params.n_resamples, generator(params.seed, "bootstrap"))
    shape = _Annualising(periods_per_year, n_bars / periods_per_year)
    return Resamples(names, _figures(sums, np.expm1(series).mean(axis=1), n_bars, shape), block, params.confidence)


def mean_block_bars(log_returns: np.ndarray) -> int:
    """Return the mean block length for a series: at least 1 bar, at most a tenth of the series.

    Args:
        log_returns: Float64, shape (T,). A constant series, or fewer than `MIN_BARS` bars, needs no blocks.
    """
    n_bars = len(log_returns)
    if n_bars < MIN_BARS:
        return 1
    candidates = [values for values in (log_returns, np.abs(log_returns)) if np.ptp(values) > _CONSTANT * np.abs(values).max()]
    if not candidates:
        return 1
    from arch.bootstrap import optimal_block_length

    # Scaled to unit spread: the fourth powers of per-bar returns inside would lose their digits.
    lengths = [float(optimal_block_length(values / values.std())["stationary"].iloc[0]) for values in candidates]
    longest = max((length for length in lengths if math.isfinite(length)), default=1.0)
    return int(np.clip(math.ceil(longest), 1, n_bars // _LEAST_BLOCKS))


@dataclass(frozen=True)
class _Annualising:
    periods_per_year: float
    years: float


def _figures(sums: np.ndarray, centre: np.ndarray, n_bars: int, shape: _Annualising) -> np.ndarray:
    """Return the figures of resampled series, in the order of `MEASURES`, shape (M, B, S); NaN where undefined.

    Args:
        sums: From `resampled_sums`.
        centre: Mean simple return of each series, which was taken off before squares were added up, shape (S,).
        n_bars: Bars of a series.
        shape: How figures are annualised.
    """
    total, deepest, first, second, losses, largest = np.moveaxis(sums, 2, 0)
    mean, scale = centre + first / n_bars, math.sqrt(shape.periods_per_year)
    # Squares around a value near the mean keep their digits.
    deviation = np.sqrt(np.maximum(second - first * first / n_bars, 0.0) / (n_bars - 1))
    downside = np.sqrt(losses / n_bars)
    annual = total / shape.years if shape.years >= MIN_YEARS else np.full_like(total, math.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.stack(
            [
                np.expm1(np.minimum(total, _LARGEST_EXPONENT)),
                np.where(annual < _LARGEST_EXPONENT, np.expm1(annual), math.nan),
                total / n_bars,
                np.where(deviation > _CONSTANT * largest, mean / deviation * scale, math.nan),
                np.where(downside > _CONSTANT * largest, mean / downside * scale, math.nan),
                -np.expm1(deepest),
            ]
        )
