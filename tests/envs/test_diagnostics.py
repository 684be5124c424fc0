"""What a batch tells of its accounts between two questions, by hand and by what was kept of every step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_worlds import batch, random_actions, world

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.tally import SHARPE_STEPS

SELL, BUY, HOLD = 0, 1, 2


def still(*closes: float) -> Market:
    """Bars that do not move within themselves; a decision is filled and marked at the price of the next bar."""
    prices = np.array([[close] * 4 + [1.0] for close in closes])
    rows = len(closes)
    times = np.arange(rows, dtype=np.int64) * 3_600_000
    return Market(("A",), (0, rows), Timeframe(3_600), times, prices, np.zeros((rows, 1), np.float32), ("f",), (0,))


def single_account(*closes: float, **reward: object) -> TradingVectorEnv:
    params = EnvironmentParams(
        window=1,
        costs=CostParams(taker_bps=100.0, spread_bps=0.0),
        simulator=SimulatorParams(reward=RewardParams(**reward)),
        start="sequential",
    )
    env = TradingVectorEnv(still(*closes), RowRange(0, len(closes)), 1, action_scheme("sell_buy_hold", short=True), params=params)
    env.reset(seed=0)
    env.watch()
    return env


def test_the_means_of_two_bars_are_those_worked_by_hand():
    # Bought for 1 % at 100: equity 10,000 / 1.01. Held from 100 to 90: equity x 0.9.
    env = single_account(100.0, 100.0, 90.0, 90.0, weights={"log_return": 2.0, "trade": 0.5}, scale=10.0)
    env.step(np.array([BUY]))
    env.step(np.array([HOLD]))
    first, second = -math.log(1.01), math.log(0.9)
    fee, equity = 100.0 / 1.01, 10_000.0 / 1.01
    mean = (first + second) / 2
    deviation = abs(first - second) / 2
    assert env.diagnostics() == {
        "reward/log_return": pytest.approx(20.0 * mean, rel=1e-12),
        "reward/trade": pytest.approx(-5.0 / 2, rel=1e-12),
        "account/drawdown": pytest.approx(((1 - 1 / 1.01) + (1 - 0.9 / 1.01)) / 2, rel=1e-12),
        "account/rolling_sharpe": pytest.approx(mean / deviation, rel=1e-9),
        "account/exposure": pytest.approx(1.0, rel=1e-12),
        "account/trades": 0.5,
        "account/fees": pytest.approx(fee / (equity + 0.9 * equity), rel=1e-12),
    }


def test_each_answer_is_about_the_steps_since_the_one_before_and_the_ratio_about_all_that_it_remembers():
    env = single_account(100.0, 100.0, 90.0, 99.0, 99.0, 99.0, weights={"log_return": 1.0})
    assert env.diagnostics() == {}
    env.step(np.array([BUY]))
    env.diagnostics()
    env.step(np.array([HOLD]))
    told = env.diagnostics()
    assert told["reward/log_return"] == pytest.approx(math.log(0.9), rel=1e-12)
    assert (told["account/trades"], told["account/fees"]) == (0.0, 0.0)
    returns = [-math.log(1.01), math.log(0.9)]
    assert told["account/rolling_sharpe"] == pytest.approx(np.mean(returns) / np.std(returns), rel=1e-9)
    assert env.diagnostics() == {}


def test_over_many_episodes_the_means_are_those_of_all_steps():
    weights = {"log_return": 1.0, "drawdown": 0.1, "idle": 0.01}
    env = batch(7, simulator=SimulatorParams(reward=RewardParams(weights=weights, idle_bars=1)))
    env.reset(seed=4)
    env.watch()
    rewards, ended = [], 0
    for number, now in enumerate(random_actions(1, 90, 7)):
        _, reward, terminated, truncated, _ = env.step(now)
        rewards.append(reward)
        ended += int((terminated | truncated).sum())
        if number == 29:
            env.diagnostics()
    told = env.diagnostics()
    assert ended > 14
    parts = [told[f"reward/{name}"] for name in weights]
    assert sum(parts) == pytest.approx(np.mean(rewards[30:]), rel=1e-9)
    assert min(map(abs, parts)) > 0.0


def test_the_ratio_forgets_what_lies_further_back_than_its_steps():
    rows = SHARPE_STEPS + 60
    env = batch(3, world(rows=rows), RowRange(0, rows), episode_bars=10)
    env.reset(seed=1)
    env.watch()
    seen = []
    for now in random_actions(2, SHARPE_STEPS + 40, 3):
        seen.append(env.advance(now)[0])  # the reward is the log return
        ended = np.flatnonzero(env.simulator.row >= env.simulator.stop - 1)
        env.begin(ended)
    last = np.array(seen[-SHARPE_STEPS:])
    assert env.diagnostics()["account/rolling_sharpe"] == pytest.approx(last.mean() / last.std(), rel=1e-9)


def test_a_saved_batch_tells_the_same_and_one_that_nobody_asks_counts_and_saves_nothing():
    whole, other, silent = (batch(4) for _ in range(3))
    for env in (whole, other, silent):
        env.reset(seed=2)
    whole.watch()
    other.watch()
    actions = random_actions(3, 60, 4)
    for now in actions[:37]:
        whole.step(now)
        silent.step(now)
    other.load_state_dict(whole.state_dict())
    for now in actions[37:]:
        whole.step(now)
        other.step(now)
    assert whole.diagnostics() == other.diagnostics()
    assert silent.diagnostics() == {}
    assert not [name for name in silent.state_dict() if name.startswith("tally")]
    # What was saved without being asked for is gone on from, and counted from there.
    other.load_state_dict(silent.state_dict())
    assert other.diagnostics() == {}
