"""Reward terms that remember: differential and windowed Sharpe ratios, volatility, growth of the largest drawdown, idleness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from seawall.simulator.rewards.bar import BarView
from seawall.simulator.rewards.settings import TermSettings

if TYPE_CHECKING:
    from seawall.core.market import Market

_LEAST_VARIANCE = 1e-18
"""Returns steadier than this a bar (a deviation of 1e-9) have no ratio: it would be rounding alone."""


@njit(cache=True, error_model="numpy")
def _differential_sharpe(
    earned: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    age: np.ndarray,
    settings: tuple[float, float, float],
    ratio: np.ndarray,
) -> None:
    """Fill the ratios of a bar, and take its returns into the moments."""
    rate, warmup, clip = settings
    for i in range(len(earned)):
        up, wide, variance = earned[i] - mean[i], earned[i] * earned[i] - square[i], square[i] - mean[i] * mean[i]
        ratio[i] = 0.0
        if variance > _LEAST_VARIANCE and age[i] >= warmup:
            found = (square[i] * up - 0.5 * mean[i] * wide) / (variance * np.sqrt(variance))
            ratio[i] = min(max(found, -clip), clip)
        # Until 1 / rate bars are known, the moments are plain means: else their start at 0 would count for as long.
        share = max(rate, 1.0 / (age[i] + 1.0))
        mean[i] += share * up
        square[i] += share * wide
        age[i] += 1.0


class DifferentialSharpe:
    """The differential Sharpe ratio of Moody and Saffell (2001), "Learning to trade via direct reinforcement", equation 13.

    With A and B the moving first and second moments of the returns R, and η the rate: D = (B ΔA − A ΔB / 2) / (B − A²)^(3/2),
    where ΔA = R − A and ΔB = R² − B, all moments from before the bar; then A += η ΔA and B += η ΔB. It is 0 during the warm-up, and
    clipped.
    """

    def __init__(self, params: TermSettings, _market: Market, n: int) -> None:
        """Start with no moments."""
        self._rate, self._warmup, self._clip = params.sharpe_rate, float(params.sharpe_warmup), params.sharpe_clip
        self._mean, self._square, self._age = np.zeros(n), np.zeros(n), np.zeros(n)

    def __call__(self, bar: BarView) -> np.ndarray:
        """Return the ratio of the bar, float64, shape (N,)."""
        ratio = np.empty(bar.n)
        settings = (self._rate, self._warmup, self._clip)
        _differential_sharpe(bar.simple_return, self._mean, self._square, self._age, settings, ratio)
        return ratio

    def reset(self, accounts: np.ndarray) -> None:
        """Forget the moments of some accounts."""
        self._mean[accounts] = self._square[accounts] = self._age[accounts] = 0.0

    def blocks(self) -> Mapping[str, np.ndarray]:
        """Return the moments."""
        return {"mean": self._mean, "square": self._square, "age": self._age}


@njit(cache=True, error_model="numpy")
def _moments(ring: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> None:
    """Fill mean and deviation (ddof 0) over the rows of a ring, anew each time: sums carried along would drift."""
    window, n = ring.shape
    mean[:] = 0.0
    deviation[:] = 0.0
    for k in range(window):
        for i in range(n):
            mean[i] += ring[k, i]
    for i in range(n):
        mean[i] /= window
    for k in range(window):
        for i in range(n):
            deviation[i] += (ring[k, i] - mean[i]) ** 2
    for i in range(n):
        deviation[i] = np.sqrt(deviation[i] / window)


class _Ring:
    """The returns of the last bars."""

    def __init__(self, params: TermSettings, _market: Market, n: int) -> None:
        self._ring = np.zeros((params.sharpe_window, n))
        self._age = np.zeros(n, dtype=np.int64)
        self._everyone = np.arange(n)
        self._mean, self._deviation = np.zeros(n), np.zeros(n)

    def remember(self, earned: np.ndarray) -> np.ndarray:
        """Add the returns of a bar; return which accounts fill the window."""
        # By the age of each: a place shared by all would let the bars before a reset decide the order of a sum, and its last bit.
        self._ring[self._age % len(self._ring), self._everyone] = earned
        self._age += 1
        _moments(self._ring, self._mean, self._deviation)
        return self._age >= len(self._ring)

    def reset(self, accounts: np.ndarray) -> None:
        """Forget the returns of some accounts."""
        self._ring[:, accounts] = 0.0
        self._age[accounts] = 0

    def blocks(self) -> Mapping[str, np.ndarray]:
        """Return the ring."""
        return {"ring": self._ring, "age": self._age}


class WindowedSharpe(_Ring):
    """Mean over deviation (ddof 0) of the last returns, 0 until the window is full."""

    def __call__(self, bar: BarView) -> np.ndarray:
        """Return the ratio, float64, shape (N,)."""
        full = self.remember(bar.simple_return) & (self._deviation**2 > _LEAST_VARIANCE)
        return np.divide(self._mean, self._deviation, out=np.zeros(bar.n), where=full)


class Volatility(_Ring):
    """Minus the deviation (ddof 0) of the last returns, 0 until the window is full."""

    def __call__(self, bar: BarView) -> np.ndarray:
        """Return minus the deviation, float64, shape (N,)."""
        return np.where(self.remember(bar.simple_return), -self._deviation, 0.0)


class DrawdownGrowth:
    """Minus the growth of the largest drawdown of the episode."""

    def __init__(self, _params: TermSettings, _market: Market, n: int) -> None:
        """Start without drawdown."""
        self._largest = np.zeros(n)

    def __call__(self, bar: BarView) -> np.ndarray:
        """Return minus the growth, float64, shape (N,)."""
        larger = np.maximum(self._largest, bar.drawdown)
        grown = self._largest - larger
        self._largest[:] = larger
        return grown

    def reset(self, accounts: np.ndarray) -> None:
        """Forget the drawdown of some accounts."""
        self._largest[accounts] = 0.0

    def blocks(self) -> Mapping[str, np.ndarray]:
        """Return the largest drawdowns."""
        return {"largest": self._largest}


class Idle:
    """−1 for each bar without position or trade after more than some of them in a row."""

    def __init__(self, params: TermSettings, _market: Market, n: int) -> None:
        """Start without idle bars."""
        self._threshold = params.idle_bars
        self._bars = np.zeros(n, dtype=np.int64)

    def __call__(self, bar: BarView) -> np.ndarray:
        """Return −1 or 0, float64, shape (N,)."""
        self._bars[:] = np.where(bar.idle, self._bars + 1, 0)
        return np.where(self._bars > self._threshold, -1.0, 0.0)

    def reset(self, accounts: np.ndarray) -> None:
        """Forget the idle bars of some accounts."""
        self._bars[accounts] = 0

    def blocks(self) -> Mapping[str, np.ndarray]:
        """Return the bars counted."""
        return {"bars": self._bars}
