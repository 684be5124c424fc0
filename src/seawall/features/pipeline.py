"""Computing a feature set so that training and live see the same bits.

Exponential indicators remember where they were started. Here they restart at *anchors*, fixed in time: bars are cut
into chunks of 4,096 bar lengths since 1970, and each chunk is computed from `warmup` rows before it. History and a live
tail that reaches `warmup` rows behind the current anchor therefore run the same arithmetic on the same rows. Columns of longer
bars do so in their own clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, PRICE_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import digest
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.arithmetic.table import ColumnTable
from seawall.features.clocks import ClockedFeatureSet, finished_longer_bars
from seawall.features.joined import JoinedFeatureSet
from seawall.market.joins import newest_known

ANCHOR_BARS = 4_096
# Anchors of longer bars made of the base bars: closer, as a live tail has to hold the chunk in base bars.
LONGER_ANCHOR_BARS = 128
VERSION = 1


def compute_features(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe, dtype: Any = np.float64) -> np.ndarray:
    """Compute the columns of a feature set for every bar, anchored.

    Args:
        bars: A bar frame of one series, T rows, with the raw columns that the set requires.
        feature_set: What to compute.
        timeframe: Length of a bar, which fixes the anchors.
        dtype: float64, or float32 as networks read it: the same numbers, rounded.

    Returns:
        Shape (T, F). Row t is known at the close of bar t. The first `warmup_on(timeframe)` rows are NaN, the others finite.

    Raises:
        ConfigError: A longer timeframe of the set is no whole multiple of the bars.
        DataError: Too few rows, a missing raw column, a raw value that is no number, or a result that is not finite.
    """
    check_inputs(bars, feature_set, timeframe)
    block = anchored_block(bars, feature_set, timeframe, dtype)
    warmup = feature_set.warmup_on(timeframe)
    _check_finite(block[warmup:], feature_set.columns, bars.iloc[warmup:])
    return block


def live_row(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe, dtype: Any = np.float64) -> np.ndarray:
    """Compute the last bar's columns alone, equal bit for bit to those of the full history.

    Args:
        bars: A tail of closed bars. The equality holds where the tail begins `warmup` or more rows before the last anchor, in the
            clock of each part (`rows_for_live` rows are always enough), or at the start of the history. A windowed set needs
            ``warmup + 1`` rows, whatever the anchor.
        feature_set: What to compute.
        timeframe: Length of a bar, which fixes the anchors.
        dtype: float64, or float32 as networks read it and blocks are kept.

    Returns:
        Shape (F,), finite; known at the close of the last bar.

    Raises:
        ConfigError, DataError: As `compute_features`.
    """
    check_inputs(bars, feature_set, timeframe)
    arrays = BarArrays.of(bars)
    if isinstance(feature_set, ClockedFeatureSet):
        longer = [
            _longer_row(arrays, feature_set.longer, timeframe, to, ratio) for to, ratio in feature_set.ratios(timeframe).items()
        ]
        row = np.concatenate([_row(arrays, feature_set.base, timeframe, ANCHOR_BARS), *longer])
    else:
        row = _row(arrays, feature_set, timeframe, ANCHOR_BARS)
    row = row.astype(dtype, copy=False)
    _check_finite(row[None], feature_set.columns, bars.iloc[-1:])
    return row


def rows_for_live(feature_set: FeatureSet, timeframe: Timeframe) -> int:
    """Return how many closed bars a live tail needs, at most, for `live_row` to equal the full history."""
    if not isinstance(feature_set, ClockedFeatureSet):
        return _rows_needed(feature_set, ANCHOR_BARS)
    longest = max(feature_set.ratios(timeframe).values())
    return max(_rows_needed(feature_set.base, ANCHOR_BARS), _rows_of_longer(feature_set.longer, longest))


def anchored_block(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe, dtype: Any = np.float64) -> np.ndarray:
    """Compute the columns as `compute_features` does, without judging inputs or results.

    Returns:
        Shape (T, F); NaN in the first `warmup_on(timeframe)` rows, and wherever the set itself gives NaN.
    """
    if isinstance(feature_set, ClockedFeatureSet):
        longer = [_longer_block(bars, feature_set.longer, timeframe, to, dtype) for to in feature_set.ratios(timeframe)]
        block = np.column_stack([anchored_block(bars, feature_set.base, timeframe, dtype), *longer])
    else:
        block = _anchored(bars, feature_set, timeframe, ANCHOR_BARS, dtype)
    block[: feature_set.warmup_on(timeframe)] = np.nan
    return block


def _rows_needed(feature_set: FeatureSet, anchor_bars: int) -> int:
    if isinstance(feature_set, JoinedFeatureSet):
        return max(_rows_needed(part, anchor_bars) for part in feature_set.parts)
    return feature_set.warmup + (1 if feature_set.windowed else anchor_bars)


def _row(bars: BarArrays, feature_set: FeatureSet, timeframe: Timeframe, anchor_bars: int) -> np.ndarray:
    if isinstance(feature_set, JoinedFeatureSet):
        return np.concatenate([_row(bars, part, timeframe, anchor_bars) for part in feature_set.parts])
    start = len(bars) - 1 if feature_set.windowed else _chunk_starts(bars.times_ms, timeframe, anchor_bars)[-1]
    tail = bars.part(max(0, start - feature_set.warmup), len(bars))
    if not isinstance(feature_set.compute, ColumnTable):
        return _checked_call(feature_set, tail.frame())[-1]
    with _silent():
        return feature_set.compute.on_arrays(tail)[-1]


def _anchored(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe, anchor_bars: int, dtype: Any) -> np.ndarray:
    if isinstance(feature_set, JoinedFeatureSet):
        return np.column_stack([_anchored(bars, part, timeframe, anchor_bars, dtype) for part in feature_set.parts])
    block = np.empty((len(bars), len(feature_set.columns)), dtype)
    starts = np.array([*_chunk_starts(timestamps_ms(bars), timeframe, anchor_bars), len(bars)])
    firsts = np.maximum(0, starts[:-1] - feature_set.warmup)
    call = _ChunkCall(feature_set, bars, int((starts[1:] - firsts).max(initial=0)), dtype)
    for first, start, stop in zip(firsts.tolist(), starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        block[start:stop] = call(first, stop)[start - first :]
    block[: feature_set.warmup] = np.nan
    return block


class _ChunkCall:
    """Computes chunks of some bars; sets that take arrays get views of them, and write into one buffer."""

    def __init__(self, feature_set: FeatureSet, bars: pd.DataFrame, longest: int, dtype: Any) -> None:
        self._set = feature_set
        self._bars = bars
        self._arrays = BarArrays.of(bars) if isinstance(feature_set.compute, ColumnTable) else None
        self._buffer = np.empty((len(feature_set.columns), longest if self._arrays is not None else 0), dtype)

    def __call__(self, first: int, stop: int) -> np.ndarray:
        if self._arrays is None:
            return _checked_call(self._set, self._bars.iloc[first:stop])
        with _silent():
            return self._set.compute.on_arrays(self._arrays.part(first, stop), self._buffer[:, : stop - first])


def _longer_block(bars: pd.DataFrame, longer: FeatureSet, timeframe: Timeframe, to: Timeframe, dtype: Any) -> np.ndarray:
    arrays = BarArrays.of(bars)
    made = finished_longer_bars(arrays, timeframe, to)
    # The row after the last is what a base bar sees before any longer bar has closed.
    block = np.full((len(made) + 1, len(longer.columns)), np.nan, dtype)
    block[:-1] = _anchored(made.frame(), longer, to, LONGER_ANCHOR_BARS, dtype)
    return block[newest_known(arrays.times_ms + timeframe.milliseconds, made.times_ms + to.milliseconds)]


def _longer_row(bars: BarArrays, longer: FeatureSet, timeframe: Timeframe, to: Timeframe, ratio: int) -> np.ndarray:
    tail = bars.part(max(0, len(bars) - _rows_of_longer(longer, ratio)), len(bars))
    return _row(finished_longer_bars(tail, timeframe, to), longer, to, LONGER_ANCHOR_BARS)


def _rows_of_longer(longer: FeatureSet, ratio: int) -> int:
    # A longer bar holds `ratio` base bars at most, so this many touch that many longer bars, of which the ends may be cut.
    return (_rows_needed(longer, LONGER_ANCHOR_BARS) + 2) * ratio


def check_inputs(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe) -> None:
    """Refuse bars that a feature set cannot be computed on.

    Raises:
        DataError: Too few rows; a missing raw column; or a raw value that is NaN, infinite, negative, or a price of zero. A
            column of the user's own may be negative.
    """
    own = feature_set.own
    _check_columns(bars, feature_set)
    required = feature_set.warmup_on(timeframe) + 1
    if len(bars) < required:
        raise DataError(f"feature set {feature_set.name!r} has {len(bars)} rows; at least {required} are required (warm-up + 1)")
    times = timestamps_ms(bars)
    late = times[1:] <= times[:-1]
    if late.any():
        row = int(np.argmax(late)) + 1
        raise DataError(f"bar {_time(bars, row)} is not later than the bar before it; features need each bar once, oldest first")
    for name in (*BAR_COLUMNS, *feature_set.requires):
        values = bars[name].to_numpy(np.float64)
        least, allowed = _allowed(name, own)
        # NaN is neither, and the smallest and largest of all values are NaN where one is.
        if not (least <= values.min() and values.max() < np.inf):
            row = int(np.argmin(np.isfinite(values) & (values >= least)))
            raise DataError(f"bar {_time(bars, row)}: {name} is {values[row]}; a finite number{allowed} is needed")


def feature_hash(feature_set: FeatureSet) -> str:
    """Return a hash over what a model must agree on: columns in order, settings, warm-up, anchors, version of the arithmetic."""
    agreed = [feature_set.name, feature_set.columns, feature_set.warmup, ANCHOR_BARS, VERSION]
    return digest([*agreed, feature_set.settings] if feature_set.settings else agreed)


def difference(bundle_columns: Sequence[str], here_columns: Sequence[str]) -> str:
    """Describe how the columns of a bundle differ from those computed here; empty where they are equal."""
    parts: list[str] = []
    for place, own, other in (("in the bundle", bundle_columns, here_columns), ("here", here_columns, bundle_columns)):
        alone = [name for name in own if name not in other]
        if alone:
            parts.append(f"only {place}: {', '.join(alone)}")
    if not parts and tuple(bundle_columns) != tuple(here_columns):
        parts.append(f"order differs: in the bundle {', '.join(bundle_columns)}; here {', '.join(here_columns)}")
    return "; ".join(parts)


def _allowed(name: str, own: Sequence[str]) -> tuple[float, str]:
    if name in PRICE_COLUMNS:
        return float(np.nextafter(0.0, 1.0)), " above 0"
    return (-np.inf, "") if name in own and name not in BAR_COLUMNS else (0.0, " at least 0")


def _chunk_starts(times_ms: np.ndarray, timeframe: Timeframe, anchor_bars: int) -> list[int]:
    anchors = times_ms // (anchor_bars * timeframe.milliseconds)
    return [0, *(np.flatnonzero(np.diff(anchors)) + 1).tolist()] if len(times_ms) else []


def _silent() -> np.errstate:
    # Warm-up rows hold NaN, and a formula may divide zero by zero where its column is defined otherwise.
    return np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore")


def _checked_call(feature_set: FeatureSet, bars: pd.DataFrame) -> np.ndarray:
    with _silent():
        block = feature_set(bars)
    wanted = (len(bars), len(feature_set.columns))
    if block.shape != wanted:
        raise ConfigError(f"feature set {feature_set.name!r} returned a block of shape {block.shape}; {wanted} is needed")
    return block


def _check_columns(bars: pd.DataFrame, feature_set: FeatureSet) -> None:
    missing = [name for name in (*BAR_COLUMNS, *feature_set.requires) if name not in bars.columns]
    if not missing:
        return
    own = [name for name in missing if name in feature_set.own]
    if own:
        raise DataError(f"bars have no column {', '.join(own)}, named by features.columns; their file must have it, as numbers")
    fed = [column for column in feature_set.columns if any(column == name or column.startswith(f"{name}_") for name in missing)]
    message = f"bars have no column {', '.join(missing)}, which feeds {', '.join(fed)} of feature set {feature_set.name!r}"
    if all(name in feature_set.requires for name in missing):
        message += f"; supply it, or leave its features out with features.omit=[{','.join(missing)}]"
    raise DataError(message)


def _check_finite(block: np.ndarray, columns: tuple[str, ...], bars: pd.DataFrame) -> None:
    for first in range(0, len(block), ANCHOR_BARS):
        part = block[first : first + ANCHOR_BARS]
        finite = np.isfinite(part)
        if finite.all():
            continue
        row, column = (int(index) for index in np.argwhere(~finite)[0])
        row += first
        raise DataError(f"feature {columns[column]} is {block[row, column]} at bar {_time(bars, row)}, after the warm-up")


def _time(bars: pd.DataFrame, row: int) -> str:
    return bars["timestamp"].iloc[row].isoformat()
