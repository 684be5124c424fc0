"""Labels: what a made market does next, and the regime that it was in. They are answers, never features.

A label of bar t looks ahead of the close of t. Labels stand in tables of their own, in columns named ``label_...``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.params import Params
from seawall.core.timeframe import Timeframe

LABEL_PREFIX = "label_"


class LabelParams(Params):
    """How far ahead labels look, and what they call a move."""

    threshold: float = Field(
        default=0.015,
        ge=0.0,
        le=1.0,
        description="Return over the horizon above which a label is 1, and below minus which it is -1",
    )
    horizons: dict[str, int] = Field(
        default_factory=lambda: {"15m": 16, "4h": 4, "1d": 1}, description="Bars that a label looks ahead, by timeframe"
    )

    @field_validator("horizons")
    @classmethod
    def _ahead(cls, horizons: dict[str, int]) -> dict[str, int]:
        for label, bars in horizons.items():
            if bars < 1:
                raise ValueError(f"horizon of {label} is {bars} bars; allowed: at least 1")
        return horizons

    def horizon(self, timeframe: Timeframe) -> int:
        """Return how many bars the labels of a timeframe look ahead.

        Raises:
            ConfigError: None is set for it.
        """
        if timeframe.label not in self.horizons:
            raise ConfigError(
                f"labels have no horizon for {timeframe.label}; set one in labels.horizons (set so far: {', '.join(self.horizons)})"
            )
        return self.horizons[timeframe.label]


def price_direction(closes: np.ndarray, horizon: int, threshold: float) -> np.ndarray:
    """Say whether prices rise or fall by more than a threshold from each close to the one `horizon` bars later.

    Args:
        closes: Closing prices, float64, shape (T,).
        horizon: Bars to look ahead, at least 1.
        threshold: Simple return that counts as a move.

    Returns:
        1, 0 or -1, float64, shape (T,). The last `horizon` entries are NaN: their future is not there.
    """
    direction = np.full(len(closes), np.nan)
    ahead = closes[horizon:] / closes[: max(len(closes) - horizon, 0)] - 1.0
    direction[: len(ahead)] = np.where(ahead > threshold, 1.0, np.where(ahead < -threshold, -1.0, 0.0))
    return direction


def regimes_at_close(bars: pd.DataFrame, timeframe: Timeframe, base_times: np.ndarray, regimes: np.ndarray) -> np.ndarray:
    """Return the regime in which each bar closes.

    Args:
        bars: Bars of the same or a longer timeframe than the regimes', T rows.
        timeframe: Length of `bars`.
        base_times: Opening times of the bars that the regimes belong to, int64 milliseconds, ascending, shape (B,).
        regimes: Regime of each of those, shape (B,).

    Returns:
        Shape (T,), dtype of `regimes`.

    Raises:
        DataError: A bar opens before the first regime.
    """
    closes = timestamps_ms(bars) + timeframe.milliseconds
    rows = np.searchsorted(base_times, closes, side="left") - 1
    if len(rows) and rows[0] < 0:
        raise DataError(f"the bar of {bars['timestamp'].iloc[0]} closes before the first regime")
    return regimes[rows]


def label_table(
    bars: pd.DataFrame, timeframe: Timeframe, params: LabelParams, base_times: np.ndarray, regimes: np.ndarray
) -> pd.DataFrame:
    """Return the labels of some bars, row for row.

    Args:
        bars: A bar frame of T rows: of one part of a dataset, so that no label looks over the cut into the next.
        timeframe: Length of its bars.
        params: Horizons and threshold.
        base_times: Opening times that the regimes belong to, int64 milliseconds, shape (B,).
        regimes: Regime of each of those, shape (B,).

    Returns:
        Columns ``timestamp``, ``label_price_direction`` (NaN in the last rows, which have no future) and ``label_regime`` (place in
        `seawall.market.synthetic.regimes.REGIME_NAMES`).

    Raises:
        ConfigError: No horizon is set for the timeframe.
    """
    closes = bars["close"].to_numpy(np.float64)
    columns = {
        "price_direction": price_direction(closes, params.horizon(timeframe), params.threshold),
        "regime": regimes_at_close(bars, timeframe, base_times, regimes),
    }
    named = {f"{LABEL_PREFIX}{name}": values for name, values in columns.items()}
    return pd.DataFrame({"timestamp": bars["timestamp"].reset_index(drop=True), **named})
