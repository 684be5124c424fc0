"""The whole evaluation of trained policies of portfolios: ensemble, seeds, rivals, stress, judgement."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.files import to_json
from seawall.core.protocols import Policy
from seawall.evaluation.bootstrap import Difference, Resamples, resample
from seawall.evaluation.evaluate import Candidates
from seawall.evaluation.evidence import Background, Evidence, too_good
from seawall.evaluation.judge import SCHEMA, Judgement, RunFacts, test_span
from seawall.evaluation.oracle.oracle import Oracle
from seawall.evaluation.oracle.portfolio import portfolio_oracle
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.portfolio_attribution import portfolio_attribution
from seawall.evaluation.portfolio_backtest import PortfolioSetting, portfolio_backtest
from seawall.evaluation.portfolio_baselines import HINDSIGHT, IDLE, PORTFOLIO_BASELINES, PortfolioRival
from seawall.evaluation.portfolio_ledger import PortfolioLedger, PortfolioLedgers
from seawall.evaluation.portfolio_metrics import portfolio_metrics
from seawall.evaluation.portfolio_side_by_side import portfolio_backtest_together
from seawall.evaluation.portfolio_stress import portfolio_stress
from seawall.evaluation.skill import attainable_document, captured_share, skill_of, with_background
from seawall.evaluation.verdict import reach_verdict

_NOTHING_KNOWN = Background()
_INTERVALS = ("total_return", "annual_return", "mean_log_return", "sharpe", "sortino", "max_drawdown")


def evaluate_portfolios(
    candidates: Candidates,
    setting: PortfolioSetting,
    params: EvaluationParams,
    facts: RunFacts,
    on_progress: Callable[[str], Any] | None = None,
    background: Background | None = None,
) -> tuple[Judgement, PortfolioLedgers]:
    """Backtest the ensemble, every seed and every rival over the same rows and costs, stress the ensemble, and judge it.

    Args:
        candidates: The trained policies.
        setting: Where they are judged.
        params: How.
        facts: What the run was, for the reader.
        on_progress: Called with the name of each policy before its backtest.
        background: What is known of the run beside its ledgers; where None, that it was tried alone, on unseen bars.

    Returns:
        The judgement, laid out as that of one series, and all ledgers.

    Raises:
        ConfigError: No seed was given.
    """
    if not candidates.seeds:
        raise ConfigError("evaluation of 0 seeds was asked for; at least 1 is needed")
    tell: Callable[[str], Any] = on_progress if on_progress is not None else lambda _name: None
    ledgers = walk_portfolios(candidates, setting, params.baselines.seed, tell)
    tell("stress")
    stressed = portfolio_stress(as_portfolio(ledgers.ensemble), setting, params.stress)
    tell("judgement")
    attainable = portfolio_oracle(setting)
    found = portfolio_attribution(as_portfolio(ledgers.ensemble), setting)
    return judge_portfolios(ledgers, stressed, params, facts, background or Background(), attainable, found), ledgers


def walk_portfolios(candidates: Candidates, setting: PortfolioSetting, seed: int, tell: Callable[[str], Any]) -> PortfolioLedgers:
    """Backtest the ensemble, every seed and every rival over the same rows.

    Args:
        candidates: The trained policies.
        setting: Where they trade.
        seed: Of what rivals draw.
        tell: Called with the name of each policy before its backtest.
    """

    def walked(name: str, policy: Policy) -> PortfolioLedger:
        tell(name)
        return portfolio_backtest(policy, setting)

    ensemble = walked("ensemble", candidates.ensemble)
    seeds = {number: walked(f"seed {number}", policy) for number, policy in candidates.seeds.items()}
    return PortfolioLedgers(ensemble, seeds, portfolio_rivals(setting, seed, tell))


def portfolio_rivals(setting: PortfolioSetting, seed: int, tell: Callable[[str], Any]) -> dict[str, PortfolioLedger]:
    """Backtest every rival of `PORTFOLIO_BASELINES`, and what knows the future, under the same costs and rules.

    Args:
        setting: Where they are judged.
        seed: Of what is drawn.
        tell: Called with each name.
    """
    rows, panel = setting.rows, setting.panel
    rival = PortfolioRival(len(panel.symbols), len(panel), rows.start, seed, rows.stop)
    makers = {**PORTFOLIO_BASELINES, **HINDSIGHT}
    for name in makers:
        tell(name)
    return portfolio_backtest_together({name: make(rival) for name, make in makers.items()}, setting)


def judge_portfolios(
    ledgers: PortfolioLedgers,
    stress: Mapping[str, Any],
    params: EvaluationParams,
    facts: RunFacts,
    background: Background = _NOTHING_KNOWN,
    attainable: Oracle | None = None,
    attribution: Mapping[str, Any] | None = None,
) -> Judgement:
    """Judge ledgers by the rules of `verdict`, with bootstrap intervals of every figure.

    Args:
        ledgers: Of the ensemble, the seeds and the rivals.
        stress: From `portfolio_stress`, of the ensemble.
        params: Settings.
        facts: What the run was.
        background: What is known of it beside its ledgers.
        attainable: The best that perfect foresight could have earned; None where nobody computed it.
        attribution: Where the ensemble's money came from, as `portfolio_attribution` tells it; None where nobody asked.

    Returns:
        The judgement; every value is plain JSON, and None stands where a figure is undefined.
    """
    log_returns = {name: ledger.log_returns() for name, ledger in ledgers.named().items()}
    resamples = resample(log_returns, ledgers.ensemble.periods_per_year, params.bootstrap)
    metrics = {name: portfolio_metrics(as_portfolio(ledger)) for name, ledger in ledgers.named().items()}
    differences = {
        name: resamples.difference("ensemble", name, float(np.mean(log_returns["ensemble"] - log_returns[name])))
        for name in ledgers.baselines
        if name != IDLE and name not in HINDSIGHT
    }
    seeds = {str(seed): metrics[f"seed {seed}"] for seed in ledgers.seeds}
    captured = captured_share(metrics["ensemble"], attainable)
    skill = skill_of(ledgers.ensemble, seeds, background, params)
    evidence = _evidence(metrics["ensemble"], seeds, resamples, differences, (stress, facts))
    evidence = with_background(evidence, background, skill, too_good(metrics["ensemble"]["sharpe"], captured, params.verdict))
    document = {
        "schema": SCHEMA,
        "verdict": reach_verdict(evidence, params.verdict).to_dict(),
        "ensemble": metrics["ensemble"],
        "seeds": seeds,
        "baselines": {name: metrics[name] for name in ledgers.baselines},
        "intervals": {
            "ensemble": _intervals(resamples, "ensemble"),
            "seeds": {str(seed): _intervals(resamples, f"seed {seed}") for seed in ledgers.seeds},
            "baselines": {name: _intervals(resamples, name) for name in ledgers.baselines},
        },
        "differences": {name: difference.to_dict() for name, difference in differences.items()},
        "bootstrap": {"mean_block_bars": resamples.mean_block_bars, "confidence": resamples.confidence},
        "guards": {"decisions": len(ledgers.ensemble.frame), "interventions": 0, "changed_exposure": 0, "by_reason": []},
        "stress": dict(stress),
        "skill": skill.to_dict(),
        "attainable": attainable_document(attainable, captured),
        "attribution": attribution,
        "leaks": asdict(evidence.leaks),
        "test": test_span(ledgers.ensemble),
        "run": asdict(facts),
        "settings": params.model_dump(mode="json"),
    }
    return Judgement(json.loads(to_json(document, indent=None)))


def _intervals(resamples: Resamples, name: str) -> dict[str, Any]:
    return {measure: resamples.interval(measure, name).to_dict() for measure in _INTERVALS}


def _evidence(
    ensemble: Mapping[str, Any],
    seeds: Mapping[str, Mapping[str, Any]],
    resamples: Resamples,
    differences: Mapping[str, Difference],
    told: tuple[Mapping[str, Any], RunFacts],
) -> Evidence:
    stress, facts = told
    return Evidence(
        n_seeds=len(seeds),
        mean_log_return=ensemble["mean_log_return"],
        interval=resamples.interval("mean_log_return", "ensemble"),
        differences=differences,
        seed_returns=[metrics["total_return"] for metrics in seeds.values()],
        trades=ensemble["trades"],
        break_even=stress["break_even"],
        delay=stress["delay"],
        confidence=resamples.confidence,
        lookahead=int(facts.data.get("lookahead", 0)),
    )


def as_portfolio(ledger: Any) -> PortfolioLedger:
    """Return a ledger of these ledgers as what it is; `Ledgers` knows the base class alone."""
    return ledger
