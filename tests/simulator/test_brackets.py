"""Take-profits, stops and the margin within a bar, worked by hand: which comes first, where it fills and what it pays."""

from __future__ import annotations

import math

import pytest
from small_accounts import EXACT, account, costs_of, go, hourly, traded

from seawall.simulator.kernel.layout import EXIT_NAMES

CALM = (100, 100, 100, 100)
DEAR = costs_of(taker=100.0, spread=40.0, maker=20.0, slippage={"base_bps": 30.0})


def left_by(simulator) -> str:
    return EXIT_NAMES[simulator.exit_code[0]]


def opened(*rows, target=0.5, costs=None, **settings):
    """An account that holds the target since the open of row 1, at 100."""
    simulator = account(hourly(CALM, CALM, *rows), **({} if costs is None else {"costs": costs}), **settings)
    go(simulator, target)
    assert simulator.entry_price[0] == 100.0
    return simulator


@pytest.mark.parametrize(
    ("target", "bar", "price"),
    [
        (0.5, (100, 104, 97, 103), None),  # a touch is not enough
        (0.5, (100, 104.01, 97, 103), 104.0),
        (0.5, (106, 107, 97, 103), 106.0),  # a gap beyond it
        (-0.5, (100, 103, 96, 97), None),
        (-0.5, (100, 103, 95.99, 97), 96.0),
        (-0.5, (93, 94, 92, 93), 93.0),
    ],
)
def test_a_take_profit_fills_where_it_is_traded_through(target, bar, price):
    simulator = opened(bar, target=target, take_profit_bps=400.0)
    go(simulator, target)
    if price is None:
        assert simulator.quantity[0] == 5.0 * (1 if target > 0 else -1)
        return
    assert simulator.fill_price[0] == price
    assert left_by(simulator) == "take_profit"
    assert simulator.equity[0] == pytest.approx(1_000 + abs(price - 100) * 5, rel=EXACT)
    assert simulator.quantity[0] == simulator.target[0] == simulator.held_bars[0] == 0
    assert math.isnan(simulator.order_price[0])


@pytest.mark.parametrize(
    ("target", "bar", "price"),
    [
        (0.5, (100, 104, 97.01, 103), None),
        (0.5, (100, 104, 97, 103), 97.0),  # a touch is enough
        (0.5, (95, 96, 90, 94), 95.0),  # a gap beyond it fills at the open, which is worse
        (-0.5, (100, 102.99, 96, 97), None),
        (-0.5, (100, 103, 96, 97), 103.0),
        (-0.5, (105, 110, 104, 106), 105.0),
    ],
)
def test_a_stop_loss_fills_where_it_is_touched_or_at_a_worse_open(target, bar, price):
    simulator = opened(bar, target=target, stop_loss_bps=300.0)
    result = go(simulator, target)
    if price is None:
        assert simulator.quantity[0] == 5.0 * (1 if target > 0 else -1)
        return
    assert simulator.fill_price[0] == price
    assert left_by(simulator) == "stop_loss"
    assert simulator.equity[0] == pytest.approx(1_000 - abs(price - 100) * 5, rel=EXACT)
    assert not bool(result.terminated[0])


def test_a_take_profit_pays_the_maker_and_a_stop_the_taker():
    notional = 500 / (1 + 0.5 * 0.015)  # 100 + 20 + 30 bps to enter
    simulator = opened((100, 105, 100, 104), costs=DEAR, take_profit_bps=400.0)
    go(simulator, 0.5)
    assert simulator.fee[0] == pytest.approx(0.002 * notional * 1.04, rel=EXACT)
    assert simulator.spread[0] == simulator.slippage[0] == 0.0
    assert simulator.closed_pnl[0] == pytest.approx(notional * (0.04 - 0.002 * 1.04), rel=EXACT)
    assert simulator.closed_value[0] == pytest.approx(notional, rel=EXACT)
    simulator = opened((100, 105, 95, 104), costs=DEAR, stop_loss_bps=400.0)
    go(simulator, 0.5)
    assert simulator.fee[0] == pytest.approx(0.01 * notional * 0.96, rel=EXACT)
    assert simulator.spread[0] == pytest.approx(0.002 * notional * 0.96, rel=EXACT)
    assert simulator.slippage[0] == pytest.approx(0.003 * notional * 0.96, rel=EXACT)


