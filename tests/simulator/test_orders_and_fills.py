"""Orders and how they are filled, worked by hand: what rests, what is cut into lots, what waits and what arrives late."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_accounts import EXACT, account, costs_of, go, hourly, settings_of, still, traded

from seawall.core.market import Market
from seawall.simulator.simulator import OrderTerms, Simulator

CALM = (100, 100, 100, 100)
DEAR = costs_of(taker=100.0, spread=40.0, maker=20.0, slippage={"base_bps": 30.0})


def resting(*rows: tuple[float, ...], **settings):
    return account(hourly(*rows), terms=True, **settings)


def test_a_limit_to_buy_rests_below_the_close_and_fills_there():
    simulator = resting(CALM, (100, 101, 94, 98))
    go(simulator, 0.5, 0.05)
    assert simulator.order_price[0] == simulator.fill_price[0] == simulator.entry_price[0] == 95.0  # 100 − 5 %
    assert simulator.quantity[0] == pytest.approx(500 / 95, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(500 + 500 / 95 * 98, rel=EXACT)
    assert simulator.order_is_working[0] == 0


def test_a_limit_to_sell_rests_above_the_close_and_fills_there():
    simulator = resting(CALM, (100, 106, 99, 102))
    go(simulator, -0.5, 0.05)
    assert simulator.fill_price[0] == 105.0
    assert simulator.quantity[0] == pytest.approx(-500 / 105, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(1_500 - 500 / 105 * 102, rel=EXACT)


@pytest.mark.parametrize(("target", "touch", "through"), [(0.5, 95.0, 94.99), (-0.5, 105.0, 105.01)])
def test_a_touch_leaves_a_limit_resting_at_its_price_until_it_is_traded_through(target, touch, through):
    # The price rests where it was, although the close moves to the touch: 95 and 105, not 5 % from there.
    bars = [(100, max(100, price), min(100, price), price) for price in (touch, touch, through)]
    simulator = resting(CALM, *bars)
    for _ in range(2):
        go(simulator, target, 0.05)
        assert not traded(simulator)
        assert math.isnan(simulator.order_price[0])
        assert simulator.order_is_working[0] == 1
        assert simulator.target[0] == target
    go(simulator, target, 0.05)
    assert simulator.fill_price[0] == touch
    assert simulator.order_is_working[0] == 0


@pytest.mark.parametrize(("target", "gap"), [(0.5, 90.0), (-0.5, 110.0)])
def test_a_bar_that_opens_beyond_a_limit_fills_it_at_the_open(target, gap):
    simulator = resting(CALM, (gap, gap, gap, gap))
    go(simulator, target, 0.05)
    assert simulator.fill_price[0] == gap
    assert simulator.quantity[0] == pytest.approx(target * 1_000 / gap, rel=EXACT)


def test_a_resting_order_pays_the_makers_commission_and_neither_spread_nor_slippage():
    simulator = account(hourly(CALM, (100, 101, 94, 95), (95, 95, 95, 95)), DEAR, terms=True)
    go(simulator, 0.5, 0.05)
    notional = 500 / (1 + 0.5 * 0.002)  # x = 0.5 · 1000 / (1 + 0.5 · 20 bps)
    assert simulator.traded_notional[0] == pytest.approx(notional, rel=EXACT)
    assert simulator.fee[0] == pytest.approx(0.002 * notional, rel=EXACT)
    assert simulator.spread[0] == simulator.slippage[0] == 0.0
    assert simulator.equity[0] == pytest.approx(1_000 - 0.002 * notional, rel=EXACT)
    go(simulator, 0.0, 0.0)  # and a market order those of the taker: 100, 40 / 2 and 30 bps
    assert simulator.fee[0] == pytest.approx(0.01 * notional, rel=EXACT)
    assert simulator.spread[0] == pytest.approx(0.002 * notional, rel=EXACT)
    assert simulator.slippage[0] == pytest.approx(0.003 * notional, rel=EXACT)


def test_a_makers_rebate_is_earned():
    simulator = account(hourly(CALM, (100, 101, 94, 95)), costs_of(taker=10.0, maker=-20.0), terms=True)
    go(simulator, 0.5, 0.05)
    notional = 500 / (1 - 0.5 * 0.002)
    assert simulator.fee[0] == pytest.approx(-0.002 * notional, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(1_000 + 0.002 * notional, rel=EXACT)


def test_a_new_decision_replaces_a_resting_order():
    simulator = resting(CALM, (100, 100, 96, 98), (98, 98, 94, 95))
    go(simulator, 0.5, 0.05)  # rests at 95
    go(simulator, 0.4, 0.10)  # rests at 98 − 10 % = 88.2 instead
    assert not traded(simulator)
    assert simulator.target[0] == 0.4
    assert simulator.order_is_working[0] == 1


def test_a_market_order_replaces_a_resting_one_and_a_flat_decision_takes_it_back():
    simulator = resting(CALM, CALM, (101, 101, 90, 95), (95, 95, 80, 90))
    go(simulator, 0.5, 0.05)
    go(simulator, 0.4, 0.0)
    assert simulator.fill_price[0] == 101.0
    other = resting(CALM, CALM, (101, 101, 90, 95), (95, 95, 80, 90))
    go(other, 0.5, 0.05)
    for _ in range(2):
        go(other, 0.0, 0.0)
        assert not traded(other)
        assert other.order_is_working[0] == 0


def test_a_stop_takes_a_resting_order_back():
    # Long 5 at 100 with a stop at 98; the order to sell at 105 rests until the stop closes what it was for.
    simulator = resting(CALM, CALM, CALM, (100, 100, 97, 97), (97, 120, 97, 110))
    go(simulator, 0.5, 0.0, stop_loss=0.02)
    go(simulator, 0.2, 0.05, stop_loss=0.02)
    assert simulator.order_is_working[0] == 1
    go(simulator, 0.2, 0.05, stop_loss=0.02)
    assert simulator.fill_price[0] == 98.0
    assert simulator.order_is_working[0] == simulator.target[0] == 0
    go(simulator, 0.0, 0.0)
    assert not traded(simulator)


def test_a_resting_order_to_sell_short_more_never_buys():
    # Short 5 at 100 with 1500 in cash. −0.52 asks to sell 20 more, at 110. There the short is 550 of 950, or −0.579, already
    # more than is wanted: at the open the order would have bought, or sold at 100 as a market order without spread.
    simulator = account(hourly(CALM, (100, 101, 99, 100), (100, 115, 99, 112)), DEAR, terms=True, start=-0.5)
    for _ in range(2):
        go(simulator, -0.52, 0.10)
        assert not traded(simulator)
        assert simulator.quantity[0] == -5.0


def test_a_resting_order_to_buy_more_with_borrowed_money_never_sells():
    # Twice long: 20 units, 1000 owed. 2.01 asks to buy 10 more, at 90, where the position is 1800 of 800, or 2.25.
    simulator = account(hourly(CALM, (100, 101, 99, 100), (100, 100, 88, 95)), DEAR, terms=True, start=2.0, max_exposure=3.0)
    for _ in range(2):
        go(simulator, 2.01, 0.10)
        assert not traded(simulator)
        assert simulator.quantity[0] == 20.0


def test_a_gap_beyond_a_resting_order_to_sell_never_makes_it_buy():
    # Short 5 with 1500; −0.8 asks to sell at 110. It opens at 150, where 750 of 750 are short: −0.8 would mean to buy 150.
    simulator = account(hourly(CALM, (150, 151, 149, 150)), DEAR, terms=True, start=-0.5)
    go(simulator, -0.8, 0.10)
    assert not traded(simulator)
    assert simulator.equity[0] == pytest.approx(1_500 - 5 * 150, rel=EXACT)


def test_an_order_larger_than_its_share_of_a_bar_fills_over_several_bars():
    # A tenth of 20 units a bar: 2 of the 10 that 1000 buy at 100. A bar without volume fills nothing.
    volumes = (1, 20, 20, 0, 20, 35, 20)
    market = hourly(*((*CALM, volume) for volume in volumes))
    simulator = account(market, orders={"participation": 0.1})
    for quantity, works in ((2, 1), (4, 1), (4, 1), (6, 1), (9.5, 1), (10, 0)):
        go(simulator, 1.0)
        assert simulator.quantity[0] == pytest.approx(quantity, rel=EXACT)
        assert simulator.order_is_working[0] == works
        assert simulator.target[0] == 1.0
    assert simulator.traded_notional[0] == pytest.approx(50.0, rel=1e-10)


def test_what_is_left_of_an_order_is_measured_anew_at_each_open_and_ends_with_a_new_decision():
    market = hourly(*((*CALM, 20), (*CALM, 20), (200, 200, 200, 200, 20), (200, 200, 200, 200, 20)))
    simulator = account(market, orders={"participation": 0.1})
    go(simulator, 1.0)  # 2 at 100, 800 in cash
    go(simulator, 1.0)  # 1200 at 200 are 6 units, 2 held: 4 wanted, 2 filled
    assert simulator.quantity[0] == pytest.approx(4.0, rel=EXACT)
    assert simulator.entry_price[0] == pytest.approx(150.0, rel=EXACT)
    go(simulator, 0.5)  # 600 of 1200 are 3 units
    assert simulator.quantity[0] == pytest.approx(3.0, rel=EXACT)
    assert simulator.order_is_working[0] == 0


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_leaving_the_market_is_cut_by_volume_too(side):
    market = hourly(*((*CALM, 60) for _ in range(5)))
    simulator = account(market, orders={"participation": 0.1}, start=side)
    go(simulator, 0.0)
    assert simulator.quantity[0] == pytest.approx(side * 4.0, rel=EXACT)
    assert simulator.order_is_working[0] == 1
    go(simulator, 0.0)
    assert simulator.quantity[0] == 0.0
    assert simulator.order_is_working[0] == 0


def test_what_a_bar_has_no_room_for_of_a_limit_rests_on_at_its_price():
    rows = [(*CALM, 50), (100, 100, 94, 97, 50), (97, 98, 95, 97, 50), (97, 97, 94.5, 95, 50)]
    simulator = account(hourly(*rows), terms=True, orders={"participation": 0.1})
    go(simulator, 1.0, 0.05)
    assert simulator.quantity[0] == pytest.approx(5.0, rel=EXACT)  # a tenth of 50, of 1000 / 95 wanted
    go(simulator, 1.0, 0.05)
    assert not traded(simulator)  # 95 is touched only
    go(simulator, 1.0, 0.05)
    assert simulator.fill_price[0] == 95.0
    assert simulator.quantity[0] == pytest.approx(10.0, rel=EXACT)


@pytest.mark.parametrize(("target", "quantity"), [(1.0, 9.9), (-1.0, -9.9), (0.5, 4.8), (0.02, 0.0)])
def test_quantities_are_whole_lots(target, quantity):
    # Lots of 0.3: 10 units are 33 of them, 5 are 16, 0.2 is none.
    simulator = account(still(100, 100, 100), orders={"lot_size": 0.3})
    go(simulator, target)
    assert simulator.quantity[0] == pytest.approx(quantity, rel=EXACT)
    assert simulator.cash[0] == pytest.approx(1_000 - 100 * quantity, rel=EXACT)
    assert simulator.order_is_working[0] == 0


def test_a_lot_is_not_lost_to_rounding():
    simulator = account(still(100, 100, 100), orders={"lot_size": 0.1})
    go(simulator, 0.03)  # 30 / 100 / 0.1 is 2.9999999999999996 in floating point
    assert simulator.quantity[0] == pytest.approx(0.3, rel=EXACT)


def test_costs_are_those_of_the_lots_traded():
    simulator = account(still(100, 100, 100), costs_of(taker=100.0), orders={"lot_size": 4.0})
    go(simulator, 1.0)  # 1000 / 1.01 / 100 = 9.9 units are 2 lots
    assert simulator.quantity[0] == 8.0
    assert simulator.fee[0] == pytest.approx(8.0, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(992.0, rel=EXACT)


def test_orders_below_the_least_notional_are_not_sent_save_those_that_leave():
    simulator = account(still(100, 100, 100, 100, 100), orders={"min_notional": 50.0})
    go(simulator, 0.049)
    assert not traded(simulator)
    assert simulator.order_is_working[0] == 0
    go(simulator, -0.051)
    assert simulator.quantity[0] == pytest.approx(-0.51, rel=EXACT)
    go(simulator, -0.04)  # 11 to buy back
    assert not traded(simulator)
    simulator = account(still(100, 100, 100), orders={"min_notional": 50.0}, start=0.04)
    go(simulator, 0.0)
    assert simulator.quantity[0] == 0.0
    assert simulator.cash[0] == pytest.approx(1_000.0, rel=EXACT)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_position_of_broken_lots_is_left_whole(side):
    simulator = account(still(100, 100, 100), orders={"lot_size": 2.0}, start=0.5 * side)
    go(simulator, 0.0)
    assert simulator.quantity[0] == 0.0  # 5 units, of which 4 are lots
    assert simulator.traded_notional[0] == pytest.approx(500.0, rel=EXACT)
    assert simulator.cash[0] == pytest.approx(1_000.0, rel=EXACT)


@pytest.mark.parametrize(("target", "price"), [(0.5, 97.5), (-0.5, 104.5)])
def test_a_limit_is_rounded_away_from_the_market_to_a_tick(target, price):
    # 101 ∓ 3 % are 97.97 and 104.03; ticks of 0.5.
    simulator = resting((101, 101, 101, 101), (101, 110, 90, 101), orders={"tick_size": 0.5})
    go(simulator, target, 0.03)
    assert simulator.fill_price[0] == price


@pytest.mark.parametrize(("target", "offset", "price"), [(0.5, 0.34, 66.0), (-0.5, 0.68, 168.0)])
def test_a_price_on_a_tick_is_not_moved_by_rounding(target, offset, price):
    # 100 · (1 − 0.34) / 0.1 is 659.9999999999998 and 100 · (1 + 0.68) / 0.1 is 1680.0000000000002 in floating point.
    simulator = resting(CALM, (100, 169, 60, 100), orders={"tick_size": 0.1})
    go(simulator, target, offset)
    assert simulator.order_price[0] == pytest.approx(price, rel=EXACT)


def test_a_limit_below_the_first_tick_never_fills():
    simulator = resting((0.5, 0.5, 0.5, 0.5), (0.5, 0.6, 0.1, 0.5), orders={"tick_size": 1.0})
    go(simulator, 0.5, 0.1)
    assert not traded(simulator)


@pytest.mark.parametrize("bars", [1, 2])
def test_an_order_arrives_as_many_bars_late_as_the_latency_says(bars):
    simulator = account(still(100, 101, 102, 103, 104, 105), orders={"latency_bars": bars})
    for _ in range(bars):
        go(simulator, 1.0)
        assert not traded(simulator)
        assert simulator.target[0] == 0.0
        assert simulator.view().target[0] == 1.0  # what HOLD keeps is what was decided
    go(simulator, 1.0)
    assert simulator.fill_price[0] == 101.0 + bars
    assert simulator.target[0] == 1.0


def test_every_decision_on_its_way_arrives_in_its_turn():
    simulator = account(still(*[100.0] * 8), orders={"latency_bars": 2})
    arrived = []
    for target in (1.0, -1.0, -1.0, 0.5, 0.5, 0.5):
        go(simulator, target)
        arrived.append(float(simulator.target[0]))
    assert arrived == [0.0, 0.0, 1.0, -1.0, -1.0, 0.5]


def test_terms_travel_with_their_order():
    simulator = resting(CALM, CALM, (100, 100, 94, 96), (96, 96, 80, 90), orders={"latency_bars": 1})
    go(simulator, 0.5, 0.05, stop_loss=0.1)
    go(simulator, 0.5, 0.0)  # the same decision: sends nothing
    assert simulator.fill_price[0] == 95.0
    go(simulator, 0.5, 0.0)
    assert simulator.fill_price[0] == 85.5  # 95 − 10 %


def late_stop() -> Simulator:
    """Long from row 2 on; at row 3 the stop at 95 closes it, while an order for 0.5 is on its way, to arrive at row 4."""
    market = hourly(CALM, CALM, CALM, (100, 100, 94, 94), (94, 94, 94, 94), (94, 94, 94, 94), (94, 94, 94, 94))
    simulator = account(market, stop_loss_bps=500.0, orders={"latency_bars": 1})
    go(simulator, 1.0)
    go(simulator, 1.0)
    go(simulator, 0.5)
    assert simulator.fill_price[0] == 95.0
    assert simulator.target[0] == 0.0
    return simulator


def test_an_order_that_is_on_its_way_at_a_stop_arrives_and_may_be_taken_back():
    simulator = late_stop()
    assert simulator.view().target[0] == 0.5  # what the order will bring
    go(simulator, 0.0)
    assert simulator.quantity[0] == pytest.approx(475.0 / 94.0, rel=EXACT)  # half of 950
    go(simulator, 0.0)
    assert simulator.quantity[0] == 0.0


def test_after_a_stop_with_nothing_on_its_way_hold_stays_flat():
    market = hourly(CALM, CALM, CALM, (100, 100, 94, 94), *[(94, 94, 94, 94)] * 4)
    simulator = account(market, stop_loss_bps=500.0, orders={"latency_bars": 1})
    for _ in range(3):
        go(simulator, 1.0)
    assert simulator.fill_price[0] == 95.0
    assert simulator.view().target[0] == 0.0
    go(simulator, 0.0)
    assert simulator.quantity[0] == 0.0
    go(simulator, 1.0)  # a new decision, for which there are two bars
    go(simulator, 1.0)
    assert simulator.quantity[0] == pytest.approx(950 / 94, rel=EXACT)


@pytest.mark.parametrize("bars", [1, 2])
def test_a_saved_account_goes_on_with_the_orders_on_their_way_and_those_that_rest(bars):
    rows = [CALM, *[CALM] * bars, (100, 100, 96, 98), (98, 99, 94, 97), (97, 120, 96, 110)]
    settings = {"terms": True, "orders": {"latency_bars": bars}, "trailing_stop_bps": 2_000.0}
    whole, broken = (account(hourly(*rows), DEAR, **settings) for _ in range(2))
    go(whole, 0.5, 0.05, take_profit=0.1, stop_loss=0.1)
    go(broken, 0.5, 0.05, take_profit=0.1, stop_loss=0.1)
    for target in [0.5] * (bars + 2):
        saved = broken.state_dict()
        broken = account(hourly(*rows), DEAR, **settings)
        broken.load_state_dict(saved)
        go(whole, target, 0.0)
        go(broken, target, 0.0)
        assert all(block.tobytes() == broken.state_dict()[name].tobytes() for name, block in whole.state_dict().items())
    assert whole.fill_price[0] == pytest.approx(95 * 1.1, rel=EXACT)  # entered at the limit, left at the take-profit


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_prices_of_any_size_give_the_same_money(scale):
    rows = np.array([CALM, (100, 106, 94, 98), (98, 120, 97, 110), (110, 112, 90, 100), (100, 101, 99, 100)])

    def equity(market: Market, unit: float) -> list[float]:
        orders = {"tick_size": 0.5 * unit, "lot_size": 0.01 / unit}
        simulator = account(market, DEAR, terms=True, orders=orders)
        path = []
        for target, limit in ((0.5, 0.05), (0.9, 0.02), (-0.7, 0.0), (0.0, 0.0)):
            go(simulator, target, limit, take_profit=0.2, stop_loss=0.1)
            path.append(float(simulator.equity[0]))
        return path

    scaled = equity(hourly(*(tuple(row) for row in rows * scale)), scale)
    assert scaled == pytest.approx(equity(hourly(*(tuple(row) for row in rows)), 1.0), rel=1e-9)
    assert len(set(scaled)) > 2


def test_terms_of_each_account_are_its_own():
    simulator = Simulator(hourly(CALM, (100, 104, 96, 100)), 3, costs_of(), settings_of(terms=True), terms=True)
    simulator.reset(np.arange(3), np.zeros(3, dtype=int), np.full(3, 2))
    simulator.step(np.array([0.5, 0.5, -0.5]), OrderTerms(np.array([0.0, 0.05, 0.03]), np.zeros(3), np.array([0.01, 0.0, 0.0])))
    assert simulator.fill_price.tolist() == [99.0, pytest.approx(math.nan, nan_ok=True), 103.0]
    assert simulator.quantity[0] == 0.0
