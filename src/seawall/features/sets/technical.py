"""The 21 technical columns of TraderNet-CRv2, free of price and volume units.

Source: V. Kochliaridis, E. Kouloumpris and I. Vlahavas, "Combining deep reinforcement learning with technical analysis and
trend monitoring on cryptocurrency markets" (2023), and its published code. There the distances to DEMA, VWAP and the
bands, and the ADL and OBV differences, carry the market's units. Here prices are divided by the close and volumes
by the volume of the last 20 bars, so that one scaler serves cheap and dear years, and any symbol.

Every value of row t is known at the close of bar t. What a still or empty market gives is stated below, because an
indicator's own formula is 0/0 there:

==================  ===============================================================================================
column              definition; *value where the formula has none*
==================  ===============================================================================================
..._log_returns     log(x_t / x_{t-1}) of open, high, low, close; of volume and trades with 0.01 of their mean over 20
                    bars added to both (`log_ratio_with_floor`); *0 where all 20 are zero*; within ±log(2001)
hour                hour of the bar's opening time, UTC, / 23
macd_signal_diffs   MACD(12, 26, 9) histogram / close
stoch               fast %K: (close − lowest low) / (highest high − lowest low), 14 bars; *0.5 where they are equal*
aroon_up, _down     1 − (bars since the highest high, lowest low, of the last 26 bars) / 25; a tie counts from the newest
rsi                 Wilder's RSI(14) / 100; *0.5 where the last 14 changes of the close are all zero*
adx                 Wilder's ADX(14) / 100, with DX *0 where the last 14 bars have no directional movement*
cci                 CCI(20) / 100, always within ±20/3; *0 where the last 20 typical prices are equal*
close_dema          (close − DEMA(15)) / close
close_vwap          (close − VWAP(10)) / close; VWAP is *the mean typical price where 10 bars have no volume*
bband_up_close      (mean(20) + 2 deviations − close) / close
close_bband_down    (close − mean(20) + 2 deviations) / close
adl_diffs           money flow volume / volume of 20 bars; *0 for a bar without range, or where all volume is zero*
obv_diffs           sign of the close's change × volume / volume of 20 bars; *0 where all volume is zero*
trends              log of search interest to its mean over 168 bars, with a floor as above
==================  ===============================================================================================

TA-Lib's ADX carries its last DX through bars without directional movement, so it may remember a value from any time
ago. With DX set to 0 there, and Wilder's smoothing written as the exponential mean of period 2·14 − 1 that it is, the memory
ends with the warm-up; elsewhere the value is TA-Lib's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import talib

from seawall.core.bars import PRICE_COLUMNS
from seawall.core.errors import ConfigError
from seawall.core.protocols import FeatureSet
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.arithmetic.calendar import hour_of_day
from seawall.features.arithmetic.flows import (
    bars_without_change,
    bars_without_direction,
    money_flow_share,
    signed_volume_share,
    volume_weighted_mean,
)
from seawall.features.arithmetic.table import ColumnFunction, ColumnTable
from seawall.features.arithmetic.windows import (
    log_ratio_with_floor,
    previous,
    ratio,
    rolling_deviation,
    rolling_mean,
    rolling_sum,
)
from seawall.features.sets.inputs import refuse_omit

TECHNICAL_COLUMNS = (
    "open_log_returns",
    "high_log_returns",
    "low_log_returns",
    "close_log_returns",
    "volume_log_returns",
    "trades_log_returns",
    "hour",
    "macd_signal_diffs",
    "stoch",
    "aroon_up",
    "aroon_down",
    "rsi",
    "adx",
    "cci",
    "close_dema",
    "close_vwap",
    "bband_up_close",
    "close_bband_down",
    "adl_diffs",
    "obv_diffs",
    "trends",
)
OPTIONAL_INPUTS = {"trades": "trades_log_returns", "trends": "trends"}
# Measured with `causality.remembered_rows`: 308 rows at most on real bars, 377 on drawn bars with still stretches (RSI).
WARMUP = 384
VOLUME_BARS = 20
TRENDS_BARS = 168


def technical(omit: tuple[str, ...] = (), _options: Any = None) -> FeatureSet:
    """Return the feature set ``technical``: all 21 columns, less those of the optional inputs left out.

    Args:
        omit: Optional raw columns to do without, of ``trades`` and ``trends``; their columns are left out, never filled.

    Raises:
        ConfigError: A name in `omit` is no optional input.
    """
    unknown = [name for name in omit if name not in OPTIONAL_INPUTS]
    if unknown:
        raise ConfigError(f"features.omit={list(omit)} has {', '.join(unknown)}; allowed: {', '.join(OPTIONAL_INPUTS)}")
    return _technical_set("technical", omit)


def technical_ohlcv(omit: tuple[str, ...] = (), _options: Any = None) -> FeatureSet:
    """Return the feature set ``technical_ohlcv``: the 19 columns made of open, high, low, close and volume alone.

    Raises:
        ConfigError: `omit` names anything, as this set has no optional inputs.
    """
    refuse_omit(omit, "technical_ohlcv")
    return _technical_set("technical_ohlcv", tuple(OPTIONAL_INPUTS))


def _technical_set(name: str, omit: tuple[str, ...]) -> FeatureSet:
    without = {OPTIONAL_INPUTS[raw] for raw in omit}
    columns = tuple(column for column in TECHNICAL_COLUMNS if column not in without)
    requires = tuple(raw for raw in OPTIONAL_INPUTS if raw not in omit)
    return FeatureSet(name, columns, WARMUP, requires, ColumnTable(_FUNCTIONS, columns))


def technical_block(bars: pd.DataFrame, *, columns: tuple[str, ...]) -> np.ndarray:
    """Compute the named technical columns on exactly these bars, from the first of them on.

    Args:
        bars: A bar frame of T rows, with the raw columns that the named columns need.
        columns: Names out of `TECHNICAL_COLUMNS`.

    Returns:
        float64, shape (T, len(columns)); NaN in the first rows, before an indicator has its bars.
    """
    return ColumnTable(_FUNCTIONS, columns)(bars)


def _log_return(bars: BarArrays, *, price: str) -> np.ndarray:
    return np.log(bars[price] / previous(bars[price]))


def _volume_log_return(bars: BarArrays) -> np.ndarray:
    volume = bars["volume"]
    return log_ratio_with_floor(volume, previous(volume), bars.once(_volume_sum) / VOLUME_BARS)


def _trades_log_return(bars: BarArrays) -> np.ndarray:
    trades = bars["trades"]
    return log_ratio_with_floor(trades, previous(trades), rolling_mean(trades, VOLUME_BARS))


def _trends(bars: BarArrays) -> np.ndarray:
    mean = rolling_mean(bars["trends"], TRENDS_BARS)
    return log_ratio_with_floor(bars["trends"], mean, mean)


def _hour(bars: BarArrays) -> np.ndarray:
    return hour_of_day(bars.times_ms) / 23.0


def _macd_histogram(bars: BarArrays) -> np.ndarray:
    return talib.MACD(bars["close"], 12, 26, 9)[2] / bars["close"]


def _stochastic(bars: BarArrays) -> np.ndarray:
    lowest = talib.MIN(bars["low"], 14)
    return ratio(bars["close"] - lowest, talib.MAX(bars["high"], 14) - lowest, where_zero=0.5)


def _aroon(bars: BarArrays) -> tuple[np.ndarray, np.ndarray]:
    down, up = talib.AROON(bars["high"], bars["low"], 25)
    return up, down


def _aroon_up(bars: BarArrays) -> np.ndarray:
    return bars.once(_aroon)[0] / 100.0


def _aroon_down(bars: BarArrays) -> np.ndarray:
    return bars.once(_aroon)[1] / 100.0


def _relative_strength(bars: BarArrays) -> np.ndarray:
    index = talib.RSI(bars["close"], 14) / 100.0
    index[bars_without_change(bars["close"]) >= 14] = 0.5
    return index


def _average_directional_index(bars: BarArrays) -> np.ndarray:
    index = talib.DX(bars["high"], bars["low"], bars["close"], 14)
    index[bars_without_direction(bars["high"], bars["low"]) >= 14] = 0.0
    return talib.EMA(index, 27) / 100.0


def _commodity_channel_index(bars: BarArrays) -> np.ndarray:
    return talib.CCI(bars["high"], bars["low"], bars["close"], 20) / 100.0


def _distance_to_dema(bars: BarArrays) -> np.ndarray:
    return (bars["close"] - talib.DEMA(bars["close"], 15)) / bars["close"]


def _distance_to_vwap(bars: BarArrays) -> np.ndarray:
    typical = (bars["high"] + bars["low"] + bars["close"]) / 3.0
    return (bars["close"] - volume_weighted_mean(typical, bars["volume"], 10)) / bars["close"]


def _bands(bars: BarArrays) -> tuple[np.ndarray, np.ndarray]:
    return rolling_mean(bars["close"], 20), 2.0 * rolling_deviation(bars["close"], 20)


def _below_upper_band(bars: BarArrays) -> np.ndarray:
    middle, width = bars.once(_bands)
    return (middle + width - bars["close"]) / bars["close"]


def _above_lower_band(bars: BarArrays) -> np.ndarray:
    middle, width = bars.once(_bands)
    return (bars["close"] - middle + width) / bars["close"]


def _volume_sum(bars: BarArrays) -> np.ndarray:
    return rolling_sum(bars["volume"], VOLUME_BARS)


def _money_flow(bars: BarArrays) -> np.ndarray:
    return money_flow_share(bars["high"], bars["low"], bars["close"], bars["volume"], bars.once(_volume_sum))


def _signed_volume(bars: BarArrays) -> np.ndarray:
    return signed_volume_share(bars["close"], bars["volume"], bars.once(_volume_sum))


_FUNCTIONS: dict[str, ColumnFunction] = {
    **{f"{name}_log_returns": partial(_log_return, price=name) for name in PRICE_COLUMNS},
    "volume_log_returns": _volume_log_return,
    "trades_log_returns": _trades_log_return,
    "hour": _hour,
    "macd_signal_diffs": _macd_histogram,
    "stoch": _stochastic,
    "aroon_up": _aroon_up,
    "aroon_down": _aroon_down,
    "rsi": _relative_strength,
    "adx": _average_directional_index,
    "cci": _commodity_channel_index,
    "close_dema": _distance_to_dema,
    "close_vwap": _distance_to_vwap,
    "bband_up_close": _below_upper_band,
    "close_bband_down": _above_lower_band,
    "adl_diffs": _money_flow,
    "obv_diffs": _signed_volume,
    "trends": _trends,
}
