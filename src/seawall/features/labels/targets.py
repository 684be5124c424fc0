"""Everything an encoder is taught of some bars, made of these bars and of none outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field, field_validator

from seawall.core.params import Params
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.labels.candles import scaled_candles
from seawall.features.labels.levels import LevelLabelParams, level_heatmap
from seawall.features.labels.regimes import RegimeLabelParams, regimes
from seawall.features.labels.returns import scaled_future_returns, trailing_volatility


class TargetParams(Params):
    """What an encoder is taught."""

    regimes: RegimeLabelParams = Field(default_factory=RegimeLabelParams, description="Target of the regime head")
    levels: LevelLabelParams = Field(default_factory=LevelLabelParams, description="Target of the level head")
    horizons: tuple[int, ...] = Field(default=(1, 3, 5, 15), description="Bars ahead of the returns that are forecast")
    volatility_bars: int = Field(default=96, ge=2, le=100_000, description="Bars of the volatility in which prices are measured")
    candle_limit: float = Field(
        default=10.0,
        gt=0.0,
        le=1e6,
        description="Candles are cut at this many volatilities: one bar after a still market is no lesson",
    )

    @field_validator("horizons")
    @classmethod
    def _ahead(cls, horizons: tuple[int, ...]) -> tuple[int, ...]:
        if not horizons or list(horizons) != sorted(set(horizons)) or horizons[0] < 1 or horizons[-1] > 100_000:
            raise ValueError(f"horizons are {list(horizons)}; allowed: numbers of bars from 1 to 100000, ascending, each once")
        return horizons


@dataclass(frozen=True)
class Targets:
    """What is taught at each of T bars of one series.

    Attributes:
        regimes: Place in `REGIMES` or `UNKNOWN`, int64, shape (T,); known at the close.
        heatmap: Shape (T, cells), from 0 to 1; known at the close, or after its horizon for reactions.
        returns: Future log returns in units of trailing volatility, shape (T, H); known after their horizons.
        candles: The bar itself without units, cut at the limit, shape (T, 4); known at the close.
        volatility: Deviation of a bar's log return, shape (T,); known at the close.
    """

    regimes: np.ndarray
    heatmap: np.ndarray
    returns: np.ndarray
    candles: np.ndarray
    volatility: np.ndarray


def targets_of(bars: BarArrays, params: TargetParams) -> Targets:
    """Make the targets of consecutive bars of one series.

    Args:
        bars: T bars. Nothing outside of them is read: targets of training bars cannot know what comes after.
        params: What to make.

    Returns:
        NaN, or `UNKNOWN`, where bars before or after are lacking.
    """
    closes = bars["close"]
    volatility = trailing_volatility(closes, params.volatility_bars)
    return Targets(
        regimes=regimes(closes, params.regimes),
        heatmap=level_heatmap(bars, params.levels),
        returns=scaled_future_returns(closes, params.horizons, volatility),
        candles=np.clip(scaled_candles(bars, volatility), -params.candle_limit, params.candle_limit),
        volatility=volatility,
    )
