"""Trained policies side by side, encoded ahead: the ledgers are those of single backtests, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from worlds import market_of, random_market

from seawall.agents.ahead import Ahead, can_be_walked_ahead
from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import RowRange
from seawall.core.protocols import VOTES, Observation
from seawall.evaluation.ablation_walk import Course, variants_of, walk, walk_policies
from seawall.evaluation.backtest import backtest
from seawall.evaluation.baselines import BASELINES, BaselineParams, BaselineSetting, always
from seawall.evaluation.evaluate import Candidates, Setting, rivals, walk_all
from seawall.evaluation.joined_scheme import JoinedScheme, can_be_joined
from seawall.guards.chain import GuardChain
from seawall.guards.disagreement import Disagreement, DisagreementParams
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

WINDOW, FEATURES, ROWS = 6, 4, 400


def policy_of(seed: int, gain: float, n_account: int = 3, **settings) -> NetworkPolicy:
    """A network with random weights whose preferences differ by about `gain`."""
    shape = NetworkShape(FEATURES, WINDOW, n_account, 3)
    network = build_network("conv", ConvParams.model_validate(settings), shape, seed)
    with torch.no_grad():
        for weight in network.policy_head.parameters():
            weight.mul_(100.0 * gain)
    return NetworkPolicy(network, WINDOW)


def world(show_guards: bool = True, simulator: SimulatorParams | None = None, scheme: str = "sell_buy_hold", **market) -> Setting:
    prices = random_market(3, ROWS, **market).prices
    features = np.random.default_rng(4).normal(size=(ROWS, FEATURES))
    guards = NConsecutiveParams(n=2, mode="veto_repeat")
    return Setting(
        market=market_of(prices, features),
        rows=RowRange(20, ROWS),
        make_desk=lambda: Desk(action_scheme(scheme, True), GuardChain([NConsecutive(guards)]), 1, show_guards=show_guards),
        short=True,
        costs=CostParams(),
        simulator=SimulatorParams() if simulator is None else simulator,
        account_columns=("exposure",),
    )


def alone(policy, setting: Setting):
    return backtest(
        policy, setting.market, setting.rows, setting.make_desk(), setting.costs, setting.simulator, setting.account_columns
    )


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(world(), id="plain"),
        pytest.param(
            world(simulator=SimulatorParams.model_validate({"orders": {"latency_bars": 2}})),
            id="late orders",
            marks=pytest.mark.slow,
        ),
        pytest.param(world(volatility=0.25), id="accounts that are lost", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "gain", [pytest.param(1.0, id="clear", marks=pytest.mark.slow), pytest.param(1e-4, id="close"), pytest.param(0.0, id="equal")]
)
def test_ledgers_are_those_of_single_backtests_to_the_bit(setting, gain):
    members = [policy_of(seed, gain) for seed in range(3)]
    candidates = Candidates(EnsemblePolicy(members), {7: members[0], 8: members[1], 9: members[2]})
    walked = walk_all(candidates, setting, BaselineParams(), lambda _name: None)
    for policy, ledger in ((candidates.ensemble, walked.ensemble), (members[0], walked.seeds[7]), (members[2], walked.seeds[9])):
        single = alone(policy, setting)
        assert ledger.frame.equals(single.frame)
        assert ledger.initial_equity == single.initial_equity


@pytest.mark.parametrize("scheme", ["sell_buy_hold", "hold_long_short_close", "continuous_target"])
def test_rivals_of_both_schemes_have_the_ledgers_of_single_backtests(scheme):
    setting = world(scheme=scheme)
    found = rivals(setting, BaselineParams(), 0.1, lambda _name: None)
    usual = action_scheme("target_exposure", True)
    made = BaselineSetting(usual.levels, 0.1, ROWS, BaselineParams(), 2.0 * setting.costs.rate)
    own = setting.make_desk()
    singles = {name: (BASELINES[name](made), own.beside(1, usual)) for name in ("sma_cross", "last_return", "random")}
    singles |= {name: (policy, setting.make_desk()) for name, policy in always(own.scheme).items()}
    for name, (policy, desk) in singles.items():
        single = backtest(policy, setting.market, setting.rows, desk, setting.costs, setting.simulator)
        assert found[name].frame.equals(single.frame), name


def test_schemes_without_a_table_are_not_joined():
    usual, free = action_scheme("target_exposure", True), action_scheme("continuous_target", True)
    assert not can_be_joined(usual, free)
    with pytest.raises(ConfigError, match="target_exposure and continuous_target cannot be joined"):
        JoinedScheme(usual, free)
    joined = JoinedScheme(usual, action_scheme("sell_buy_hold", True))
    with pytest.raises(InvariantError, match="allowed: 0 to 5"):
        joined.intent(np.array([6]), np.zeros(1))


def test_policies_that_do_not_see_the_guards_are_walked_without_their_state():
    setting = world(show_guards=False)
    members = [policy_of(seed, 1.0, n_account=1) for seed in range(2)]
    walked = walk_all(Candidates(EnsemblePolicy(members), dict(enumerate(members))), setting, BaselineParams(), lambda _name: None)
    assert walked.seeds[1].frame.equals(alone(members[1], setting).frame)


def test_a_policy_is_asked_itself_where_rounding_might_decide_and_nowhere_else():
    market = world().market
    account = np.random.default_rng(5).normal(size=(1, 3)).astype(np.float32)
    asked: dict[float, int] = {}
    for gain in (1.0, 1e-9):
        policy = policy_of(1, gain)
        ahead = Ahead([policy], market, RowRange(20, ROWS))
        seen: list[int] = []
        act = policy.act
        policy.act = lambda observation, act=act, seen=seen: (seen.append(1), act(observation))[1]
        for row in range(20, ROWS - 1):
            ahead.act(Observation(market, np.array([row]), account))
        asked[gain] = len(seen)
    assert asked[1.0] <= 5
    assert asked[1e-9] == ROWS - 21


def test_policies_of_other_kinds_are_walked_alone():
    assert can_be_walked_ahead(policy_of(0, 1.0))
    assert not can_be_walked_ahead(policy_of(0, 1.0, head_units=8))
    assert not can_be_walked_ahead(EnsemblePolicy([policy_of(0, 1.0), policy_of(1, 1.0, head_units=8)]))
    setting, odd = world(), policy_of(2, 1.0, head_units=8)
    told: list[str] = []
    walked = walk_all(Candidates(odd, {0: odd}), setting, BaselineParams(), told.append)
    assert told[:2] == ["ensemble", "seed 0"]
    assert walked.seeds[0].frame.equals(alone(odd, setting).frame)


def test_a_window_that_starts_before_the_market_is_refused():
    with pytest.raises(IndexError):
        Ahead([policy_of(0, 1.0)], world().market, RowRange(2, 50))


@pytest.mark.parametrize("gain", [1.0, 1e-4], ids=["clear", "close"])
def test_votes_are_those_of_the_ensemble_and_a_single_network_agrees_with_itself(gain):
    market, members = world().market, [policy_of(seed, gain) for seed in range(3)]
    ensemble = EnsemblePolicy(members)
    ahead = Ahead([members[1], ensemble], market, RowRange(20, ROWS), votes=True)
    account = np.random.default_rng(6).normal(size=(2, 3)).astype(np.float32)
    split = 0
    for row in range(20, ROWS - 1):
        actions, told = ahead.act(Observation(market, np.array([row, row]), account))
        alone, votes = ensemble.act(Observation(market, np.array([row]), account[1:]))
        assert actions[1] == alone[0]
        np.testing.assert_array_equal(told[VOTES][1], votes[VOTES][0])
        assert (told[VOTES][0] == actions[0]).all()
        split += len(set(told[VOTES][1])) > 1
    assert split > 50


@pytest.mark.parametrize("gain", [pytest.param(1.0, id="clear", marks=pytest.mark.slow), pytest.param(1e-4, id="close")])
def test_policies_before_every_choice_of_guards_have_the_ledgers_of_walks_of_their_own(gain):
    setting = world()
    guards = (NConsecutive(NConsecutiveParams(n=2, mode="veto_repeat")), Disagreement(DisagreementParams(agreement=0.9)))
    course = Course(
        market=setting.market, rows=setting.rows, scheme=action_scheme("sell_buy_hold", True), guards=guards,
        account_columns=("exposure",), shown=GuardChain(guards[:1]).shown_names, costs=setting.costs, simulator=setting.simulator,
    )  # fmt: skip
    members, variants = [policy_of(seed, gain) for seed in range(3)], variants_of(("n_consecutive", "disagreement"))
    policies, told = {"ensemble": EnsemblePolicy(members), "seed 0": members[0], "seed 1": members[1]}, []
    found = walk_policies(policies, course, variants, told.append)
    assert told == [0, 3 * 256]
    for name, policy in policies.items():
        own = walk(policy, course, variants)
        for variant in variants:
            assert found[name][variant.name].frame.equals(own[variant.name].frame), (name, variant.name)
    refused = [(found[name]["only disagreement"].frame["reason"] != "").sum() for name in policies]
    assert refused[0] > 10
    assert refused[1:] == [0, 0]


def test_policies_that_cannot_be_walked_ahead_are_walked_in_turn():
    setting, odd = world(), policy_of(2, 1.0, head_units=8)
    course = Course(
        market=setting.market, rows=setting.rows, scheme=action_scheme("sell_buy_hold", True), guards=(NConsecutive(),),
        account_columns=("exposure",), shown=GuardChain([NConsecutive()]).shown_names, costs=setting.costs,
        simulator=setting.simulator,
    )  # fmt: skip
    variants, told = variants_of(("n_consecutive",)), []
    found = walk_policies({"odd": odd, "even": policy_of(0, 1.0)}, course, variants, told.append)
    assert told == [0, 256, ROWS - 21, ROWS - 21 + 256]
    assert found["odd"]["no guard"].frame.equals(walk(odd, course, variants)["no guard"].frame)
