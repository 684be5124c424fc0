"""Recorded bars, told one at a time as a live feed would tell them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from seawall.core.bars import BAR_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError
from seawall.live.tail import ClosedBar


class ReplayFeed:
    """Checked bars of one series, of which the first are known beforehand and the others close one by one.

    Attributes:
        history: The bars before the first that is told.
        columns: Names of the raw columns, open, high, low, close and volume first.
    """

    def __init__(self, bars: pd.DataFrame, first: int, further: Sequence[str] = ()) -> None:
        """Take the bars.

        Args:
            bars: A checked bar frame of T rows.
            first: The first bar to tell.
            further: Raw columns to tell beside the prices and the volume, where the bars have them.

        Raises:
            ConfigError: There is no such bar.
        """
        if not 0 <= first < len(bars):
            raise ConfigError(f"the first bar to tell is {first} of {len(bars)}; allowed: 0 to {len(bars) - 1}")
        self.columns = (*BAR_COLUMNS, *(name for name in further if name in bars.columns))
        self.history = bars.iloc[:first]
        self._times = timestamps_ms(bars)[first:]
        self._values = bars[list(self.columns)].iloc[first:].to_numpy("float64")

    def __len__(self) -> int:
        """Return the number of bars to tell."""
        return len(self._times)

    def __iter__(self) -> Iterator[ClosedBar]:
        """Tell the bars, oldest first."""
        for time, values in zip(self._times.tolist(), self._values, strict=True):
            yield ClosedBar(time, values.copy())
