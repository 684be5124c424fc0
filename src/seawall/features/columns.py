"""Single columns by name, for ``features.columns``. To add one: write a function of bars, and add its line below.

A function takes a bar frame of T rows and returns T numbers. Row t may use rows up to t alone; the first `warmup` rows may be
NaN, the others not. A file given as ``--plugin FILE.py`` adds its own with a dictionary of this name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import ConfigError


@dataclass(frozen=True)
class Column:
    """A feature column of its own.

    Attributes:
        function: Maps a bar frame of T rows to T numbers: an array, a series or a list.
        warmup: Rows before the first whose value no earlier bar can change.
        requires: Optional raw columns that it reads, of trades, quote_volume, taker_buy_base, taker_buy_quote and trends.
        origin: Hash of the file that the function came from; empty for those of Seawall itself.
    """

    function: Callable[[pd.DataFrame], Any]
    warmup: int = 0
    requires: tuple[str, ...] = ()
    origin: str = ""


COLUMNS: dict[str, Column] = {}


def column_values(name: str, column: Column, bars: pd.DataFrame) -> np.ndarray:
    """Compute a registered column.

    Returns:
        float64, shape (T,).

    Raises:
        ConfigError: The function returns something other than one number a bar.
    """
    returned = column.function(bars)
    try:
        values = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"feature column {name!r} returned {type(returned).__name__}, not numbers: {error}") from error
    if values.shape != (len(bars),):
        raise ConfigError(f"feature column {name!r} returned shape {values.shape} for {len(bars)} bars; ({len(bars)},) is needed")
    return values
