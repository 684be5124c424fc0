"""Computing a feature set so that training and live see the same bits.

Exponential indicators remember where they were started. Here they restart at *anchors*, fixed in time: bars are cut
into chunks of 4,096 bar lengths since 1970, and each chunk is computed from `warmup` rows before it. History and a live
tail that reaches `warmup` rows behind the current anchor therefore run the same arithmetic on the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, PRICE_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import digest
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.own import OwnFeatureSet

ANCHOR_BARS = 4_096
VERSION = 1


def compute_features(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe) -> np.ndarray:
    """Compute the columns of a feature set for every bar, anchored.

    Args:
        bars: A bar frame of one series, T rows, with the raw columns that the set requires.
        feature_set: What to compute.
        timeframe: Length of a bar, which fixes the anchors.

    Returns:
        float64, shape (T, F). Row t is known at the close of bar t. The first `warmup` rows are NaN, the others finite.

    Raises:
        DataError: Too few rows, a missing raw column, a raw value that is no number, or a result that is not finite.
    """
    check_inputs(bars, feature_set)
    block = anchored_block(bars, feature_set, timeframe)
    _check_finite(block[feature_set.warmup :], feature_set.columns, bars.iloc[feature_set.warmup :])
    return block


def live_row(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe) -> np.ndarray:
    """Compute the last bar's columns alone, equal bit for bit to those of the full history.

    Args:
        bars: A tail of closed bars. The equality holds where the tail begins `warmup` or more rows before the last
            anchor (`rows_for_live` rows are always enough) or at the start of the history.
        feature_set: What to compute.
        timeframe: Length of a bar, which fixes the anchors.

    Returns:
        float64, shape (F,), finite; known at the close of the last bar.

    Raises:
        DataError: As `compute_features`.
    """
    start = _chunk_starts(bars, timeframe)[-1] if len(bars) else 0
    tail = bars.iloc[max(0, start - feature_set.warmup) :]
    check_inputs(tail, feature_set)
    row = _checked_call(feature_set, tail)[-1:]
    _check_finite(row, feature_set.columns, bars.iloc[-1:])
    return row[0]


def rows_for_live(feature_set: FeatureSet) -> int:
    """Return how many closed bars a live tail needs, at most, for `live_row` to equal the full history."""
    return ANCHOR_BARS + feature_set.warmup


def anchored_block(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe) -> np.ndarray:
    """Compute the columns as `compute_features` does, without judging inputs or results.

    Returns:
        float64, shape (T, F); NaN in the first `warmup` rows, and wherever the set itself gives NaN.
    """
    block = np.full((len(bars), len(feature_set.columns)), np.nan)
    starts = _chunk_starts(bars, timeframe)
    for start, stop in zip(starts, [*starts[1:], len(bars)], strict=True):
        first = max(0, start - feature_set.warmup)
        block[start:stop] = _checked_call(feature_set, bars.iloc[first:stop])[start - first :]
    block[: feature_set.warmup] = np.nan
    return block


def check_inputs(bars: pd.DataFrame, feature_set: FeatureSet) -> None:
    """Refuse bars that a feature set cannot be computed on.

    Raises:
        DataError: Too few rows; a missing raw column; or a raw value that is NaN, infinite, negative, or a price of zero. A
            column of the user's own may be negative.
    """
    own = feature_set.own if isinstance(feature_set, OwnFeatureSet) else ()
    _check_columns(bars, feature_set)
    required = feature_set.warmup + 1
    if len(bars) < required:
        raise DataError(f"feature set {feature_set.name!r} has {len(bars)} rows; at least {required} are required (warm-up + 1)")
    steps = np.diff(timestamps_ms(bars))
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        raise DataError(f"bar {_time(bars, row)} is not later than the bar before it; features need each bar once, oldest first")
    for name in (*BAR_COLUMNS, *feature_set.requires):
        values = bars[name].to_numpy(np.float64)
        least, allowed = _allowed(name, own)
        good = np.isfinite(values) & (values >= least)
        if not good.all():
            row = int(np.argmin(good))
            raise DataError(f"bar {_time(bars, row)}: {name} is {values[row]}; a finite number{allowed} is needed")


def feature_hash(feature_set: FeatureSet) -> str:
    """Return a hash over what a model must agree on: set, columns in order, warm-up, anchors and version of the arithmetic."""
    return digest([feature_set.name, feature_set.columns, feature_set.warmup, ANCHOR_BARS, VERSION])


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


def _chunk_starts(bars: pd.DataFrame, timeframe: Timeframe) -> list[int]:
    anchors = timestamps_ms(bars) // (ANCHOR_BARS * timeframe.milliseconds)
    return [0, *(np.flatnonzero(np.diff(anchors)) + 1).tolist()] if len(bars) else []


def _checked_call(feature_set: FeatureSet, bars: pd.DataFrame) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        block = feature_set(bars)
    wanted = (len(bars), len(feature_set.columns))
    if block.shape != wanted:
        raise ConfigError(f"feature set {feature_set.name!r} returned a block of shape {block.shape}; {wanted} is needed")
    return block


def _check_columns(bars: pd.DataFrame, feature_set: FeatureSet) -> None:
    missing = [name for name in (*BAR_COLUMNS, *feature_set.requires) if name not in bars.columns]
    if not missing:
        return
    own = [name for name in missing if isinstance(feature_set, OwnFeatureSet) and name in feature_set.own]
    if own:
        raise DataError(f"bars have no column {', '.join(own)}, named by features.columns; their file must have it, as numbers")
    fed = [column for column in feature_set.columns if any(column == name or column.startswith(f"{name}_") for name in missing)]
    message = f"bars have no column {', '.join(missing)}, which feeds {', '.join(fed)} of feature set {feature_set.name!r}"
    if all(name in feature_set.requires for name in missing):
        message += f"; supply it, or leave its features out with features.omit=[{','.join(missing)}]"
    raise DataError(message)


def _check_finite(block: np.ndarray, columns: tuple[str, ...], bars: pd.DataFrame) -> None:
    finite = np.isfinite(block)
    if not finite.all():
        row, column = (int(index) for index in np.argwhere(~finite)[0])
        raise DataError(f"feature {columns[column]} is {block[row, column]} at bar {_time(bars, row)}, after the warm-up")


def _time(bars: pd.DataFrame, row: int) -> str:
    return bars["timestamp"].iloc[row].isoformat()
