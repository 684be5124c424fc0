"""Simple rivals that a trained policy of portfolios must beat under the same costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from seawall.core.protocols import Observation, Policy
from seawall.core.seeding import generator

Details = Mapping[str, np.ndarray]
IDLE = "cash"
"""The rival that never trades."""


@dataclass(frozen=True)
class PortfolioRival:
    """What a rival is made from.

    Attributes:
        n_assets: A.
        n_rows: Rows of the panel.
        first_row: Row of the first decision.
        seed: Of what is drawn.
    """

    n_assets: int
    n_rows: int
    first_row: int
    seed: int


class ConstantWeights:
    """Asks for the same weights at every bar: nothing but cash, or the uniform constant rebalanced portfolio (UCRP).

    Source of the latter: Cover 1991, "Universal portfolios".
    """

    def __init__(self, weights: np.ndarray) -> None:
        """Take the weights of cash and the assets, shape (A + 1,)."""
        self._weights = weights

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return the weights for each of N portfolios, float64, shape (N, A + 1)."""
        del deterministic
        return np.tile(self._weights, (len(observation.rows), 1)), {}


class BuyAndHold(ConstantWeights):
    """Buys all assets for the same amount at the first decision, and leaves everything as it is from then on."""

    def __init__(self, weights: np.ndarray, first_row: int) -> None:
        """Take the weights at the first decision, and its row."""
        super().__init__(weights)
        self._first = first_row

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return the weights, and ``hold`` after the first row."""
        weights, _ = super().act(observation, deterministic=deterministic)
        return weights, {"hold": observation.rows != self._first}


class RandomWeights:
    """New weights at every bar, each mix as likely as any other, drawn beforehand so that they cannot depend on anything seen."""

    def __init__(self, n_assets: int, n_rows: int, seed: int) -> None:
        """Draw the weights of every row."""
        self._weights = generator(seed, "random weights").dirichlet(np.ones(n_assets + 1), n_rows)

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return the weights drawn for each row, float64, shape (N, A + 1)."""
        del deterministic
        return self._weights[observation.rows], {}


def _all_cash(rival: PortfolioRival) -> np.ndarray:
    weights = np.zeros(rival.n_assets + 1)
    weights[0] = 1.0
    return weights


def _equal(rival: PortfolioRival) -> np.ndarray:
    weights = np.full(rival.n_assets + 1, 1.0 / rival.n_assets)
    weights[0] = 0.0
    return weights


PORTFOLIO_BASELINES: dict[str, Callable[[PortfolioRival], Policy]] = {
    IDLE: lambda rival: ConstantWeights(_all_cash(rival)),
    "buy_and_hold": lambda rival: BuyAndHold(_equal(rival), rival.first_row),
    "ucrp": lambda rival: ConstantWeights(_equal(rival)),
    "random": lambda rival: RandomWeights(rival.n_assets, rival.n_rows, rival.seed),
}
"""Every rival, by name."""
