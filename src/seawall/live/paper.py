"""Paper trading: the decision loop over bars as they close, with the paper broker behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from seawall.core.errors import ConfigError, InvariantError, TransientError
from seawall.core.protocols import Policy
from seawall.engine.decision import DecisionLoop, DecisionRecords
from seawall.live.brokers.contract import Order, Unknown, client_order_id
from seawall.live.brokers.paper import PaperBroker
from seawall.live.replay import ReplayFeed
from seawall.live.tail import ClosedBar, MarketTail
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Decision, Desk
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator, StepResult


@dataclass(frozen=True)
class PaperSetting:
    """With what a policy trades on paper; the same as in its backtest.

    Attributes:
        desk: Action scheme and guards, fresh, for one account.
        costs: Costs of a fill and of holding.
        simulator: Settings of the account.
        account_columns: Account features that the policy sees.
        account: Which strategy on which account this is, for the identifiers of its orders.
    """

    desk: Desk
    costs: CostParams
    simulator: SimulatorParams
    account_columns: tuple[str, ...]
    account: str


class PaperExecution:
    """Sends the decisions of one account to the paper broker, and takes what its bars make of them.

    Attributes:
        broker: The broker.
        orders: Orders sent so far; a decision that keeps its target sends none.
    """

    def __init__(self, broker: PaperBroker, account: str) -> None:
        """Take the broker, and what names the account."""
        self.broker = broker
        self.orders = 0
        self._account = account
        self._result: StepResult | None = None

    @property
    def simulator(self) -> Simulator:
        """The broker's account."""
        return self.broker.simulator

    def submit(self, decision: Decision) -> None:
        """Send the order of a decision, where it changes what is wanted.

        Raises:
            TransientError: The broker does not say whether it has the order.
            InvariantError: The broker refuses it.
        """
        view = self.broker.simulator.view()
        target = float(decision.allowed[0])
        if target == float(view.target[0]):
            return
        symbol, decided_ms = self.broker.symbol, int(view.timestamp_ms[0])
        carried = () if decision.terms is None else (float(part[0]) for part in decision.terms)
        order = Order(client_order_id(self._account, symbol, decided_ms), symbol, decided_ms, target, *carried)
        answer = self.broker.submit(order)
        if isinstance(answer, Unknown):
            raise TransientError(
                f"whether order {order.client_order_id} stands is unknown: {answer.reason}; ask before another one"
            )
        if not answer.value.accepted:
            raise InvariantError(f"order {order.client_order_id} was refused: {answer.value.words}")
        self.orders += 1

    def bar_closed(self, tail: MarketTail) -> None:
        """Let the broker fill at the open of the bar that has just closed."""
        self._result = self.broker.bar_closed(tail.market)

    def settled(self) -> StepResult:
        """Return what the newest bar brought.

        Raises:
            InvariantError: No bar has closed since the decision.
        """
        result, self._result = self._result, None
        if result is None:
            raise InvariantError("no bar has closed since the decision; settle it after the next one")
        return result


class PaperTrader:
    """One account that decides at the close of each bar and is filled at the open of the next.

    Attributes:
        execution: Where its decisions go.
        loop: The decision loop; None before `open`.
    """

    def __init__(self, policy: Policy, tail: MarketTail, setting: PaperSetting) -> None:
        """Take the parts; `open` comes next.

        Args:
            policy: Whose likeliest actions are taken.
            tail: Holds the bars up to the first decision, with the features of a whole window.
            setting: With what it trades.
        """
        self._policy, self._tail, self._setting = policy, tail, setting
        broker = PaperBroker(tail.symbol, setting.costs, setting.simulator, terms=setting.desk.scheme.carries_terms)
        self.execution = PaperExecution(broker, setting.account)
        self.loop: DecisionLoop | None = None

    def open(self, bars_left: int) -> float:
        """Start the account flat at the close of the newest bar, and take the first decision.

        Args:
            bars_left: Bars that will follow; the last is marked and needs no decision.

        Returns:
            The equity before that decision.
        """
        self.execution.broker.open(self._tail.market, bars_left)
        self._setting.desk.attend()
        self._setting.desk.reset(np.array([0]))
        self.loop = DecisionLoop(self._policy, self._setting.desk, self.execution, self._setting.account_columns)
        self.loop.decide()
        return float(self.loop.simulator.equity[0])

    def bar(self, bar: ClosedBar) -> DecisionRecords:
        """Take a bar that has just closed: settle the decision that waits, and take the next one unless the episode is over.

        Returns:
            The settled decision; its rows count from the first bar of the history.

        Raises:
            InvariantError: The account is not open, or its episode is over.
            DataError: The bar cannot be.
        """
        if self.loop is None:
            raise InvariantError("the paper account is not open; open it at the close of a bar")
        tail, offset = self._tail, self._tail.offset
        tail.append(bar)
        self.execution.bar_closed(tail)
        record = self.loop.settle()
        dropped = tail.trim()
        if dropped:
            self.execution.broker.trimmed(tail.market, dropped)
        if not record.done[0]:
            self.loop.decide()
        return replace(record, row=record.row + offset)


@dataclass(frozen=True)
class Replayed:
    """A replay that came to its end.

    Attributes:
        records: Its decisions, of one account each; their rows count from the first bar of the history.
        initial_equity: Equity before the first of them.
        orders: Orders sent.
    """

    records: list[DecisionRecords]
    initial_equity: float
    orders: int


def replay(
    policy: Policy,
    tail: MarketTail,
    setting: PaperSetting,
    feed: ReplayFeed,
    window: int,
    on_bar: Callable[[DecisionRecords], None] = lambda _record: None,
) -> Replayed:
    """Trade on paper over recorded bars, starting flat.

    Args:
        policy: Whose likeliest actions are taken.
        tail: Without a bar; takes those of the feed.
        setting: With what is traded.
        feed: Tells the bars; the first decision is taken at the close of its `window`-th.
        window: Rows that the policy looks at.
        on_bar: Called with each decision once it is settled. What it raises ends the replay.

    Raises:
        ConfigError: No decision can be taken and marked.
        DataError: A bar cannot be, or too few come before the first decision.
    """
    if len(feed) < window + 1:
        raise ConfigError(f"a replay of {len(feed)} bars was asked for; at least {window + 1} are needed: a window and one to mark")
    trader = PaperTrader(policy, tail, setting)
    tail.load(feed.history)
    records: list[DecisionRecords] = []
    initial_equity = 0.0
    for number, bar in enumerate(feed, start=1):
        if number < window:
            tail.append(bar)
        elif number == window:
            tail.append(bar)
            initial_equity = trader.open(len(feed) - window)
        else:
            records.append(trader.bar(bar))
            on_bar(records[-1])
            if records[-1].done[0]:
                break
    return Replayed(records, initial_equity, trader.execution.orders)
