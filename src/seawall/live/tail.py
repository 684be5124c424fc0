"""Live's growing tail: closed bars as they arrive, their features, and the market that a decision sees.

Two things are kept. Of raw bars, as many as the features need to be computed from their anchor: a bar's features then equal those
of the full history bit for bit. Of the market, the last rows alone, to which each bar adds one and from which `trim` drops the
oldest now and then. What a bar costs therefore does not depend on how many came before it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, from_milliseconds, timestamps_ms
from seawall.core.errors import ConfigError
from seawall.core.market import Market
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.pipeline import live_row, rows_for_live
from seawall.features.scaling.scaler import Scaler

# Slippage by volatility looks two bars behind the one that is filled.
_LEAST_ROWS = 3
_SPARE_ROWS = 256


class ClosedBar(NamedTuple):
    """A bar that has closed.

    Attributes:
        timestamp_ms: Its opening time, milliseconds UTC.
        values: Its raw columns, float64, shape (C,): open, high, low, close, volume, then what else the features need.
    """

    timestamp_ms: int
    values: np.ndarray


class MarketTail:
    """Closed bars of one series up to now.

    Attributes:
        symbol: What the series is called.
        offset: Bars that came before the first row of `market`.
    """

    def __init__(
        self, features: FeatureSet, timeframe: Timeframe, scaler: Scaler, symbol: str, columns: tuple[str, ...], window: int
    ) -> None:
        """Start without a bar.

        Args:
            features: What is computed of the bars.
            timeframe: Length of a bar.
            scaler: Of the model, fitted on its training rows.
            symbol: What the series is called.
            columns: Names of the raw columns of each bar, in order; open, high, low, close and volume first.
            window: Rows that a decision looks at, at least.

        Raises:
            ConfigError: The features look ahead, or the columns begin otherwise.
            DataError: The scaler has other columns.
        """
        if features.lookahead:
            raise ConfigError(
                f"feature set {features.name!r} looks {features.lookahead} bars ahead: its values are not known when a bar closes, "
                "and cannot be computed live; allowed: features that look at closed bars alone"
            )
        if columns[: len(BAR_COLUMNS)] != BAR_COLUMNS:
            raise ConfigError(f"bars have the columns {list(columns)}; allowed: {', '.join(BAR_COLUMNS)}, then others")
        scaler.require_columns(features.columns)
        self._set, self._timeframe, self._scaler, self._columns = features, timeframe, scaler, columns
        self.symbol = symbol
        self._bars_kept = rows_for_live(features, timeframe)
        self._rows_kept = max(window, _LEAST_ROWS)
        self._raw = _Rows(len(columns), np.float64)
        self._features = _Rows(len(features.columns), np.float32)
        self.offset = 0

    @property
    def market(self) -> Market:
        """Prices and scaled features of the newest bars; it holds nothing that had not closed when it was asked for."""
        rows = len(self._features)
        times, raw = self._raw.newest(rows)
        return Market(
            symbols=(self.symbol,),
            starts=(0, rows),
            timeframe=self._timeframe,
            timestamps=times,
            prices=np.ascontiguousarray(raw[:, : len(BAR_COLUMNS)]),
            features=self._features.newest(rows)[1],
            feature_names=self._set.columns,
            ready=(0,),
        )

    def load(self, history: pd.DataFrame) -> None:
        """Take the bars that closed before the first whose features are wanted, at once.

        Args:
            history: A checked bar frame with the raw columns, oldest first.
        """
        block = history[list(self._columns)].to_numpy(np.float64)[-self._bars_kept :]
        for moment, values in zip(timestamps_ms(history)[-self._bars_kept :].tolist(), block, strict=True):
            self._raw.append(moment, values)
        self.offset = len(history)

    def append(self, bar: ClosedBar) -> None:
        """Take the bar that has just closed, and compute its features.

        Raises:
            DataError: It is not later than the bar before, a value is not a number that can be, too few bars came before, or a
                feature is not finite.
        """
        self._raw.append(bar.timestamp_ms, bar.values)
        times, raw = self._raw.newest(self._bars_kept)
        frame = pd.DataFrame(raw, columns=list(self._columns))
        frame.insert(0, "timestamp", from_milliseconds(times))
        row = live_row(frame, self._set, self._timeframe, np.float32)
        self._features.append(bar.timestamp_ms, self._scaler.transform(row[None], self._set.columns)[0])

    def trim(self) -> int:
        """Drop the oldest rows of the market where there are many more than are looked at.

        Returns:
            How many were dropped: by so much every row number falls.
        """
        dropped = len(self._features) - self._rows_kept
        if dropped < _SPARE_ROWS:
            return 0
        self._features.keep(self._rows_kept)
        self._raw.keep(max(self._rows_kept, self._bars_kept))
        self.offset += dropped
        return dropped


class _Rows:
    """Rows with their times in blocks that have room for more; the newest are read as views."""

    def __init__(self, columns: int, dtype: type) -> None:
        self._times = np.zeros(_SPARE_ROWS, dtype=np.int64)
        self._block = np.zeros((_SPARE_ROWS, columns), dtype)
        self._first = self._stop = 0

    def __len__(self) -> int:
        return self._stop - self._first

    def append(self, time: int, values: np.ndarray) -> None:
        if self._stop == len(self._times):
            self._make_room()
        self._times[self._stop], self._block[self._stop] = time, values
        self._stop += 1

    def newest(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        first = max(self._first, self._stop - count)
        return self._times[first : self._stop], self._block[first : self._stop]

    def keep(self, count: int) -> None:
        self._first = max(self._first, self._stop - count)

    def _make_room(self) -> None:
        # New blocks: markets that were given out go on reading the old ones.
        times, block = self.newest(len(self))
        room = 2 * len(self) + _SPARE_ROWS
        self._times, self._block = np.zeros(room, dtype=np.int64), np.zeros((room, block.shape[1]), block.dtype)
        self._times[: len(times)], self._block[: len(times)] = times, block
        self._first, self._stop = 0, len(times)
