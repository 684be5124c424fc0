"""How overfitted a choice among configurations is: the probability of backtest overfitting.

By combinatorially symmetric cross-validation (Bailey, Borwein, Lopez de Prado and Zhu, The Probability of Backtest Overfitting,
2017): the bars are cut into S blocks, and for each of the C(S, S/2) ways to take half of them, the configuration that was best
there is looked up in the other half. Where choosing is luck, its rank there is anything; where it is skill, it is high.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seawall.core.errors import ConfigError
from seawall.evaluation.metrics import Measured

Measure = Literal["sharpe", "mean"]
MOST_BLOCKS = 20

_CHUNK = 2_048
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Overfitting:
    """What the halves say. Arrays are empty where `probability` is undefined.

    Attributes:
        probability: Share of the halves whose best configuration ranks at or below the middle in the other half.
        slope: Least-squares slope of the chosen one's figure out of sample over that in sample; below 0 the better it looked, the
            worse it did.
        loss: Share of the halves whose best configuration has a figure below 0 in the other half.
        logits: ln(ω / (1 − ω)) of each half, ω the rank / (N + 1); float64, shape (C,).
        in_sample: Figure of the chosen one in the half that chose it, float64, shape (C,).
        out_of_sample: Its figure in the other half, float64, shape (C,).
        n_trials: N, configurations.
        n_blocks: S.
    """

    probability: Measured
    slope: Measured
    loss: Measured
    logits: np.ndarray
    in_sample: np.ndarray
    out_of_sample: np.ndarray
    n_trials: int
    n_blocks: int

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, with reasons where they are undefined, and the quartiles of the logits."""
        figures = {"probability": self.probability, "slope": self.slope, "loss": self.loss}
        quartiles = [float(each) for each in np.percentile(self.logits, [25, 50, 75])] if len(self.logits) else None
        return {
            **{name: figure.value for name, figure in figures.items()},
            "undefined": {name: figure.reason for name, figure in figures.items() if figure.value is None},
            "logit_quartiles": quartiles,
            "splits": len(self.logits),
            "trials": self.n_trials,
            "blocks": self.n_blocks,
        }


def backtest_overfitting(returns: np.ndarray, n_blocks: int = 16, measure: Measure = "sharpe") -> Overfitting:
    """Return how overfitted the choice of the best of N configurations is.

    On noise the probability is 1/2 on average over markets (with an odd number of configurations (N + 1)/2N, since the middle
    rank counts); one market alone scatters by some 0.2.

    Args:
        returns: Net returns per bar of each configuration on the same bars, float64, shape (T, N). The oldest bars that do not
            fill the blocks evenly are left out. Equal figures share the middle of their ranks; of equal ones the first is chosen.
        n_blocks: S, even, 2 to `MOST_BLOCKS`.
        measure: Figure that chooses: Sharpe ratio per bar, taken as 0 for a configuration that is flat all through a half, or mean.

    Raises:
        ConfigError: The number of blocks or the measure is not allowed.
    """
    if isinstance(n_blocks, bool) or n_blocks not in range(2, MOST_BLOCKS + 1, 2):
        raise ConfigError(f"n_blocks is {n_blocks!r}; allowed: an even number from 2 to {MOST_BLOCKS}")
    if measure not in ("sharpe", "mean"):
        raise ConfigError(f"measure is {measure!r}; allowed: sharpe, mean")
    values = np.asarray(returns, dtype=np.float64)
    reason = _why_not(values, n_blocks)
    if reason:
        return _undefined(reason, values, n_blocks)
    kept = values[len(values) % n_blocks :]
    blocks = _Blocks(kept, n_blocks, measure)
    parts = [_choose(blocks.figures(chosen), blocks.figures(1.0 - chosen)) for chosen in _halves(n_blocks)]
    logits, inside, outside = (np.concatenate(part) for part in zip(*parts, strict=True))
    if not (np.isfinite(inside).all() and np.isfinite(outside).all()):
        return _undefined("a configuration has the same return other than 0 on every bar of a half", values, n_blocks)
    probability, loss = Measured(float(np.mean(logits <= 0.0))), Measured(float(np.mean(outside < 0.0)))
    return Overfitting(probability, _slope(inside, outside), loss, logits, inside, outside, values.shape[1], n_blocks)


