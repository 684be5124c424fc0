"""The published rules of online portfolio selection: worked by hand, and on the simplex without a look ahead."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.portfolio_worlds import COSTS, setting_of, walking
from seawall.core.market import RowRange
from seawall.core.protocols import Observation
from seawall.evaluation.online_portfolios import ONLINE_RULES, median_of, nearest_by, nearest_on_simplex
from seawall.evaluation.portfolio_backtest import portfolio_backtest
from seawall.evaluation.portfolio_baselines import HINDSIGHT, PORTFOLIO_BASELINES, PortfolioRival
from seawall.evaluation.portfolio_evaluate import portfolio_rivals
from simulator.small_portfolios import walk


def weights(name: str, *rows: tuple[float, ...]) -> np.ndarray:
    return ONLINE_RULES[name](np.array(rows, dtype=np.float64), 0)


def test_exponentiated_gradient_by_hand():
    # Log odds: η (2 − 1) / 1.5; then η (0.5 − 1) / (1 − b / 2); then both move alike.
    found = weights("eg", (1, 1), (2, 1), (1, 1), (3, 3))
    first = 1 / (1 + math.exp(-0.05 / 1.5))
    odds = [0.0, 0.05 / 1.5, 0.05 / 1.5 - 0.025 / (1 - first / 2)]
    np.testing.assert_allclose(np.log(found[:, 0] / found[:, 1]), [*odds, odds[2]], rtol=0, atol=1e-14)


def test_passive_aggressive_reversion_by_hand():
    # x = (2, 1, 1): τ = (4/3 − 1/2) / (2/3) = 5/4, from a third each to (−1/2, 3/4, 3/4).
    # x = (1, 2, 1): τ = 3/2, to (1/2, −1/2, 1). x = (1, 1, 3): τ = 3/4, to (3/4, 1/2, −1/4). Each is brought to the simplex.
    found = weights("pamr", (1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 3))
    np.testing.assert_allclose(found[1:], [[0, 0.5, 0.5], [0.25, 0, 0.75], [0.625, 0.375, 0]], rtol=0, atol=1e-14)


def test_moving_average_reversion_by_hand():
    # The first fell from 30 to 1 and stays there: 31/2, 32/3 and 33/4 are expected of it, 1 of the other.
    found = weights("olmar", (30, 1), (1, 1), (1, 1), (1, 1))
    np.testing.assert_allclose(found[:, 0], [1 / 2, 18 / 29, 27 / 29, 1], rtol=0, atol=1e-14)


def test_moving_average_reversion_forgets_what_is_older_than_five_bars():
    # 61/2 and 62/3 are beyond ε; then 63/4, 64/5, and 1: nothing is expected any more.
    found = weights("olmar", (60, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1))
    np.testing.assert_allclose(found[2:, 0], [0.5, 0.5 + 1.625 / 14.75, 45 / 59, 45 / 59], rtol=0, atol=1e-14)


def test_median_reversion_by_hand():
    # Nothing moves; then the first falls to a sixth, and the median of (6, 6, 1) is 6; then (12, 12, 2, 1) has 6.75, beyond ε.
    found = weights("rmr", (1, 1), (1, 1), (1 / 6, 1), (1 / 12, 1))
    np.testing.assert_allclose(found[:, 0], [0.5, 0.5, 0.8, 0.8], rtol=0, atol=1e-8)


def test_the_online_newton_step_by_hand():
    # With p = (q, 1 − q): q (M11 − 2 M12 + M22) = M22 − M12 + g1 − g2. First ∇ = (4, 2) / 3, then (1, 1), then (44, 88) / 75.
    third = (5 / 9 + 3872 / 5625 + 1 / 6 - 11 / 75) / (22 / 9 + 1936 / 5625)
    found = weights("ons", (1, 1), (2, 1), (2, 1), (1, 1))
    np.testing.assert_allclose(found[:, 0], [0.5, 13 / 44, 13 / 44, third], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", list(ONLINE_RULES))
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), assets=st.integers(2, 6), volatility=st.sampled_from([0.001, 0.05, 0.5]))
def test_weights_lie_on_the_simplex_and_know_no_future_and_no_units(name, seed, assets, volatility):
    draws = np.random.default_rng(seed)
    closes = np.exp(np.cumsum(draws.normal(0.0, volatility, (40, assets)), axis=0))
    found = ONLINE_RULES[name](closes, 7)
    assert (found >= 0.0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found[:8], 1.0 / assets)
    future = closes.copy()
    future[25:] *= draws.uniform(0.5, 2.0, (15, assets))
    np.testing.assert_array_equal(ONLINE_RULES[name](future, 7)[:25], found[:25])
    # A power of two changes no bit of a ratio.
    np.testing.assert_array_equal(ONLINE_RULES[name](closes * 2.0 ** draws.integers(-9, 9, assets), 7), found)


def test_nearest_weights_by_hand():
    assert nearest_on_simplex(np.array([0.2, 0.3, 0.5])).tolist() == [0.2, 0.3, 0.5]
    np.testing.assert_allclose(nearest_on_simplex(np.array([0.5, -0.5, 1.0])), [0.25, 0.0, 0.75], atol=1e-15)


def test_the_nearest_weights_in_another_norm_are_the_least_of_many():
    draws = np.random.default_rng(0)
    for _ in range(20):
        root = draws.normal(size=(4, 4))
        matrix, goal = np.eye(4) + root @ root.T, draws.normal(size=4) * 3
        found = nearest_by(matrix, goal, np.eye(4)[0])
        np.testing.assert_allclose(found, nearest_by(matrix, goal, np.full(4, 0.25)), rtol=0, atol=1e-12)
        others = draws.dirichlet(np.full(4, 0.5), 20_000)
        worth = 0.5 * np.einsum("ni,ij,nj->n", others, matrix, others) - others @ goal
        assert 0.5 * found @ matrix @ found - found @ goal <= worth.min()
        assert found.min() >= 0.0
        assert found.sum() == pytest.approx(1.0, abs=1e-14)


def test_the_median_of_a_triangle_sees_its_corners_at_equal_angles():
    corners = np.array([[0.0, 0.0], [4.0, 0.0], [1.0, 3.0]])
    pulls = corners - median_of(corners)
    pulls /= np.linalg.norm(pulls, axis=1)[:, None]
    np.testing.assert_allclose(pulls @ pulls.T - np.eye(3) * 1.5, -0.5, atol=1e-6)


def test_the_median_stays_on_a_point_that_is_it():
    assert median_of(np.array([[-3.0], [0.0], [0.0], [1.0], [2.0]]))[0] == pytest.approx(0.0, abs=1e-15)


def test_the_best_asset_in_hindsight_is_that_of_the_judged_rows_and_stands_apart_from_the_rivals():
    setting = walking(COSTS, 4, 200).over(RowRange(20, 120))
    opens, closes = setting.panel.prices[:, 21, 0], setting.panel.prices[:, 119, 3]
    best = int(np.argmax(closes / opens))
    ledger = portfolio_rivals(setting, 0, lambda _name: None)["best_in_hindsight"]
    assert ledger.targets()[0].tolist() == np.eye(5)[best + 1].tolist()
    assert (ledger.column("traded_notional") > 0).sum() == 1
    assert set(HINDSIGHT) == {"best_in_hindsight"}
    assert not set(HINDSIGHT) & set(PORTFOLIO_BASELINES)


@pytest.mark.parametrize("accounts", [{}, {"rebalance_every": 4}, {"stop_drawdown": 0.05}])
def test_ledgers_side_by_side_are_those_of_single_backtests(accounts):
    setting = setting_of(walk(3, 3, 300), COSTS, RowRange(30, 300), **accounts)
    told: list[str] = []
    together = portfolio_rivals(setting, 5, told.append)
    assert told == list(together)
    rival = PortfolioRival(3, 300, 30, 5, 300)
    for name, make in {**PORTFOLIO_BASELINES, **HINDSIGHT}.items():
        pd.testing.assert_frame_equal(together[name].frame, portfolio_backtest(make(rival), setting).frame, check_exact=True)
    assert (len({len(ledger.frame) for ledger in together.values()}) > 1) == ("stop_drawdown" in accounts)


def test_a_rule_decides_anew_for_another_market():
    one, other = walking(rows=60), setting_of(walk(8, 3, 60))
    policy = PORTFOLIO_BASELINES["olmar"](PortfolioRival(3, 60, 10, 0))
    asked = [policy.act(Observation(each.market, np.array([50]), np.zeros((1, 0), np.float32)))[0] for each in (one, other, one)]
    assert (asked[0] != asked[1]).any()
    assert (asked[0] == asked[2]).all()
