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

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import talib

from seawall.core.bars import BAR_COLUMNS, PRICE_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError
from seawall.core.protocols import FeatureSet
from seawall.features.windows import log_ratio_with_floor, previous, ratio, rolling_deviation, rolling_mean, rolling_sum

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
_MS_PER_HOUR = 3_600_000


def technical(omit: tuple[str, ...] = ()) -> FeatureSet:
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


def technical_ohlcv(omit: tuple[str, ...] = ()) -> FeatureSet:
    """Return the feature set ``technical_ohlcv``: the 19 columns made of open, high, low, close and volume alone.

    Raises:
        ConfigError: `omit` names anything, as this set has no optional inputs.
    """
    if omit:
        raise ConfigError(f"features.omit={list(omit)} has no meaning for set 'technical_ohlcv', which has no optional inputs")
    return _technical_set("technical_ohlcv", tuple(OPTIONAL_INPUTS))


def _technical_set(name: str, omit: tuple[str, ...]) -> FeatureSet:
    without = {OPTIONAL_INPUTS[raw] for raw in omit}
    columns = tuple(column for column in TECHNICAL_COLUMNS if column not in without)
    requires = tuple(raw for raw in OPTIONAL_INPUTS if raw not in omit)
    return FeatureSet(name, columns, WARMUP, requires, partial(technical_block, columns=columns))


def technical_block(bars: pd.DataFrame, *, columns: tuple[str, ...]) -> np.ndarray:
    """Compute the named technical columns on exactly these bars, from the first of them on.

    Args:
        bars: A bar frame of T rows, with the raw columns that the named columns need.
        columns: Names out of `TECHNICAL_COLUMNS`.

    Returns:
        float64, shape (T, len(columns)); NaN in the first rows, before an indicator has its bars.
    """
    inputs = _Inputs.of(bars)
    known: dict[str, np.ndarray] = {}
    for group in _GROUPS:
        known.update(group(inputs))
    return np.stack([known[column] for column in columns]).T


@dataclass(frozen=True)
class _Inputs:
    """The raw columns as contiguous float64 arrays of shape (T,)."""

    bars: pd.DataFrame
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    volume_sum: np.ndarray

    @classmethod
    def of(cls, bars: pd.DataFrame) -> _Inputs:
        open_, high, low, close, volume = (raw_column(bars, name) for name in BAR_COLUMNS)
        return cls(bars, open_, high, low, close, volume, rolling_sum(volume, VOLUME_BARS))

    @property
    def typical(self) -> np.ndarray:
        return (self.high + self.low + self.close) / 3.0


def raw_column(bars: pd.DataFrame, name: str) -> np.ndarray:
    """Return a raw column as a contiguous float64 array, shape (T,)."""
    return np.ascontiguousarray(bars[name].to_numpy(np.float64))


def _returns(inputs: _Inputs) -> dict[str, np.ndarray]:
    columns = {
        f"{name}_log_returns": np.log(values / previous(values))
        for name, values in zip(PRICE_COLUMNS, (inputs.open, inputs.high, inputs.low, inputs.close), strict=True)
    }
    columns["volume_log_returns"] = log_ratio_with_floor(inputs.volume, previous(inputs.volume), inputs.volume_sum / VOLUME_BARS)
    return columns


def _optional(inputs: _Inputs) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    if "trades" in inputs.bars.columns:
        trades = raw_column(inputs.bars, "trades")
        columns["trades_log_returns"] = log_ratio_with_floor(trades, previous(trades), rolling_mean(trades, VOLUME_BARS))
    if "trends" in inputs.bars.columns:
        interest = raw_column(inputs.bars, "trends")
        mean = rolling_mean(interest, TRENDS_BARS)
        columns["trends"] = log_ratio_with_floor(interest, mean, mean)
    return columns


def _clock(inputs: _Inputs) -> dict[str, np.ndarray]:
    return {"hour": (timestamps_ms(inputs.bars) // _MS_PER_HOUR % 24) / 23.0}


def _momentum(inputs: _Inputs) -> dict[str, np.ndarray]:
    high, low, close = inputs.high, inputs.low, inputs.close
    lowest, highest = talib.MIN(low, 14), talib.MAX(high, 14)
    aroon_down, aroon_up = talib.AROON(high, low, 25)
    still = talib.MAX(close, 15) == talib.MIN(close, 15)
    return {
        "stoch": ratio(close - lowest, highest - lowest, where_zero=0.5),
        "aroon_up": aroon_up / 100.0,
        "aroon_down": aroon_down / 100.0,
        "rsi": np.where(still, 0.5, talib.RSI(close, 14) / 100.0),
        "adx": _average_directional_index(high, low, close),
        "cci": talib.CCI(high, low, close, 20) / 100.0,
    }


def _average_directional_index(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    rise, fall = high - previous(high), previous(low) - low
    directional = (rise != fall) & (np.maximum(rise, fall) > 0)
    moves = rolling_sum(directional.astype(np.float64), 14)
    index = np.where(moves == 0, 0.0, talib.DX(high, low, close, 14))
    return talib.EMA(index, 27) / 100.0


def _distances(inputs: _Inputs) -> dict[str, np.ndarray]:
    close, volume = inputs.close, inputs.volume
    typical = inputs.typical
    average = ratio(rolling_sum(typical * volume, 10), rolling_sum(volume, 10), where_zero=rolling_mean(typical, 10))
    middle, width = rolling_mean(close, 20), 2.0 * rolling_deviation(close, 20)
    return {
        "macd_signal_diffs": talib.MACD(close, 12, 26, 9)[2] / close,
        "close_dema": (close - talib.DEMA(close, 15)) / close,
        "close_vwap": (close - average) / close,
        "bband_up_close": (middle + width - close) / close,
        "close_bband_down": (close - middle + width) / close,
    }


def _flows(inputs: _Inputs) -> dict[str, np.ndarray]:
    high, low, close = inputs.high, inputs.low, inputs.close
    position = ratio((close - low) - (high - close), high - low, where_zero=0.0)
    direction = np.sign(close - previous(close))
    return {
        "adl_diffs": ratio(position * inputs.volume, inputs.volume_sum, where_zero=0.0),
        "obv_diffs": ratio(direction * inputs.volume, inputs.volume_sum, where_zero=0.0),
    }


_GROUPS: tuple[Callable[[_Inputs], dict[str, np.ndarray]], ...] = (_returns, _optional, _clock, _momentum, _distances, _flows)
