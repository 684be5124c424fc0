"""The decision loop: one decision is observe, act, guard, fill, record, and knows nothing of what comes after."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.core.errors import InvariantError
from seawall.core.market import Market
from seawall.core.timeframe import Timeframe
from seawall.engine.decision import DecisionLoop
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.simulator import Simulator

ROWS = 60
COLUMNS = ("exposure", "drawdown")


def market(prices: np.ndarray) -> Market:
    rows = len(prices)
    return Market(
        symbols=("S",),
        starts=(0, rows),
        timeframe=Timeframe(3_600),
        timestamps=np.arange(rows, dtype=np.int64) * 3_600_000,
        prices=prices,
        features=np.zeros((rows, 0), dtype=np.float32),
        feature_names=(),
        ready=(0,),
    )


def random_prices(seed: int, rows: int = ROWS) -> np.ndarray:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, rows)))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0.0, 0.003, rows))
    high, low = np.maximum(opening, close) * 1.002, np.minimum(opening, close) * 0.998
    return np.stack([opening, high, low, close, np.ones(rows)], axis=1)


class Momentum:
    """Buys after a rise, sells after a fall, and leans on its account row, so that both parts of it are seen."""

    def act(self, observation, *, deterministic=True):
        prices, rows = observation.market.prices, observation.rows
        rose = prices[rows, 3] > prices[rows - 1, 3]
        hold = observation.account[:, 1] > 0.05
        return np.where(hold, 2, np.where(rose, 1, 0)), {}


def loop_over(prices: np.ndarray, starts: list[int], stop: int = ROWS, policy=None) -> DecisionLoop:
    n = len(starts)
    simulator = Simulator(market(prices), n, CostParams())
    simulator.reset(np.arange(n), np.array(starts), np.full(n, stop))
    guards = GuardChain([NConsecutive(NConsecutiveParams(n=2, mode="confirm"))])
    return DecisionLoop(policy or Momentum(), Desk(action_scheme("sell_buy_hold", True), guards, n), simulator, COLUMNS)


def test_many_accounts_decide_as_each_would_alone():
    starts = [5, 9, 20]
    together = loop_over(random_prices(1), starts)
    alone = [loop_over(random_prices(1), [start]) for start in starts]
    for _ in range(30):
        records, singles = together.step(), [single.step() for single in alone]
        for name in records.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(records, name), np.concatenate([getattr(single, name) for single in singles]))


def test_the_future_changes_no_decision():
    prices, cut = random_prices(2), 30
    poisoned = prices.copy()
    poisoned[cut + 1 :] *= 7.0
    first, second = loop_over(prices, [5]), loop_over(poisoned, [5])
    for _ in range(5, cut):
        np.testing.assert_array_equal(first.step().equity, second.step().equity)
    np.testing.assert_array_equal(first.observe().account, second.observe().account)
    np.testing.assert_array_equal(first.decide().allowed, second.decide().allowed)


def test_a_decision_needs_no_bar_after_the_one_that_closed():
    prices = random_prices(3)
    whole, shorter = loop_over(prices, [5]), loop_over(prices[:32], [5], stop=32)
    for _ in range(5, 31):
        np.testing.assert_array_equal(whole.step().allowed, shorter.step().allowed)
    np.testing.assert_array_equal(whole.observe().account, shorter.observe().account)


def test_the_policy_sees_the_account_columns_and_then_the_guards_state():
    seen = []

    class Recorder(Momentum):
        def act(self, observation, *, deterministic=True):
            seen.append(observation.account.copy())
            return np.array([1]), {}

    loop = loop_over(random_prices(4), [5], policy=Recorder())
    loop.step()
    loop.step()
    assert seen[0].tolist() == [[0.0, 0.0, 2.0, 2.0]]
    assert seen[1][0, 2:].tolist() == [2.0, 1.0]


def test_a_record_holds_the_bar_decided_at_and_the_bar_filled_in():
    prices = random_prices(5)
    loop = loop_over(prices, [5])
    loop.desk = Desk(action_scheme("sell_buy_hold", True), None, 1)
    record = loop.step()
    assert (record.row[0], record.timestamp_ms[0], record.next_timestamp_ms[0]) == (5, 5 * 3_600_000, 6 * 3_600_000)
    assert record.close[0] == prices[5, 3]
    assert record.fill_price[0] == prices[6, 0]
    assert record.equity[0] == loop.simulator.equity[0]


def test_in_every_bar_equity_changes_by_profit_less_costs():
    loop = loop_over(random_prices(6), [5])
    before = loop.simulator.equity[0]
    traded = 0.0
    for _ in range(50):
        record = loop.step()
        change = record.price_pnl[0] - record.fee[0] - record.spread[0] + record.write_off[0]
        assert record.equity[0] - before == pytest.approx(change, abs=1e-8)
        before, traded = record.equity[0], traded + record.traded_notional[0]
    assert traded > 0.0


def test_a_decision_is_settled_before_the_next():
    loop = loop_over(random_prices(7), [5])
    with pytest.raises(InvariantError, match="no decision waits"):
        loop.settle()
    loop.decide()
    with pytest.raises(InvariantError, match="not settled"):
        loop.decide()
    loop.settle()
    loop.decide()
