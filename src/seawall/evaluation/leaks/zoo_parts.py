"""What a planted leak and its honest twin share."""

from __future__ import annotations

import numpy as np
import pandas as pd

_HINDSIGHT = 24


def returns(bars: pd.DataFrame) -> pd.Series:
    """Return of each bar from the close before, shape (T,)."""
    return bars["close"].pct_change()


def next_returns(bars: pd.DataFrame) -> pd.Series:
    """Return of the bar that follows each, shape (T,)."""
    return bars["close"].shift(-1) / bars["close"] - 1.0


def closes_every_four_hours(bars: pd.DataFrame) -> pd.Series:
    """Last close of each four hours, by the time at which they open."""
    return bars["close"].groupby(bars["timestamp"].dt.floor("4h")).last()


def fill_quiet(bars: pd.DataFrame, known_after: int) -> pd.Series:
    """Fill bars without volume along a parabola through three known closes before, and `known_after` known ones after them.

    Without any after them, the last known close is kept.
    """
    known = np.flatnonzero(bars["volume"].to_numpy() > 0)
    close = bars["close"].to_numpy(copy=True)
    quiet = np.flatnonzero(bars["volume"].to_numpy() <= 0)
    after = np.searchsorted(known, quiet)
    for row, place in zip(quiet.tolist(), after.tolist(), strict=True):
        before = known[max(0, place - 3) : place]
        if not known_after:
            close[row] = close[before[-1]] if before.size else np.nan
            continue
        points = np.concatenate([before, known[place : place + known_after]])
        if points.size >= 3:
            close[row] = np.polyval(np.polyfit(points - row, close[points], 2), 0.0)
    return pd.Series(close, index=bars.index)


def best_exit(bars: pd.DataFrame, positions: np.ndarray) -> np.ndarray:
    """Hindsight exit: each position is closed at the best of the next 24 closes, which only hindsight finds."""
    log = np.log(bars["close"].to_numpy())
    ahead = np.full((_HINDSIGHT, len(log)), np.nan)
    for step in range(1, _HINDSIGHT + 1):
        ahead[step - 1, : len(log) - step] = log[step:] - log[: len(log) - step]
    best = np.where(positions >= 0, np.nan_to_num(ahead, nan=-np.inf).max(axis=0), np.nan_to_num(ahead, nan=np.inf).min(axis=0))
    return np.where(np.isfinite(best), positions * best, 0.0)
