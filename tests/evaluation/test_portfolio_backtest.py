"""Portfolios bar after bar: the loop, the ledger, the rivals and the score."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from evaluation.portfolio_worlds import COSTS, Wandering, seesaw, setting_of, walking
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.market import RowRange
from seawall.engine.portfolio_decision import PortfolioLoop
from seawall.envs.portfolio_params import PortfolioEnvironmentParams
from seawall.envs.portfolio_vector import PortfolioVectorEnv
from seawall.evaluation.ledger import COST_PARTS, Ledgers
from seawall.evaluation.portfolio_backtest import portfolio_backtest, portfolio_growth
from seawall.evaluation.portfolio_baselines import PORTFOLIO_BASELINES, PortfolioRival
from seawall.evaluation.portfolio_ledger import PortfolioLedger, PortfolioLedgers
from seawall.simulator.portfolio.simulator import PortfolioSimulator
from simulator.small_portfolios import panel_of


def rival(name: str, setting):
    return PORTFOLIO_BASELINES[name](PortfolioRival(len(setting.panel.symbols), len(setting.panel), setting.rows.start, 0))


def test_every_bar_of_the_ledger_adds_up():
    ledger = portfolio_backtest(Wandering(3), walking())
    change = np.diff(ledger.equity_curve())
    costs = sum(ledger.column(name) for name in COST_PARTS)
    np.testing.assert_allclose(change, ledger.column("price_pnl") - costs, rtol=0, atol=1e-9)
    assert ledger.column("fee").min() > 0.0
    np.testing.assert_allclose(ledger.weights().sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(ledger.exposures(), ledger.weights()[:, 1:].sum(axis=1), rtol=1e-12)


def test_a_backtest_is_the_training_environment_bar_for_bar():
    setting, policy = walking(), Wandering(3)
    ledger = portfolio_backtest(policy, setting)
    params = PortfolioEnvironmentParams(window=1, start="first", costs=COSTS, portfolio=setting.accounts)
    env = PortfolioVectorEnv(setting.panel, setting.rows, 1, params=params)
    env.reset(seed=0)
    equity = []
    for row in range(setting.rows.start, setting.rows.stop - 1):
        env.advance(policy.weights[[row]])
        equity.append(env.simulator.equity[0])
    np.testing.assert_array_equal(ledger.column("equity"), equity)


def test_ledgers_come_back_from_their_file(tmp_path):
    setting = walking()
    made = {name: portfolio_backtest(rival(name, setting), setting) for name in PORTFOLIO_BASELINES}
    ledgers = PortfolioLedgers(portfolio_backtest(Wandering(3), setting), {4: made["ucrp"]}, made)
    ledgers.write(tmp_path / "ledger.parquet")
    again = PortfolioLedgers.read(tmp_path / "ledger.parquet")
    assert list(again.named()) == [
        "ensemble",
        "seed 4",
        "cash",
        "buy_and_hold",
        "ucrp",
        "random",
        "olmar",
        "rmr",
        "ons",
        "eg",
        "pamr",
    ]
    for name, ledger in ledgers.named().items():
        assert again.named()[name].frame.equals(ledger.frame), name
        assert isinstance(again.named()[name], PortfolioLedger)


def test_ledgers_of_one_series_are_no_ledgers_of_portfolios(tmp_path):
    setting = walking()
    ledger = portfolio_backtest(Wandering(3), setting)
    with pytest.raises(DataError, match="portfolio ledger has the columns"):
        PortfolioLedger(ledger.frame.drop(columns="benchmark"), 1_000.0, ledger.timestamps_ms)
    PortfolioLedgers(ledger, {}, {}).write(tmp_path / "ledger.parquet")
    with pytest.raises(KeyError):
        Ledgers.read(tmp_path / "ledger.parquet")


def test_constant_rebalancing_earns_on_a_seesaw_where_holding_earns_nothing():
    setting = seesaw()
    ends = {name: portfolio_backtest(rival(name, setting), setting).equity_curve()[-1] for name in PORTFOLIO_BASELINES}
    # Half of the money gains 100 % at one bar and loses 50 % at the next: 1.5 * 0.75 = 9 / 8, four times (Cover 1991).
    assert ends["ucrp"] == pytest.approx(1_000 * (9 / 8) ** 4, rel=1e-12)
    assert ends["buy_and_hold"] == pytest.approx(1_000, rel=1e-12)
    assert ends["cash"] == 1_000


def test_holding_buys_once_and_is_the_benchmark_but_for_its_costs():
    setting = walking()
    held = portfolio_backtest(rival("buy_and_hold", setting), setting)
    assert (held.column("traded_notional") > 0).sum() == 1
    free = portfolio_backtest(rival("buy_and_hold", setting), walking(costs=COSTS.scaled(0.0)))
    assert held.column("equity")[-1] < free.column("equity")[-1]
    units = held.frame[[f"units.{symbol}" for symbol in held.symbols]].to_numpy()
    assert (units == units[0]).all()
    assert held.held().tolist() == [False] + [True] * (len(setting.rows) - 2)


def test_random_weights_follow_their_seed_and_know_nothing():
    setting = walking()
    first = portfolio_backtest(rival("random", setting), setting).targets()
    shifted = setting_of(panel_of(np.linspace(1, 9, 900).reshape(3, 300)), COSTS, setting.rows)
    np.testing.assert_array_equal(first, portfolio_backtest(rival("random", shifted), shifted).targets())
    np.testing.assert_allclose(first.mean(axis=0), 0.25, atol=5 * np.sqrt(3 / 80 / len(first)))  # five standard errors


def test_the_score_is_the_mean_log_growth_over_segments_that_start_in_cash():
    setting = walking(rows=100)
    score = portfolio_growth(Wandering(3), setting)
    assert score == pytest.approx(portfolio_backtest(Wandering(3), setting).log_returns().mean(), rel=1e-12)
    long = walking(rows=300)
    edges = np.linspace(10, 299, 5).astype(int)
    parts = [portfolio_backtest(Wandering(3), long.over(RowRange(a, b + 1))) for a, b in pairwise(edges)]
    expected = sum(part.log_returns().sum() for part in parts) / 289
    assert portfolio_growth(Wandering(3), long) == pytest.approx(expected, rel=1e-12)


def test_a_stop_at_a_loss_ends_the_ledger_early_in_cash():
    falling = panel_of(100.0 * 0.9 ** np.arange(12)[None])
    ledger = portfolio_backtest(rival("ucrp", setting_of(falling)), setting_of(falling, stop_drawdown=0.5))
    assert len(ledger.frame) == 7 < ledger.n_bars == 11
    assert ledger.equity_curve()[-1] == pytest.approx(1_000 * 0.9**7)
    assert ledger.targets()[-1].tolist() == [1.0, 0.0]
    assert ledger.held()[-1]


def test_a_decision_waits_to_be_settled_and_only_one_may():
    setting = walking()
    simulator = PortfolioSimulator(setting.panel, 1, setting.costs, setting.accounts)
    simulator.reset(np.array([0]), np.array([0]), np.array([9]))
    loop = PortfolioLoop(Wandering(3), simulator, setting.market, ("weights",))
    with pytest.raises(InvariantError, match="decide first"):
        loop.settle()
    loop.decide()
    with pytest.raises(InvariantError, match=r"row \[0\] is decided but not settled"):
        loop.decide()
    assert loop.settle().row.tolist() == [0]
    with pytest.raises(ConfigError, match="backtest over 1 row"):
        portfolio_backtest(Wandering(3), setting.over(RowRange(5, 6)))
