"""A market from which an encoder can learn every lesson: returns that follow each other, and swings of volatility and trend."""

from __future__ import annotations

import numpy as np
import torch

from seawall.core.market import Market
from seawall.core.timeframe import Timeframe
from seawall.features.labels.levels import LevelLabelParams
from seawall.features.labels.regimes import RegimeLabelParams
from seawall.features.labels.targets import TargetParams
from seawall.features.sets.levels import LevelParams
from seawall.nets.pretraining import PretrainingNetwork
from seawall.nets.tcn import TcnEncoder
from seawall.training.pretraining.learner import Pretrainer
from seawall.training.pretraining.lessons import Lessons
from seawall.training.pretraining.params import PretrainingParams

WINDOW, HOUR = 32, Timeframe(3_600)
TARGETS = TargetParams(
    regimes=RegimeLabelParams(trend_bars=16, volatility_bars=16, percentile_bars=500, ranked_from=32, efficient_above=0.5),
    levels=LevelLabelParams(pivots=LevelParams(window=32, grid=16)),
    horizons=(1, 3),
    volatility_bars=16,
)
COLUMNS = ("return", "high", "low", "volatility", "from_top", "from_bottom")


def planted_market(n: int = 3_000, seed: int = 1, symbols: tuple[str, ...] = ("A",)) -> Market:
    """Draw hourly bars of one or more symbols with features that are free of units; the first 32 rows of each warm up."""
    series = [_bars(n, np.random.default_rng([seed, number])) for number in range(len(symbols))]
    times = np.tile(np.arange(n, dtype=np.int64) * HOUR.milliseconds, len(symbols))
    return Market(
        symbols,
        tuple(range(0, n * len(symbols) + 1, n)),
        HOUR,
        times,
        np.concatenate(series),
        np.concatenate([_features(prices) for prices in series]),
        COLUMNS,
        tuple(n * number + 32 for number in range(len(symbols))),
    )


def _bars(n: int, random: np.random.Generator) -> np.ndarray:
    volatility = 0.004 * np.exp(0.7 * np.repeat(random.standard_normal(n // 60 + 1), 60)[:n])
    returns = np.zeros(n)
    for bar in range(1, n):
        returns[bar] = 0.7 * returns[bar - 1] + volatility[bar] * random.standard_normal()
    close = 100.0 * np.exp(np.cumsum(returns) - 0.02 * np.sin(np.arange(n) / 50))
    open_ = np.concatenate([close[:1], close[:-1]])
    wicks = 0.5 * volatility * np.abs(random.standard_normal((2, n)))
    high, low = np.maximum(open_, close) * (1 + wicks[0]), np.minimum(open_, close) * (1 - wicks[1])
    return np.column_stack([open_, high, low, close, np.ones(n)])


def _features(prices: np.ndarray) -> np.ndarray:
    close, n = prices[:, 3], len(prices)
    before = np.concatenate([close[:1], close[:-1]])
    returns = np.log(close / before)
    tops, bottoms, volatility = np.zeros(n), np.zeros(n), np.ones(n)
    for bar in range(32, n):
        last = slice(bar - 31, bar + 1)
        tops[bar], bottoms[bar] = np.log(prices[last, 1].max() / close[bar]), np.log(prices[last, 2].min() / close[bar])
        volatility[bar] = np.sqrt(np.mean(returns[bar - 15 : bar + 1] ** 2))
    columns = [
        returns / volatility, np.log(prices[:, 1] / before) / volatility, np.log(prices[:, 2] / before) / volatility,
        np.log(volatility / 0.006), 25 * tops, 25 * bottoms,
    ]  # fmt: skip
    return np.column_stack(columns).astype(np.float32)


def small_params(**changed) -> PretrainingParams:
    return PretrainingParams(**{"targets": TARGETS, "epochs": 2, "epoch_windows": 128, "batch_size": 32, **changed})


def pretrainer(lessons: Lessons, seed: int = 1) -> Pretrainer:
    encoder = TcnEncoder(lessons.n_features, WINDOW, (16, 16, 16, 16), embedding=16, share_dropped=0.1)
    shape = (WINDOW, lessons.n_features)
    weights = torch.Generator().manual_seed(seed)
    return Pretrainer(PretrainingNetwork(encoder, lessons.params.heads, lessons.sizes, shape, weights), lessons, seed)


class Curves:
    """Keeps scalars and log events."""

    def __init__(self) -> None:
        self.scalars: list[tuple[str, float, int]] = []
        self.events: list[tuple[str, dict]] = []

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        self.scalars.append((tag, scalar_value, global_step))

    def info(self, event: str, **fields) -> None:
        self.events.append((event, fields))

    def warning(self, event: str, **fields) -> None:
        self.events.append((event, fields))
