"""Orders of which a share fills at each attempt, as in a flash crash, worked by hand: what works on and what fills whole."""

from __future__ import annotations

import numpy as np
import pytest
from small_accounts import EXACT, MUCH, account, costs_of, go, hourly, still, traded

from seawall.core.errors import ConfigError
from seawall.simulator.costs.catalogue import stressed
from seawall.simulator.costs.params import CostParams
from seawall.simulator.kernel.layout import EXIT_NAMES
from seawall.simulator.portfolio.simulator import PortfolioSimulator
from simulator.small_portfolios import panel_of, started, walk

HALF = costs_of().model_copy(update={"fill_ratio": 0.5})
HALVES = (5.0, 7.5, 8.75, 9.375, 9.6875, 9.84375, 9.921875, 10.0)
"""Of 10 units half of what is missing each time; at last 0.078125 units, worth 7.8125 or less than 1 % of 1000, fill whole."""


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_half_of_what_is_missing_fills_at_each_open_until_little_is(side):
    simulator = account(still(*[100.0] * 11), HALF)
    for place, quantity in enumerate(HALVES):
        go(simulator, side)
        assert simulator.quantity[0] == pytest.approx(side * quantity, rel=EXACT)
        assert simulator.order_is_working[0] == (place < len(HALVES) - 1)
    go(simulator, side)
    assert not traded(simulator)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_decision_to_leave_fills_in_part_too_and_ends_flat(side):
    simulator = account(still(*[100.0] * 11), HALF, start=side)
    for quantity in HALVES[:-1]:
        go(simulator, 0.0)
        assert simulator.quantity[0] == pytest.approx(side * (10.0 - quantity), rel=EXACT)
        assert simulator.order_is_working[0] == 1
    go(simulator, 0.0)
    assert simulator.quantity[0] == simulator.order_is_working[0] == 0


def test_a_reversal_is_one_order_of_which_half_closes_what_was_held():
    simulator = account(still(*[100.0] * 4), HALF, start=1.0)
    quantities = []
    for _ in range(3):
        go(simulator, -1.0)
        quantities.append(float(simulator.quantity[0]))
    # 20 units are sold in all: 10, then half of 10, then half of 5.
    assert quantities == pytest.approx([0.0, -5.0, -7.5], abs=1e-12)


