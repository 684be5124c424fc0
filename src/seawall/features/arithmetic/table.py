"""A feature set as a table: a name and a function for each column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seawall.features.arithmetic.arrays import BarArrays

ColumnFunction = Callable[[BarArrays], np.ndarray]


@dataclass(frozen=True)
class ColumnTable:
    """Computes columns one by one, each by its function; parts that several share are computed once.

    Attributes:
        functions: For each column, of all that there are, a function of the bars to float64 of shape (T,).
        columns: Those that are wanted, in order.
    """

    functions: Mapping[str, ColumnFunction]
    columns: tuple[str, ...]

    def __call__(self, bars: pd.DataFrame) -> np.ndarray:
        """Compute the columns on exactly these bars, float64, shape (T, F)."""
        return self.on_arrays(BarArrays.of(bars))

    def on_arrays(self, arrays: BarArrays, into: np.ndarray | None = None) -> np.ndarray:
        """Compute the columns on exactly these bars.

        Args:
            arrays: T bars.
            into: Where to write, shape (F, T), so that chunk after chunk reuses it; a new float64 array where None.

        Returns:
            Shape (T, F), a view.
        """
        block = np.empty((len(self.columns), len(arrays))) if into is None else into
        for row, name in zip(block, self.columns, strict=True):
            row[:] = self.functions[name](arrays)
        return block.T

    def only(self, columns: Sequence[str]) -> ColumnTable:
        """Return the table of some of its columns."""
        return ColumnTable(self.functions, tuple(columns))
