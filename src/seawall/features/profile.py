"""How long each column of a feature set takes, and how long a live row does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any, cast

import numpy as np
import pandas as pd

from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.arithmetic.table import ColumnTable
from seawall.features.clocks import ClockedFeatureSet
from seawall.features.joined import JoinedFeatureSet
from seawall.features.pipeline import ANCHOR_BARS, anchored_block, check_inputs, live_row, rows_for_live

LIVE_CALLS = 50
_WARM_BARS = 512
_SHORT_SECONDS = 0.05
_REPEATS = 3


@dataclass(frozen=True)
class ColumnTime:
    """How long a column takes alone, with the parts that it shares with others.

    Attributes:
        column: Its name; of a set that cannot be taken apart, the names of all of its columns.
        seconds: For all bars.
        microseconds_per_bar: For one of them.
    """

    column: str
    seconds: float
    microseconds_per_bar: float


@dataclass(frozen=True)
class FeatureProfile:
    """How long a feature set takes.

    Attributes:
        columns: Each column alone, slowest first. Their sum is more than the whole, as columns share parts.
        whole_seconds: The whole set on all bars.
        rows: Number of bars.
        live_milliseconds: Median time of `live_row` on a tail of `live_rows` bars.
        live_rows: Bars of that tail, as `rows_for_live` says; fewer where there are fewer.
        live_calls: How many live rows were timed.
    """

    columns: tuple[ColumnTime, ...]
    whole_seconds: float
    rows: int
    live_milliseconds: float
    live_rows: int
    live_calls: int

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain values, for JSON."""
        told = {name: value for name, value in vars(self).items() if name != "columns"}
        return {"columns": [vars(column) for column in self.columns], **told, "rows_per_second": self.rows / self.whole_seconds}


def single_columns(feature_set: FeatureSet) -> Iterator[tuple[str, FeatureSet]]:
    """Take a feature set apart into one of each column, as far as that can be done.

    Yields:
        A column's name, as the whole set has it, and a set of that column alone; of a set that is one function, the names of all of
        its columns and the set itself.
    """
    compute = feature_set.compute
    if isinstance(feature_set, JoinedFeatureSet):
        for part in feature_set.parts:
            yield from single_columns(part)
    elif isinstance(feature_set, ClockedFeatureSet):
        yield from single_columns(feature_set.base)
        for label in feature_set.timeframes:
            for name, longer in single_columns(feature_set.longer):
                names = tuple(f"{label}_{each}" for each in longer.columns)
                yield f"{label}_{name}", replace(feature_set, columns=names, base=_NO_COLUMN, longer=longer, timeframes=(label,))
    elif isinstance(compute, ColumnTable):
        for name in feature_set.columns:
            yield name, replace(feature_set, columns=(name,), compute=compute.only((name,)))
    elif isinstance(compute, partial) and {"columns", "computed"} <= set(cast("partial[Any]", compute).keywords):
        for name in feature_set.columns:
            yield name, replace(feature_set, columns=(name,), compute=partial(cast("partial[Any]", compute), columns=(name,)))
    else:
        yield ", ".join(feature_set.columns), feature_set


def profile(
    bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe, on_column: Callable[[str, int], None] | None = None
) -> FeatureProfile:
    """Time every column of a feature set, the whole set, and live rows.

    What is compiled at the first call is compiled before the clock starts. Of what takes less than 50 ms the shortest of three
    tries counts.

    Args:
        bars: As for `compute_features`.
        feature_set: What to time.
        timeframe: Length of a bar.
        on_column: Called before each column with its name and how many there are in all.

    Raises:
        ConfigError, DataError: As `compute_features`.
    """
    check_inputs(bars, feature_set, timeframe)
    parts = list(single_columns(feature_set))
    least = feature_set.warmup_on(timeframe) + 1
    anchored_block(bars.iloc[: least + _WARM_BARS], feature_set, timeframe, np.float32)
    times: list[ColumnTime] = []
    for name, part in parts:
        if on_column is not None:
            on_column(name, len(parts))
        seconds = _seconds(partial(anchored_block, bars, part, timeframe, np.float32))
        times.append(ColumnTime(name, seconds, 1e6 * seconds / len(bars)))
    whole = _seconds(partial(anchored_block, bars, feature_set, timeframe, np.float32))
    tail = min(rows_for_live(feature_set, timeframe), len(bars))
    # A live row is cheapest just after an anchor: the rows are spread over the bars of one.
    first = max(tail, len(bars) - ANCHOR_BARS)
    ends = np.unique(np.linspace(first, len(bars), LIVE_CALLS).astype(np.int64)).tolist()
    live = [_once(partial(live_row, bars.iloc[end - tail : end], feature_set, timeframe)) for end in ends]
    ordered = tuple(sorted(times, key=lambda column: -column.seconds))
    return FeatureProfile(ordered, whole, len(bars), 1e3 * median(live), tail, len(live))


def _seconds(work: Callable[[], Any]) -> float:
    shortest = _once(work)
    if shortest < _SHORT_SECONDS:
        shortest = min(shortest, *(_once(work) for _ in range(_REPEATS - 1)))
    return shortest


def _once(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _nothing(bars: pd.DataFrame) -> np.ndarray:
    return np.empty((len(bars), 0))


_NO_COLUMN = FeatureSet("none", (), 0, (), _nothing)
