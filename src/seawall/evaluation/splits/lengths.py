"""Lengths of parts of a series: a number of bars, or a time such as 30d."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.core.timeframe import Timeframe
from seawall.market.splits import whole_rows


@dataclass(frozen=True)
class Length:
    """A length in bars or in time.

    Attributes:
        amount: Bars, or milliseconds.
        in_time: Whether it is a time.
    """

    amount: int
    in_time: bool

    @classmethod
    def parse(cls, name: str, value: object) -> Length:
        """Read a length: a whole number of bars (500, "500"), or a time in s, m, h, d or w ("12h", "30d").

        Args:
            name: What it is the length of, for the message.
            value: What was given.

        Raises:
            ConfigError: It is neither.
        """
        if isinstance(value, str) and re.fullmatch(r"\s*\d+\s*", value) is None:
            try:
                return cls(Timeframe.parse(value).milliseconds, True)
            except ConfigError as error:
                raise ConfigError(
                    f"{name} is {value!r}; allowed: a number of bars, as in 500, or a time in s, m, h, d or w, as in 30d"
                ) from error
        return cls(whole_rows(name, int(value) if isinstance(value, str) else value, 1), False)


class Ruler:
    """Finds rows by time in one series."""

    def __init__(self, times: np.ndarray | None, rows: RowRange) -> None:
        """Read the times of a series.

        Args:
            times: Opening time of every row in milliseconds, int64, shape (T,); None where every length is in bars.
            rows: The rows that count.

        Raises:
            DataError: The times are fewer than the rows, or do not rise.
        """
        self.rows = rows
        self._times = None if times is None else np.asarray(times, dtype=np.int64)
        if self._times is None:
            return
        if len(self._times) < rows.stop:
            raise DataError(
                f"{len(self._times)} times cannot tell when rows up to {rows.stop} opened; allowed: a time for each row"
            )
        steps = np.diff(self._times[rows.start : rows.stop])
        if steps.size and steps.min() <= 0:
            place = rows.start + int(np.argmin(steps > 0)) + 1
            raise DataError(f"the time of row {place} is not after that of row {place - 1}; allowed: times that rise")
        self._shortest = int(steps.min()) if steps.size else 0

    def time(self, row: int) -> int:
        """Return when a row opened, in milliseconds; for one past the last, when it would have."""
        times = self._known()
        return int(times[row]) if row < self.rows.stop else self.end

    @property
    def end(self) -> int:
        """When the last bar ends, if it is as long as the shortest step."""
        return int(self._known()[self.rows.stop - 1]) + self._shortest

    def row_at(self, moment: int) -> int:
        """Return the first row that opened at a moment or later; one past the last where none did."""
        times = self._known()[self.rows.start : self.rows.stop]
        return self.rows.start + int(np.searchsorted(times, moment, side="left"))

    def after(self, row: int, length: Length) -> int:
        """Return the first row that lies a length or more after a row; one past the last where there is none."""
        if length.in_time:
            return self.row_at(self.time(row) + length.amount)
        return min(row + length.amount, self.rows.stop)

    def before(self, row: int, length: Length) -> int:
        """Return the first row that lies at most a length before a row."""
        if length.in_time:
            return self.row_at(self.time(row) - length.amount)
        return max(row - length.amount, self.rows.start)

    def _known(self) -> np.ndarray:
        if self._times is None:
            raise ConfigError("lengths in time, as in 30d, need the times of the bars; allowed without them: numbers of bars")
        return self._times
