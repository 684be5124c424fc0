"""The paper broker: what it answers, and that an order is filled once, at the next open, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.core.errors import InvariantError, TransientError
from seawall.core.market import Market
from seawall.core.timeframe import Timeframe
from seawall.live.brokers.contract import Balance, Known, Order, Position, Unknown, client_order_id
from seawall.live.brokers.paper import PaperBroker
from seawall.live.paper import PaperExecution
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

HOUR_MS = 3_600_000
FREE = CostParams(taker_bps=0.0, spread_bps=0.0)


def market(rows: int, volume: float = 1_000.0) -> Market:
    """Open 100 + t, close 100.5 + t."""
    opening = 100.0 + np.arange(rows, dtype=np.float64)
    prices = np.stack([opening, opening + 1.0, opening - 1.0, opening + 0.5, np.full(rows, volume)], axis=1)
    times = np.arange(rows, dtype=np.int64) * HOUR_MS
    return Market(("S",), (0, rows), Timeframe(3_600), times, prices, np.zeros((rows, 0), np.float32), (), (0,))


def order(row: int, target: float) -> Order:
    return Order(client_order_id("account", "S", row * HOUR_MS), "S", row * HOUR_MS, target)


def opened(params: SimulatorParams | None = None, costs: CostParams = FREE) -> PaperBroker:
    broker = PaperBroker("S", costs, params or SimulatorParams(initial_equity=1_000.0), terms=False)
    broker.open(market(4), bars_left=20)
    return broker


def test_an_order_is_filled_at_the_open_of_the_next_bar():
    broker = opened()
    assert broker.balance() == Known(Balance(1_000.0, 1_000.0))
    assert broker.positions() == Known({})
    assert broker.submit(order(3, 1.0)).value.accepted
    assert broker.open_orders() == Known((order(3, 1.0),))
    assert broker.positions() == Known({})
    broker.bar_closed(market(5))
    assert broker.open_orders() == Known(())
    assert broker.positions() == Known({"S": Position(1_000.0 / 104.0, 104.0)})
    assert broker.balance().value.equity == pytest.approx(1_000.0 / 104.0 * 104.5, rel=1e-12)


def test_an_order_sent_again_is_the_same_order_even_after_its_fill():
    broker = opened()
    broker.submit(order(3, 1.0))
    assert broker.submit(order(3, 1.0)).value.words == "taken before"
    broker.bar_closed(market(5))
    assert broker.submit(order(3, 1.0)).value.accepted
    assert broker.open_orders() == Known(())
    broker.bar_closed(market(6))
    assert broker.simulator.traded_notional[0] == 0.0


def test_an_order_taken_back_before_the_open_is_never_filled():
    broker = opened()
    broker.submit(order(3, 1.0))
    assert broker.cancel(order(3, 1.0).client_order_id).value.accepted
    broker.bar_closed(market(5))
    assert broker.positions() == Known({})
    assert not broker.cancel(order(3, 1.0).client_order_id).value.accepted


def test_what_is_left_of_an_order_is_still_open_and_can_only_be_replaced():
    params = SimulatorParams.model_validate({"initial_equity": 1_000.0, "orders": {"participation": 0.002}})
    broker = opened(params)
    broker.submit(order(3, 1.0))
    broker.bar_closed(market(5))
    assert broker.positions().value["S"].quantity == pytest.approx(2.0)
    assert broker.open_orders() == Known((order(3, 1.0),))
    refused = broker.cancel(order(3, 1.0).client_order_id).value
    assert (refused.accepted, "replaces it" in refused.words) == (False, True)
    broker.bar_closed(market(6))
    assert broker.positions().value["S"].quantity == pytest.approx(4.0)
    broker.submit(order(5, 0.0))
    broker.bar_closed(market(7))
    broker.bar_closed(market(8))
    assert broker.positions() == Known({})
    assert broker.open_orders() == Known(())


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (Order("a" * 32, "OTHER", 3 * HOUR_MS, 1.0), "of another symbol"),
        (Order("a" * 32, "S", 2 * HOUR_MS, 1.0), "of a bar that is past"),
    ],
)
def test_an_order_of_another_symbol_or_bar_is_refused(wrong, why):
    with pytest.raises(InvariantError, match="of the newest bar"):
        opened().submit(wrong)


def test_a_second_decision_at_one_bar_is_refused():
    broker = opened()
    broker.submit(order(3, 1.0))
    with pytest.raises(InvariantError, match="one order a bar"):
        broker.submit(Order("b" * 32, "S", 3 * HOUR_MS, -1.0))


@pytest.mark.parametrize("rows", [4, 6])
def test_a_bar_that_is_not_the_next_one_is_refused(rows):
    with pytest.raises(InvariantError, match=f"has {rows} rows; needed: 5"):
        opened().bar_closed(market(rows))


def test_the_identifier_of_a_decision_is_always_the_same_and_no_other_ones():
    made = client_order_id("account", "BTCUSDT", 5)
    assert made == client_order_id("account", "BTCUSDT", 5)
    assert (len(made), made.isalnum()) == (32, True)
    others = {
        client_order_id("other", "BTCUSDT", 5),
        client_order_id("account", "ETHUSDT", 5),
        client_order_id("account", "BTCUSDT", 6),
    }
    assert len(others | {made}) == 4


def test_a_bar_dropped_from_the_front_of_the_market_changes_nothing_of_the_account():
    kept, cut = opened(), opened()
    for broker in (kept, cut):
        broker.submit(order(3, 1.0))
        broker.bar_closed(market(5))
    whole = market(6)

    def without_two(each: Market) -> Market:
        rows = len(each) - 2
        return Market(("S",), (0, rows), each.timeframe, each.timestamps[2:], each.prices[2:], each.features[2:], (), (0,))

    cut.trimmed(without_two(market(5)), 2)
    assert cut.simulator.row.tolist() == [2]
    kept.bar_closed(whole)
    cut.bar_closed(without_two(whole))
    assert cut.balance() == kept.balance()
    assert cut.simulator.stop[0] == kept.simulator.stop[0] - 2


def test_an_answer_that_is_not_known_stops_and_is_not_taken_for_a_refusal():
    broker = opened()
    execution = PaperExecution(broker, "account")
    decision = Desk(action_scheme("sell_buy_hold", True), None, 1).decide(np.array([1]), broker.simulator.view())
    broker.submit = lambda order: Unknown("the line is dead")
    with pytest.raises(TransientError, match="is unknown: the line is dead"):
        execution.submit(decision)
    assert execution.orders == 0


def test_a_decision_that_keeps_its_target_sends_no_order():
    broker = opened()
    execution, desk = PaperExecution(broker, "account"), Desk(action_scheme("sell_buy_hold", True), None, 1)
    execution.submit(desk.decide(np.array([2]), broker.simulator.view()))
    assert (execution.orders, broker.open_orders()) == (0, Known(()))
    execution.submit(desk.decide(np.array([1]), broker.simulator.view()))
    assert (execution.orders, len(broker.open_orders().value)) == (1, 1)