@pytest.mark.parametrize("target", [0.5, -0.5])
def test_where_a_bar_reaches_both_the_stop_comes_first(target):
    simulator = opened((100, 110, 90, 100), target=target, take_profit_bps=400.0, stop_loss_bps=300.0)
    go(simulator, target)
    assert left_by(simulator) == "stop_loss"
    assert simulator.equity[0] == pytest.approx(985.0, rel=EXACT)  # 5 units lose 3 each


def test_a_trailing_stop_follows_the_best_price_of_closed_bars():
    # 5 % below 100, then below the high of 120 of a closed bar; within that bar the low of 98 does not see the high.
    simulator = opened((100, 120, 98, 118), (118, 119, 113.9, 115), trailing_stop_bps=500.0)
    go(simulator, 0.5)
    assert not traded(simulator)
    go(simulator, 0.5)
    assert simulator.fill_price[0] == pytest.approx(114.0, rel=EXACT)
    assert left_by(simulator) == "trailing_stop"
    short = opened((100, 102, 80, 82), (82, 84.1, 81, 83), target=-0.5, trailing_stop_bps=500.0)
    go(short, -0.5)
    assert not traded(short)
    go(short, -0.5)
    assert short.fill_price[0] == pytest.approx(84.0, rel=EXACT)


def test_the_nearer_of_stop_loss_and_trailing_stop_is_met():
    simulator = opened((100, 100, 96, 97), stop_loss_bps=300.0, trailing_stop_bps=500.0)
    go(simulator, 0.5)
    assert (simulator.fill_price[0], left_by(simulator)) == (97.0, "stop_loss")
    simulator = opened((100, 104, 99, 103), (103, 103, 96, 97), stop_loss_bps=300.0, trailing_stop_bps=500.0)
    go(simulator, 0.5)
    go(simulator, 0.5)
    assert simulator.fill_price[0] == pytest.approx(98.8, rel=EXACT)  # 104 − 5 %
    assert left_by(simulator) == "trailing_stop"


@pytest.mark.parametrize(("first", "then"), [(0.5, -0.5), (-0.5, 0.5), (0.0, -0.5), (0.0, 0.5)])
def test_a_trailing_stop_of_a_new_position_starts_at_its_entry(first, then):
    # Whatever was held or seen before: 5 % from the new entry at 100 are 95 and 105, which the entry's bar does not reach. The
    # next bar does: its stop is 5 % from 95.1, the lowest seen by a short, or from 104.9, the highest seen by a long.
    rows = [(100, 140, 60, 100), (100, 104.9, 95.1, 100), (100, 106, 94, 100)]
    simulator = account(hourly(*rows), trailing_stop_bps=500.0, start=first)
    go(simulator, then)
    assert simulator.order_price[0] == 100.0
    assert left_by(simulator) == ""
    go(simulator, then)
    assert left_by(simulator) == "trailing_stop"
    # A short's stop at 99.855 is below the open of 100, where it fills; a long's at 99.655 lies within the bar.
    assert simulator.fill_price[0] == pytest.approx(100.0 if then < 0 else 104.9 * 0.95, rel=EXACT)


def test_a_trailing_stop_works_in_the_bar_of_the_entry():
    # The account was long at 50 once and has been flat since; it buys again at 100 and loses 5 % in that bar.
    simulator = account(hourly((50, 50, 50, 50), (50, 50, 50, 50), CALM, (100, 101, 94, 100)), trailing_stop_bps=500.0, start=0.5)
    go(simulator, 0.0)
    go(simulator, 0.0)
    go(simulator, 0.5)
    assert left_by(simulator) == "trailing_stop"
    assert simulator.fill_price[0] == pytest.approx(95.0, rel=EXACT)


def test_a_short_is_not_stopped_at_its_entry_by_a_low_seen_before():
    rows = [(100, 100, 60, 100), (100, 101, 99, 100)]
    simulator = account(hourly(CALM, *rows), trailing_stop_bps=500.0)
    go(simulator, 0.0)
    go(simulator, -0.5)
    assert left_by(simulator) == ""
    assert simulator.quantity[0] == pytest.approx(-5.0, rel=EXACT)


