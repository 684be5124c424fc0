"""The same decisions under other costs and one bar later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import FREE, exposures_ledger, market_of, random_market, straight

from seawall.core.market import RowRange
from seawall.evaluation.stress import Replay, StressParams, break_even, delayed, stress
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams

COSTS = CostParams(taker_bps=100.0, spread_bps=0.0)


def replay_of(market, costs=COSTS, params=None) -> Replay:
    return Replay(market, RowRange(0, len(market)), costs, params or SimulatorParams())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1, 1), min_size=2, max_size=40), st.integers(0, 1_000))
def test_replayed_at_its_own_costs_a_ledger_ends_at_its_own_equity(levels, seed):
    market = random_market(seed, len(levels) + 1, 0.05)
    ledger = exposures_ledger(market, levels, COSTS)
    equity = replay_of(market).equity(ledger.targets(), np.ones(1))[:, 0]
    np.testing.assert_allclose(equity, ledger.equity_curve() / ledger.initial_equity, rtol=1e-12, atol=1e-12)


def test_the_replay_keeps_the_settings_of_the_account():
    spike = [[100, 100, 100, 100, 1], [100, 100, 100, 100, 1], [100, 150, 100, 100, 1], [100, 100, 100, 100, 1]]
    market = market_of(np.array(spike, dtype=float))
    strict = SimulatorParams(maintenance_margin=0.9)
    ledger = exposures_ledger(market, [-1, -1, -1], FREE, strict)
    equity = replay_of(market, FREE, strict).equity(ledger.targets(), np.ones(1))[:, 0]
    np.testing.assert_allclose(equity, ledger.equity_curve() / 10_000.0, rtol=1e-12)
    assert equity[-1] == 0.5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1, 1), min_size=2, max_size=40), st.integers(0, 1_000))
def test_dearer_costs_never_help(levels, seed):
    market = random_market(seed, len(levels) + 1)
    ends = replay_of(market).equity(np.array(levels, dtype=float), np.array([0.0, 0.5, 1.0, 2.0, 5.0]))[-1]
    assert (np.diff(ends) <= 1e-12).all()


def test_break_even_by_hand():
    # Bought at 100 and sold at 110 at a cost rate c: 1.1 (1 − c) / (1 + c) = 1, hence c = 0.1 / 2.1 = 4.7619 %.
    market = straight(100.0, 100.0, 110.0, 110.0)
    found = break_even(np.array([1.0, 1.0, 0.0]), replay_of(market), 10.0)
    assert found.multiple == pytest.approx(4.7619047619, rel=1e-5)
    assert found.words == "breaks even at 4.76 times the costs"
    assert found.above_one is True


def test_costs_that_eat_the_profit_break_even_below_one():
    # The gain is 1 %: c = 0.01 / 2.01, below the 1 % charged.
    found = break_even(np.array([1.0, 1.0, 0.0]), replay_of(straight(100.0, 100.0, 101.0, 101.0)), 10.0)
    assert found.multiple == pytest.approx(0.01 / 2.01 / 0.01, rel=1e-5)
    assert found.above_one is False


@pytest.mark.parametrize(
    ("closes", "targets", "costs", "words", "above_one"),
    [
        ((100.0, 100.0, 90.0, 90.0), (1.0, 1.0, 0.0), COSTS, "never profitable, not even without costs", False),
        ((100.0, 100.0, 300.0, 300.0), (1.0, 1.0, 0.0), COSTS, "still profitable at 10 times the costs", True),
        ((100.0, 100.0, 90.0, 90.0), (0.0, 0.0, 0.0), COSTS, "it never traded, so costs do not matter", None),
        ((100.0, 100.0, 110.0, 110.0), (1.0, 1.0, 0.0), FREE, "the costs are zero, so no multiple of them can be told", None),
    ],
)
def test_where_there_is_no_break_even_it_is_said_in_words(closes, targets, costs, words, above_one):
    found = break_even(np.array(targets), replay_of(straight(*closes), costs), 10.0)
    assert (found.multiple, found.words, found.above_one) == (None, words, above_one)


def test_multiples_that_no_trade_could_pay_are_lowered():
    dear = CostParams(taker_bps=1_000.0, spread_bps=2000.0)
    market = straight(100.0, 100.0, 110.0, 110.0)
    ledger = exposures_ledger(market, [1, 1, 0], dear)
    points = stress(ledger, replay_of(market, dear), StressParams(cost_multiples=(0.0, 1.0, 5.0, 7.0)))["cost_multiples"]
    assert [point["multiple"] for point in points] == pytest.approx([0.0, 1.0, 4.95])


@pytest.mark.slow
def test_slippage_that_a_move_may_raise_to_its_most_lowers_the_multiples_too():
    moving = CostParams(taker_bps=0.0, spread_bps=0.0, slippage={"volatility_multiplier": 1.0})
    replay = replay_of(straight(100.0, 100.0, 110.0, 110.0), moving)
    # A fill slips by 10 % at most, so that ten times the costs could eat a whole trade.
    assert replay.largest_multiple(20.0) == pytest.approx(9.9)
    # Bought at 100 where nothing had moved, and sold at 110 after a move of 10 %: 1.1 (1 − 0.1 m) = 1.
    found = break_even(np.array([1.0, 1.0, 0.0]), replay, 20.0)
    assert found.multiple == pytest.approx(1.0 / 1.1, rel=1e-5)
    assert found.searched_to == pytest.approx(9.9)


def test_a_delay_moves_every_exposure_one_bar_on():
    assert delayed(np.array([1.0, -1.0, 0.0])).tolist() == [0.0, 1.0, -1.0]


def test_one_bar_late_by_hand():
    market = straight(100.0, 100.0, 110.0, 121.0, 121.0)
    told = stress(exposures_ledger(market, [1, 1, 1, 0]), replay_of(market, FREE), StressParams())["delay"]
    assert told["on_time_total_return"] == pytest.approx(0.21, rel=1e-12)
    late_market = straight(100.0, 100.0, 110.0, 110.0, 110.0)
    told = stress(exposures_ledger(late_market, [0, 1, 0, 0]), replay_of(late_market, FREE), StressParams())["delay"]
    assert (told["on_time_total_return"], told["total_return"]) == (pytest.approx(0.1), 0.0)


def test_the_result_is_told_for_each_multiple():
    market = straight(100.0, 100.0, 110.0, 110.0)
    told = stress(exposures_ledger(market, [1, 1, 0], COSTS), replay_of(market), StressParams(cost_multiples=(1.0, 0.0)))
    assert told["cost_multiples"][0] == {"multiple": 0.0, "total_return": pytest.approx(0.1)}
    assert told["cost_multiples"][1]["total_return"] == pytest.approx(1.1 * 0.99 / 1.01 - 1.0)
