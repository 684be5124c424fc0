"""What several checked series have in common: their shared span, the bars that some of them lack, and how they move together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError


@dataclass(frozen=True)
class PanelFacts:
    """Facts about S series of one timeframe.

    Attributes:
        names: Names of the series.
        start_ms: First opening time that every series has begun by, in milliseconds.
        stop_ms: Last opening time before any series ends.
        common: Bars that all series have.
        union: Opening times from `start_ms` to `stop_ms` at which at least one series has a bar.
        absent: Of these, how many each series lacks.
        correlation: Correlation of log returns from one common bar to the next, shape (S, S); NaN with fewer than three of them
            or where a series never moves.
    """

    names: tuple[str, ...]
    start_ms: int
    stop_ms: int
    common: int
    union: int
    absent: dict[str, int]
    correlation: np.ndarray


def panel_facts(series: Mapping[str, pd.DataFrame]) -> PanelFacts:
    """Compare series bar by bar.

    Args:
        series: Bar frames of one timeframe by name, at least two, without bad bars.

    Raises:
        ConfigError: There are fewer than two series.
    """
    if len(series) < 2:
        raise ConfigError(f"{len(series)} series make no panel; allowed: at least two")
    times = {name: timestamps_ms(bars) for name, bars in series.items()}
    start = max(int(found[0]) for found in times.values())
    stop = min(int(found[-1]) for found in times.values())
    shared = {name: found[(found >= start) & (found <= stop)] for name, found in times.items()}
    union, counts = np.unique(np.concatenate(list(shared.values())), return_counts=True)
    common = union[counts == len(series)]
    closes = [bars["close"].to_numpy(np.float64)[np.isin(times[name], common)] for name, bars in series.items()]
    return PanelFacts(
        names=tuple(series),
        start_ms=start,
        stop_ms=stop,
        common=len(common),
        union=len(union),
        absent={name: len(union) - len(found) for name, found in shared.items()},
        correlation=_correlation(np.stack(closes)),
    )


def _correlation(closes: np.ndarray) -> np.ndarray:
    n_series = len(closes)
    if closes.shape[1] < 4:
        return np.full((n_series, n_series), np.nan)
    returns = np.diff(np.log(closes), axis=1)
    centred = returns - returns.mean(axis=1, keepdims=True)
    power = np.sqrt((centred**2).sum(axis=1))
    # A series that never moves has rounding noise only, or nothing at all.
    moving = np.where(power > 0.0, power, np.nan)
    return np.clip((centred @ centred.T) / np.outer(moving, moving), -1.0, 1.0)
