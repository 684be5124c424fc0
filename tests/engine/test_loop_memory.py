"""The loop begins a policy that remembers anew, tells what it remembers, and sends its decisions where it is told to."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.engine.decision import DecisionLoop
from seawall.evaluation.backtest import backtest
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.simulator import Simulator

ROWS = 40


class Counter:
    """Buys at every third bar that it remembers having seen, and sells at the others."""

    def __init__(self) -> None:
        self.memory = np.zeros((0, 1), np.float32)

    def begin(self, n: int) -> None:
        self.memory = np.zeros((n, 1), np.float32)

    def resume(self, memory: np.ndarray) -> None:
        self.memory = memory.copy()

    def act(self, observation, *, deterministic=True):
        self.memory = self.memory + 1.0
        return np.where(self.memory[:, 0] % 3 == 0, 1, 0), {}


class Forgetful:
    """Always buys, and remembers nothing."""

    def act(self, observation, *, deterministic=True):
        return np.ones(len(observation.rows), dtype=np.int64), {}


def market() -> Market:
    close = 100.0 + np.arange(ROWS, dtype=np.float64)
    prices = np.stack([close, close + 1.0, close - 1.0, close, np.ones(ROWS)], axis=1)
    times = np.arange(ROWS, dtype=np.int64) * 3_600_000
    return Market(("S",), (0, ROWS), Timeframe(3_600), times, prices, np.zeros((ROWS, 0), np.float32), (), (0,))


def simulator(n: int = 1) -> Simulator:
    accounts = Simulator(market(), n, CostParams())
    accounts.reset(np.arange(n), np.full(n, 5), np.full(n, ROWS))
    return accounts


def desk(n: int = 1) -> Desk:
    return Desk(action_scheme("sell_buy_hold", True), None, n)


def test_a_second_backtest_of_a_policy_that_remembers_is_the_first_one_again():
    policy = Counter()
    ledgers = [backtest(policy, market(), RowRange(5, 37), desk(), CostParams()) for _ in range(2)]
    assert ledgers[0].frame["action"].tolist()[:6] == [0, 0, 1, 0, 0, 1]
    assert ledgers[0].frame.equals(ledgers[1].frame)


def test_a_memory_is_begun_for_as_many_accounts_as_the_loop_has():
    loop = DecisionLoop(Counter(), desk(3), simulator(3), ())
    assert loop.memory.tolist() == [[0.0], [0.0], [0.0]]
    loop.step()
    assert loop.memory.tolist() == [[1.0], [1.0], [1.0]]


def test_a_resumed_memory_goes_on_where_it_was():
    loop = DecisionLoop(Counter(), desk(), simulator(), ())
    loop.step()
    loop.step()
    told = loop.memory
    another = DecisionLoop(Counter(), desk(), simulator(), ())
    another.resume(told)
    assert another.step().action.tolist() == [1]


def test_a_policy_that_remembers_nothing_has_a_memory_without_columns():
    loop = DecisionLoop(Forgetful(), desk(2), simulator(2), ())
    assert loop.memory.shape == (2, 0)
    loop.resume(loop.memory)
    with pytest.raises(ConfigError, match=r"\(2, 1\).*\(2, 0\)"):
        loop.resume(np.zeros((2, 1), np.float32))


class Late:
    """Fills nothing before it is told that the next bar has closed."""

    def __init__(self, accounts: Simulator) -> None:
        self.simulator = accounts
        self.sent: list[float] = []
        self._result = None

    def submit(self, decision):
        self.sent.append(float(decision.allowed[0]))
        self._decision = decision

    def bar_closed(self):
        self._result = self.simulator.step(self._decision.allowed, self._decision.terms, self._decision.signal)

    def settled(self):
        return self._result


def test_a_decision_is_sent_when_it_is_taken_and_recorded_when_it_is_filled():
    elsewhere = Late(simulator())
    loop, plain = DecisionLoop(Forgetful(), desk(), elsewhere, ()), DecisionLoop(Forgetful(), desk(), simulator(), ())
    for bars in range(1, 6):
        loop.decide()
        assert elsewhere.sent == [1.0] * bars
        elsewhere.bar_closed()
        record, expected = loop.settle(), plain.step()
        for name in record.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(record, name), getattr(expected, name))
