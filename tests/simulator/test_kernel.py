"""Cases worked by hand; the arithmetic stands beside each number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_markets import bars, flat_bars, market_of, random_prices

from seawall.core.market import Market
from seawall.simulator.costs.params import CostParams
from seawall.simulator.kernel import step
from seawall.simulator.kernel.layout import RUIN_RATIO, Orders
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

ONE_PERCENT = CostParams(taker_bps=90.0, spread_bps=20.0)
FREE = CostParams(taker_bps=0.0, spread_bps=0.0)
EXACT = 1e-12


def account(market: Market, costs: CostParams = ONE_PERCENT, **settings: float) -> Simulator:
    simulator = Simulator(market, 1, costs, SimulatorParams(initial_equity=1_000.0, **settings))
    simulator.reset(np.array([0]), np.array([0]), np.array([len(market)]))
    return simulator


def go(simulator: Simulator, target: float):
    return simulator.step(np.array([target]))


def test_opening_long_pays_fee_and_half_spread_on_what_the_money_left_can_buy():
    simulator = account(flat_bars(100.0, 100.0, 110.0))
    simulator.step(np.array([0.0]))
    result = go(simulator, 1.0)
    notional = 1_000.0 / 1.01  # x = (1·1000 − 0) / (1 + 1·0.01), so that x + 0.01 x = 1000
    assert simulator.traded_notional[0] == pytest.approx(notional, rel=EXACT)
    assert simulator.fee[0] == pytest.approx(0.009 * notional, rel=EXACT)
    assert simulator.spread[0] == pytest.approx(0.001 * notional, rel=EXACT)
    assert simulator.fill_price[0] == 100.0
    assert simulator.quantity[0] == pytest.approx(notional / 100.0, rel=EXACT)
    assert simulator.cash[0] == 0.0
    assert simulator.equity[0] == pytest.approx(notional * 1.1, rel=EXACT)
    assert result.reward[0] == pytest.approx(math.log(1.1 / 1.01), rel=EXACT)


def test_holding_trades_nothing_and_earns_the_price_change():
    simulator = account(flat_bars(100.0, 110.0, 121.0))
    go(simulator, 1.0)
    result = go(simulator, 1.0)
    assert simulator.traded_notional[0] == simulator.fee[0] == simulator.spread[0] == 0.0
    assert math.isnan(simulator.fill_price[0])
    assert result.reward[0] == pytest.approx(math.log(1.1), rel=EXACT)
    assert simulator.held_bars[0] == 2


def test_reversing_to_short_pays_for_both_sides_at_once():
    simulator = account(flat_bars(100.0, 110.0, 99.0))
    go(simulator, 1.0)
    before = 1_100.0 / 1.01  # long since 100, marked at 110
    go(simulator, -1.0)
    notional = 2.0 * before / 1.01  # x = (−E − E) / (1 + (−1)·0.01·(−1))
    after = before - 0.01 * notional
    assert simulator.traded_notional[0] == pytest.approx(notional, rel=EXACT)
    assert simulator.quantity[0] == pytest.approx(-after / 110.0, rel=EXACT)
    assert simulator.cash[0] == pytest.approx(2.0 * after, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(after * 1.1, rel=EXACT)  # 110 → 99 is −10 %
    assert simulator.entry_price[0] == 110.0
    assert simulator.held_bars[0] == 1


def test_closing_a_short_pays_on_the_value_bought_back():
    simulator = account(flat_bars(100.0, 80.0, 90.0))
    go(simulator, -1.0)
    start = 1_000.0 / 1.01  # x = −1000 / 1.01 and E = 1000 − 10/1.01
    assert simulator.equity[0] == pytest.approx(start * 1.2, rel=EXACT)
    go(simulator, 0.0)
    assert simulator.traded_notional[0] == pytest.approx(start * 0.8, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(start * (1.2 - 0.01 * 0.8), rel=EXACT)
    assert simulator.quantity[0] == 0.0
    assert simulator.cash[0] == simulator.equity[0]


def test_a_fill_is_at_the_open_of_the_next_bar_and_earns_only_from_there():
    simulator = account(bars((100, 100, 100, 100), (105, 110, 104, 108)), FREE)
    go(simulator, 1.0)
    assert simulator.fill_price[0] == 105.0
    assert simulator.equity[0] == pytest.approx(1_000.0 * 108 / 105, rel=EXACT)


def test_a_position_held_over_a_gap_earns_the_gap():
    simulator = account(bars((100, 100, 100, 100), (100, 100, 100, 100), (105, 110, 104, 108)), FREE)
    go(simulator, 1.0)
    go(simulator, 0.0)
    assert simulator.price_pnl[0] == pytest.approx(50.0, rel=EXACT)  # 10 units, 100 → 105, then flat
    assert simulator.equity[0] == pytest.approx(1_050.0, rel=EXACT)


def test_adding_to_a_position_averages_the_entry_and_keeps_the_bars_held():
    simulator = account(flat_bars(100.0, 150.0, 150.0), FREE)
    go(simulator, 0.5)  # 5 units at 100, 500 in cash; worth 1250 at 150
    go(simulator, 1.0)  # 10/3 more at 150
    assert simulator.quantity[0] == pytest.approx(25.0 / 3.0, rel=EXACT)
    assert simulator.entry_price[0] == pytest.approx((5 * 100 + 10 / 3 * 150) / (25 / 3), rel=EXACT)
    assert simulator.held_bars[0] == 2


def test_a_short_is_liquidated_at_the_high_that_reaches_the_margin():
    # 10 sold at 100 leave 2000 in cash; at 190.5 equity is 95 and the margin 0.05 · 1905 = 95.25.
    simulator = account(bars((100, 100, 100, 100), (100, 190.5, 90, 95)), FREE)
    result = go(simulator, -1.0)
    assert bool(result.terminated[0])
    assert not bool(result.truncated[0])
    assert bool(simulator.liquidated[0])
    assert simulator.fill_price[0] == 190.5
    assert simulator.equity[0] == pytest.approx(95.0, rel=EXACT)
    assert simulator.write_off[0] == 0.0
    assert simulator.quantity[0] == simulator.target[0] == 0.0
    assert simulator.price_pnl[0] == pytest.approx(-905.0, rel=EXACT)


def test_a_short_just_above_the_margin_survives():
    simulator = account(bars((100, 100, 100, 100), (100, 190.4, 90, 95)), FREE)
    result = go(simulator, -1.0)
    assert not bool(result.terminated[0])
    assert simulator.equity[0] == pytest.approx(1_050.0, rel=EXACT)


def test_liquidation_pays_costs_and_writes_off_what_is_left_owing():
    simulator = account(bars((100, 100, 100, 100), (100, 250, 100, 200)))
    go(simulator, -1.0)
    start = 1_000.0 / 1.01
    owed = start * 2.5 * 1.01 - 2.0 * start  # bought back at 250 with 1 % costs out of twice the start
    assert simulator.write_off[0] == pytest.approx(owed, rel=EXACT)
    assert simulator.equity[0] == 0.0
    assert simulator.fee[0] == pytest.approx(0.009 * (start + 2.5 * start), rel=EXACT)


def test_a_gap_at_the_open_liquidates_there_and_the_wanted_trade_is_not_made():
    simulator = account(bars((100, 100, 100, 100), (100, 100, 100, 100), (250, 300, 240, 260)), FREE)
    go(simulator, -1.0)
    result = go(simulator, 1.0)
    assert simulator.fill_price[0] == 250.0
    assert simulator.write_off[0] == pytest.approx(500.0, rel=EXACT)  # 2000 in cash buys back for 2500
    assert simulator.equity[0] == 0.0
    assert bool(result.terminated[0])
    assert result.reward[0] == math.log(RUIN_RATIO)


def test_a_gap_to_the_margin_liquidates_although_the_wanted_trade_could_be_paid():
    # 10 sold at 100 leave 2000 in cash; at an open of 195 equity is 50, and the margin 0.05 · 1950 = 97.5.
    simulator = account(bars((100, 100, 100, 100), (100, 100, 100, 100), (195, 196, 190, 191)), FREE)
    go(simulator, -1.0)
    result = go(simulator, 1.0)
    assert bool(result.terminated[0])
    assert simulator.fill_price[0] == 195.0
    assert simulator.equity[0] == pytest.approx(50.0, rel=EXACT)
    assert simulator.quantity[0] == 0.0


def test_a_leveraged_long_is_liquidated_at_the_low():
    # Twice long: 20 units, 1000 borrowed; at 52 equity is 40 and the margin 0.05 · 1040 = 52.
    simulator = account(bars((100, 100, 100, 100), (100, 101, 52, 100)), FREE, max_exposure=2.0)
    go(simulator, 2.0)
    assert simulator.fill_price[0] == 52.0
    assert simulator.equity[0] == pytest.approx(40.0, rel=EXACT)


def test_an_account_that_cannot_pay_for_a_trade_is_closed_instead():
    # Ten times long at 100 with 1000: 100 units, 9000 owed. At 96 equity is 600, above the margin of 0.05 · 9600 = 480,
    # but selling them for 9600 costs 0.09 · 9600 = 864.
    market = bars((100, 100, 100, 100), (100, 100, 96, 96), (96, 96, 96, 96))
    costs, params = CostParams(taker_bps=900.0, spread_bps=0.0), SimulatorParams(initial_equity=1_000.0, max_exposure=10.0)
    simulator = Simulator(market, 1, costs, params)
    simulator.reset(np.array([0]), np.array([0]), np.array([3]), np.array([10.0]))
    go(simulator, 10.0)
    assert simulator.equity[0] == pytest.approx(600.0, rel=EXACT)
    result = go(simulator, 0.0)
    assert bool(result.terminated[0])
    assert bool(simulator.liquidated[0])
    assert simulator.write_off[0] == pytest.approx(264.0, rel=EXACT)
    assert simulator.equity[0] == 0.0


def test_the_last_row_truncates_and_an_ended_account_stands_still():
    simulator = account(flat_bars(100.0, 110.0, 121.0), FREE)
    assert not bool(go(simulator, 1.0).truncated[0])
    assert bool(go(simulator, 1.0).truncated[0])
    after = go(simulator, -1.0)
    assert after.reward[0] == 0.0
    assert bool(after.truncated[0])
    assert simulator.row[0] == 2
    assert simulator.equity[0] == pytest.approx(1_210.0, rel=EXACT)
    assert simulator.traded_notional[0] == 0.0


def test_the_parallel_form_gives_the_same_bits_as_the_serial_one():
    n, steps = 300, 60
    market = market_of(random_prices(3, 400, 0.15))
    targets = np.random.default_rng(4).choice([-1.0, -0.3, 0.0, 1.0], (steps, n))
    states = []
    for form in (step.step_serial, step.step_parallel):
        simulator = Simulator(market, n, ONE_PERCENT)
        start = np.arange(n)
        simulator.reset(start, start, start + 100)
        for wanted in targets:
            orders = Orders(wanted, wanted, wanted, wanted)
            form(simulator._bars, simulator._accounts, orders, simulator._rules, simulator._flags)
        states.append(simulator.state_dict())
    assert states[0]["money"].tobytes() == states[1]["money"].tobytes()
    assert states[0]["counts"].tobytes() == states[1]["counts"].tobytes()
