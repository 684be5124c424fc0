"""Hours without orders, positions that a close leaves flat, losses that end an episode, and drift that is traded back; by hand."""

from __future__ import annotations

import numpy as np
import pytest
from small_accounts import EXACT, HOUR, MONDAY, account, costs_of, go, hourly, market_at, still, traded

from seawall.simulator.kernel.layout import EXIT_NAMES

CALM = (100, 100, 100, 100)
ONE_PERCENT = costs_of(taker=100.0)
FRIDAY = MONDAY + 4 * 24 * HOUR
DAY = 24 * HOUR
LONDON = {"windows": ("london",), "flat": ()}
"""08:00 to 17:00 UTC in winter."""


def left_by(simulator) -> str:
    return EXIT_NAMES[simulator.exit_code[0]]


def from_hour(hour: int, *rows: tuple[float, ...]):
    return market_at(MONDAY + HOUR * (hour + np.arange(len(rows))), list(rows))


@pytest.mark.parametrize(("reference", "equity"), [("peak", 1_260.0), ("start", 900.0)])
def test_a_loss_from_the_peak_or_from_the_start_closes_the_position_and_ends_the_episode(reference, equity):
    # 10 units: 1000, 1400, 1260, 900. A tenth below the peak is 1260, below the start 900; each is enough when just reached.
    market = hourly(CALM, (100, 140, 100, 140), (140, 140, 126, 126), (126, 126, 90, 90), (90, 90, 90, 90))
    simulator = account(market, start=1.0, max_drawdown=0.1, drawdown_reference=reference)
    for _ in range(3):
        result = go(simulator, 1.0)
        if bool(result.terminated[0]):
            break
    assert bool(result.terminated[0])
    assert not bool(result.truncated[0])
    assert left_by(simulator) == "drawdown"
    assert simulator.quantity[0] == 0.0
    assert simulator.equity[0] == pytest.approx(equity, rel=EXACT)


def test_a_position_closed_for_its_drawdown_pays_for_that():
    simulator = account(hourly(CALM, (100, 100, 89, 89), CALM), ONE_PERCENT, start=-1.0, max_drawdown=0.1)
    result = go(simulator, -1.0)
    assert not bool(result.terminated[0])  # a short gained
    simulator = account(hourly(CALM, (100, 100, 89, 89), CALM), ONE_PERCENT, start=1.0, max_drawdown=0.1)
    result = go(simulator, 1.0)
    assert bool(result.terminated[0])
    assert simulator.fill_price[0] == 89.0
    assert simulator.equity[0] == pytest.approx(890 * 0.99, rel=EXACT)


def test_a_loss_within_a_bar_that_is_made_up_by_its_close_ends_nothing():
    simulator = account(hourly(CALM, (100, 100, 60, 95), CALM), start=1.0, max_drawdown=0.1)
    assert not bool(go(simulator, 1.0).terminated[0])


def test_a_loss_that_a_stop_takes_ends_the_episode_in_that_bar():
    # The stop at 90 leaves 900: a tenth is lost, although the position is closed already, and although the close is at 100.
    simulator = account(hourly(CALM, (100, 100, 85, 100), CALM), start=1.0, max_drawdown=0.1, stop_loss_bps=1_000.0)
    result = go(simulator, 1.0)
    assert left_by(simulator) == "stop_loss"
    assert simulator.equity[0] == pytest.approx(900.0, rel=EXACT)
    assert bool(result.terminated[0])


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_end_of_an_episode_closes_the_position_with_its_costs(side):
    simulator = account(still(100, 100, 100, 100), ONE_PERCENT, close_at_end=True, rows=(0, 3))
    assert not bool(go(simulator, side).truncated[0])
    assert simulator.quantity[0] != 0.0
    result = go(simulator, side)
    assert bool(result.truncated[0])
    assert not bool(result.terminated[0])
    assert left_by(simulator) == "end"
    assert simulator.equity[0] == pytest.approx(1_000 / 1.01 * 0.99, rel=EXACT)
    assert simulator.quantity[0] == simulator.target[0] == 0.0


def test_without_that_rule_the_end_leaves_the_position():
    simulator = account(still(100, 100, 100), ONE_PERCENT)
    go(simulator, 1.0)
    assert bool(go(simulator, 1.0).truncated[0])
    assert simulator.quantity[0] > 0.0


def test_orders_outside_the_windows_wait_for_them_if_they_are_still_wanted():
    simulator = account(from_hour(5, CALM, CALM, CALM, (101, 101, 101, 101), CALM), session=LONDON)
    for row in (1, 2):  # 06:00, 07:00
        go(simulator, 0.5)
        assert not traded(simulator)
        assert simulator.target[0] == 0.0
        assert simulator.row[0] == row
    go(simulator, 0.5)  # 08:00
    assert simulator.fill_price[0] == 101.0


def test_a_window_ends_before_the_bar_that_opens_at_its_end():
    simulator = account(from_hour(14, CALM, CALM, CALM, CALM, CALM), session=LONDON)
    go(simulator, 0.5)
    go(simulator, 0.6)  # 16:00 is inside
    assert traded(simulator)
    go(simulator, 0.7)  # 17:00 is not
    assert not traded(simulator)


def test_stops_and_take_profits_work_outside_the_windows():
    for bar, name in (((100, 100, 94, 95), "stop_loss"), ((100, 106, 100, 105), "take_profit")):
        simulator = account(from_hour(18, CALM, bar), start=0.5, session=LONDON, stop_loss_bps=500.0, take_profit_bps=500.0)
        go(simulator, 0.5)
        assert left_by(simulator) == name


