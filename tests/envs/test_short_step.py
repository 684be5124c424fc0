"""The single environment's short way (one compiled call) against its long way, which the same environment takes when it renders."""

import numpy as np
import pytest
from small_worlds import ROWS, world

from seawall.core.errors import InvariantError
from seawall.core.market import RowRange
from seawall.envs.params import EnvironmentParams
from seawall.envs.single import TradingEnv
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams, FinancingParams
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.settings import SimulatorParams

TABLES = ["sell_buy_hold", "buy_sell_hold", "target_exposure", "hold_long_short_close"]
COSTLY = CostParams(taker_bps=20, spread_bps=4, financing=FinancingParams(long_apr=0.3, short_apr=0.1))
STOPPED = SimulatorParams(stop_loss_bps=150, take_profit_bps=200, reward=RewardParams(scale=3.0))


def env(scheme: str, *, long_way: bool, observation: str = "window", short: bool = True) -> TradingEnv:
    params = EnvironmentParams(window=4, episode_bars=40, observation=observation, costs=COSTLY, simulator=STOPPED)
    mode = "ansi" if long_way else None
    return TradingEnv(world(), RowRange(0, ROWS), action_scheme(scheme, short), params=params, render_mode=mode)


@pytest.mark.parametrize("observation", ["window", "index"])
@pytest.mark.parametrize("scheme", TABLES)
def test_both_ways_give_the_same_bits(scheme, observation):
    ways = [env(scheme, long_way=far, observation=observation) for far in (False, True)]
    assert ways[0]._stepper is not None
    assert ways[1]._stepper is None
    actions = np.random.default_rng(1).integers(0, ways[0].action_space.n, 200)
    for way in ways:
        way.reset(seed=3)
    for action in actions:
        (seen, *earned), (other, *others) = (way.step(action) for way in ways)
        assert earned[:3] == others[:3]
        assert earned[3] == others[3]
        assert earned[3]["reward_terms"] == {"log_return": earned[0]}
        assert all(seen[name].dtype == other[name].dtype and np.array_equal(seen[name], other[name]) for name in other)
        if earned[1] or earned[2]:
            assert ways[0].batch.simulator.reward.sums.tolist() == ways[1].batch.simulator.reward.sums.tolist()
            for way in ways:
                way.reset()
    assert ways[0].batch.simulator.equity[0] == ways[1].batch.simulator.equity[0]


@pytest.mark.parametrize("action", [3, -1, 1.0, np.float32(1), None])
def test_the_short_way_refuses_what_the_long_way_refuses(action):
    said = []
    for far in (False, True):
        made = env("sell_buy_hold", long_way=far)
        made.reset(seed=0)
        with pytest.raises(InvariantError) as refused:
            made.step(action)
        said.append(str(refused.value))
        assert made.batch.simulator.row[0] == made.batch.simulator.stop[0] - 41
    assert said[0] == said[1]


def test_a_step_before_a_reset_and_an_impossible_cost_are_refused():
    made = env("sell_buy_hold", long_way=False)
    with pytest.raises(InvariantError, match="account 0 was stepped before it was reset"):
        made.step(1)
    made.reset(seed=0)
    made.batch.simulator.cost_multiple[0] = 1e9
    with pytest.raises(InvariantError, match=r"cost multiple 1000000000\.0 of account 0 is not allowed"):
        made.step(1)


def test_a_window_of_the_short_way_cannot_be_written_to():
    made = env("sell_buy_hold", long_way=False)
    made.reset(seed=0)
    seen, *_ = made.step(1)
    with pytest.raises(ValueError, match="read-only"):
        seen["window"][0, 0] = 1.0


def test_the_details_name_what_each_term_added():
    reward = RewardParams(weights={"log_return": 2.0, "fee": 0.5, "holding": 0.1})
    params = EnvironmentParams(window=4, episode_bars=40, costs=COSTLY, simulator=SimulatorParams(reward=reward))
    made = TradingEnv(world(), RowRange(0, ROWS), action_scheme("target_exposure", True), params=params)
    made.reset(seed=0)
    _, earned, _, _, details = made.step(2)
    told, account = details["reward_terms"], made.batch.simulator
    assert list(told) == ["log_return", "fee", "holding"]
    assert told["log_return"] == 2.0 * account.log_return[0]
    assert told["fee"] == pytest.approx(-0.5 * account.fee[0] / 10_000.0, rel=1e-12)
    assert sum(told.values()) == pytest.approx(earned, rel=1e-12)