class _Blocks:
    """Sums over blocks, from which the figures of any half follow."""

    def __init__(self, values: np.ndarray, n_blocks: int, measure: Measure) -> None:
        self.measure = measure
        self.size = len(values) // n_blocks
        scale = np.abs(values).max(axis=0)
        self.scale = np.where(scale > 0.0, scale, 1.0)
        cut = (values / self.scale).reshape(n_blocks, self.size, -1)
        self.centre = cut.mean(axis=(0, 1))
        centred = cut - self.centre
        self.sums, self.squares = centred.sum(axis=1), (centred**2).sum(axis=1)
        self.busy = (cut != 0.0).sum(axis=1)

    def figures(self, chosen: np.ndarray) -> np.ndarray:
        """Return the figure of each configuration over some blocks, NaN where it is infinite; shape (C, N).

        Args:
            chosen: 1 for a block that counts and 0 for another, float64, shape (C, S).
        """
        count = self.size * chosen.sum(axis=1, keepdims=True)
        shift = chosen @ self.sums / count
        mean = self.centre + shift
        if self.measure == "mean":
            return mean * self.scale
        variance = (chosen @ self.squares - count * shift**2) / (count - 1.0)
        moves = variance > _ROUNDING
        sharpe = mean / np.sqrt(np.where(moves, variance, 1.0))
        idle = np.where(chosen @ self.busy == 0.0, 0.0, math.nan)
        return np.where(moves, sharpe, idle)


def _halves(n_blocks: int) -> Iterator[np.ndarray]:
    """Yield every way to take half of the blocks, some at a time, as rows of ones and zeros."""
    ways = itertools.combinations(range(n_blocks), n_blocks // 2)
    while some := list(itertools.islice(ways, _CHUNK)):
        chosen = np.zeros((len(some), n_blocks))
        chosen[np.arange(len(some))[:, None], np.array(some)] = 1.0
        yield chosen


def _choose(inside: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logit, figure in sample and figure out of sample of the best of each half."""
    rows = np.arange(len(inside))
    # A NaN is taken by argmax; the caller sees it in what is returned.
    best = np.argmax(inside, axis=1)
    figure = outside[rows, best]
    below, equal = (outside < figure[:, None]).sum(axis=1), (outside == figure[:, None]).sum(axis=1)
    share = (below + (equal + 1) / 2.0) / (inside.shape[1] + 1)
    return np.log(share / (1.0 - share)), inside[rows, best], np.where(np.isnan(outside).any(axis=1), math.nan, figure)


def _slope(inside: np.ndarray, outside: np.ndarray) -> Measured:
    centred = inside - inside.mean()
    spread = float(np.dot(centred, centred))
    if spread <= _ROUNDING**2 * float(np.abs(inside).max()) ** 2 * len(inside):
        return Measured(None, "the best figure is the same in every half")
    return Measured(float(np.dot(centred, outside)) / spread)


def _why_not(values: np.ndarray, n_blocks: int) -> str:
    if values.ndim != 2:
        return f"returns have shape {values.shape}; bars and configurations are needed"
    n_bars, n_trials = values.shape
    if n_trials < 2:
        return f"{n_trials} configuration is no choice; at least 2 are needed"
    if n_bars < 2 * n_blocks:
        return f"{n_bars} bars are too few for {n_blocks} blocks; at least {2 * n_blocks} are needed"
    bad = int(np.count_nonzero(~np.isfinite(values)))
    return f"{bad} of {values.size} returns are no finite numbers" if bad else ""


def _undefined(reason: str, values: np.ndarray, n_blocks: int) -> Overfitting:
    nothing, empty = Measured(None, reason), np.empty(0)
    n_trials = values.shape[1] if values.ndim == 2 else 0
    return Overfitting(nothing, nothing, nothing, empty, empty, empty, n_trials, n_blocks)
