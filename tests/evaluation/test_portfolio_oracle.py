"""The oracle of portfolios: equal to every way through the assets, and above every mixture of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from evaluation.portfolio_worlds import COSTS, setting_of, walking
from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.evaluation.oracle.portfolio import portfolio_oracle
from seawall.simulator.portfolio.simulator import PortfolioSimulator
from simulator.small_portfolios import panel_of, walk


def growths(setting, weights) -> np.ndarray:
    """Log growth of paths of weights, shape (T − 1, N, A + 1), through the simulator; shape (N,)."""
    n = weights.shape[1]
    simulator = PortfolioSimulator(setting.panel, n, setting.costs, setting.accounts)
    simulator.reset(np.arange(n), np.full(n, setting.rows.start), np.full(n, setting.rows.stop))
    for each in weights:
        simulator.step(np.ascontiguousarray(each))
    return np.log(simulator.equity / setting.accounts.initial_equity)


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("band", [0.0, 0.3])
def test_it_equals_every_way_through_cash_and_assets(every, band):
    for seed in range(5):
        setting = setting_of(walk(seed, 2, 30), COSTS, RowRange(20, 27), rebalance_every=every, no_trade_band=band)
        found = portfolio_oracle(setting)
        ways = np.eye(3)[np.array(list(itertools.product(range(3), repeat=6))).T]
        assert found.kind == "exact"
        assert found.growth == pytest.approx(growths(setting, ways).max(), abs=1e-12)
        assert growths(setting, found.path[:, None])[0] == pytest.approx(found.growth, abs=1e-12)


@pytest.mark.parametrize("given", [{}, {"rebalance_every": 3}, {"stop_drawdown": 0.02}, {"no_trade_band": 0.1}])
@pytest.mark.parametrize("fill_ratio", [1.0, 0.5])
def test_no_mixture_beats_it(given, fill_ratio):
    for seed in range(5):
        costs = COSTS.model_copy(update={"fill_ratio": fill_ratio})
        setting = setting_of(walk(seed, 4, 80), costs, RowRange(10, 80), **given)
        weights = np.random.default_rng(seed).dirichlet(np.full(5, 0.3), (69, 64))
        weights[:, ::2] = np.repeat(weights[::10, ::2], 10, axis=0)[:69]
        found = portfolio_oracle(setting)
        assert found.kind == ("bound" if fill_ratio < 1.0 or "stop_drawdown" in given else "exact")
        assert growths(setting, weights).max() <= found.growth


def test_by_hand_a_switch_from_one_asset_to_another_pays_both_rates():
    # The first doubles in the second bar, the other in the third; 12 basis points a side, cash in between is free.
    panel = panel_of([[50.0, 50.0, 100.0, 100.0], [50.0, 50.0, 50.0, 100.0]])
    found = portfolio_oracle(setting_of(panel, COSTS))
    assert found.growth == pytest.approx(math.log(4.0) + 3 * math.log(1 - 0.0012), abs=1e-14)
    assert found.path[1:].tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def test_an_asset_without_a_bar_is_neither_bought_nor_sold():
    panel = panel_of([[50.0, 50.0, 100.0, 50.0]], stale=[[False, True, True, False]])
    assert portfolio_oracle(setting_of(panel, COSTS)).growth == 0.0


def test_an_account_that_stops_at_a_loss_keeps_what_it_is_marked_at():
    panel = panel_of([[100.0, 100.0, 200.0, 190.0, 100.0]], opens=[[100.0, 100.0, 100.0, 190.0, 100.0]])
    setting = setting_of(panel, COSTS, stop_drawdown=0.05)
    held = growths(setting, np.tile([0.0, 1.0], (4, 1, 1)))[0]
    assert held == pytest.approx(math.log(1.9 * (1 - 0.0012)), abs=1e-14)
    assert portfolio_oracle(setting).growth >= held


def test_rows_outside_of_the_panel_are_refused():
    setting = walking(rows=40)
    with pytest.raises(ConfigError, match=r"rows 10\.\.40; allowed: at least 2 of 40"):
        portfolio_oracle(setting.over(RowRange(10, 41)))
