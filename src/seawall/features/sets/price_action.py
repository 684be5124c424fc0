"""Price action alone: what each bar and the bars before it look like, without lagging indicators and free of price units.

Source: the two-stage design's price features. C is the close, and so on; lengths are options.

=====================  ============================================================================================================
column                 definition; *value where the formula has none*
=====================  ============================================================================================================
logret_h               ln C(t) − ln C(t − h), for h of 1, 3, 12, 60 bars
range_pct              (H − L) / C
body_pct               (C − O) / C
upper_wick             (H − max(O, C)) / C
lower_wick             (min(O, C) − L) / C
gap_pct                (O(t) − C(t − 1)) / C(t − 1)
dow                    day of the week on which the bar opens, UTC, 0 for Monday to 6
hour_sin, hour_cos     sine and cosine of 2π · hour / 24, the hour with its minutes
realized_vol_w         square root of the mean of logret_1² over w bars, for w of 32, 96
parkinson_w            square root of the mean of ln(H / L)² over w bars / (4 ln 2), for w of 64
volume_z_w             ln(1 + volume / its mean over w bars), less its own mean, in its own deviations; *0 where all are equal*
session_NAME           1 while a trading session is open, else 0
=====================  ============================================================================================================

The design's raw open, high, low, close and volume are left out: in units of price and volume they tie a model to one symbol and one
year. `range_pct` to `gap_pct` hold the same bar, and `volume_z_w` the volume. Sessions are those of `markets.yaml`, in local time.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from pydantic import Field, field_validator

from seawall.core.params import Params, as_value_error
from seawall.core.protocols import FeatureSet
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.arithmetic.calendar import day_of_week, time_of_day
from seawall.features.arithmetic.table import ColumnFunction, ColumnTable
from seawall.features.arithmetic.windows import previous, ratio, rolling_deviation, rolling_mean, shifted
from seawall.features.sets.inputs import refuse_omit
from seawall.market.hours.sessions import trading_window

_ROUNDING = 1e-12
_FOUR_LOG_2 = 4.0 * np.log(2.0)
Lengths = tuple[int, ...]


class PriceActionParams(Params):
    """Lengths, in bars, and the trading sessions."""

    horizons: Lengths = Field(default=(1, 3, 12, 60), description="Bars of the log returns")
    realized: Lengths = Field(default=(32, 96), description="Bars of the realised volatilities")
    parkinson: Lengths = Field(default=(64,), description="Bars of the Parkinson volatilities")
    volume: Lengths = Field(default=(96,), description="Bars of the volume's z-score; () leaves volume out")
    sessions: tuple[str, ...] = Field(
        default=("asia", "london", "newyork"), description="Trading windows: asia, london, newyork, premarket, regular, after"
    )

    @field_validator("horizons", "realized", "parkinson", "volume")
    @classmethod
    def _are_lengths(cls, lengths: Lengths) -> Lengths:
        if len(set(lengths)) < len(lengths) or any(not 1 <= length <= 100_000 for length in lengths):
            raise ValueError("allowed: numbers of bars from 1 to 100000, each once")
        return lengths

    @field_validator("volume")
    @classmethod
    def _can_deviate(cls, lengths: Lengths) -> Lengths:
        if any(length < 2 for length in lengths):
            raise ValueError("allowed: at least 2 bars, as one has no deviation")
        return lengths

    @field_validator("sessions")
    @classmethod
    def _are_sessions(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("allowed: each session once")
        with as_value_error():
            for name in names:
                _ = trading_window(name)
        return names

    @property
    def warmup(self) -> int:
        """Bars before the first whose columns are all known: a return lacks one, a z-score of means two windows less one."""
        return max([1, *self.horizons, *self.realized, *(n - 1 for n in self.parkinson), *(2 * n - 2 for n in self.volume)])


def price_action(omit: tuple[str, ...], params: PriceActionParams) -> FeatureSet:
    """Return the feature set ``price_action``.

    Raises:
        ConfigError: `omit` names anything, as this set has no optional inputs.
    """
    refuse_omit(omit, "price_action")
    functions = _functions(params)
    columns = tuple(functions)
    table = ColumnTable(functions, columns)
    return FeatureSet("price_action", columns, params.warmup, (), table, params.model_dump(), windowed=True)


def _functions(params: PriceActionParams) -> dict[str, ColumnFunction]:
    return {
        **{f"logret_{h}": partial(_log_return, h=h) for h in params.horizons},
        "range_pct": _range,
        "body_pct": _body,
        "upper_wick": _upper_wick,
        "lower_wick": _lower_wick,
        "gap_pct": _gap,
        "dow": _day,
        "hour_sin": partial(_hour, wave=np.sin),
        "hour_cos": partial(_hour, wave=np.cos),
        **{f"realized_vol_{w}": partial(_realized, w=w) for w in params.realized},
        **{f"parkinson_{w}": partial(_parkinson, w=w) for w in params.parkinson},
        **{f"volume_z_{w}": partial(_volume_score, w=w) for w in params.volume},
        **{f"session_{name}": partial(_session, name=name) for name in params.sessions},
    }


def _log_return(bars: BarArrays, h: int) -> np.ndarray:
    return np.log(bars["close"] / shifted(bars["close"], h))


def _range(bars: BarArrays) -> np.ndarray:
    return (bars["high"] - bars["low"]) / bars["close"]


def _body(bars: BarArrays) -> np.ndarray:
    return (bars["close"] - bars["open"]) / bars["close"]


def _upper_wick(bars: BarArrays) -> np.ndarray:
    return (bars["high"] - np.maximum(bars["open"], bars["close"])) / bars["close"]


def _lower_wick(bars: BarArrays) -> np.ndarray:
    return (np.minimum(bars["open"], bars["close"]) - bars["low"]) / bars["close"]


def _gap(bars: BarArrays) -> np.ndarray:
    before = previous(bars["close"])
    return (bars["open"] - before) / before


def _day(bars: BarArrays) -> np.ndarray:
    return day_of_week(bars.times_ms)


def _hour(bars: BarArrays, wave: np.ufunc) -> np.ndarray:
    return wave(2.0 * np.pi * time_of_day(bars.times_ms) / 24.0)


def _realized(bars: BarArrays, w: int) -> np.ndarray:
    return np.sqrt(rolling_mean(_log_return(bars, 1) ** 2, w))


def _parkinson(bars: BarArrays, w: int) -> np.ndarray:
    return np.sqrt(rolling_mean(np.log(bars["high"] / bars["low"]) ** 2, w) / _FOUR_LOG_2)


def _volume_score(bars: BarArrays, w: int) -> np.ndarray:
    mean = rolling_mean(bars["volume"], w)
    level = np.log1p(ratio(bars["volume"], mean, where_zero=0.0))
    deviation = rolling_deviation(level, w)
    # Equal levels differ from their mean by a rounding, which is not a deviation.
    return ratio(level - rolling_mean(level, w), np.where(deviation < _ROUNDING, 0.0, deviation), where_zero=0.0)


def _session(bars: BarArrays, name: str) -> np.ndarray:
    return trading_window(name).mask(bars.times_ms).astype(np.float64)
