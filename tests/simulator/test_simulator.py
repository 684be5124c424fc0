from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError
from small_markets import flat_bars, market_of, random_prices

from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.market import RowRange
from seawall.simulator.costs.params import CostParams
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.rewards.term import RewardTerm
from seawall.simulator.rewards.terms import REWARD_TERMS
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator, replay

COSTS = CostParams()


def started(n: int = 3, rows: int = 50, **settings: float) -> Simulator:
    simulator = Simulator(market_of(random_prices(1, rows, 0.02)), n, COSTS, SimulatorParams(**settings))
    simulator.reset(np.arange(n), np.zeros(n, dtype=int), np.full(n, rows))
    return simulator


def test_a_start_target_appears_at_the_close_without_cost():
    simulator = Simulator(flat_bars(100.0, 110.0), 1, COSTS)
    simulator.reset(np.array([0]), np.array([0]), np.array([2]), np.array([-1.0]))
    assert simulator.equity[0] == 10_000.0
    assert simulator.quantity[0] == -100.0
    simulator.step(np.array([-1.0]))
    assert simulator.fee[0] == 0.0
    assert simulator.equity[0] == pytest.approx(9_000.0, rel=1e-12)


def test_resetting_some_accounts_leaves_the_others_alone():
    simulator = started()
    simulator.step(np.array([1.0, 1.0, -1.0]))
    before = simulator.equity.copy()
    simulator.reset(np.array([1]), np.array([7]), np.array([20]))
    assert simulator.row.tolist() == [1, 7, 1]
    assert simulator.equity.tolist() == [before[0], 10_000.0, before[2]]
    assert simulator.episode.tolist() == [0, 1, 0]
    assert simulator.target.tolist() == [1.0, 0.0, -1.0]


def test_each_account_pays_its_own_multiple_of_the_costs():
    simulator = started()
    simulator.cost_multiple[:] = [0.0, 1.0, 3.0]
    simulator.step(np.ones(3))
    rates = simulator.fee / simulator.traded_notional
    assert rates == pytest.approx([0.0, 1e-3, 3e-3], rel=1e-12)


def test_a_saved_simulator_goes_on_exactly():
    simulator, other = started(), started()
    targets = np.random.default_rng(2).choice([-1.0, 0.0, 1.0], (20, 3))
    for wanted in targets[:10]:
        simulator.step(wanted)
    other.load_state_dict(simulator.state_dict())
    for wanted in targets[10:]:
        simulator.step(wanted)
        other.step(wanted)
    assert simulator.equity.tobytes() == other.equity.tobytes()


def test_replay_equals_stepping_one_account_at_a_time():
    market = market_of(random_prices(5, 80, 0.03))
    targets = np.random.default_rng(6).choice([-1.0, 0.0, 1.0], (59, 4))
    multiples = np.array([0.0, 0.5, 1.0, 2.0])
    equity = replay(market, RowRange(10, 70), targets, COSTS, multiples)
    assert equity.shape == (60, 4)
    assert equity[0].tolist() == [1.0] * 4
    for path in range(4):
        alone = Simulator(market, 1, COSTS, SimulatorParams(initial_equity=1.0))
        alone.cost_multiple[:] = multiples[path]
        alone.reset(np.array([0]), np.array([10]), np.array([70]))
        seen = [float(alone.equity[0])]
        for wanted in targets[:, path]:
            alone.step(np.array([wanted]))
            seen.append(float(alone.equity[0]))
        assert equity[:, path].tolist() == seen


def test_account_features_are_what_their_table_says():
    simulator = Simulator(flat_bars(100.0, 100.0, 80.0), 1, CostParams(taker_bps=0.0, spread_bps=0.0))
    simulator.reset(np.array([0]), np.array([0]), np.array([3]))
    columns = ("exposure", "unrealised", "drawdown", "held_bars")
    assert simulator.account_rows(columns).tolist() == [[0.0, 0.0, 0.0, 0.0]]
    simulator.step(np.array([0.5]))
    simulator.step(np.array([0.5]))  # 50 units of 100 now worth 80 each, beside 5000 in cash
    wanted = [4_000 / 9_000, math.log(0.8), 0.1, math.log(3) / 10]
    assert simulator.account_rows(columns)[0] == pytest.approx(wanted, rel=1e-6)  # float32 keeps 7 digits
    assert simulator.account_rows(("held_bars", "exposure"))[0] == pytest.approx([wanted[3], wanted[0]], rel=1e-6)


def test_a_short_that_falls_has_an_unrealised_gain():
    simulator = Simulator(flat_bars(100.0, 80.0), 1, COSTS)
    simulator.reset(np.array([0]), np.array([0]), np.array([2]))
    simulator.step(np.array([-1.0]))
    assert simulator.account_rows(("unrealised",))[0, 0] == pytest.approx(-math.log(0.8), rel=1e-6)
    assert simulator.account_rows(("exposure",))[0, 0] < 0.0


def test_a_ruined_account_has_finite_features():
    simulator = Simulator(flat_bars(100.0, 1_000.0), 1, COSTS)
    simulator.reset(np.array([0]), np.array([0]), np.array([2]))
    simulator.step(np.array([-1.0]))
    assert simulator.equity[0] == 0.0
    assert simulator.account_rows(("exposure", "unrealised", "drawdown", "held_bars")).tolist() == [[0.0, 0.0, 1.0, 0.0]]


def test_the_reward_is_the_weighted_sum_of_its_terms():
    simulator = started(reward=RewardParams(weights={"log_return": 100.0}))
    result = simulator.step(np.ones(3))
    assert result.reward.tolist() == (100.0 * simulator.log_return).tolist()


