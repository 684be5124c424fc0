"""What holding costs, and slippage, worked by hand: interest by time between bars, funding by the clock, slippage by its law."""

from __future__ import annotations

import numpy as np
import pytest
from small_accounts import EXACT, HOUR, LEAST, MONDAY, account, costs_of, go, hourly, market_at, still

CALM = (100, 100, 100, 100)
YEAR_HOURS = 365 * 24
FRIDAY = MONDAY + 4 * 24 * HOUR
APR = {"long_apr": 0.10, "short_apr": 0.04}


def weekend():
    """Friday 20:00 and 21:00, then Sunday 22:00 and 23:00: 49 hours between the second and the third."""
    times = FRIDAY + HOUR * np.array([20, 21, 70, 71])
    return market_at(times, [CALM, CALM, CALM, CALM])


@pytest.mark.parametrize(("target", "apr"), [(0.5, 0.10), (-0.5, 0.04)])
def test_interest_is_by_side_and_runs_over_a_weekend(target, apr):
    simulator = account(weekend(), costs_of(financing=APR), start=target, session={"flat": (), "windows": ("london", "newyork")})
    for hours in (1, 49, 1):
        before = float(simulator.equity[0])
        go(simulator, target)
        due = 500 * apr * hours / YEAR_HOURS
        assert simulator.financing[0] == pytest.approx(due, rel=EXACT)
        assert simulator.equity[0] == pytest.approx(before - due, rel=EXACT)
        assert simulator.traded_notional[0] == simulator.fee[0] == 0.0


