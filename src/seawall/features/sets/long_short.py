"""The 32 columns of the long-short zoo, free of price and volume units; and the same with the published code's levels.

Source: the published RLTrader code. There SMA, EMA, bands, ATR and volumes are levels, so a scaler fitted on cheap years serves
no dear one, and OBV is a running total whose value depends on the file's first row. In ``long_short`` prices are ratios to the
close and volumes ratios to their own mean. ``long_short_levels`` is the legacy form, for comparison.

=========================  =====================================================  ===========================================
long_short                 definition; *value where the formula has none*         long_short_levels
=========================  =====================================================  ===========================================
open_, high_, low_ratio    price / close − 1                                      open, high, low, close, volume as they are
volume_change              log of volume to the one before, with a floor of       (none)
                           0.01 of its mean over 20 bars; *0 without volume*
sma_7_, 25_, 99_ratio      close / simple mean − 1                                sma_7, sma_25, sma_99
ema_9_, 21_ratio           close / exponential mean − 1                           ema_9, ema_21
price_sma_ratio            close / SMA(25)                                        the same
sma_cross_signal           1 where SMA(7) > SMA(25), else −1                      (none)
rsi_simple_14              RSI of simple means / 100; *0.5 without change*        rsi_14, 0 to 100
stoch_k, stoch_d           fast %K(14) / 100, *0.5 without range*; its mean of 3  the same, 0 to 100
macd, _signal, _hist       MACD(12, 26, 9) / close                                macd, macd_signal, macd_hist
bb_upper_, middle_,        band / close − 1; mean(20) ± 2 sample deviations       bb_upper, bb_middle, bb_lower
lower_ratio
bb_width                   (upper − lower) / middle                               the same
bb_pct_b                   (close − lower) / (upper − lower); *0.5 where equal*   the same
atr_14_ratio               mean of 14 true ranges / close                         atr_14
volume_sma_ratio           log of mean volume over 20 bars to that over 99, with  volume_sma_20
                           a floor; *0 without volume*
volume_ratio               volume / its mean over 20 bars; *0 without volume*     the same
obv_share                  volume with the sign of the close's change, summed     obv: the same sum of 99 bars, in units of
                           over 20 bars / volume of 20 bars; *0 without volume*   volume (not since the file's first row)
cmf_20                     money flow volume / volume, 20 bars; *0 without*       the same
return, log_return         change of the close, and its logarithm                 the same
high_low_range, body_size  (high − low) / close, abs(open − close) / close        the same
volatility_30              sample deviation of 30 returns                         true_volatility
=========================  =====================================================  ===========================================

The published code's exponential means begin with the first price, TA-Lib's with a simple mean; after the warm-up they are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import talib

from seawall.core.bars import BAR_COLUMNS
from seawall.core.protocols import FeatureSet
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.arithmetic.flows import money_flow_share, signed_volume_share
from seawall.features.arithmetic.indicators import simple_atr, simple_rsi
from seawall.features.arithmetic.table import ColumnFunction, ColumnTable
from seawall.features.arithmetic.windows import log_ratio_with_floor, previous, ratio, rolling_deviation, rolling_mean, rolling_sum
from seawall.features.sets.inputs import refuse_omit

# Measured with `causality.remembered_rows`: the signal line of the MACD remembers longest, 270 rows at most.
WARMUP = 320
_ROUNDING = 1e-12


def long_short(omit: tuple[str, ...], _options: Any = None) -> FeatureSet:
    """Return the feature set ``long_short``.

    Raises:
        ConfigError: `omit` names anything, as this set has no optional inputs.
    """
    return _made("long_short", omit, _RATIOS)


def long_short_levels(omit: tuple[str, ...], _options: Any = None) -> FeatureSet:
    """Return the legacy set ``long_short_levels``, whose columns carry the units of price and volume.

    Raises:
        ConfigError: As `long_short`.
    """
    return _made("long_short_levels", omit, _LEVELS)


def _made(name: str, omit: tuple[str, ...], functions: dict[str, ColumnFunction]) -> FeatureSet:
    refuse_omit(omit, name)
    return FeatureSet(name, tuple(functions), WARMUP, (), ColumnTable(functions, tuple(functions)))


def _raw(bars: BarArrays, name: str) -> np.ndarray:
    return bars[name]


def _sma(bars: BarArrays, n: int) -> np.ndarray:
    return rolling_mean(bars["close"], n)


def _ema(bars: BarArrays, n: int) -> np.ndarray:
    return talib.EMA(bars["close"], n)


def _to_close(bars: BarArrays, level: ColumnFunction) -> np.ndarray:
    return level(bars) / bars["close"] - 1.0


def _close_to(bars: BarArrays, level: ColumnFunction) -> np.ndarray:
    return bars["close"] / level(bars) - 1.0


def _over_close(bars: BarArrays, level: ColumnFunction) -> np.ndarray:
    return level(bars) / bars["close"]


def _hundredth(bars: BarArrays, level: ColumnFunction) -> np.ndarray:
    return level(bars) / 100.0


def _price_sma_ratio(bars: BarArrays) -> np.ndarray:
    return bars["close"] / _sma(bars, 25)


def _cross(bars: BarArrays) -> np.ndarray:
    fast, slow = _sma(bars, 7), _sma(bars, 25)
    return np.where(np.isnan(slow), np.nan, np.where(fast > slow, 1.0, -1.0))


def _rsi(bars: BarArrays) -> np.ndarray:
    return simple_rsi(bars["close"], 14)


def _stochastic(bars: BarArrays) -> np.ndarray:
    lowest = talib.MIN(bars["low"], 14)
    return 100.0 * ratio(bars["close"] - lowest, talib.MAX(bars["high"], 14) - lowest, where_zero=0.5)


def _slow_stochastic(bars: BarArrays) -> np.ndarray:
    return rolling_mean(_stochastic(bars), 3)


def _macds(bars: BarArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return talib.MACD(bars["close"], 12, 26, 9)


def _macd(bars: BarArrays, place: int) -> np.ndarray:
    return bars.once(_macds)[place]


def _bands(bars: BarArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    middle, width = _sma(bars, 20), 2.0 * rolling_deviation(bars["close"], 20, sample=True)
    return middle + width, middle, middle - width


def _band(bars: BarArrays, place: int) -> np.ndarray:
    return bars.once(_bands)[place]


def _band_width(bars: BarArrays) -> np.ndarray:
    upper, middle, lower = bars.once(_bands)
    return (upper - lower) / middle


def _band_place(bars: BarArrays) -> np.ndarray:
    upper, middle, lower = bars.once(_bands)
    width = upper - lower
    # Equal closes differ from their mean by a rounding, which is not a band.
    return ratio(bars["close"] - lower, np.where(width < _ROUNDING * middle, 0.0, width), where_zero=0.5)


def _atr(bars: BarArrays) -> np.ndarray:
    return simple_atr(bars["high"], bars["low"], bars["close"], 14)


def _mean_volume(bars: BarArrays, n: int) -> np.ndarray:
    return rolling_mean(bars["volume"], n)


def _volume_change(bars: BarArrays) -> np.ndarray:
    return log_ratio_with_floor(bars["volume"], previous(bars["volume"]), _mean_volume(bars, 20))


def _volume_trend(bars: BarArrays) -> np.ndarray:
    long = _mean_volume(bars, 99)
    return log_ratio_with_floor(_mean_volume(bars, 20), long, long)


def _volume_ratio(bars: BarArrays) -> np.ndarray:
    return ratio(bars["volume"], _mean_volume(bars, 20), where_zero=0.0)


def _balance(bars: BarArrays, n: int) -> np.ndarray:
    signed = signed_volume_share(bars["close"], bars["volume"], np.ones(len(bars)))
    return rolling_sum(signed, n)


def _balance_share(bars: BarArrays) -> np.ndarray:
    return ratio(_balance(bars, 20), rolling_sum(bars["volume"], 20), where_zero=0.0)


def _money_flow(bars: BarArrays) -> np.ndarray:
    flow = money_flow_share(bars["high"], bars["low"], bars["close"], bars["volume"], np.ones(len(bars)))
    return ratio(rolling_sum(flow, 20), rolling_sum(bars["volume"], 20), where_zero=0.0)


def _return(bars: BarArrays) -> np.ndarray:
    before = previous(bars["close"])
    return (bars["close"] - before) / before


def _log_return(bars: BarArrays) -> np.ndarray:
    return np.log(bars["close"] / previous(bars["close"]))


def _range(bars: BarArrays) -> np.ndarray:
    return (bars["high"] - bars["low"]) / bars["close"]


def _body(bars: BarArrays) -> np.ndarray:
    return np.abs(bars["open"] - bars["close"]) / bars["close"]


def _volatility(bars: BarArrays) -> np.ndarray:
    return rolling_deviation(_return(bars), 30, sample=True)


_ALIKE_BANDS: dict[str, ColumnFunction] = {"bb_width": _band_width, "bb_pct_b": _band_place}
_ALIKE_BARS: dict[str, ColumnFunction] = {
    "cmf_20": _money_flow,
    "return": _return,
    "log_return": _log_return,
    "high_low_range": _range,
    "body_size": _body,
}


def _as(form: Callable[..., np.ndarray], level: ColumnFunction) -> ColumnFunction:
    return partial(form, level=level)


_RATIOS: dict[str, ColumnFunction] = {
    **{f"{name}_ratio": _as(_to_close, partial(_raw, name=name)) for name in ("open", "high", "low")},
    "volume_change": _volume_change,
    **{f"sma_{n}_ratio": _as(_close_to, partial(_sma, n=n)) for n in (7, 25, 99)},
    **{f"ema_{n}_ratio": _as(_close_to, partial(_ema, n=n)) for n in (9, 21)},
    "price_sma_ratio": _price_sma_ratio,
    "sma_cross_signal": _cross,
    "rsi_simple_14": _as(_hundredth, _rsi),
    "stoch_k": _as(_hundredth, _stochastic),
    "stoch_d": _as(_hundredth, _slow_stochastic),
    **{name: _as(_over_close, partial(_macd, place=place)) for place, name in enumerate(("macd", "macd_signal", "macd_hist"))},
    **{f"bb_{name}_ratio": _as(_to_close, partial(_band, place=place)) for place, name in enumerate(("upper", "middle", "lower"))},
    **_ALIKE_BANDS,
    "atr_14_ratio": _as(_over_close, _atr),
    "volume_sma_ratio": _volume_trend,
    "volume_ratio": _volume_ratio,
    "obv_share": _balance_share,
    **_ALIKE_BARS,
    "volatility_30": _volatility,
}
_LEVELS: dict[str, ColumnFunction] = {
    **{name: partial(_raw, name=name) for name in BAR_COLUMNS},
    **{f"sma_{n}": partial(_sma, n=n) for n in (7, 25, 99)},
    **{f"ema_{n}": partial(_ema, n=n) for n in (9, 21)},
    "price_sma_ratio": _price_sma_ratio,
    "rsi_14": _rsi,
    "stoch_k": _stochastic,
    "stoch_d": _slow_stochastic,
    **{name: partial(_macd, place=place) for place, name in enumerate(("macd", "macd_signal", "macd_hist"))},
    **{f"bb_{name}": partial(_band, place=place) for place, name in enumerate(("upper", "middle", "lower"))},
    **_ALIKE_BANDS,
    "atr_14": _atr,
    "volume_sma_20": partial(_mean_volume, n=20),
    "volume_ratio": _volume_ratio,
    "obv": partial(_balance, n=99),
    **_ALIKE_BARS,
    "true_volatility": _volatility,
}