def test_after_an_entry_within_a_bar_its_better_end_does_not_move_the_trailing_stop():
    # Bought at 95 in a bar that had been at 120 before: the best price known is its close, 97, and 97 − 5 % are 92.15.
    simulator = account(hourly(CALM, (100, 120, 94, 97), (97, 98, 92.2, 97), (97, 98, 92, 97)), terms=True, trailing_stop_bps=500.0)
    go(simulator, 0.5, 0.05)
    assert simulator.fill_price[0] == 95.0
    go(simulator, 0.5, 0.0)
    assert not traded(simulator)
    go(simulator, 0.5, 0.0)
    assert simulator.fill_price[0] == pytest.approx(98 * 0.95, rel=EXACT)


def test_the_margin_is_met_before_a_stop_that_lies_beyond_it():
    # Eight times long: 80 units, 7000 owed. The margin of 5 % is reached at 7000 / 0.95 / 80 = 92.11, before the stop at 92.
    simulator = opened((100, 100, 91, 96), target=8.0, stop_loss_bps=800.0, max_exposure=8.0)
    result = go(simulator, 8.0)
    assert left_by(simulator) == "liquidation"
    assert simulator.fill_price[0] == 91.0  # the worst price of the bar
    assert simulator.equity[0] == pytest.approx(280.0, rel=EXACT)
    assert bool(result.terminated[0])


def test_a_stop_before_the_margin_saves_what_is_left():
    # The stop at 96 leaves 680; the margin would have been reached at 92.11.
    simulator = opened((100, 100, 90, 96), target=8.0, stop_loss_bps=400.0, max_exposure=8.0)
    result = go(simulator, 8.0)
    assert left_by(simulator) == "stop_loss"
    assert simulator.equity[0] == pytest.approx(680.0, rel=EXACT)
    assert not bool(result.terminated[0])


def test_a_take_profit_does_not_save_an_account_whose_margin_the_bar_reaches():
    simulator = opened((100, 110, 92, 100), target=8.0, take_profit_bps=400.0, max_exposure=8.0)
    go(simulator, 8.0)
    assert left_by(simulator) == "liquidation"
    assert simulator.equity[0] == pytest.approx(360.0, rel=EXACT)


@pytest.mark.parametrize(
    ("target", "bar", "entry", "stop"), [(0.5, (100, 101, 90, 99), 95, 93.1), (-0.5, (100, 110, 99, 101), 105, 107.1)]
)
def test_a_limit_is_entered_and_stopped_in_one_bar(target, bar, entry, stop):
    simulator = account(hourly(CALM, bar), terms=True)
    go(simulator, target, 0.05, stop_loss=0.02)
    assert simulator.order_price[0] == entry
    assert simulator.fill_price[0] == pytest.approx(stop, rel=EXACT)  # 2 % beyond the entry
    assert left_by(simulator) == "stop_loss"
    assert simulator.equity[0] == pytest.approx(1_000 - 500 * 0.02, rel=EXACT)


@pytest.mark.parametrize("target", [0.5, -0.5])
def test_an_entry_within_a_bar_has_no_take_profit_there_but_in_the_next(target):
    # Entered at 95 or 105; a profit of 2 % is 96.9 or 102.9, where the bar may have been before.
    simulator = account(hourly(CALM, (100, 110, 90, 100), (100, 101, 99, 100)), terms=True)
    go(simulator, target, 0.05, take_profit=0.02)
    assert left_by(simulator) == ""
    assert abs(simulator.quantity[0]) > 0.0
    go(simulator, target, 0.0)
    assert left_by(simulator) == "take_profit"
    assert simulator.fill_price[0] == 100.0  # it opens beyond the take-profit


def test_an_entry_at_the_open_may_take_its_profit_in_the_same_bar():
    for limit, bar in ((0.0, (100, 103, 99, 100)), (0.05, (94, 98, 93, 95))):
        simulator = account(hourly(CALM, bar), terms=True)
        go(simulator, 0.5, limit, take_profit=0.02)
        assert left_by(simulator) == "take_profit"
        assert simulator.fill_price[0] == pytest.approx(bar[0] * 1.02, rel=EXACT)


def test_a_bar_that_opens_at_a_limit_fills_it_later_and_has_no_take_profit():
    # Touched at the open, traded through at the low, perhaps after the high of 104.
    simulator = account(hourly(CALM, (95, 104, 94, 96)), terms=True)
    go(simulator, 0.5, 0.05, take_profit=0.02)
    assert simulator.order_price[0] == 95.0
    assert left_by(simulator) == ""


