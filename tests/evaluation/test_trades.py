"""Round-trip trades read off a ledger."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import exposures_ledger, market_of, random_market, straight

from seawall.evaluation.trades import round_trips
from seawall.simulator.costs.params import CostParams


def test_a_trade_lasts_from_flat_to_flat():
    trades = round_trips(exposures_ledger(straight(100.0, 100.0, 110.0, 110.0, 110.0, 99.0), [1, 0, 0, 1, 1]))
    assert trades.side.tolist() == [1, 1]
    assert trades.opened.tolist() == [0, 3]
    assert trades.closed.tolist() == [1, 4]
    assert trades.profit.tolist() == pytest.approx([0.0, -1_000.0], abs=1e-9)
    assert trades.open_at_end.tolist() == [False, True]


def test_a_reversal_ends_one_trade_and_starts_another():
    # Long from 100 to the reversal's open at 104 (gap from the close 102), then short from 104 to 91.
    prices = np.array([[100, 100, 100, 100, 1], [100, 102, 100, 102, 1], [104, 104, 91, 91, 1]], dtype=float)
    trades = round_trips(exposures_ledger(market_of(prices), [1, -1]))
    assert trades.side.tolist() == [1, -1]
    assert trades.opened.tolist() == [0, 1]
    assert trades.closed.tolist() == [1, 1]
    assert trades.profit.tolist() == pytest.approx([400.0, 10_400.0 * 13.0 / 104.0], rel=1e-12)


def test_the_legs_of_a_reversal_share_its_costs():
    costs = CostParams(taker_bps=100.0, spread_bps=0.0)
    ledger = exposures_ledger(straight(100.0, 100.0, 100.0, 100.0), [1, -1, 0], costs)
    trades = round_trips(ledger)
    bought, held_short = 10_000.0 / 1.01, abs(float(ledger.frame["quantity"].iloc[1])) * 100.0
    assert trades.profit[0] == pytest.approx(-0.01 * bought - 0.01 * bought, rel=1e-2)
    assert trades.profit[1] == pytest.approx(-0.02 * held_short, rel=1e-2)
    assert trades.profit.sum() == pytest.approx(ledger.equity_curve()[-1] - 10_000.0, rel=1e-12)


def test_a_liquidated_short_is_one_lost_trade():
    trades = round_trips(exposures_ledger(straight(100.0, 100.0, 250.0, 90.0), [-1, -1, -1]))
    assert trades.side.tolist() == [-1]
    assert trades.profit.tolist() == pytest.approx([-10_000.0])
    assert trades.open_at_end.tolist() == [False]


def test_a_position_opened_and_liquidated_in_one_bar_is_a_trade():
    trades = round_trips(exposures_ledger(straight(100.0, 250.0, 250.0), [-1, -1]))
    assert (trades.side.tolist(), trades.opened.tolist(), trades.closed.tolist()) == ([-1], [0], [0])
    assert trades.profit.tolist() == pytest.approx([-10_000.0])


def test_without_a_position_there_is_no_trade():
    assert len(round_trips(exposures_ledger(random_market(0, 20), [0] * 19))) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1, 1), min_size=2, max_size=60), st.integers(0, 10_000), st.sampled_from([0.01, 0.2]))
def test_the_profits_of_all_trades_add_up_to_the_change_of_equity(levels, seed, volatility):
    ledger = exposures_ledger(random_market(seed, len(levels) + 1, volatility), levels, CostParams())
    trades = round_trips(ledger)
    change = ledger.equity_curve()[-1] - ledger.initial_equity
    assert trades.profit.sum() == pytest.approx(change, abs=1e-6)
    assert (trades.closed >= trades.opened).all()
    assert (np.diff(trades.opened) > 0).all()
