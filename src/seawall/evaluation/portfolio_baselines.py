"""Simple rivals that a trained policy of portfolios must beat under the same costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seawall.core.bars import CLOSE, OPEN
from seawall.core.market import Market
from seawall.core.protocols import Observation, Policy
from seawall.core.seeding import generator
from seawall.evaluation.online_portfolios import ONLINE_RULES, OnlineRule
from seawall.evaluation.rival_rules import Details

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
        stop_row: One past the last row that is judged, for those that know it; the end of the panel where 0.
    """

    n_assets: int
    n_rows: int
    first_row: int
    seed: int
    stop_row: int = 0


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


class Online:
    """Follows a published rule, from equal weights at the first decision on."""

    def __init__(self, rule: OnlineRule, first_row: int) -> None:
        """Take the rule and the row of the first decision."""
        self._rule, self._first = rule, first_row
        self._market: Market | None = None
        self._weights = np.zeros((0, 0))

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return the weights of each row, which closes until then decide, float64, shape (N, A + 1)."""
        del deterministic
        if self._market is not observation.market:
            self._market = observation.market
            weights = self._rule(_by_row(observation.market, CLOSE), self._first)
            self._weights = np.column_stack([np.zeros(len(weights)), weights])
        return self._weights[observation.rows], {}


class BestAsset:
    """Buys, at the first decision, the one asset that will have risen most at the end. It knows the future, and is no rival."""

    def __init__(self, rival: PortfolioRival) -> None:
        """Take the rows that are judged."""
        self._first, self._last = rival.first_row, (rival.stop_row or rival.n_rows) - 1

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return all weight on that asset, float64, shape (N, A + 1), and ``hold`` after the first row."""
        del deterministic
        opens, closes = (_by_row(observation.market, column) for column in (OPEN, CLOSE))
        weights = np.zeros((len(observation.rows), closes.shape[1] + 1))
        weights[:, 1 + int(np.argmax(closes[self._last] / opens[self._first + 1]))] = 1.0
        return weights, {"hold": observation.rows != self._first}


def _by_row(market: Market, column: int) -> np.ndarray:
    """Return one price of every asset, float64, shape (T, A)."""
    assets = len(market.symbols)
    return np.ascontiguousarray(market.prices[:, column].reshape(assets, -1).T, dtype=np.float64)


def _online(rule: OnlineRule) -> Callable[[PortfolioRival], Policy]:
    return lambda rival: Online(rule, rival.first_row)


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
    **{name: _online(rule) for name, rule in ONLINE_RULES.items()},
}
"""Every rival, by name."""
HINDSIGHT: dict[str, Callable[[PortfolioRival], Policy]] = {"best_in_hindsight": BestAsset}
"""What is shown beside the rivals though it knows the future; nobody has to beat it."""
