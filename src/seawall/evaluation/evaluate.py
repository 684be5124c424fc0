"""The whole evaluation of a trained run: ensemble, seeds, rivals, stress, judgement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import Policy
from seawall.evaluation.backtest import backtest
from seawall.evaluation.baselines import BASELINES, BaselineParams, BaselineSetting
from seawall.evaluation.judge import JudgeInputs, Judgement, RunFacts, judge
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.stress import Replay, stress
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams


@dataclass(frozen=True)
class Setting:
    """Where policies are judged; the same for the trained ones and their rivals.

    Attributes:
        market: Prices and features.
        rows: The test rows.
        make_desk: Returns a fresh desk for one account, with the run's action scheme and guards.
        short: Whether the account may hold short positions; rivals get the same exposures.
        costs: Costs of a fill.
        simulator: Settings of the account.
        account_columns: Account features that the trained policies see.
    """

    market: Market
    rows: RowRange
    make_desk: Callable[[], Desk]
    short: bool
    costs: CostParams
    simulator: SimulatorParams
    account_columns: tuple[str, ...]


@dataclass(frozen=True)
class Candidates:
    """What is judged.

    Attributes:
        ensemble: The policy of the run.
        seeds: Each trained seed's policy.
    """

    ensemble: Policy
    seeds: Mapping[int, Policy]


def evaluate(
    candidates: Candidates,
    setting: Setting,
    params: EvaluationParams,
    facts: RunFacts,
    on_progress: Callable[[str], Any] | None = None,
) -> tuple[Judgement, Ledgers]:
    """Backtest the ensemble, every seed and every rival over the same rows, stress the ensemble, and judge it.

    Args:
        candidates: The trained policies.
        setting: Where they are judged.
        params: How.
        facts: What the run was, for the reader.
        on_progress: Called with the name of each policy before its backtest.

    Returns:
        The judgement and all ledgers.

    Raises:
        ConfigError: No seed was given.
    """
    if not candidates.seeds:
        raise ConfigError("evaluation of 0 seeds was asked for; at least 1 is needed")
    tell = on_progress if on_progress is not None else _silent

    def trained(name: str, policy: Policy) -> Ledger:
        tell(name)
        return _backtest(policy, setting, setting.make_desk())

    ensemble = trained("ensemble", candidates.ensemble)
    seeds = {seed: trained(f"seed {seed}", policy) for seed, policy in candidates.seeds.items()}
    ledgers = Ledgers(ensemble, seeds, rivals(setting, params.baselines, change_rate(ensemble), tell))
    replay = Replay(setting.market, setting.rows, setting.costs, setting.simulator)
    stressed = stress(ensemble, replay, params.stress)
    tell("judgement")
    return judge(JudgeInputs(ledgers, stressed, facts, params)), ledgers


def rivals(setting: Setting, params: BaselineParams, rate: float, tell: Callable[[str], Any]) -> dict[str, Ledger]:
    """Backtest every rival of `BASELINES`, without guards, by the scheme ``target_exposure``.

    Args:
        setting: Where they are judged.
        params: Their settings.
        rate: Share of decisions at which the random rival changes its exposure.
        tell: Called with each name.
    """
    ledgers: dict[str, Ledger] = {}
    for name, make in BASELINES.items():
        tell(name)
        scheme = action_scheme("target_exposure", setting.short)
        policy = make(BaselineSetting(scheme.levels, rate, len(setting.market), params))
        ledgers[name] = _backtest(policy, setting, Desk(scheme, None, 1))
    return ledgers


def change_rate(ledger: Ledger) -> float:
    """Return the share of decisions that changed the exposure, in [0, 1]."""
    allowed = ledger.column("allowed")
    return float(np.mean(np.diff(allowed, prepend=0.0) != 0.0))


def _backtest(policy: Policy, setting: Setting, desk: Desk) -> Ledger:
    return backtest(policy, setting.market, setting.rows, desk, setting.costs, setting.simulator, setting.account_columns)


def _silent(_name: str) -> None:
    return None
