"""How sure a figure over seeds is: interquartile mean, intervals over seeds, and the probability of improvement.

As in Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice (2021), and its library rliable: seeds
of each market are drawn with replacement, each market by itself, and the markets stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.seeding import generator
from seawall.evaluation.bootstrap import BootstrapParams, Interval
from seawall.evaluation.metrics import Measured

MIN_SEEDS = 3
"""With fewer seeds than this nothing is said of their spread."""


@dataclass(frozen=True)
class Estimate:
    """A figure over seeds and its interval.

    Attributes:
        figure: The figure.
        interval: Its bootstrap interval; undefined where the figure is.
    """

    figure: Measured
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as plain values."""
        return {"value": self.figure.value, **({"reason": self.figure.reason} if self.figure.reason else self.interval.to_dict())}


def interquartile_mean(scores: np.ndarray) -> float:
    """Return the mean of the middle half: a quarter of the scores, rounded down, is dropped at each end.

    Args:
        scores: Finite, float64, at least one; all axes are taken together, as one seed of one market each.
    """
    from scipy.stats import trim_mean

    return float(trim_mean(np.ravel(np.asarray(scores, dtype=np.float64)), 0.25))


def seed_spread(scores: np.ndarray, params: BootstrapParams | None = None) -> dict[str, Estimate]:
    """Return interquartile mean, mean and median over seeds, each with its interval.

    Args:
        scores: A figure of each seed, float64, shape (R,), or of each seed on each of M markets, shape (R, M).
        params: Settings of the intervals; the defaults where None.

    Returns:
        ``iqm``, ``mean`` and ``median``; undefined with fewer than `MIN_SEEDS` seeds or a score that is no finite number.

    Raises:
        ConfigError: The scores have another shape.
    """
    params = BootstrapParams() if params is None else params
    table = _table("scores", scores)
    reason = _why_not("scores", table)
    if reason:
        return dict.fromkeys(("iqm", "mean", "median"), _undefined(reason))
    drawn = _drawn(table, params, "seeds").reshape(params.n_resamples, -1)
    from scipy.stats import trim_mean

    figures: dict[str, tuple[float, np.ndarray]] = {
        "iqm": (interquartile_mean(table), trim_mean(drawn, 0.25, axis=1)),
        "mean": (float(table.mean()), drawn.mean(axis=1)),
        "median": (float(np.median(table)), np.median(drawn, axis=1)),
    }
    return {name: _estimate(observed, resampled, params) for name, (observed, resampled) in figures.items()}


def probability_of_improvement(scores: np.ndarray, rival: np.ndarray, params: BootstrapParams | None = None) -> Estimate:
    """Return how likely a seed of one policy is better than a seed of another on the same market; a draw counts half.

    The mean over markets of the Mann-Whitney U statistic / (R1·R2).

    Args:
        scores: Of R1 seeds, float64, shape (R1,) or (R1, M).
        rival: Of R2 seeds of the other, float64, shape (R2,) or (R2, M).
        params: Settings of the interval; the defaults where None.

    Raises:
        ConfigError: The scores have another shape, or other numbers of markets.
    """
    params = BootstrapParams() if params is None else params
    ours, theirs = _table("scores", scores), _table("rival", rival)
    if ours.shape[1] != theirs.shape[1]:
        raise ConfigError(f"scores are of {ours.shape[1]} markets and the rival's of {theirs.shape[1]}; allowed: the same markets")
    reason = _why_not("scores", ours) or _why_not("the rival's scores", theirs)
    if reason:
        return _undefined(reason)
    observed = float(_wins(ours[None], theirs[None])[0])
    return _estimate(observed, _wins(_drawn(ours, params, "seeds"), _drawn(theirs, params, "rival seeds")), params)


def _wins(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the share of pairs that are won, of each of B resamples of shape (R, M)."""
    difference = ours[:, :, None, :] - theirs[:, None, :, :]
    return ((difference > 0.0) + 0.5 * (difference == 0.0)).mean(axis=(1, 2, 3))


def _drawn(table: np.ndarray, params: BootstrapParams, name: str) -> np.ndarray:
    """Draw seeds with replacement, for each market by itself; shape (B, R, M)."""
    rows = generator(params.seed, name).integers(len(table), size=(params.n_resamples, *table.shape))
    return np.take_along_axis(table[None], rows, axis=1)


def _estimate(observed: float, resampled: np.ndarray, params: BootstrapParams) -> Estimate:
    tail = 100.0 * (1.0 - params.confidence) / 2.0
    low, high = np.percentile(resampled, [tail, 100.0 - tail])
    return Estimate(Measured(observed), Interval(float(low), float(high)))


def _undefined(reason: str) -> Estimate:
    return Estimate(Measured(None, reason), Interval(None, None, reason))


def _table(name: str, scores: np.ndarray) -> np.ndarray:
    table = np.asarray(scores, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or table.shape[1] == 0:
        raise ConfigError(f"{name} have shape {table.shape}; allowed: (seeds,) or (seeds, markets)")
    return table


def _why_not(name: str, table: np.ndarray) -> str:
    if len(table) < MIN_SEEDS:
        return f"{len(table)} seeds tell nothing of their spread; at least {MIN_SEEDS} are needed"
    bad = int(np.count_nonzero(~np.isfinite(table)))
    return f"{bad} of {table.size} {name} are no finite numbers" if bad else ""
