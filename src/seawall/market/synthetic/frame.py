"""What all made markets share: length, bar size, start, and the bar frame they are handed over in."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.core.timeframe import Timeframe, moment_ms

# Nanosecond timestamps, which some readers use, end in this year.
_LAST_YEAR = 2262
_FIRST_YEAR = 1970
_DAY = 86_400


class SyntheticParams(Params):
    """Length and clock of a made market."""

    n_bars: int = Field(default=20_000, ge=2, le=20_000_000, description="Bars to make")
    timeframe: str = Field(default="1h", description="Length of a bar, as in 15m or 1h")
    start: str = Field(default="2020-01-01", description="Opening time of the first bar, UTC, as in 2020-01-01 or 2020-01-01T08:00")
    start_price: float = Field(default=20_000.0, gt=0.0, le=1e12, description="Price at which the first bar opens")

    @field_validator("timeframe")
    @classmethod
    def _known_timeframe(cls, text: str) -> str:
        try:
            return Timeframe.parse(text).label
        except ConfigError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _clock_in_range(self) -> SyntheticParams:
        try:
            first = from_milliseconds(np.array([moment_ms(self.start)]))[0]
        except ConfigError as error:
            raise ValueError(f"start: {error}") from error
        seconds = Timeframe.parse(self.timeframe).seconds
        grid = min(seconds, _DAY) if _DAY % seconds == 0 or seconds % _DAY == 0 else 1
        if first.year < _FIRST_YEAR or first.timestamp() % grid:
            raise ValueError(
                f"start is {self.start!r}; allowed: an opening time of bars of {self.timeframe}, from {_FIRST_YEAR} on, "
                "as in 2020-01-01"
            )
        years = self.n_bars * Timeframe.parse(self.timeframe).seconds / (365.25 * 86_400)
        if first.year + years >= _LAST_YEAR:
            raise ValueError(
                f"{self.n_bars} bars of {self.timeframe} from {self.start} end after the year {_LAST_YEAR}; "
                "allowed: fewer bars, shorter bars or an earlier start"
            )
        return self

    def timestamps(self) -> pd.Series[pd.Timestamp]:
        """Return the opening times, one a bar without gaps, UTC, shape (n_bars,)."""
        step = Timeframe.parse(self.timeframe).milliseconds
        return from_milliseconds(moment_ms(self.start) + step * np.arange(self.n_bars, dtype=np.int64))


def bar_frame(params: SyntheticParams, prices: np.ndarray, volume: np.ndarray, trades: np.ndarray) -> pd.DataFrame:
    """Return made prices as a bar frame.

    Args:
        params: Clock of the market.
        prices: Open, high, low, close; float64, shape (T, 4).
        volume: Traded volume, float64, shape (T,).
        trades: Number of trades, float64, shape (T,).
    """
    columns = dict(zip(("open", "high", "low", "close"), prices.T, strict=True))
    return pd.DataFrame({"timestamp": params.timestamps(), **columns, "volume": volume, "trades": trades})
