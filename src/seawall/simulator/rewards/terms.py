"""Rewards: a weighted sum of named per-bar terms, each declaring how far ahead it looks.

A new term is one function of the ledger and one line in `REWARD_TERMS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import Field, field_validator

from seawall.core.params import Params
from seawall.simulator.kernel.layout import LOG_RETURN, STATE

RewardFunction = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class RewardTerm:
    """One part of a reward.

    Attributes:
        function: Maps the ledger block of the bar just marked, float64, shape (rows of the ledger, N), to the term,
            float64, shape (N,). Known at the close of that bar.
        horizon: Bars after the mark that the term looks at; 0 for a term that an account really earns. Splits purge
            by the longest horizon.
        meaning: What the term is, in plain words.
    """

    function: RewardFunction
    horizon: int
    meaning: str


def log_return(ledger: np.ndarray) -> np.ndarray:
    """Return log(equity now / equity one bar ago) after all costs, floored for ruin; shape (N,)."""
    return ledger[LOG_RETURN - STATE]


REWARD_TERMS: dict[str, RewardTerm] = {
    "log_return": RewardTerm(log_return, 0, "log change of equity over the bar, after all costs"),
}


class RewardParams(Params):
    """The weights of a reward."""

    weights: dict[str, float] = Field(
        default={"log_return": 1.0}, min_length=1, description="Weight of each named term; the reward is their weighted sum"
    )

    @field_validator("weights")
    @classmethod
    def _known_terms(cls, weights: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(weights) - set(REWARD_TERMS))
        if unknown:
            raise ValueError(f"unknown reward terms {unknown}; allowed: {sorted(REWARD_TERMS)}")
        return weights

    @property
    def horizon(self) -> int:
        """Bars that the longest-looking term needs after the mark."""
        return max(REWARD_TERMS[name].horizon for name in self.weights)


def weighted_reward(ledger: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
    """Return the reward of the bar just marked.

    Args:
        ledger: The kernel's ledger block, float64, shape (rows of the ledger, N).
        weights: Weight of each registered term, at least one.

    Returns:
        A new float64 array of shape (N,).
    """
    (first, weight), *others = weights.items()
    reward = weight * REWARD_TERMS[first].function(ledger)
    for name, weight in others:
        reward += weight * REWARD_TERMS[name].function(ledger)
    return reward
