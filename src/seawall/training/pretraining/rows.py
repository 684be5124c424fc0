"""Which rows an encoder is taught on, and which it is judged on, such that neither knows the other's bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import Market, RowRange


@dataclass(frozen=True)
class LessonRows:
    """Rows at whose close a window ends.

    Attributes:
        train: Rows to learn from, int64, in order of time.
        validation: Later rows, on which epochs are judged, int64, in order of time.
    """

    train: np.ndarray
    validation: np.ndarray


def series_of(market: Market, rows: RowRange) -> int:
    """Return the number of the series that holds a range.

    Raises:
        ConfigError: The range lies in more than one series, or beyond the market.
    """
    for number, (start, stop) in enumerate(zip(market.starts[:-1], market.starts[1:], strict=True)):
        if start <= rows.start and rows.stop <= stop:
            return number
    raise ConfigError(
        f"rows {rows.start}..{rows.stop} lie in no single series of the market, whose series begin at rows {list(market.starts)}"
    )


def whole_rows(market: Market, ranges: Sequence[RowRange], window: int, horizon: int) -> np.ndarray:
    """Return the rows whose window and whose future both lie inside one of the ranges, with warmed-up features.

    Args:
        market: Whose rows these are.
        ranges: Bars that may be seen; none outside is.
        window: L, bars of a window, the row's own the last.
        horizon: Bars that a target looks ahead.

    Returns:
        int64, ascending, each once.

    Raises:
        ConfigError: A range lies in more than one series, or two share a row.
    """
    ordered = sorted(ranges, key=lambda each: each.start)
    for earlier, later in pairwise(ordered):
        if later.start < earlier.stop:
            raise ConfigError(
                f"rows {later.start}..{later.stop} overlap with {earlier.start}..{earlier.stop}; allowed: each row once"
            )
    parts = [
        np.arange(max(each.start, market.ready[series_of(market, each)]) + window - 1, each.stop - horizon, dtype=np.int64)
        for each in ordered
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def purged_split(
    times: np.ndarray, rows: np.ndarray, window: int, horizon: int, validation: float, embargo: float
) -> LessonRows:  # fmt: skip
    """Cut rows into older ones to learn from and newer ones to judge on.

    The newest bar that a training row's target knows is older than the oldest bar of any validation window: within a series that
    leaves out L − 1 + `horizon` rows before the cut, and it holds between series too. Then an embargo goes.

    Args:
        times: Opening time of every row of the market, int64 milliseconds, shape (T,).
        rows: Rows whose windows and futures are whole, int64.
        window: L, bars of a window.
        horizon: Bars that a target looks ahead.
        validation: Share of the rows to judge on; rows of one time stay together.
        embargo: Share of the rows that is left out of the newest training rows.

    Raises:
        DataError: No row is left to learn from, or to judge on.
    """
    ordered = rows[np.argsort(times[rows], kind="stable")]
    place = math.floor(len(ordered) * (1.0 - validation))
    judged = ordered[times[ordered] >= times[ordered[place]]] if place < len(ordered) else ordered[:0]
    if len(judged):
        known_until = times[ordered + horizon]
        taught = ordered[known_until < times[judged - (window - 1)].min()]
        taught = taught[: max(0, len(taught) - math.ceil(embargo * len(ordered)))]
        if len(taught):
            return LessonRows(taught, judged)
    raise DataError(
        f"{len(rows)} rows with whole windows of {window} bars and {horizon} bars after them are too few to learn and to judge: "
        f"about {math.ceil((window + horizon + 1) / max(1.0 - validation - embargo, 0.01))} are needed"
    )


def evenly(rows: np.ndarray, at_most: int | None) -> np.ndarray:
    """Return some of the rows, evenly spaced, the first and last among them; all where there are no more than wanted."""
    if at_most is None or len(rows) <= at_most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, at_most).round().astype(np.int64)]
