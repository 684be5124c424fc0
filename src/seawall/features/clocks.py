"""Columns of longer bars beside those of the base bars, each joined once its bar has closed.

The longer bars are made of the base bars. Their columns restart at anchors of their own clock, so a live tail that holds the
warm-up in that clock gives the bits of the full history. At the close of a base bar the newest longer bar that has closed by then
is read: the one still open is never seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.arithmetic.arrays import BarArrays
from seawall.market.resample import aggregated, longer_bars

# The first and the last longer bar that some base bars touch may be cut.
_CUT_BARS = 2


@dataclass(frozen=True)
class ClockedFeatureSet(FeatureSet):
    """A feature set on base bars, and another one on longer bars made of them.

    Attributes:
        base: Computed on the base bars.
        longer: Computed on each of the longer bars.
        timeframes: Labels of the longer bars, in order.
    """

    base: FeatureSet = field(kw_only=True)
    longer: FeatureSet = field(kw_only=True)
    timeframes: tuple[str, ...] = field(kw_only=True)

    def warmup_on(self, timeframe: Timeframe) -> int:
        """Return the warm-up in base bars: each longer bar holds as many of them as fit, and those at the ends may be cut.

        Raises:
            ConfigError: A longer timeframe is no whole multiple of the base bars.
        """
        longer = (self.longer.warmup + _CUT_BARS) * max(self.ratios(timeframe).values())
        return max(self.base.warmup, longer)

    def ratios(self, timeframe: Timeframe) -> dict[Timeframe, int]:
        """Return how many base bars each longer bar holds at most.

        Raises:
            ConfigError: As `warmup_on`.
        """
        found: dict[Timeframe, int] = {}
        for label in self.timeframes:
            length = Timeframe.parse(label)
            if length.seconds <= timeframe.seconds or length.seconds % timeframe.seconds:
                raise ConfigError(
                    f"features.timeframes has {label}, and bars are of {timeframe.label}; allowed: whole multiples above it"
                )
            found[length] = length.seconds // timeframe.seconds
        return found


def with_timeframes(base: FeatureSet, longer: FeatureSet, labels: tuple[str, ...]) -> ClockedFeatureSet:
    """Return a feature set with the columns of longer bars after those of the base bars, named ``4h_rsi`` and so on.

    Args:
        base: What is computed on the base bars.
        longer: What is computed on the longer ones.
        labels: Lengths of the longer bars, as in 4h.

    Raises:
        ConfigError: A length is named twice, or a column would have the name of another.
    """
    if len(set(labels)) < len(labels):
        raise ConfigError(f"features.timeframes={list(labels)} names a length twice")
    columns = (*base.columns, *(f"{label}_{name}" for label in labels for name in longer.columns))
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ConfigError(f"features.timeframes={list(labels)} gives {', '.join(twice)} twice; rename your columns")
    return ClockedFeatureSet(
        name=f"{base.name}@{','.join(labels)}",
        columns=columns,
        warmup=base.warmup,
        requires=base.requires,
        compute=_needs_a_clock,
        settings={"base": dict(base.settings), "longer_warmup": longer.warmup},
        lookahead=max(base.lookahead, longer.lookahead),
        own=base.own,
        base=base,
        longer=longer,
        timeframes=labels,
    )


def finished_longer_bars(bars: BarArrays, timeframe: Timeframe, to: Timeframe) -> BarArrays:
    """Return the longer bars that have closed when the last bar has, made of the bars; none where there are no bars."""
    if not len(bars):
        return BarArrays(bars.times_ms, {})
    cut = longer_bars(bars.times_ms, timeframe, to)
    return BarArrays(cut.opens[cut.whole], {name: values[cut.whole] for name, values in aggregated(bars.values, cut).items()})


def _needs_a_clock(_bars: pd.DataFrame) -> np.ndarray:
    raise InvariantError("columns of longer bars are computed by the pipeline, which knows the length of the bars")
