"""The whole evaluation of a trained run: ensemble, seeds, rivals, stress, judgement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seawall.agents.ahead import Ahead, can_be_walked_ahead
from seawall.core.bars import CLOSE
from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import ActionScheme, Policy
from seawall.evaluation.attribution import Surroundings, attribution
from seawall.evaluation.backtest import backtest
from seawall.evaluation.baselines import BASELINES, RIVALS, UNGUARDED, UNGUARDED_TOO, BaselineParams, BaselineSetting, always
from seawall.evaluation.evidence import Background
from seawall.evaluation.joined_scheme import JoinedScheme, Shifted, can_be_joined
from seawall.evaluation.judge import JudgeInputs, Judgement, RunFacts, judge
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.oracle.oracle import Oracle, oracle
from seawall.evaluation.oracle.problem import exposures_of
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.side_by_side import Ground, backtest_accounts, backtest_together
from seawall.evaluation.stress import Replay, stress
from seawall.features.labels.regimes import RegimeLabelParams
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
    background: Background | None = None,
) -> tuple[Judgement, Ledgers]:
    """Backtest the ensemble, every seed and every rival over the same rows, stress the ensemble, and judge it.

    Args:
        candidates: The trained policies.
        setting: Where they are judged.
        params: How.
        facts: What the run was, for the reader.
        on_progress: Called with the name of each policy before its backtest.
        background: What is known of the run beside its ledgers; where None, that it was tried alone, on unseen bars.

    Returns:
        The judgement and all ledgers.

    Raises:
        ConfigError: No seed was given.
    """
    if not candidates.seeds:
        raise ConfigError("evaluation of 0 seeds was asked for; at least 1 is needed")
    tell = on_progress if on_progress is not None else _silent
    ledgers = walk_all(candidates, setting, params.baselines, tell)
    replay = Replay(setting.market, setting.rows, setting.costs, setting.simulator)
    stressed = stress(ledgers.ensemble, replay, params.stress)
    attainable = attainable_in(setting, ledgers.ensemble)
    tell("judgement")
    found = attribution(ledgers.ensemble, surroundings_of(replay))
    return judge(JudgeInputs(ledgers, stressed, facts, params, attainable, background or Background(), found)), ledgers


def walk_all(candidates: Candidates, setting: Setting, params: BaselineParams, tell: Callable[[str], Any]) -> Ledgers:
    """Backtest the ensemble, every seed and every rival over the same rows.

    Args:
        candidates: The trained policies.
        setting: Where they trade.
        params: Settings of the rivals.
        tell: Called with the name of each policy before its backtest.
    """
    ledgers = _walk_ahead(candidates, setting, tell)
    if ledgers is None:
        ledgers = {name: _walk_alone(policy, setting, name, tell) for name, policy in _named(candidates).items()}
    ensemble, *members = ledgers.values()
    seeds = dict(zip(candidates.seeds, members, strict=True))
    return Ledgers(ensemble, seeds, rivals(setting, params, change_rate(ensemble), tell))


def _named(candidates: Candidates) -> dict[str, Policy]:
    return {"ensemble": candidates.ensemble, **{f"seed {seed}": policy for seed, policy in candidates.seeds.items()}}


def _walk_alone(policy: Policy, setting: Setting, name: str, tell: Callable[[str], Any]) -> Ledger:
    tell(name)
    return backtest(
        policy, setting.market, setting.rows, setting.make_desk(), setting.costs, setting.simulator, setting.account_columns
    )


def _walk_ahead(candidates: Candidates, setting: Setting, tell: Callable[[str], Any]) -> dict[str, Ledger] | None:
    """Walk ensemble and seeds side by side, bit for bit as each alone; None where their networks or guards do not allow it."""
    named, own = _named(candidates), setting.make_desk()
    if own.reads_votes or not all(can_be_walked_ahead(policy) for policy in named.values()):
        return None
    tell("ensemble and seeds" if len(named) > 2 else "ensemble and seed")
    ground = Ground(setting.market, setting.rows, own.beside(len(named)), setting.costs, setting.simulator)
    return backtest_accounts(
        tuple(named), Ahead(tuple(named.values()), setting.market, setting.rows), ground, setting.account_columns
    )


def surroundings_of(replay: Replay) -> Surroundings:
    """Return the market around judged rows: their bars, and those before them as far back as a regime's rule looks.

    Args:
        replay: The rows, and how decisions are filled there again.
    """
    market, rows, rule = replay.market, replay.rows, RegimeLabelParams()
    start = int(market.starts[int(np.searchsorted(market.starts, rows.start, side="right")) - 1])
    first = max(start, rows.start - rule.lookback - rule.percentile_bars)
    return Surroundings(
        prices=market.prices[rows.start : rows.stop],
        closes_before=np.asarray(market.prices[first : rows.start, CLOSE]),
        regime_rule=rule,
        replay=replay,
    )


def attainable_in(setting: Setting, ensemble: Ledger) -> Oracle:
    """Return what perfect foresight could have earned with the exposures of the scheme, and between them where guards cut some.

    Args:
        setting: Where policies are judged.
        ensemble: The ledger of the judged one over its rows.
    """
    scheme = setting.make_desk().scheme
    cut = not np.isin(ensemble.column("allowed"), np.asarray(scheme.levels, dtype=np.float64)).all()
    return oracle(setting.market, setting.rows, setting.costs, setting.simulator, exposures_of(scheme, between=bool(cut)))


def rivals(setting: Setting, params: BaselineParams, rate: float, tell: Callable[[str], Any]) -> dict[str, Ledger]:
    """Backtest every rival of `RIVALS` behind the run's guards, and some also without them where those changed what they held.

    Those of `BASELINES` act by the scheme ``target_exposure``, the constant ones by the run's own.

    Args:
        setting: Where they are judged.
        params: Their settings.
        rate: Share of decisions at which the random rival changes its exposure.
        tell: Called with each name.
    """
    for name in RIVALS:
        tell(name)
    own, scheme = setting.make_desk(), action_scheme("target_exposure", setting.short)
    made = BaselineSetting(scheme.levels, rate, len(setting.market), params, 2.0 * setting.costs.rate)
    simple = {name: make(made) for name, make in BASELINES.items()}
    constant = always(own.scheme)
    ledgers = _of_two_schemes((simple, scheme), (constant, own.scheme), setting)
    held_back = [name for name in UNGUARDED_TOO if _changed(ledgers[name])]
    if held_back:
        free = {name + UNGUARDED: simple[name] for name in held_back}
        ledgers |= _together(free, setting, own.beside(len(free), scheme, guarded=False))
    return ledgers


def _of_two_schemes(
    first: tuple[Mapping[str, Policy], ActionScheme], second: tuple[Mapping[str, Policy], ActionScheme], setting: Setting
) -> dict[str, Ledger]:
    """Walk policies of two schemes behind the run's guards, all in one simulator where the schemes can be joined."""
    (simple, scheme), (constant, other) = first, second
    own = setting.make_desk()
    if not can_be_joined(scheme, other):
        return _together(simple, setting, own.beside(len(simple), scheme)) | _together(constant, setting, own.beside(len(constant)))
    joined = JoinedScheme(scheme, other)
    everyone = {**simple, **{name: Shifted(policy, joined.offset) for name, policy in constant.items()}}
    ledgers = _together(everyone, setting, own.beside(len(everyone), joined))
    for name in constant:
        ledgers[name].frame["action"] -= joined.offset
    return ledgers


def _together(policies: Mapping[str, Policy], setting: Setting, desk: Desk) -> dict[str, Ledger]:
    return backtest_together(policies, setting.market, setting.rows, desk, setting.costs, setting.simulator)


def _changed(ledger: Ledger) -> bool:
    """Say whether guards changed what a policy held."""
    return bool((ledger.column("allowed") != ledger.column("proposed")).any())


def change_rate(ledger: Ledger) -> float:
    """Return the share of decisions that changed the exposure, in [0, 1]."""
    allowed = ledger.column("allowed")
    return float(np.mean(np.diff(allowed, prepend=0.0) != 0.0))


def _silent(_name: str) -> None:
    return None
