"""Bars for the tests: wild ones drawn from a seed, and short ones spelt out bar by bar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from seawall.core.bars import from_milliseconds
from seawall.core.timeframe import Timeframe

HOUR = Timeframe(3_600)
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ohlcv"


def random_bars(
    seed: int, n: int, *, timeframe: Timeframe = HOUR, flat: tuple[int, int] = (20, 400), gaps: int = 6
) -> pd.DataFrame:
    """Draw n bars with regimes of volatility, still stretches, bars without volume, gaps and all optional columns."""
    rng = np.random.default_rng(seed)
    still = np.zeros(n, dtype=bool)
    row = int(rng.integers(0, 500))
    while row < n:
        length = int(rng.integers(*flat))
        still[row : row + length] = True
        row += length + int(rng.integers(200, 900))
    volatility = 0.005 * np.exp(0.8 * np.repeat(rng.standard_normal(n // 400 + 1), 400)[:n])
    moves = np.where(still | (rng.random(n) < 0.02), 0.0, volatility * rng.standard_normal(n))
    close = 10.0 ** rng.uniform(-6, 6) * np.exp(np.cumsum(moves))
    open_ = np.concatenate([close[:1], close[:-1]])
    wick = np.where(still, 0.0, 0.3 * volatility) * np.abs(rng.standard_normal((2, n)))
    quiet = still | (rng.random(n) < 0.05)
    steps = np.ones(n, dtype=np.int64)
    steps[rng.integers(1, n, gaps)] += rng.integers(1, 3_000, gaps)
    first = int(rng.integers(300_000, 500_000))
    return pd.DataFrame(
        {
            "timestamp": from_milliseconds((first + np.cumsum(steps)) * timeframe.milliseconds),
            "open": open_,
            "high": np.maximum(open_, close) * (1 + wick[0]),
            "low": np.minimum(open_, close) * (1 - wick[1]),
            "close": close,
            "volume": np.where(quiet, 0.0, rng.lognormal(3, 1, n)),
            "trades": np.where(quiet, 0.0, rng.poisson(50, n)).astype(np.float64),
            **dict(zip(("quote_volume", "taker_buy_base", "taker_buy_quote"), rng.uniform(0, 9, (3, n)) * ~quiet, strict=True)),
            "trends": np.repeat(rng.integers(0, 101, n // 24 + 1), 24)[:n].astype(np.float64),
        }
    )


def spelt_bars(close, *, high=None, low=None, volume=None, first_ms: int = 0, **optional) -> pd.DataFrame:
    """Hourly bars from the numbers of a hand-computed case; the range is the close, and the volume 1, unless given."""
    close = np.asarray(close, dtype=np.float64)
    columns = {
        "timestamp": from_milliseconds(first_ms + np.arange(len(close)) * HOUR.milliseconds),
        "open": close,
        "high": close if high is None else np.asarray(high, dtype=np.float64),
        "low": close if low is None else np.asarray(low, dtype=np.float64),
        "close": close,
        "volume": np.ones(len(close)) if volume is None else np.asarray(volume, dtype=np.float64),
    }
    return pd.DataFrame(columns | {name: np.asarray(values, dtype=np.float64) for name, values in optional.items()})
