"""The trader who is told the state: what it fits is the rows', and what it lacks is what their luck costs."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.market.synthetic.ladder import ladder_market
from seawall.market.synthetic.ladder_fitted import fitted_choices, fitted_share


def test_many_rows_give_the_best_policy_itself():
    ladder = ladder_market("regime", "strong", 0, (60_000, 1_000, 10_000))
    assert (fitted_choices(ladder) == ladder.optimum.choice).all()
    assert fitted_share(ladder) == pytest.approx(1.0, abs=1e-12)


def test_few_rows_of_a_weak_edge_cost_some_of_it():
    shares = [fitted_share(ladder_market("ar1", "weak", seed, (4_000, 1_000, 20_000))) for seed in range(5)]
    assert np.mean(shares) < 0.9
    assert np.mean([fitted_share(ladder_market("ar1", "weak", seed, (200_000, 1_000, 20_000))) for seed in range(2)]) > 0.97


def test_nothing_of_other_rows_nor_of_the_true_drift_is_fitted():
    # Told the moves of the rows to learn from alone: shuffled there, and true in the rows to judge on, they fit nothing that pays.
    shares = [fitted_share(ladder_market("ar1", "strong", seed, (60_000, 1_000, 10_000), shuffled=True)) for seed in range(3)]
    assert max(shares) < 0.05