def test_negative_interest_is_earned():
    simulator = account(still(100, 100), costs_of(financing={"short_apr": -0.04}), start=-0.5)
    go(simulator, -0.5)
    assert simulator.financing[0] == pytest.approx(-500 * 0.04 / YEAR_HOURS, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(1_000 + 500 * 0.04 / YEAR_HOURS, rel=EXACT)


def test_interest_is_on_the_value_at_the_last_close_and_on_what_was_held_there():
    market = hourly(CALM, (100, 110, 100, 110), (120, 120, 120, 120), CALM)
    simulator = account(market, costs_of(financing=APR))
    go(simulator, 1.0)  # bought at the open: nothing was held before
    assert simulator.financing[0] == 0.0
    go(simulator, 0.0)  # sold at the next open: 10 units of 110 for an hour
    assert simulator.financing[0] == pytest.approx(1_100 * 0.10 / YEAR_HOURS, rel=EXACT)
    go(simulator, 0.0)
    assert simulator.financing[0] == 0.0


@pytest.mark.parametrize(("target", "rate"), [(0.5, 10.0), (-0.5, 10.0), (0.5, -10.0), (-0.5, -10.0)])
def test_funding_is_paid_at_0_8_and_16_hours_utc_by_longs_to_shorts(target, rate):
    simulator = account(still(*[100.0] * 26), costs_of(funding=rate), start=target)
    paid = []
    for _ in range(25):
        go(simulator, target)
        if simulator.funding[0] != 0.0:
            paid.append(int(simulator.row[0]))
            # 10 bps of 500, paid or, with either sign turned, received
            assert simulator.funding[0] == pytest.approx(500 * 0.001 * np.sign(target * rate), rel=EXACT)
    assert paid == [8, 16, 24]  # row 0 opens at 00:00
    assert simulator.equity[0] == pytest.approx(1_000 - 3 * 0.5 * np.sign(target * rate), rel=EXACT)


def test_funding_counts_every_hour_of_payment_in_a_hole():
    market = market_at(MONDAY + HOUR * np.array([1, 2, 23, 24]), [CALM] * 4)
    simulator = account(market, costs_of(funding=10.0), start=0.5)
    paid = []
    for _ in range(3):
        go(simulator, 0.5)
        paid.append(float(simulator.funding[0]))
    assert paid == pytest.approx([0.0, 1.0, 0.5], rel=EXACT)  # 08 and 16, then 24:00


def test_slippage_grows_with_the_return_of_the_last_bar_closed():
    # 2 bps, and a tenth of |110 / 100 − 1| at row 2; what row 2 itself does is not known at its open.
    market = hourly(CALM, (100, 110, 100, 110), (110, 300, 110, 110), CALM)
    costs = costs_of(slippage={"base_bps": 2.0, "volatility_multiplier": 0.1})
    simulator = account(market, costs)
    go(simulator, 0.0)
    go(simulator, 1.0)
    rate = 0.0002 + 0.1 * 0.1
    assert simulator.slippage[0] == pytest.approx(1_000 / (1 + rate) * rate, rel=EXACT)
    simulator = account(market, costs)
    go(simulator, 1.0)  # only one bar has closed: the base alone
    assert simulator.slippage[0] == pytest.approx(1_000 / 1.0002 * 0.0002, rel=EXACT)


@pytest.mark.parametrize("target", [1.0, -1.0])
def test_slippage_is_never_above_a_tenth(target):
    simulator = account(hourly(CALM, (100, 300, 100, 300), (300, 300, 300, 300)), costs_of(slippage={"volatility_multiplier": 1.0}))
    go(simulator, 0.0)
    go(simulator, target)  # a return of 200 %
    assert simulator.slippage[0] == pytest.approx(1_000 / 1.1 * 0.1, rel=EXACT)


@pytest.mark.parametrize(("target", "multiple"), [(0.5, 1.0), (-0.5, 1.0), (0.5, 3.0)])
def test_slippage_grows_with_the_exposure_traded_and_with_the_multiple(target, multiple):
    # 40 bps a unit of exposure, without any other cost: 0.5 trades at 20 bps, times the multiple.
    simulator = account(still(100, 100, 100), costs_of(slippage={"size_impact": 40.0}))
    simulator.cost_multiple[:] = multiple
    go(simulator, target)
    rate = 0.002 * multiple
    notional = 500 / (1 + 0.5 * rate)
    assert simulator.slippage[0] == pytest.approx(rate * notional, rel=EXACT)
    assert simulator.equity[0] == pytest.approx(1_000 - rate * notional, rel=EXACT)
    exposure = notional / float(simulator.equity[0])
    go(simulator, 0.0)
    assert simulator.slippage[0] == pytest.approx(0.004 * multiple * exposure * notional, rel=EXACT)


def test_a_position_that_a_stop_closes_pays_slippage_for_its_size():
    simulator = account(
        hourly(CALM, CALM, (100, 100, 95, 96)), costs_of(slippage={"size_impact": 40.0}), start=0.5, stop_loss_bps=400.0
    )
    go(simulator, 0.5)
    go(simulator, 0.5)
    exposure = 480 / 980  # 5 units at 96, of 500 + 480
    assert simulator.slippage[0] == pytest.approx(0.004 * exposure * 480, rel=EXACT)


def test_slippage_of_size_is_capped_with_the_rest():
    simulator = account(still(100, 100, 100), costs_of(slippage={"base_bps": 50.0, "size_impact": 1_000.0}), max_exposure=2.0)
    go(simulator, 2.0)  # 0.5 % and 20 % are 10 %: 2000 / 1.2 are bought
    assert simulator.slippage[0] == pytest.approx(2_000 / 1.2 * 0.1, rel=EXACT)


def test_factors_of_an_episode_stand_on_each_kind_of_cost():
    costs = costs_of(taker=100.0, spread=40.0, slippage={"base_bps": 30.0, "size_impact": LEAST})
    simulator = account(still(100, 100, 100), costs, factors=(2.0, 0.5, 3.0))
    go(simulator, 1.0)
    rate = 0.02 + 0.001 + 0.009
    notional = 1_000 / (1 + rate)
    assert simulator.fee[0] == pytest.approx(0.02 * notional, rel=EXACT)
    assert simulator.spread[0] == pytest.approx(0.001 * notional, rel=EXACT)
    assert simulator.slippage[0] == pytest.approx(0.009 * notional, rel=EXACT)


def test_the_first_rows_of_a_series_carry_nothing_from_the_one_before():
    # The second series begins at row 3: far away in price and time.
    rows = [CALM, CALM, (100, 100, 50, 50), (10, 10, 10, 10), (10, 10, 10, 10), (10, 11, 10, 11), (11, 11, 11, 11)]
    times = MONDAY + HOUR * np.array([0, 1, 2, 1_000, 1_001, 1_002, 1_003])
    costs = costs_of(slippage={"volatility_multiplier": 0.1}, financing=APR, funding=10.0)
    market = market_at(times, rows, starts=(0, 3))
    simulator = account(market, costs, start=0.5, rows=(3, 7))
    go(simulator, 0.25)
    assert simulator.financing[0] == pytest.approx(500 * 0.10 / YEAR_HOURS, rel=EXACT)  # an hour, not 999
    assert simulator.funding[0] == 0.0  # 1000 is 125 · 8: no time of payment until 1008
    assert simulator.slippage[0] == 0.0  # neither |10 / 50 − 1| nor anything else
    go(simulator, 0.5)
    assert simulator.slippage[0] == 0.0  # |10 / 10 − 1|
    go(simulator, 0.0)
    assert simulator.slippage[0] == pytest.approx(0.1 * 0.1 * float(simulator.traded_notional[0]), rel=EXACT)
