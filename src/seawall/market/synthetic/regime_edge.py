"""A market that drifts with a hidden state, which changes by a Markov chain: the informed trader sees the state.

With the state k[t] at the close of bar t, the next close moves by

    log(close[t+1] / close[t]) = drifts[k[t]] - volatility² / 2 + volatility * z[t+1]

with z standard normal. Only the returns tell of the state; place of the close, range, volume and trades do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from seawall.core.seeding import generator
from seawall.market.synthetic.candles import bars_around
from seawall.market.synthetic.frame import SyntheticParams
from seawall.market.synthetic.known import DEFAULT_COST_PER_UNIT, LONG_FLAT_SHORT, KnownMarket
from seawall.market.synthetic.switching import SwitchingPolicy, best_switching, expected_log_growth, switching_costs

_ROUNDING = 1e-9
# The best policy is found by sweeps, whose number grows with the time that the chain takes to forget where it was.
_LONGEST_MEMORY = 0.9995


class RegimeEdgeParams(SyntheticParams):
    """A market of two or more hidden states."""

    drifts: tuple[float, ...] = Field(
        default=(0.0012, -0.0012), min_length=2, max_length=20, description="Log drift per bar in each state"
    )
    transitions: tuple[tuple[float, ...], ...] = Field(
        default=((0.99, 0.01), (0.01, 0.99)), description="Chance of the next state (column) after each state (row), per bar"
    )
    volatility: float = Field(default=0.005, gt=0.0, le=0.05, description="Standard deviation of the log return per bar")

    @model_validator(mode="after")
    def _chain_that_returns(self) -> RegimeEdgeParams:
        if max(abs(drift) for drift in self.drifts) > 0.05:
            raise ValueError(f"drifts are {list(self.drifts)}; allowed: within ±0.05")
        states = len(self.drifts)
        if len(self.transitions) != states or any(len(row) != states for row in self.transitions):
            raise ValueError(f"transitions must be {states} rows of {states} chances, for {states} drifts")
        for row in self.transitions:
            if min(row) < 0.0 or abs(sum(row) - 1.0) > _ROUNDING:
                raise ValueError(f"transitions row {list(row)} is no set of chances; they must be at least 0 and sum to 1")
        memory = float(np.sort(np.abs(np.linalg.eigvals(np.asarray(self.transitions))))[-2])
        if memory > _LONGEST_MEMORY:
            raise ValueError(
                f"transitions keep a share {memory:.6g} of where they started each bar; allowed: at most {_LONGEST_MEMORY}, "
                "so that every state comes again, in no fixed rhythm, within some thousand bars"
            )
        return self

    def occupancy(self) -> np.ndarray:
        """Return the long-run share of bars spent in each state, shape (K,)."""
        matrix, states = np.asarray(self.transitions), len(self.drifts)
        system = np.vstack([matrix.T - np.eye(states), np.ones(states)])
        return np.linalg.lstsq(system, np.append(np.zeros(states), 1.0), rcond=None)[0]


def regime_edge_bars(params: RegimeEdgeParams, seed: int) -> KnownMarket:
    """Make a market with a regime edge, which starts from the long-run shares.

    Args:
        params: Length, clock, states and their drifts.
        seed: Any whole number from 0.

    Returns:
        Bars, with the number of the state at the close of each bar as the signal.
    """
    draws = generator(seed, "regime edge states").random(params.n_bars)
    cumulative = np.cumsum(np.vstack([params.occupancy(), params.transitions]), axis=1)
    states = _chain(draws, cumulative / cumulative[:, -1:])
    drift = np.asarray(params.drifts)[states]
    shocks = generator(seed, "regime edge shocks").standard_normal(params.n_bars)
    moves = params.volatility * shocks - 0.5 * params.volatility**2
    moves[1:] += drift[:-1]
    return KnownMarket(bars_around(params, moves, params.volatility, seed, "regime edge"), states.astype(np.float64), drift)


def informed_regime_policy(
    params: RegimeEdgeParams, levels: Sequence[float] = LONG_FLAT_SHORT, cost_per_unit: float = DEFAULT_COST_PER_UNIT
) -> SwitchingPolicy:
    """Find the best policy of a trader who sees the state; its ``mean`` is the attainable log growth per bar.

    Args:
        params: The market.
        levels: Exposures that may be taken; 1 is all equity long.
        cost_per_unit: Cost per unit of traded notional, within [0, 1).

    Raises:
        ConfigError: No level, or a cost that cannot be paid, or a level that can lose everything in one bar.
    """
    exposures, switching = switching_costs(levels, cost_per_unit)
    states = np.arange(len(params.drifts), dtype=np.float64)
    earned = expected_log_growth(exposures, np.asarray(params.drifts), params.volatility)
    return best_switching(states, np.asarray(params.transitions), exposures, earned, switching)


@njit(cache=True)
def _chain(draws: np.ndarray, cumulative: np.ndarray) -> np.ndarray:
    # Row 0 of `cumulative` holds the chances of the first state, row k + 1 those after state k.
    states = np.empty(len(draws), dtype=np.int64)
    after = 0
    for row in range(len(draws)):
        states[row] = np.argmax(cumulative[after] > draws[row])
        after = states[row] + 1
    return states