def test_several_terms_add_up_and_the_longest_horizon_counts(monkeypatch):
    monkeypatch.setitem(REWARD_TERMS, "one", RewardTerm(lambda bar: np.ones(bar.n), "one a bar", horizon=5))
    reward = RewardParams(weights={"log_return": 2.0, "one": 0.5})
    simulator = started(reward=reward)
    result = simulator.step(np.ones(3))
    assert result.reward.tolist() == (2.0 * simulator.log_return + 0.5).tolist()
    assert reward.horizon == 5


def test_an_unknown_reward_term_is_refused():
    with pytest.raises(ValidationError, match=r"unknown reward terms \['profit'\]"):
        RewardParams(weights={"profit": 1.0})


def test_the_reward_of_what_is_earned_looks_no_bar_ahead():
    assert RewardParams().horizon == 0


def test_stepping_before_a_reset_is_refused():
    simulator = Simulator(flat_bars(100.0, 110.0), 2, COSTS)
    simulator.reset(np.array([0]), np.array([0]), np.array([2]))
    with pytest.raises(InvariantError, match="account 1 was stepped before it was reset"):
        simulator.step(np.zeros(2))


@pytest.mark.parametrize("target", [1.5, -1.01, math.nan, math.inf])
def test_a_target_beyond_the_largest_exposure_is_refused(target):
    with pytest.raises(InvariantError, match=r"of account 1 is not allowed; allowed: -1\.0 to 1\.0"):
        started().step(np.array([0.0, target, 0.0]))


@pytest.mark.parametrize("multiple", [-0.1, math.nan, 1_000.0])
def test_costs_for_which_no_trade_can_be_sized_are_refused(multiple):
    simulator = started()
    simulator.cost_multiple[1] = multiple
    with pytest.raises(InvariantError, match=r"cost multiple .* of account 1 is not allowed"):
        simulator.step(np.zeros(3))


def test_targets_of_another_shape_are_refused():
    with pytest.raises(InvariantError, match=r"targets have shape \(2,\); allowed: \(3,\)"):
        started().step(np.zeros(2))


def test_target_paths_of_another_shape_or_size_are_refused():
    with pytest.raises(InvariantError, match=r"target paths have shape \(5, 2\); allowed: \(bars, 3\)"):
        started().run(np.zeros((5, 2)))
    with pytest.raises(InvariantError, match=r"target exposure 2\.0 of account 1 is not allowed"):
        started().run(np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]]))


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (5, 12), (9, 21), (20, 22), (-1, 3)])
def test_an_episode_outside_one_series_is_refused(start, stop):
    market = market_of(random_prices(1, 20, 0.01), starts=(0, 10))
    simulator = Simulator(market, 1, COSTS)
    with pytest.raises(ConfigError, match="cannot be simulated; allowed: at least two rows, all within one"):
        simulator.reset(np.array([0]), np.array([start]), np.array([stop]))


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (0, 2), (8, 10), (10, 20), (10, 12), (18, 20)])
def test_an_episode_may_take_all_of_its_series(start, stop):
    market = market_of(random_prices(1, 20, 0.01), starts=(0, 10))
    simulator = Simulator(market, 1, COSTS)
    simulator.reset(np.array([0]), np.array([start]), np.array([stop]))
    ended = [bool(simulator.step(np.ones(1)).truncated[0]) for _ in range(stop - start - 1)]
    assert ended == [False] * (stop - start - 2) + [True]


@pytest.mark.parametrize(
    ("start", "target", "message"),
    [
        (49, 0.5, r"episode of rows 49\.\.49 cannot be simulated"),
        (3, 1.5, r"start targets \[0\.0, 1\.5\] are not all allowed; allowed: -1\.0 to 1\.0"),
        (3, math.nan, r"start targets \[0\.0, nan\] are not all allowed"),
    ],
)
def test_a_reset_of_which_one_episode_is_refused_changes_no_account(start, target, message):
    simulator = started()
    simulator.step(np.array([1.0, 1.0, -1.0]))
    before = simulator.state_dict()
    with pytest.raises((ConfigError, InvariantError), match=message):
        simulator.reset(np.array([0, 2]), np.array([3, start]), np.array([50, 50]), np.array([0.0, target]))
    after = simulator.state_dict()
    assert {name: block.tobytes() for name, block in after.items()} == {name: block.tobytes() for name, block in before.items()}


@pytest.mark.parametrize("price", [math.nan, 0.0, -1.0, math.inf])
def test_a_price_that_cannot_be_is_refused_by_its_row(price):
    prices = random_prices(1, 20, 0.01)
    prices[7, 2] = price
    with pytest.raises(DataError, match="row 7 of the market has prices"):
        Simulator(market_of(prices), 1, COSTS)


def test_no_accounts_are_refused():
    with pytest.raises(ConfigError, match="0 accounts"):
        Simulator(flat_bars(1.0, 1.0), 0, COSTS)


def test_saved_accounts_of_another_number_are_refused():
    with pytest.raises(DataError, match="block 'money' has shape"):
        started(n=3).load_state_dict(started(n=4).state_dict())


def test_an_exposure_that_the_margin_forbids_is_refused():
    with pytest.raises(ValidationError, match="allowed: a product below 1"):
        SimulatorParams(max_exposure=20.0, maintenance_margin=0.05)


def test_costs_add_up_and_scale():
    assert COSTS.rate == pytest.approx(0.0011, rel=1e-12)
    assert COSTS.scaled(3.0).rate == pytest.approx(0.0033, rel=1e-12)
    assert COSTS.scaled(0.0).rate == 0.0


@pytest.mark.parametrize("multiple", [-1.0, math.nan, 101.0])
def test_costs_times_nonsense_are_refused(multiple):
    with pytest.raises(ConfigError, match="allowed: a multiple of at least 0"):
        COSTS.scaled(multiple)
