"""Looking for the future in a feature set, and measuring how far back it remembers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.pipeline import anchored_block

ABSOLUTE_TOLERANCE = 1e-9
_POISONED_BARS = 256
_HUGE = 1e6


def truncation_leaks(feature_set: FeatureSet, bars: pd.DataFrame, timeframe: Timeframe, cuts: Iterable[int]) -> list[str]:
    """Take the future away, replace it by NaN and blow it up; name each column whose past then changes.

    A bar's features must be the same bits whatever comes after it. A column that looks k bars ahead shows at the last
    k rows before a cut, so cuts belong inside the chunks of the anchored computation, not only at their ends.

    Args:
        feature_set: What to judge.
        bars: Bars of one series, T rows, more than the warm-up.
        timeframe: Length of a bar.
        cuts: Numbers of bars, 1..T, that are kept; the rows before a cut are compared.

    Returns:
        One line a leaking column, in the order of the columns, naming the first bar that changed; empty where none did.
    """
    full = anchored_block(bars, feature_set, timeframe)
    first: dict[int, tuple[int, str]] = {}
    for cut in cuts:
        for future, altered in _altered_futures(bars, cut):
            seen = anchored_block(altered, feature_set, timeframe)[:cut]
            known = full[:cut]
            changed = ~((seen == known) | (np.isnan(seen) & np.isnan(known)))
            for column in np.flatnonzero(changed.any(axis=0)).tolist():
                row = int(np.argmax(changed[:, column]))
                line = (
                    f"{feature_set.columns[column]} at bar {bars['timestamp'].iloc[row].isoformat()} (row {row}) is "
                    f"{known[row, column]!r}, but {seen[row, column]!r} with every bar from row {cut} on {future}"
                )
                if column not in first or row < first[column][0]:
                    first[column] = (row, line)
    return [first[column][1] for column in sorted(first)]


def remembered_rows(feature_set: FeatureSet, bars: pd.DataFrame, starts: Iterable[int], *, before: int, rows: int) -> np.ndarray:
    """Measure how many rows pass until a start at row s cannot be told from one `before` rows earlier.

    Two values count as equal where they differ by one unit in the last place of float32 at most, in which networks
    read them. Near a zero crossing that unit shrinks without bound, so a difference below 1e-9 of the column's standard
    deviation counts as equal too: half a float32 rounding step of a value of 1 % of a deviation.

    Args:
        feature_set: What to measure.
        bars: Bars of one series.
        starts: Rows at which the computation is started.
        before: How much earlier the other computation is started.
        rows: How many rows are compared after each start.

    Returns:
        The largest number over all starts, int64, shape (F,); at most `rows`.
    """
    deviation = np.nanstd(feature_set(bars), axis=0)
    longest = np.zeros(len(feature_set.columns), dtype=np.int64)
    for start in starts:
        earlier = feature_set(bars.iloc[start - before : start + rows])[before:]
        fresh = feature_set(bars.iloc[start : start + rows])
        equal = (np.abs(fresh - earlier) <= ABSOLUTE_TOLERANCE * deviation) | (_float32_steps(fresh, earlier) <= 1)
        last_unequal = np.where(equal, 0, np.arange(1, len(equal) + 1)[:, None]).max(axis=0)
        longest = np.maximum(longest, last_unequal)
    return longest


def _altered_futures(bars: pd.DataFrame, cut: int) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "removed", bars.iloc[:cut]
    if cut < len(bars):
        names = [name for name in (*BAR_COLUMNS, *OPTIONAL_COLUMNS) if name in bars.columns]
        for future, factor in (("set to NaN", np.nan), ("multiplied by 1e6", _HUGE)):
            altered = bars.iloc[: cut + _POISONED_BARS].copy()
            for name in names:
                altered[name] = np.where(np.arange(len(altered)) < cut, altered[name], altered[name] * factor)
            yield future, altered


def _float32_steps(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.abs(_ordered_float32(left) - _ordered_float32(right))


def _ordered_float32(values: np.ndarray) -> np.ndarray:
    # The bits of float32 in an order in which neighbouring numbers are neighbouring integers, across zero too.
    bits = values.astype(np.float32).view(np.int32).astype(np.int64)
    return np.where(bits >= 0, bits, -(bits & 0x7FFFFFFF))