def test_a_resting_order_sleeps_outside_the_windows_and_wakes_within():
    rows = [CALM, CALM, (100, 100, 90, 98), (98, 98, 90, 97)]
    market = market_at(MONDAY + HOUR * np.array([15, 16, 17, 32]), rows)  # 17:00 is outside; 08:00 of the next day inside
    simulator = account(market, terms=True, session=LONDON)
    go(simulator, 0.5, 0.05)
    go(simulator, 0.5, 0.05)
    assert not traded(simulator)
    assert simulator.order_is_working[0] == 1
    go(simulator, 0.5, 0.05)
    assert simulator.fill_price[0] == 95.0


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_last_close_of_a_window_leaves_nothing_held(side):
    market = from_hour(14, CALM, CALM, (100, 102, 98, 101), CALM)
    simulator = account(market, ONE_PERCENT, session={"windows": ("london",), "flat": ("session_end",)})
    go(simulator, side)
    assert simulator.quantity[0] != 0.0  # 15:00
    go(simulator, side)
    assert left_by(simulator) == "session"
    assert simulator.fill_price[0] == 101.0  # the close at 17:00
    start = 1_000 / 1.01
    assert simulator.equity[0] == pytest.approx(start * (1 + side * 0.01 - 0.01 * 1.01), rel=EXACT)
    go(simulator, 0.0)
    assert simulator.quantity[0] == 0.0


def test_windows_that_meet_are_no_end_of_a_session():
    # London until 17:00 and New York from 13:00 to 22:00, in the winter of both.
    market = from_hour(15, *[CALM] * 8)
    simulator = account(market, session={"windows": ("london", "newyork"), "flat": ("session_end",)})
    held = []
    for _ in range(7):
        go(simulator, 0.5)
        held.append(bool(simulator.quantity[0] != 0.0))
    assert held == [True] * 5 + [False] * 2  # the close of the bar of 21:00


def test_a_currency_is_flat_over_the_weekend():
    # 17:00 in New York is 22:00 UTC on this Friday; trade goes on at 22:00 on Sunday.
    times = FRIDAY + HOUR * np.array([19, 20, 21, 70, 71])
    simulator = account(market_at(times, [CALM] * 5), ONE_PERCENT)
    go(simulator, 0.5)
    assert simulator.quantity[0] != 0.0
    go(simulator, 0.5)
    assert left_by(simulator) == "session"
    assert simulator.quantity[0] == simulator.target[0] == 0.0
    go(simulator, 0.5)
    assert simulator.quantity[0] != 0.0


@pytest.mark.parametrize("calendar", ["XNYS", "us_indices"])
def test_a_market_that_shuts_every_evening_is_flat_over_the_weekend_alone(calendar):
    # Days that close at 16:00 or 17:00 in New York, 21:00 or 22:00 UTC: closed at the same hour of the next day, but not all day.
    close = 21 if calendar == "XNYS" else 22
    times = MONDAY + DAY * np.array([0, 1, 2, 3, 4, 7]) + HOUR * (close - 1)
    simulator = account(market_at(times, [CALM] * 6), session={"calendar": calendar, "flat": ("weekend",)})
    held = []
    for _ in range(5):
        go(simulator, 0.5)
        held.append(bool(simulator.quantity[0] != 0.0))
    assert held == [True, True, True, False, True]


def test_every_bar_trades_back_to_the_target_at_the_open():
    market = hourly(CALM, CALM, (100, 120, 100, 120), (120, 120, 120, 120))
    simulator = account(market, ONE_PERCENT, orders={"rebalance": "every_bar"}, start=0.5)
    go(simulator, 0.5)
    assert float(simulator.traded_notional[0]) < 1e-9
    go(simulator, 0.5)  # to 600 of 1100
    go(simulator, 0.5)
    sold = (600 - 550) / (1 - 0.5 * 0.01)  # x = (0.5 · 1100 − 600) / (1 + 0.5 · 0.01 · (−1))
    assert simulator.traded_notional[0] == pytest.approx(sold, rel=EXACT)
    assert simulator.quantity[0] * 120 == pytest.approx(0.5 * float(simulator.equity[0]), rel=EXACT)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_band_trades_back_only_what_has_drifted_beyond_it(side):
    # 5 units: at 108 exposure is 540 / 1040 = 0.519 or −540 / 960 = −0.5625; at 120 it is 0.545 or −0.667.
    market = hourly(CALM, (100, 108, 100, 108), (108, 120, 108, 120), (120, 120, 120, 120), (120, 120, 120, 120))
    band = 0.04 if side > 0 else 0.10
    simulator = account(market, orders={"rebalance": "band", "band": band}, start=0.5 * side)
    for _ in range(2):
        go(simulator, 0.5 * side)
        assert not traded(simulator)
    go(simulator, 0.5 * side)
    equity = 1_000 + side * 100
    assert simulator.traded_notional[0] == pytest.approx(abs(0.5 * equity - 600), rel=EXACT)
    go(simulator, 0.5 * side)
    assert not traded(simulator)


def test_drift_is_not_traded_back_outside_the_windows():
    market = from_hour(15, CALM, (100, 120, 100, 120), (120, 120, 120, 120))
    simulator = account(market, orders={"rebalance": "every_bar"}, start=0.5, session=LONDON)
    go(simulator, 0.5)
    go(simulator, 0.5)
    assert not traded(simulator)
