"""What a bar of a portfolio is worth to a learner."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.simulator.costs.params import CostParams
from simulator.small_portfolios import panel_of, started, walk

COSTS = CostParams(taker_bps=100.0, spread_bps=0.0)
HALF = np.array([[0.0, 1.0, 0.0]])


def test_the_published_reward_is_scaled_profit_from_prices_and_its_excess_without_costs():
    # A gains 1 % over the bar and B nothing: the portfolio, all in A, earns 1 % of the 990 left after costs.
    simulator = started(panel_of([[100, 101], [50, 50]]), costs=COSTS, reward="scaled_return")
    reward = simulator.step(HALF).reward[0]
    earned, benchmark = 0.01 * 0.99, 0.005
    assert reward == pytest.approx(1_000 * earned + 500 * (earned - benchmark), rel=1e-12)
    assert simulator.fee[0] > 0.0


@pytest.mark.parametrize(("close", "bound"), [(130, 100.0), (70, -100.0)])
def test_the_published_reward_is_clipped_to_a_hundred(close, bound):
    simulator = started(panel_of([[100, close], [50, 50]]), reward="scaled_return")
    assert simulator.step(HALF).reward[0] == pytest.approx(bound, abs=1e-9)
    parts = simulator.reward_parts()
    assert list(parts) == ["growth", "excess", "clip"]
    assert parts["growth"][0] == pytest.approx(10 * (close - 100), rel=1e-12)


@pytest.mark.parametrize("settings", [{}, {"excess_weight": 0.5}, {"reward": "scaled_return"}])
def test_parts_add_up_to_the_reward_of_every_account_and_bar(settings):
    n, source = 5, np.random.default_rng(3)
    simulator = started(walk(1), n, COSTS, **settings)
    for _ in range(20):
        reward = simulator.step(source.dirichlet(np.ones(5), n)).reward
        np.testing.assert_allclose(np.sum(list(simulator.reward_parts().values()), axis=0), reward, rtol=0, atol=1e-12)


def test_the_default_reward_is_the_log_growth_of_equity_after_costs():
    simulator = started(walk(2), costs=COSTS)
    before = simulator.equity.copy()
    reward = simulator.step(np.array([[0.2, 0.2, 0.2, 0.2, 0.2]])).reward
    assert reward[0] == np.log(simulator.equity[0] / before[0])