def test_each_part_pays_for_itself_alone():
    simulator = account(still(*[100.0] * 4), costs_of(taker=100.0).model_copy(update={"fill_ratio": 0.5}))
    go(simulator, 1.0)  # half of 1000 / 1.01 = 990.099
    assert simulator.traded_notional[0] == pytest.approx(500 / 1.01, rel=EXACT)
    assert simulator.fee[0] == pytest.approx(5 / 1.01, rel=EXACT)
    assert simulator.cash[0] == pytest.approx(500.0, rel=EXACT)  # 495.05 and its fee of 4.95 are 500
    go(simulator, 1.0)
    assert simulator.cash[0] == pytest.approx(250.0, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(250 + 750 / 1.01, rel=EXACT)


def test_what_is_missing_is_measured_at_each_open_and_ends_with_a_new_decision():
    simulator = account(still(100.0, 100.0, 200.0, 200.0, 200.0), HALF)
    go(simulator, 1.0)  # 5 at 100, 500 in cash
    go(simulator, 1.0)  # 1500 at 200 are 7.5 units: half of the 2.5 that are missing
    assert simulator.quantity[0] == pytest.approx(6.25, rel=EXACT)
    go(simulator, 0.8)  # 6 units of 200 are 0.8 of 1500; 0.25 units are 50, more than 15
    assert simulator.quantity[0] == pytest.approx(6.125, rel=EXACT)


def test_half_of_a_limit_fills_each_time_the_price_trades_through_it():
    # 500 of 1000 at 95 are 5.263 units. At 95 the account is worth 1000 all the time.
    through, touched = (97, 98, 94, 96), (97, 98, 95, 96)
    simulator = account(hourly((100, 100, 100, 100), through, touched, through), HALF, terms=True)
    filled = []
    for _ in range(3):
        go(simulator, 0.5, 0.05)
        filled.append(float(simulator.quantity[0]))
        assert simulator.order_is_working[0] == 1
    assert filled == pytest.approx([250 / 95, 250 / 95, 375 / 95], rel=EXACT)


@pytest.mark.parametrize(
    ("lot", "quantities"),
    [
        # 33 lots are 9.9 units. Half of them are 16 lots, of the 17 left 8, of 9 4, of 5 2, of 3 1; then a lot each time.
        (0.3, (4.8, 7.2, 8.4, 9.0, 9.3, 9.6, 9.9)),
        # Half of two lots is one, half of one is less than there can be.
        (4.0, (4.0, 8.0)),
    ],
)
def test_a_part_is_of_whole_lots_and_one_at_least(lot, quantities):
    simulator = account(still(*[100.0] * 10), HALF, orders={"lot_size": lot})
    for place, quantity in enumerate(quantities):
        go(simulator, 1.0)
        assert simulator.quantity[0] == pytest.approx(quantity, rel=EXACT)
        assert simulator.order_is_working[0] == (place < len(quantities) - 1)


def test_a_bar_has_no_more_room_for_a_part_than_for_a_whole():
    # A tenth of 30 units a bar: 3, less than half of 10; then half of 7 is 3 again, and half of 4 is 2.
    simulator = account(still(*[100.0] * 4, volume=30.0), HALF, orders={"participation": 0.1})
    quantities = []
    for _ in range(3):
        go(simulator, 1.0)
        quantities.append(float(simulator.quantity[0]))
    assert quantities == pytest.approx([3.0, 6.0, 8.0], rel=EXACT)


@pytest.mark.parametrize(
    ("rule", "start", "bar", "settings", "price"),
    [
        ("stop_loss", 1.0, (100, 100, 97, 99), {"stop_loss_bps": 200.0}, 98.0),
        ("take_profit", -1.0, (100, 100, 97, 99), {"take_profit_bps": 200.0}, 98.0),
        ("liquidation", 3.0, (100, 100, 69, 72), {"max_exposure": 3.0}, 69.0),
        ("drawdown", 1.0, (100, 100, 79, 79), {"max_drawdown": 0.2}, 79.0),
        ("end", 1.0, (100, 100, 97, 99), {"close_at_end": True}, 99.0),
    ],
)
def test_what_a_rule_closes_is_closed_whole(rule, start, bar, settings, price):
    simulator = account(hourly((100, 100, 100, 100), bar), HALF, start=start, **settings)
    go(simulator, start)
    assert EXIT_NAMES[simulator.exit_code[0]] == rule
    assert simulator.fill_price[0] == pytest.approx(price, rel=EXACT)
    assert simulator.quantity[0] == simulator.order_is_working[0] == simulator.target[0] == 0


def test_a_stop_takes_back_what_is_left_of_the_order():
    simulator = account(hourly((100, 100, 100, 100), (100, 100, 97, 97), *[(97, 97, 97, 97)] * 2), HALF, stop_loss_bps=200.0)
    go(simulator, 1.0)  # 5 of 10 units, which the bar itself stops at 98: 10 are lost
    assert (simulator.quantity[0], simulator.order_is_working[0]) == (0.0, 0)
    assert simulator.equity[0] == pytest.approx(990.0, rel=EXACT)
    go(simulator, 0.0)
    assert not traded(simulator)


def test_money_is_conserved_and_every_account_stands_for_itself_with_three_tenths_filled():
    rng = np.random.default_rng(3)
    closes = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, 400)))
    rows = [(o, max(o, c) * 1.01, min(o, c) * 0.99, c, MUCH) for o, c in zip(closes[:-1] * 1.002, closes[1:], strict=True)]
    costs = costs_of(taker=20.0, spread=10.0, slippage={"base_bps": 3.0, "volatility_multiplier": 0.1, "size_impact": 2.0})
    partly = costs.model_copy(update={"fill_ratio": 0.3})
    targets = rng.choice([-1.0, 0.0, 0.5, 1.0], (12, len(rows) - 1)).repeat(5, axis=1)[:, : len(rows) - 1]
    together = account(hourly(*rows), partly, n=12)
    singles = [account(hourly(*rows), partly) for _ in targets]
    working = 0
    for bar in range(len(rows) - 1):
        before = together.equity.copy()
        together.step(targets[:, bar])
        paid = together.fee + together.spread + together.slippage + together.financing + together.funding
        explained = together.price_pnl - paid + together.write_off
        assert together.equity - before == pytest.approx(explained, rel=0, abs=1e-9 * 1_000)
        working += int(together.order_is_working.sum())
        for place, alone in enumerate(singles):
            alone.step(targets[place : place + 1, bar])
            assert alone.equity.tobytes() == together.equity[place : place + 1].tobytes()
    assert working > 1_000


