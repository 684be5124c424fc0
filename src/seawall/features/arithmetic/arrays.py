"""Bars as plain arrays: what the columns of a feature set are computed from, cheap to cut into chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import from_milliseconds, timestamps_ms


class BarArrays:
    """Bars of one series as contiguous arrays, and what several columns are made of, computed once.

    Attributes:
        times_ms: Opening times in milliseconds since 1970, int64, shape (T,).
        values: Each raw column, float64, shape (T,).
    """

    def __init__(self, times_ms: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
        """Take arrays of one length."""
        self.times_ms = times_ms
        self.values = values
        self._shared: dict[str, Any] = {}

    @classmethod
    def of(cls, bars: pd.DataFrame) -> BarArrays:
        """Return the numeric columns of a bar frame."""
        values = {
            str(name): np.ascontiguousarray(bars[name].to_numpy(np.float64))
            for name, kind in bars.dtypes.items()
            if name != "timestamp" and pd.api.types.is_numeric_dtype(kind)
        }
        return cls(timestamps_ms(bars), values)

    def __len__(self) -> int:
        """Return the number of bars, T."""
        return len(self.times_ms)

    def __contains__(self, name: str) -> bool:
        """Say whether there is a raw column of that name."""
        return name in self.values

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a raw column, float64, shape (T,)."""
        return self.values[name]

    def part(self, first: int, stop: int) -> BarArrays:
        """Return some consecutive bars; the arrays are views."""
        return BarArrays(self.times_ms[first:stop], {name: column[first:stop] for name, column in self.values.items()})

    def once(self, function: Callable[[BarArrays], Any], name: str | None = None) -> Any:
        """Return what a function makes of these bars, computed at the first call: columns that share a part share its cost.

        Args:
            function: Makes the part.
            name: What the part is known by; the function's own name where None.
        """
        key = name or function.__qualname__
        if key not in self._shared:
            self._shared[key] = function(self)
        return self._shared[key]

    def frame(self) -> pd.DataFrame:
        """Return the bars as a frame again."""
        return pd.DataFrame({"timestamp": from_milliseconds(self.times_ms), **self.values})
