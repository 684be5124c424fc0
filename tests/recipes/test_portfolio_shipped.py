"""The recipe of a portfolio as it comes with Seawall."""

from __future__ import annotations

import resource

import pytest

from seawall.evaluation.judge import Judgement
from seawall.recipes.portfolio_run import create_run, judge_run, load, train_run

REFERENCE = "portfolio"


def test_it_says_what_the_design_says():
    chosen = load(REFERENCE)
    agent = chosen.agent
    assert (agent.learning_rate, agent.encoder_learning_rate, agent.clip_range, agent.max_gradient_norm) == (5e-4, 5e-5, 0.2, 1.0)
    weights = (agent.policy_weight, agent.reconstruction_weight, agent.value_coefficient, agent.entropy_coefficient)
    assert weights == (0.7, 0.3, 0.5, 0.01)
    assert (agent.n_steps, agent.gae_lambda, agent.exploration, agent.exploration_floor) == (128, 0.95, 0.075, 0.02)
    assert (agent.reward_window, agent.patience_updates, agent.rate_factor, agent.rate_floor) == (50, 100, 0.5, 1e-6)
    assert len(chosen.series) == 10
    assert chosen.costs.taker_bps == 10.0


@pytest.mark.parametrize(
    "overrides",
    [
        ["network.preset=full", "features.set=wide", "features.timeframes=[15m,1h,4h,1d]", "environment.windows=[48,64,48,24,3]"],
        ["data=data/binance_*_5m.parquet"],
        ["data=binance/{symbol}/5m", "data.symbols=[BTCUSDT,ETHUSDT]"],
        ["agent.pretrain_epochs=10", "agent.encoder_optimiser=adafactor", "simulator.reward=scaled_return"],
        ["smoke=true"],
    ],
)
def test_what_its_comments_and_the_design_name_is_allowed(overrides):
    assert load(REFERENCE, overrides).name == "portfolio"


@pytest.mark.slow
def test_its_small_preset_goes_from_bars_to_a_report_in_less_than_a_minute_of_one_core(tmp_path):
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    run = create_run(load(REFERENCE, ["smoke=true"]), tmp_path / "runs", tmp_path / "data")
    summaries = train_run(run)
    judgement = judge_run(run)
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    assert sum(now.ru_utime - then.ru_utime for now, then in zip(after, before, strict=True)) < 60.0
    assert [summary.steps for summary in summaries] == [1_024, 1_024]
    assert Judgement.read(run.metrics).document == judgement.document
    assert run.report.is_file()
