"""What the rows to learn from can tell at most: the best policy fitted to them by a trader who is told the state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seawall.market.synthetic.ladder import LEVELS, VOLATILITY, LadderMarket
from seawall.market.synthetic.ladder_chains import Chain
from seawall.market.synthetic.switching import best_switching, expected_log_growth, switching_costs

_TOLERANCE = 1e-10


def fitted_choices(ladder: LadderMarket) -> np.ndarray:
    """Return the best policy for the drifts of states, and the chances between them, as the rows to learn from show them.

    The drifts are the least squares of the moves on the states, one column for each: their means. The chances are counts, with one
    seen of each that the true chain allows. Nothing of the other rows is used, nor of the true drift.

    Args:
        ladder: The market.

    Returns:
        Place in `LEVELS` to hold next, for the level held and the state; int64, shape (3, K).
    """
    rows, chain = ladder.split.train, ladder.rung.chain()
    n_states = len(chain.shape)
    states, moves = ladder.states[rows.start : rows.stop], np.log1p(ladder.moves[rows.start + 1 : rows.stop])
    seen = np.bincount(states[:-1], minlength=n_states)
    drift = np.bincount(states[:-1], moves, n_states) / np.maximum(seen, 1) + 0.5 * VOLATILITY**2
    steps = np.bincount(states[:-1] * n_states + states[1:], minlength=n_states**2).reshape(n_states, n_states)
    counted = steps + (chain.transition > 0.0)
    fitted: Chain = replace(chain, transition=counted / counted.sum(1, keepdims=True))
    levels, switching = switching_costs(LEVELS, ladder.cost_rate)
    earned = expected_log_growth(levels, drift, VOLATILITY)
    return best_switching(np.arange(n_states, dtype=np.float64), fitted.transition, levels, earned, switching, _TOLERANCE).choice


def fitted_share(ladder: LadderMarket) -> float:
    """Return the share of the attainable, on the rows to judge on, of a trader who is told the state and fits the rest.

    It falls short of 1 by what the luck of the rows to learn from costs even whoever need not find the signal. A learner, who must
    find it among the other columns, cannot be asked for more.

    Args:
        ladder: The market.

    Returns:
        As `LadderMarket.share`.
    """
    rows = ladder.split.test
    return ladder.share(fitted_choices(ladder)[:, ladder.states[rows.start : rows.stop - 1]].T, rows)
