"""The 72 columns of the portfolio design, per bar and free of units.

Source: the published tradely code (its 5-minute table of 24 indicators and 48 node columns). There the node profiles are computed
once over the whole history; here over a trailing window. Windows over five timeframes are gathered by
`seawall.features.sets.wide_windows`, which also says what is scaled within a window.

==============================================  ====================================================================================
column                                          definition; *value where the formula has none*
==============================================  ====================================================================================
open, high, low                                 price / close
close                                           log of the close to the one before
volume, quote_volume, trades,                   log of the amount to its mean over 48 bars, with a floor of 0.01 of that mean in
taker_buy_base, taker_buy_quote                 both; *0 where all 48 are zero*
ma_5, 10, 20; ema_5, 10, 20                     simple, exponential mean / close
rsi                                             RSI(14) of simple means / 100; *0.5 without change*
macd, macd_signal, macd_hist                    MACD(12, 26, 9) / close
bb_upper, bb_middle, bb_lower                   (mean(20) ± 2 sample deviations) / close
atr                                             mean of 14 true ranges / close
vwap                                            volume-weighted mean typical price of 48 bars / close; *plain mean without volume*
volume_, time_, trades_ node, high, strength,   profiles of volume, time and trades over 288 bars: `seawall.features.sets.profiles`
low (16 each)
==============================================  ====================================================================================
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import talib
from pydantic import Field

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.core.protocols import FeatureSet
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.arithmetic.flows import volume_weighted_mean
from seawall.features.arithmetic.indicators import simple_atr, simple_rsi
from seawall.features.arithmetic.table import ColumnFunction, ColumnTable
from seawall.features.arithmetic.windows import log_ratio_with_floor, previous, rolling_deviation, rolling_mean
from seawall.features.joined import joined_features
from seawall.features.sets.inputs import refuse_omit
from seawall.features.sets.profiles import node_names, profile_nodes

OPTIONAL_AMOUNTS = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
AMOUNTS = ("volume", *OPTIONAL_AMOUNTS)
AMOUNT_BARS = 48
# Measured with `causality.remembered_rows`: the signal line of the MACD remembers longest, 275 rows at most.
INDICATOR_WARMUP = 320


class WideParams(Params):
    """The node profiles."""

    window: int = Field(default=288, ge=8, le=10_000, description="Bars of a profile")
    bins: int = Field(default=24, ge=4, le=512, description="Prices of a profile")
    nodes: int = Field(default=5, ge=1, le=20, description="High and low nodes told of each profile")


def wide(omit: tuple[str, ...], params: WideParams) -> FeatureSet:
    """Return the feature set ``wide``: 72 columns, less those of the amounts left out.

    Raises:
        ConfigError: A name in `omit` is no optional amount.
    """
    unknown = [name for name in omit if name not in OPTIONAL_AMOUNTS]
    if unknown:
        raise ConfigError(f"features.omit={list(omit)} has {', '.join(unknown)}; allowed: {', '.join(OPTIONAL_AMOUNTS)}")
    return _made("wide", omit, params)


def wide_ohlcv(omit: tuple[str, ...], params: WideParams) -> FeatureSet:
    """Return the feature set ``wide_ohlcv``: the 52 columns made of open, high, low, close and volume alone.

    Raises:
        ConfigError: `omit` names anything, as this set has no optional inputs.
    """
    refuse_omit(omit, "wide_ohlcv")
    return _made("wide_ohlcv", OPTIONAL_AMOUNTS, params)


def _made(name: str, omit: tuple[str, ...], params: WideParams) -> FeatureSet:
    amounts = tuple(amount for amount in AMOUNTS if amount not in omit)
    requires = tuple(amount for amount in amounts if amount != "volume")
    families = tuple(family for family in ("volume", "time", "trades") if family != "trades" or "trades" in amounts)
    indicators = {**_PRICES, **{amount: partial(_amount, name=amount) for amount in amounts}, **_INDICATORS}
    names = tuple(column for family in families for column in node_names(family, params.nodes))
    nodes: dict[str, ColumnFunction] = {
        column: partial(_node, place=place, families=families, params=params) for place, column in enumerate(names)
    }
    traded = tuple(raw for raw in requires if raw == "trades")
    both = joined_features(
        [
            FeatureSet(f"{name}_bars", tuple(indicators), INDICATOR_WARMUP, requires, ColumnTable(indicators, tuple(indicators))),
            FeatureSet(
                f"{name}_nodes", names, params.window - 1, traded, ColumnTable(nodes, names), params.model_dump(), windowed=True
            ),
        ]
    )
    return replace(both, name=name)


def _over_close(bars: BarArrays, name: str) -> np.ndarray:
    return bars[name] / bars["close"]


def _log_return(bars: BarArrays) -> np.ndarray:
    return np.log(bars["close"] / previous(bars["close"]))


def _amount(bars: BarArrays, name: str) -> np.ndarray:
    mean = rolling_mean(bars[name], AMOUNT_BARS)
    return log_ratio_with_floor(bars[name], mean, mean)


def _mean(bars: BarArrays, n: int) -> np.ndarray:
    return rolling_mean(bars["close"], n) / bars["close"]


def _exponential_mean(bars: BarArrays, n: int) -> np.ndarray:
    return talib.EMA(bars["close"], n) / bars["close"]


def _rsi(bars: BarArrays) -> np.ndarray:
    return simple_rsi(bars["close"], 14) / 100.0


def _macds(bars: BarArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return talib.MACD(bars["close"], 12, 26, 9)


def _macd(bars: BarArrays, place: int) -> np.ndarray:
    return bars.once(_macds)[place] / bars["close"]


def _bands(bars: BarArrays) -> tuple[np.ndarray, np.ndarray]:
    return rolling_mean(bars["close"], 20), 2.0 * rolling_deviation(bars["close"], 20, sample=True)


def _band(bars: BarArrays, side: float) -> np.ndarray:
    middle, width = bars.once(_bands)
    return (middle + side * width) / bars["close"]


def _atr(bars: BarArrays) -> np.ndarray:
    return simple_atr(bars["high"], bars["low"], bars["close"], 14) / bars["close"]


def _vwap(bars: BarArrays) -> np.ndarray:
    typical = (bars["high"] + bars["low"] + bars["close"]) / 3.0
    return volume_weighted_mean(typical, bars["volume"], AMOUNT_BARS) / bars["close"]


def _profiles(bars: BarArrays, families: tuple[str, ...], params: WideParams) -> np.ndarray:
    amounts = [np.ones(len(bars)) if family == "time" else bars[family] for family in families]
    return profile_nodes((bars["high"], bars["low"], bars["close"]), amounts, params.window, params.bins, params.nodes)


def _node(bars: BarArrays, place: int, families: tuple[str, ...], params: WideParams) -> np.ndarray:
    return bars.once(partial(_profiles, families=families, params=params), "profiles")[place]


_PRICES: dict[str, ColumnFunction] = {
    **{name: partial(_over_close, name=name) for name in ("open", "high", "low")},
    "close": _log_return,
}
_INDICATORS: dict[str, ColumnFunction] = {
    **{f"ma_{n}": partial(_mean, n=n) for n in (5, 10, 20)},
    **{f"ema_{n}": partial(_exponential_mean, n=n) for n in (5, 10, 20)},
    "rsi": _rsi,
    **{name: partial(_macd, place=place) for place, name in enumerate(("macd", "macd_signal", "macd_hist"))},
    "bb_upper": partial(_band, side=1.0),
    "bb_middle": partial(_band, side=0.0),
    "bb_lower": partial(_band, side=-1.0),
    "atr": _atr,
    "vwap": _vwap,
}