def test_a_portfolio_trades_a_share_of_each_difference_and_pays_for_that_alone():
    # 1 % a side. All cash, 0.4 and 0.4 wanted: whole trades leave κ = 1000 / (0.2 + 0.8 / 0.99) and buy 0.4 κ of each.
    costs = CostParams(taker_bps=100.0, spread_bps=0.0, fill_ratio=0.5)
    simulator = started(panel_of(np.full((2, 12), 100.0)), costs=costs)
    wanted, whole = np.array([[0.2, 0.4, 0.4]]), 1_000 / (0.2 + 0.8 / 0.99)
    simulator.step(wanted)
    assert simulator.units[0] == pytest.approx([0.2 * whole / 100] * 2, rel=EXACT)
    assert simulator.cash[0] == pytest.approx((1_000 + 0.2 * whole) / 2, rel=EXACT)
    assert simulator.fee[0] == pytest.approx(0.01 * 0.4 * whole / 0.99, rel=EXACT)
    for _ in range(6):  # 800, 400, … 12.5 are missing before, 6.25 after: less than 1 % of the equity, which fills whole
        simulator.step(wanted)
    assert simulator.weights[0, 0] > 0.2 + 1e-3
    simulator.step(wanted)
    assert simulator.weights[0] == pytest.approx([0.2, 0.4, 0.4], rel=EXACT)


def test_a_portfolio_of_which_three_tenths_fill_loses_no_money_and_owes_nothing():
    costs, rng = CostParams(taker_bps=20.0, spread_bps=10.0, fill_ratio=0.3), np.random.default_rng(4)
    panel, weights = walk(4), rng.dirichlet(np.ones(5) * 0.5, (300, 3))
    together, singles = started(panel, 3, costs), [started(panel, 1, costs) for _ in range(3)]
    for bar in range(300):
        before = together.equity.copy()
        hold = rng.random(3) < 0.2
        together.step(weights[bar], hold)
        explained = together.price_pnl - together.fee - together.spread - together.slippage
        np.testing.assert_allclose(together.equity - before, explained, rtol=0, atol=1e-12 * before.max())
        assert (together.units >= 0.0).all()
        assert (together.cash >= 0.0).all()
        for place, alone in enumerate(singles):
            alone.step(weights[bar, [place]], hold[[place]])
            assert alone.equity.tobytes() == together.equity[[place]].tobytes()


def test_assets_of_a_portfolio_that_would_fill_in_different_parts_are_refused():
    costs = {"A": CostParams(), "B": stressed(CostParams(), "flash_crash")}
    with pytest.raises(ConfigError, match=r"costs.fill_ratio is {'A': 1.0, 'B': 0.5}; allowed: one for all assets"):
        PortfolioSimulator(panel_of(np.full((2, 4), 100.0)), 1, costs)
