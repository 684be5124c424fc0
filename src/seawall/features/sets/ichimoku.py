"""Six columns of the Ichimoku chart, each known at the close of its bar.

Source: Hosoda's Ichimoku Kinko Hyo with the periods 9, 26 and 52; the six columns are those of the LSTM actor-critic design.

Lines, with HH and LL the highest high and lowest low of the last n bars, the newest included::

    tenkan T = (HH9 + LL9) / 2          span A = (T + K) / 2
    kijun  K = (HH26 + LL26) / 2        span B = (HH52 + LL52) / 2

The cloud over bar t is made of the spans of bar t − 26, which a chart draws 26 bars ahead; top and bottom are the larger and
smaller of the two spans, or the one that is known. All columns are free of price units.

========================================  ==========================================================================================
column                                    definition
========================================  ==========================================================================================
feature_price_cloud_position              1 where the close is above the cloud, −1 below, else 0
feature_normalized_distance_from_cloud    (close − top) / close above, (close − bottom) / close below, else 0
feature_tk_cross                          1 where T > K has become true at this bar, −1 where it no longer holds, else 0
feature_kumo_twist                        sign of span A − span B of this bar: the cloud that a chart draws 26 bars ahead
feature_kumo_thickness_normalized         distance of the two spans of the cloud over this bar / close
feature_chikou_position                   sign of close − close 26 bars ago: the lagging line at its newest point
========================================  ==========================================================================================

With ``binary`` a cross is 1 and no cross 0, whichever its direction. ``leaky_chikou`` is the published code's form, the sign of the
close 26 bars *ahead* less the close 26 bars ago: it looks into the future, cannot be had live, and is there to explain
results that were made with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import talib
from pydantic import Field

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.core.protocols import FeatureSet
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.arithmetic.table import ColumnFunction, ColumnTable
from seawall.features.arithmetic.windows import shifted
from seawall.features.sets.inputs import refuse_omit

ICHIMOKU_COLUMNS = (
    "feature_price_cloud_position",
    "feature_normalized_distance_from_cloud",
    "feature_tk_cross",
    "feature_kumo_twist",
    "feature_kumo_thickness_normalized",
    "feature_chikou_position",
)


class IchimokuParams(Params):
    """Periods of the lines, and the form of two columns."""

    tenkan: int = Field(default=9, ge=2, le=1_000, description="Bars of the conversion line")
    kijun: int = Field(default=26, ge=2, le=1_000, description="Bars of the base line, and how far spans and Chikou are displaced")
    senkou_b: int = Field(default=52, ge=2, le=1_000, description="Bars of the second span")
    binary: bool = Field(default=False, description="A cross is 1 in either direction, rather than 1 or −1")
    leaky_chikou: bool = Field(
        default=False, description="Legacy: compare the close `kijun` bars ahead, which is unknown at the bar; for comparison only"
    )

    @property
    def warmup(self) -> int:
        """Bars before the first whose cloud is whole."""
        return max(self.tenkan, self.kijun, self.senkou_b) - 1 + self.kijun


def ichimoku(omit: tuple[str, ...], params: IchimokuParams) -> FeatureSet:
    """Return the feature set ``ichimoku``.

    Raises:
        ConfigError: `omit` names anything, as this set has no optional inputs.
    """
    refuse_omit(omit, "ichimoku")
    return FeatureSet(
        name="ichimoku",
        columns=ICHIMOKU_COLUMNS,
        warmup=params.warmup,
        requires=(),
        compute=ColumnTable(_functions(params), ICHIMOKU_COLUMNS),
        settings=params.model_dump(),
        lookahead=params.kijun if params.leaky_chikou else 0,
        windowed=True,
    )


def get_ichimoku_features(
    df: pd.DataFrame, tenkan_period: int = 9, kijun_period: int = 26, senkou_b_period: int = 52
) -> pd.DataFrame:
    """Return the six columns of the feature set ``ichimoku`` for a frame of any length.

    Args:
        df: Columns ``high``, ``low`` and ``close``; more do not matter.
        tenkan_period: Bars of the conversion line.
        kijun_period: Bars of the base line, and the displacement.
        senkou_b_period: Bars of the second span.

    Returns:
        Six float columns with the frame's index. Position and distance are 0 while neither span of the cloud is known; the others
        are NaN until their lines are.

    Raises:
        ConfigError: A column is missing.
    """
    missing = [name for name in ("high", "low", "close") if name not in df.columns]
    if missing:
        raise ConfigError(f"the frame has no column {', '.join(missing)}; it has {', '.join(map(str, df.columns))}")
    params = IchimokuParams(tenkan=tenkan_period, kijun=kijun_period, senkou_b=senkou_b_period)
    values = {name: np.ascontiguousarray(df[name].to_numpy(np.float64)) for name in ("high", "low", "close")}
    arrays = BarArrays(np.zeros(len(df), np.int64), values)
    functions = _functions(params)
    return pd.DataFrame({name: functions[name](arrays) for name in ICHIMOKU_COLUMNS}, index=df.index)


@dataclass(frozen=True)
class _Lines:
    tenkan: np.ndarray
    kijun: np.ndarray
    span_a: np.ndarray
    span_b: np.ndarray
    cloud_a: np.ndarray
    cloud_b: np.ndarray


def _lines(bars: BarArrays, params: IchimokuParams) -> _Lines:
    def middle(n: int) -> np.ndarray:
        if len(bars) < n:
            return np.full(len(bars), np.nan)
        return (talib.MAX(bars["high"], n) + talib.MIN(bars["low"], n)) / 2.0

    tenkan, kijun = middle(params.tenkan), middle(params.kijun)
    span_a, span_b = (tenkan + kijun) / 2.0, middle(params.senkou_b)
    return _Lines(tenkan, kijun, span_a, span_b, shifted(span_a, params.kijun), shifted(span_b, params.kijun))


def _functions(params: IchimokuParams) -> dict[str, ColumnFunction]:
    made = (_position, _distance, _cross, _twist, _thickness, _chikou)
    return {name: partial(function, params=params) for name, function in zip(ICHIMOKU_COLUMNS, made, strict=True)}


def _shared(bars: BarArrays, params: IchimokuParams) -> _Lines:
    return bars.once(partial(_lines, params=params), "ichimoku_lines")


def _position(bars: BarArrays, params: IchimokuParams) -> np.ndarray:
    return np.sign(_distance(bars, params))


def _distance(bars: BarArrays, params: IchimokuParams) -> np.ndarray:
    lines, close = _shared(bars, params), bars["close"]
    top, bottom = np.fmax(lines.cloud_a, lines.cloud_b), np.fmin(lines.cloud_a, lines.cloud_b)
    # Comparisons with an unknown cloud are false.
    return np.where(close > top, (close - top) / close, np.where(close < bottom, (close - bottom) / close, 0.0))


def _cross(bars: BarArrays, params: IchimokuParams) -> np.ndarray:
    lines = _shared(bars, params)
    above = np.where(np.isnan(lines.tenkan) | np.isnan(lines.kijun), np.nan, lines.tenkan > lines.kijun)
    crossed = above - shifted(above, 1)
    return np.abs(crossed) if params.binary else crossed


def _twist(bars: BarArrays, params: IchimokuParams) -> np.ndarray:
    lines = _shared(bars, params)
    return np.sign(lines.span_a - lines.span_b)


def _thickness(bars: BarArrays, params: IchimokuParams) -> np.ndarray:
    lines = _shared(bars, params)
    return np.abs(lines.cloud_a - lines.cloud_b) / bars["close"]


def _chikou(bars: BarArrays, params: IchimokuParams) -> np.ndarray:
    close, n = bars["close"], params.kijun
    if not params.leaky_chikou:
        return np.sign(close - shifted(close, n))
    ahead = np.full(len(close), np.nan)
    ahead[: max(0, len(close) - n)] = close[n:]
    return np.nan_to_num(np.sign(ahead - shifted(close, n)))