def test_a_resting_order_that_adds_leaves_the_take_profit_at_work():
    simulator = account(hourly(CALM, CALM, CALM, (100, 106, 99, 105)), terms=True)
    go(simulator, 0.5, 0.0, take_profit=0.04)
    for _ in range(2):
        go(simulator, 0.9, 0.10, take_profit=0.04)
    assert left_by(simulator) == "take_profit"
    assert simulator.fill_price[0] == pytest.approx(104.0, rel=EXACT)
    assert simulator.order_is_working[0] == 0


def test_a_stop_nearer_than_a_resting_order_that_adds_comes_before_it():
    # Long at 100 with a stop at 96; 95 would buy more and carry the average, and the stop with it, down.
    simulator = account(hourly(CALM, CALM, (100, 101, 94.5, 101)), terms=True)
    go(simulator, 0.5, 0.0, stop_loss=0.04)
    go(simulator, 0.9, 0.05, stop_loss=0.04)
    assert left_by(simulator) == "stop_loss"
    assert simulator.fill_price[0] == 96.0
    assert math.isnan(simulator.order_price[0])
    short = account(hourly(CALM, CALM, (100, 105.5, 99, 99)), terms=True)
    go(short, -0.5, 0.0, stop_loss=0.04)
    go(short, -0.9, 0.05, stop_loss=0.04)
    assert (left_by(short), short.fill_price[0]) == ("stop_loss", 104.0)


def test_a_resting_order_that_adds_before_the_stop_moves_it_with_the_average():
    # 5 at 100; at 97 the account is worth 985 and 0.9 of it are 886.5, or 401.5 more. The stop is 4 % below the average.
    simulator = account(hourly(CALM, CALM, (100, 101, 94, 101)), terms=True)
    go(simulator, 0.5, 0.0, stop_loss=0.04)
    go(simulator, 0.9, 0.03, stop_loss=0.04)
    more = 401.5 / 97
    average = (500 + 401.5) / (5 + more)
    assert simulator.order_price[0] == 97.0
    assert simulator.fill_price[0] == pytest.approx(0.96 * average, rel=EXACT)


def test_a_resting_order_that_reduces_comes_after_the_stop():
    simulator = account(hourly(CALM, CALM, (100, 110, 95, 108)), terms=True)
    go(simulator, 0.5, 0.0, stop_loss=0.04)
    go(simulator, 0.2, 0.05, stop_loss=0.04)
    assert left_by(simulator) == "stop_loss"
    assert math.isnan(simulator.order_price[0])
    assert simulator.equity[0] == pytest.approx(980.0, rel=EXACT)


def test_a_gap_beyond_a_resting_order_that_reduces_fills_it_before_the_stop():
    # It opens at 110: 5 units are 550 of 1050, 0.2 of it are 210, so 340 are sold there; the rest is stopped at 96.
    simulator = account(hourly(CALM, CALM, (110, 111, 95, 108)), terms=True)
    go(simulator, 0.5, 0.0, stop_loss=0.04)
    go(simulator, 0.2, 0.05, stop_loss=0.04)
    assert simulator.order_price[0] == 110.0
    assert left_by(simulator) == "stop_loss"
    assert simulator.equity[0] == pytest.approx(1_050 - 210 / 110 * 14, rel=EXACT)


@pytest.mark.parametrize("target", [0.5, -0.5])
def test_a_resting_order_that_leaves_is_met_before_a_take_profit_beyond_it(target):
    side = 1 if target > 0 else -1
    bar = (100, 120, 100, 110) if side > 0 else (100, 100, 80, 90)
    simulator = account(hourly(CALM, CALM, bar), terms=True)
    go(simulator, target, 0.0, take_profit=0.10)
    go(simulator, 0.0, 0.05, take_profit=0.10)
    assert simulator.fill_price[0] == simulator.order_price[0] == 100 + 5 * side
    assert left_by(simulator) == ""
    assert simulator.equity[0] == pytest.approx(1_025.0, rel=EXACT)


def test_a_part_is_sold_at_its_limit_and_the_rest_at_the_take_profit_beyond():
    # At 105 the account is worth 1025: 525 − 0.2 · 1025 = 320 are sold, 205 / 105 units go on to 110.
    simulator = account(hourly(CALM, CALM, (100, 120, 100, 110)), terms=True)
    go(simulator, 0.5, 0.0, take_profit=0.10)
    go(simulator, 0.2, 0.05, take_profit=0.10)
    assert simulator.order_price[0] == 105.0
    assert left_by(simulator) == "take_profit"
    assert simulator.equity[0] == pytest.approx(1_025 + 205 / 105 * (100 * 1.1 - 105), rel=EXACT)


