"""Bars: the frame that flows from sources to features.

A bar frame has a ``timestamp`` column (``datetime64[ms, UTC]``, the bar's *opening* time, sorted and unique)
and float64 columns ``open, high, low, close, volume``. Optional raw columns (`OPTIONAL_COLUMNS`) are kept
where a source has them. A bar is known only once it has closed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.arrays import DatetimeArray

from seawall.core.files import array_digest

PRICE_COLUMNS = ("open", "high", "low", "close")
BAR_COLUMNS = (*PRICE_COLUMNS, "volume")
OPTIONAL_COLUMNS = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote", "trends")
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


def timestamps_ms(bars: pd.DataFrame) -> np.ndarray:
    """Return the opening times as int64 milliseconds since 1970, shape (T,)."""
    times = bars["timestamp"].array
    if isinstance(times, DatetimeArray) and times.tz is not None and times.unit == "ms":
        # Numbers of milliseconds in UTC already, whatever the zone they are shown in.
        return np.array(times.view("i8"))
    return pd.DatetimeIndex(times).tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)


def from_milliseconds(values: np.ndarray) -> pd.Series[pd.Timestamp]:
    """Return UTC timestamps of int64 milliseconds since 1970."""
    return pd.Series(pd.DatetimeIndex(np.asarray(values, dtype="datetime64[ms]"), tz="UTC"), name="timestamp")


def price_block(bars: pd.DataFrame) -> np.ndarray:
    """Return open, high, low, close, volume as one C-contiguous float64 block, shape (T, 5)."""
    return np.ascontiguousarray(bars[list(BAR_COLUMNS)].to_numpy(np.float64))


def bars_digest(bars: pd.DataFrame, own: Sequence[str] = ()) -> str:
    """Return a content hash over timestamps and every raw column, independent of how they were stored.

    Args:
        bars: A bar frame.
        own: Columns of the user's own to take in too.
    """
    extra = [name for name in (*OPTIONAL_COLUMNS, *own) if name in bars.columns]
    return array_digest(timestamps_ms(bars), price_block(bars), *(bars[name].to_numpy(np.float64) for name in extra))
