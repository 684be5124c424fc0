"""The reward of N accounts: its terms, their weighted sum, and what they add up to over an episode."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit

from seawall.core.errors import InvariantError
from seawall.core.market import Market
from seawall.simulator.rewards.bar import BarView
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.rewards.terms import REWARD_TERMS


@njit(cache=True, error_model="numpy")
def _weighed(terms: np.ndarray, weights: np.ndarray, sums: np.ndarray, total: np.ndarray) -> bool:
    """Fill the weighted sums of the terms, add them to those of the episode, and say whether all are finite numbers."""
    total[:] = 0.0
    for place in range(len(weights)):
        for i in range(len(total)):
            weighted = terms[place, i] * weights[place]
            sums[place, i] += weighted
            total[i] += weighted
    good = True
    for i in range(len(total)):
        good = good and np.isfinite(total[i])
    return good


class Reward:
    """Computes the reward bar by bar.

    Attributes:
        names: The K terms, in order.
        terms: The terms of the last bar, before their weights, float64, shape (K, N).
        sums: What each term, times its weight and the scale, has added up to in the episode, float64, shape (K, N).
    """

    def __init__(self, params: RewardParams, market: Market, n: int) -> None:
        """Build the terms.

        Args:
            params: Weights and settings.
            market: What the rows refer to.
            n: Number of accounts, N.
        """
        self.names = tuple(params.weights)
        self.terms, self.sums = np.zeros((len(self.names), n)), np.zeros((len(self.names), n))
        self._weights = np.array(list(params.weights.values())) * params.scale
        self._clip = params.clip
        self._states = [REWARD_TERMS[name].build(params, market, n) for name in self.names]

    @property
    def plain(self) -> bool:
        """Whether the reward is the log return alone, for which nothing needs to be known of the bar before."""
        return self.names == ("log_return",)

    @property
    def first_weight(self) -> float:
        """Weight of the first term, times the scale."""
        return float(self._weights[0])

    def earned(self, bar: BarView, ended: np.ndarray | None) -> np.ndarray:
        """Return the reward of the bar just marked, float64, shape (N,).

        Args:
            bar: The bar.
            ended: Accounts whose episode was over before it, which earn 0, bool, shape (N,); None where there is none.

        Raises:
            InvariantError: A term is not a finite number.
        """
        total = np.empty(bar.n)
        for place, state in enumerate(self._states):
            self.terms[place] = state(bar)
        if ended is not None:
            self.terms[:, ended] = 0.0
        if not _weighed(self.terms, self._weights, self.sums, total):
            self._name_the_fault(bar)
        return self._clipped(total)

    def of_log_return(self, log_return: np.ndarray) -> np.ndarray:
        """Return what `earned` would where the reward is `plain`, float64, shape (N,); no bar is looked at."""
        self.terms[0] = log_return
        total = log_return * self.first_weight
        self.sums[0] += total
        return self._clipped(total)

    def _clipped(self, total: np.ndarray) -> np.ndarray:
        return total if self._clip is None else np.clip(total, -self._clip, self._clip)

    def _name_the_fault(self, bar: BarView) -> None:
        for name, term in zip(self.names, self.terms, strict=True):
            wrong = ~np.isfinite(term)
            if wrong.any():
                account = int(np.argmax(wrong))
                raise InvariantError(
                    f"reward term {name!r} is {term[account]} for account {account} at row {int(bar.row[account])}; "
                    "allowed: finite numbers"
                )
        raise InvariantError(f"the weighted reward of terms {list(self.names)} is beyond any number; allowed: smaller weights")

    def told(self, account: int) -> dict[str, float]:
        """Return what each term added to the reward of an account's last bar, weighted, before any clipping."""
        weighted = self.terms[:, account] * self._weights
        return dict(zip(self.names, weighted.tolist(), strict=True))

    def reset(self, accounts: np.ndarray) -> None:
        """Forget what is known of some accounts, at the start of an episode; int64, shape (K,)."""
        self.terms[:, accounts] = 0.0
        self.sums[:, accounts] = 0.0
        for state in self._states:
            state.reset(accounts)

    def blocks(self) -> Mapping[str, np.ndarray]:
        """Return the arrays of a saved state, by name."""
        blocks = {"reward_sums": self.sums}
        for name, state in zip(self.names, self._states, strict=True):
            blocks.update({f"reward_{name}_{part}": block for part, block in state.blocks().items()})
        return blocks
