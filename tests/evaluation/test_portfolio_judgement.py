"""What is told of portfolios: figures, stress and verdict, under the names that one series has."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.portfolio_worlds import COSTS, Wandering, seesaw, setting_of, walking
from seawall.core.errors import ConfigError
from seawall.evaluation.evaluate import Candidates
from seawall.evaluation.judge import Judgement, RunFacts
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.portfolio_backtest import portfolio_backtest
from seawall.evaluation.portfolio_baselines import ConstantWeights
from seawall.evaluation.portfolio_evaluate import evaluate_portfolios
from seawall.evaluation.portfolio_metrics import portfolio_metrics
from seawall.evaluation.portfolio_stress import portfolio_break_even, portfolio_stress, retraded
from seawall.evaluation.stress import StressParams
from simulator.small_portfolios import panel_of

FACTS = RunFacts("portfolio", "0" * 64, "A, B, C", "1h", {"taker_bps": 10.0, "spread_bps": 4.0})
QUICK = EvaluationParams.model_validate({"bootstrap": {"n_resamples": 100}, "verdict": {"min_seeds": 2}})
RULES = ("olmar", "rmr", "ons", "eg", "pamr")
SINGLE = {
    "total_return", "annual_return", "sharpe", "sortino", "max_drawdown", "calmar", "turnover_per_year", "hit_rate", "final_equity",
    "mean_log_return", "max_drawdown_bars", "trades", "mean_exposure", "mean_absolute_exposure", "bars", "periods_per_year",
    "liquidated", "costs", "exits", "illegal_moves", "undefined",
}  # fmt: skip


def test_figures_have_the_names_of_those_of_one_series_and_the_numbers_of_the_ledger():
    ledger = portfolio_backtest(Wandering(3), walking())
    metrics = portfolio_metrics(ledger)
    assert metrics.keys() >= SINGLE
    curve = ledger.equity_curve()
    assert metrics["total_return"] == curve[-1] / curve[0] - 1
    assert metrics["trades"] == ledger.n_bars
    assert metrics["costs"]["total"] == pytest.approx(sum(ledger.column(name).sum() for name in ("fee", "spread", "slippage")))
    assert sum(metrics["mean_weights"].values()) == pytest.approx(1.0)
    assert metrics["mean_exposure"] == pytest.approx(1 - metrics["mean_weights"]["cash"])
    assert metrics["undefined"]["hit_rate"] == "a portfolio has no round trips"


def test_the_weights_of_a_ledger_traded_again_give_its_equity_to_the_bit():
    setting = walking()
    ledger = portfolio_backtest(Wandering(3), setting)
    again = retraded(setting, ledger.targets(), ledger.held())
    np.testing.assert_array_equal(again, ledger.equity_curve() / 1_000.0)


def test_higher_costs_never_help_and_the_break_even_is_where_nothing_is_left():
    setting = walking()
    ledger = portfolio_backtest(Wandering(3), setting)
    ends = [entry["total_return"] for entry in portfolio_stress(ledger, setting, StressParams())["cost_multiples"]]
    assert ends == sorted(ends, reverse=True)
    assert portfolio_stress(ledger, setting, StressParams())["delay"]["bars"] == 1
    # In and out of an asset that gains 0.5 % at every bar: (1 - c)^2 * 1.005 = 1 where nothing is left.
    gaining = setting_of(panel_of(100.0 * 1.005 ** np.arange(41)[None]), COSTS)
    trader = Wandering(1)
    trader.weights = np.where((np.arange(1_000) % 2 == 0)[:, None], [[0.0, 1.0]], [[1.0, 0.0]])
    earned = portfolio_backtest(trader, gaining)
    found = portfolio_break_even(earned.targets(), earned.held(), gaining, 10.0)
    assert found.multiple == pytest.approx((1 - 1.005**-0.5) / 0.0012, rel=1e-3)
    assert found.above_one
    idle = portfolio_backtest(ConstantWeights(np.array([1.0, 0.0, 0.0, 0.0])), setting)
    assert portfolio_break_even(idle.targets(), idle.held(), setting, 10.0).words == "it never traded, so costs do not matter"


def test_acting_one_bar_late_is_told():
    setting = seesaw(9)
    # All in the swinging asset before it doubles, else in cash: late, it is in cash before it doubles and holds while it halves.
    clever = Wandering(2)
    clever.weights = np.where((np.arange(1_000) % 2 == 0)[:, None], [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    delay = portfolio_stress(portfolio_backtest(clever, setting), setting, StressParams())["delay"]
    assert delay["on_time_total_return"] == pytest.approx(2**4 - 1)
    assert delay["total_return"] == pytest.approx(0.5**4 - 1)


def test_a_judgement_is_laid_out_as_that_of_one_series(tmp_path):
    setting = walking()
    told: list[str] = []
    judgement, ledgers = evaluate_portfolios(
        Candidates(Wandering(3), {0: Wandering(3, 1), 1: Wandering(3, 2)}), setting, QUICK, FACTS, told.append
    )
    rivals = ["cash", "buy_and_hold", "ucrp", "random", *RULES, "best_in_hindsight"]
    assert told == ["ensemble", "seed 0", "seed 1", *rivals, "stress", "judgement"]
    assert list(judgement.document["baselines"]) == rivals
    assert list(judgement.document["differences"]) == ["buy_and_hold", "ucrp", "random", *RULES]
    assert judgement.document["intervals"]["ensemble"]["sharpe"]["low"] < judgement.document["ensemble"]["sharpe"]
    assert judgement.level == "none"
    names = [check["name"] for check in judgement.verdict["checks"]]
    assert names[2:5] == ["beats buy_and_hold", "beats ucrp", "beats random"]
    assert judgement.document["baselines"]["cash"]["total_return"] == 0.0
    judgement.write(tmp_path / "metrics.json")
    assert Judgement.read(tmp_path / "metrics.json").document == judgement.document
    assert list(ledgers.seeds) == [0, 1]


def test_one_seed_is_no_evidence_and_none_is_refused():
    setting = walking()
    judgement, _ = evaluate_portfolios(Candidates(Wandering(3), {0: Wandering(3)}), setting, QUICK, FACTS)
    assert judgement.level == "not judged"
    with pytest.raises(ConfigError, match="evaluation of 0 seeds"):
        evaluate_portfolios(Candidates(Wandering(3), {}), setting, QUICK, FACTS)