def test_a_take_profit_nearer_than_a_resting_order_comes_before_it():
    simulator = account(hourly(CALM, CALM, (100, 120, 100, 110)), terms=True)
    go(simulator, 0.5, 0.0, take_profit=0.03)
    go(simulator, 0.2, 0.05, take_profit=0.03)
    assert (left_by(simulator), simulator.fill_price[0]) == ("take_profit", 103.0)
    assert math.isnan(simulator.order_price[0])


def test_a_position_turned_round_within_a_bar_has_its_stop_there():
    # Long 5 at 100; at 105 it turns to short 0.5 of 1025, and 4 % above, at 109.2, that is stopped.
    simulator = account(hourly(CALM, CALM, (100, 112, 100, 111)), terms=True)
    go(simulator, 0.5, 0.0)
    go(simulator, -0.5, 0.05, stop_loss=0.04)
    assert simulator.order_price[0] == 105.0
    assert left_by(simulator) == "stop_loss"
    assert simulator.fill_price[0] == pytest.approx(109.2, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(1_025 - 0.04 * 512.5, rel=EXACT)


def test_a_position_turned_round_within_a_bar_meets_its_margin_there():
    simulator = account(hourly(CALM, CALM, (100, 260, 100, 250)), terms=True)
    go(simulator, 0.5, 0.0)
    result = go(simulator, -1.0, 0.05)  # short 1025 at 105; at 260 that has lost 1513
    assert left_by(simulator) == "liquidation"
    assert bool(result.terminated[0])
    assert simulator.equity[0] == 0.0
    assert simulator.write_off[0] == pytest.approx(1_025 / 105 * 260 - 2 * 1_025, rel=EXACT)


@pytest.mark.parametrize("exit_bar", [(100, 105, 100, 100), (100, 100, 95, 100)])
def test_after_an_exit_the_same_wish_is_a_new_decision_and_flat_is_hold(exit_bar):
    simulator = opened(exit_bar, CALM, CALM, take_profit_bps=400.0, stop_loss_bps=400.0)
    go(simulator, 0.5)
    assert simulator.target[0] == 0.0
    go(simulator, float(simulator.view().target[0]))
    assert not traded(simulator)
    go(simulator, 0.5)
    assert simulator.entry_price[0] == 100.0
    assert simulator.held_bars[0] == 1


@pytest.mark.parametrize(
    ("target", "stop", "goal"),
    [(0.5, 98.0, 104.5), (-0.5, 104.0, 97.5)],
)
def test_stops_are_rounded_towards_the_market_and_take_profits_away_from_it(target, stop, goal):
    # 101 ∓ 3 % are 97.97 and 104.03; ticks of 0.5.
    entry = (101, 101, 101, 101)
    for price, bar in ((stop, (101, 104.0, 98.0, 101)), (goal, (101, 104.51, 97.49, 101))):
        settings = {"stop_loss_bps": 300.0} if price == stop else {"take_profit_bps": 300.0}
        simulator = account(hourly(entry, entry, bar), orders={"tick_size": 0.5}, **settings)
        go(simulator, target)
        go(simulator, target)
        assert simulator.fill_price[0] == price


def test_distances_are_measured_from_the_average_entry():
    # 5 at 100, then at 110 1050 are worth 0.9: 945, of which 550 are held, so 395 / 110 more; average 895 / 8.59.
    simulator = opened((110, 110, 110, 110), (110, 110, 90, 100), stop_loss_bps=1_000.0)
    go(simulator, 0.9)
    average = (500 + 395) / (5 + 395 / 110)
    assert simulator.entry_price[0] == pytest.approx(average, rel=EXACT)
    go(simulator, 0.9)
    assert simulator.fill_price[0] == pytest.approx(0.9 * average, rel=EXACT)


def test_terms_of_a_new_decision_replace_those_of_the_position():
    simulator = account(hourly(CALM, CALM, CALM, (100, 100, 94, 95)), terms=True)
    go(simulator, 0.5, 0.0, stop_loss=0.02)
    go(simulator, 0.6, 0.0, stop_loss=0.05)
    go(simulator, 0.6, 0.0, stop_loss=0.01)  # no new decision: not read
    assert simulator.fill_price[0] == 95.0
