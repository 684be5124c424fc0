"""The oracle: equal to trying everything, above everything else, and honest about which of both it is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import market_of, random_market, straight

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import RowRange
from seawall.evaluation.oracle.bound import _costs
from seawall.evaluation.oracle.oracle import Oracle, captured, oracle
from seawall.evaluation.oracle.problem import Exposures, exposures_of
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams, FinancingParams, FundingParams, SlippageParams
from seawall.simulator.settings import OrderParams, SessionParams, SimulatorParams
from seawall.simulator.simulator import replay

LONG_FLAT, BOTH = Exposures((0.0, 1.0)), Exposures((-1.0, 0.0, 1.0))
LEVERED = Exposures((-2.0, 0.0, 1.0, 3.0))
HALVES = Exposures((-1.0, -0.5, 0.0, 0.5, 1.0))
HOLDING = CostParams(
    slippage=SlippageParams(base_bps=1.0, volatility_multiplier=0.1),
    financing=FinancingParams(long_apr=0.5, short_apr=2.0),
    funding=FundingParams(rate_bps=3.0, every_hours=2),
)
SIZED = CostParams(slippage=SlippageParams(base_bps=1.0, volatility_multiplier=0.1, size_impact=20.0))
PAID_TO_HOLD = CostParams(
    slippage=SlippageParams(base_bps=1.0),
    financing=FinancingParams(long_apr=-0.3, short_apr=-0.5),
    funding=FundingParams(rate_bps=-2.0, every_hours=1),
)


def account(rebalance: str = "on_change", **given) -> SimulatorParams:
    return SimulatorParams(max_exposure=3.0, orders=OrderParams(rebalance=rebalance, band=0.02), **given)


def growths(market, targets, costs, params) -> np.ndarray:
    """Log growth of paths of targets through the simulator, shape (N,)."""
    equity = replay(market, RowRange(0, len(targets) + 1), targets, costs, np.ones(targets.shape[1]), params)
    return np.log(np.maximum(equity[-1] / equity[0], 1e-12))


def best_of_all(market, levels, costs, params, decisions=6) -> float:
    every = np.array(list(itertools.product(levels, repeat=decisions))).T
    return float(growths(market, every, costs, params).max())


@pytest.mark.parametrize("exposures", [LONG_FLAT, BOTH, LEVERED])
@pytest.mark.parametrize(
    ("rebalance", "costs"),
    [
        ("on_change", CostParams()),
        ("every_bar", HOLDING),
        # Each set of rules is compiled for half a minute when it is first met.
        pytest.param("band", HOLDING, marks=pytest.mark.slow),
        pytest.param("on_change", SIZED, marks=pytest.mark.slow),
    ],
)
def test_the_exact_oracle_equals_every_sequence_tried_in_the_simulator(exposures, rebalance, costs):
    for seed, volatility in ((0, 0.004), (1, 0.02), (2, 0.1)):
        market, params = random_market(seed, 7, volatility), account(rebalance)
        found = oracle(market, RowRange(0, 7), costs, params, exposures)
        assert found.kind == "exact"
        assert found.growth == pytest.approx(best_of_all(market, exposures.levels, costs, params), abs=1e-12)
        assert growths(market, found.path[:, None], costs, params)[0] == pytest.approx(found.growth, abs=1e-12)


def test_a_position_closed_at_the_end_pays_for_it():
    market, params = straight(10.0, 10.0, 11.0, 12.0), account(close_at_end=True)
    found = oracle(market, RowRange(0, 4), SIZED, params, BOTH)
    assert found.growth == pytest.approx(best_of_all(market, BOTH.levels, SIZED, params, 3), abs=1e-12)
    assert found.growth < oracle(market, RowRange(0, 4), SIZED, account(), BOTH).growth - 1e-3


def test_by_hand_one_round_trip_pays_both_sides():
    # Bought at 10, sold at 12, at 11 basis points a side; then the price falls.
    market = straight(10.0, 10.0, 12.0, 12.0, 6.0)
    found = oracle(market, RowRange(0, 5), CostParams(), None, LONG_FLAT)
    assert found.growth == pytest.approx(math.log(1.2 * (1 - 0.0011) / (1 + 0.0011)), abs=1e-14)
    assert (found.path[1], found.path[3]) == (1.0, 0.0)


def test_where_every_trade_costs_more_than_it_brings_the_oracle_stays_out():
    found = oracle(straight(10.0, 10.0, 10.01, 10.0), RowRange(0, 4), CostParams(), None, BOTH)
    assert found.growth == 0.0
    assert found.path.tolist() == [0.0, 0.0, 0.0]


def test_an_unrebalanced_short_is_beaten_by_no_bound_though_it_beats_a_plain_programme_over_positions():
    # A short entered at 100 and left alone earns log(1.19) down to 81; one brought back to −1 at every close earns less.
    free = CostParams(taker_bps=0.0, spread_bps=0.0)
    market = straight(100.0, 100.0, 90.0, 99.0, 81.0)
    held = growths(market, np.full((4, 1), -1.0), free, account())[0]
    assert held == pytest.approx(math.log(1.19), abs=1e-12)
    per_bar = math.log(1.1) + math.log(1 - 0.1) + math.log(1 + 18 / 99)
    assert held > per_bar
    assert oracle(market, RowRange(0, 5), free, account(), Exposures((-1.0,)), exact=False).growth >= held


@pytest.mark.parametrize("exposures", [BOTH, HALVES, LEVERED])
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    volatility=st.sampled_from([0.002, 0.02, 0.1]),
    rebalance=st.sampled_from(["on_change", "every_bar"]),
    costs=st.sampled_from([CostParams(), HOLDING]),
)
def test_no_policy_beats_the_bound(exposures, seed, volatility, rebalance, costs):
    rows = 60
    market, params = random_market(seed, rows, volatility), account(rebalance)
    draws = np.random.default_rng(seed)
    levels = np.array(exposures.levels)
    targets = levels[draws.integers(0, len(levels), (rows - 1, 64))]
    # Some stay long in a position, which then drifts.
    for path in range(0, 64, 2):
        targets[:, path] = np.repeat(targets[::15, path], 15)[: rows - 1]
    exact = oracle(market, RowRange(0, rows), costs, params, exposures)
    bound = oracle(market, RowRange(0, rows), costs, params, exposures, exact=False)
    assert (exact.kind, bound.kind) == ("exact", "bound")
    assert growths(market, targets, costs, params).max() <= exact.growth + 1e-12
    assert exact.growth <= bound.growth + 1e-12


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), short=st.booleans(), volatility=st.sampled_from([0.002, 0.02, 0.1]))
def test_no_policy_between_the_levels_beats_the_bound_for_it(seed, short, volatility):
    rows, draws = 60, np.random.default_rng(seed)
    market = random_market(seed, rows, volatility)
    lowest = -1.0 if short else 0.0
    targets = draws.uniform(lowest, 1.0, (rows - 1, 64))
    targets[:, ::2] = np.repeat(targets[::10, ::2], 10, axis=0)[: rows - 1]
    found = oracle(
        market, RowRange(0, rows), CostParams(), account(), Exposures((lowest, 0.0, 1.0)[0 if short else 1 :], between=True)
    )
    assert found.kind == ("bound" if short else "exact")
    assert growths(market, targets, CostParams(), account()).max() <= found.growth + 1e-12


@pytest.mark.parametrize(
    "given_",
    [
        {"take_profit_bps": 100.0, "stop_loss_bps": 50.0},
        pytest.param({"max_drawdown": 0.05}, marks=pytest.mark.slow),
        pytest.param({"session": SessionParams(windows=("london",), flat=("session_end",))}, marks=pytest.mark.slow),
    ],
)
def test_stops_targets_and_sessions_stay_below_the_bound(given_):
    for seed in range(8):
        market, params = random_market(seed, 120, 0.01), account(**given_)
        targets = np.repeat(np.random.default_rng(seed).integers(-1, 2, (30, 64)), 4, axis=0)[:119].astype(float)
        found = oracle(market, RowRange(0, 120), CostParams(), params, BOTH)
        assert found.kind == "bound"
        assert growths(market, targets, CostParams(), params).max() <= found.growth


def test_a_level_that_is_liquidated_is_liquidated_by_the_oracle_too():
    quotes = np.array([[10, 10, 10, 10], [10, 10.5, 9.9, 10], [10, 10, 6.8, 10], [10, 12, 10, 12.0]])
    market = market_of(np.column_stack([quotes, np.ones(4)]))
    found = oracle(market, RowRange(0, 4), CostParams(), account(), Exposures((3.0,)))
    assert found.growth == pytest.approx(growths(market, np.full((3, 1), 3.0), CostParams(), account())[0], abs=1e-12)
    assert found.growth < -2.0


def test_a_target_met_within_a_bar_is_within_the_bound():
    quotes = np.array([[100, 100, 100, 100], [100, 100, 100, 100], [100, 110, 100, 100], [100, 100, 100, 100.0]])
    market, params = market_of(np.column_stack([quotes, np.ones(4)])), account(take_profit_bps=800.0)
    earned = growths(market, np.array([[1.0], [1.0], [0.0]]), CostParams(), params)[0]
    assert earned == pytest.approx(math.log(1.08 * (1 - 0.001) / (1 + 0.0011)), abs=1e-12)  # a target rests: no half-spread
    assert oracle(market, RowRange(0, 4), CostParams(), params, LONG_FLAT).growth >= earned


def test_what_holding_costs_weighs_less_on_what_has_grown():
    dear = CostParams(
        slippage=SlippageParams(base_bps=1.0), financing=FinancingParams(long_apr=10.0), funding=FundingParams(rate_bps=0.1)
    )
    market = straight(*(100.0 * 10.0 ** (np.arange(51) / 50)))
    held = growths(market, np.full((50, 1), 1.0), dear, account())[0]
    assert held <= oracle(market, RowRange(0, 51), dear, account(), LONG_FLAT, exact=False).growth < held + 0.01


@pytest.mark.parametrize("rate", [0.0005, 0.01, 0.09])
def test_what_exposures_between_gain_by_trades_is_granted_at_every_bar(rate):
    levels, costs = np.array([-3.0, 0.0]), np.zeros((2, 2))
    _costs(levels, rate, (False, True), costs)
    before, after = np.meshgrid(np.linspace(-3, 0, 61), np.linspace(-3, 0, 61))
    bought = before * np.log1p(rate) - np.log1p(rate * after)
    sold = before * np.log1p(-rate) - np.log1p(-rate * after)
    # A share of the position is entered or closed at the cost of the whole.
    granted = np.where(after < before, (before - after) / 3 * costs[1, 0], (after - before) / 3 * costs[0, 1]) + costs[0, 0]
    assert (np.minimum(bought, sold) <= granted + 1e-15).all()


def test_orders_that_fill_in_part_are_bounded_without_short_positions_and_unknown_with_them():
    market = random_market(3, 80, 0.02)
    costs = CostParams(fill_ratio=0.4)
    targets = np.random.default_rng(3).integers(0, 2, (79, 64)).astype(float)
    found = oracle(market, RowRange(0, 80), costs, account(), LONG_FLAT)
    assert found.kind == "bound"
    assert growths(market, targets, costs, account()).max() <= found.growth
    unknown = oracle(market, RowRange(0, 80), costs, account(), BOTH)
    assert (unknown.kind, unknown.growth) == ("none", None)
    assert "fill in lots or in part" in unknown.words
    assert captured(0.1, unknown).reason == unknown.words


def test_income_from_holding_is_bounded_too():
    for seed, volatility in itertools.product(range(4), (0.01, 0.1)):
        market = random_market(seed, 50, volatility)
        targets = np.repeat(np.random.default_rng(seed).integers(-1, 2, (10, 64)), 5, axis=0)[:49].astype(float)
        bound = oracle(market, RowRange(0, 50), PAID_TO_HOLD, account(), BOTH, exact=False)
        assert growths(market, targets, PAID_TO_HOLD, account()).max() <= bound.growth
        assert oracle(market, RowRange(0, 50), PAID_TO_HOLD, account(), BOTH).growth <= bound.growth


def test_the_bound_is_tight_where_both_are_known():
    market = random_market(5, 1_500, 0.01)
    exact = oracle(market, RowRange(0, 1_500), CostParams(), account(), BOTH)
    bound = oracle(market, RowRange(0, 1_500), CostParams(), account(), BOTH, exact=False)
    assert exact.kind == "exact"
    assert exact.growth < bound.growth < 1.02 * exact.growth


def test_more_costs_never_help():
    market = random_market(6, 300, 0.01)
    found = [oracle(market, RowRange(0, 300), CostParams(taker_bps=bps), account(), BOTH).growth for bps in (0.0, 5.0, 20.0, 100.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1] + 1.0


def test_a_long_span_of_short_positions_has_a_bound_and_says_why():
    market = random_market(7, 20_000, 0.01)
    found = oracle(market, RowRange(0, 20_000), CostParams(), account(), BOTH)
    assert found.kind == "bound"
    assert "positions that drift, over so many bars" in found.words
    assert oracle(market, RowRange(0, 20_000), CostParams(), account(), LONG_FLAT).kind == "exact"


def test_the_exposures_of_a_scheme():
    assert exposures_of(action_scheme("buy_sell_hold", False)) == LONG_FLAT
    assert exposures_of(action_scheme("continuous_target", True)) == Exposures((-1.0, 0.0, 1.0), between=True)
    assert exposures_of(action_scheme("target_position", True)).terms
    assert exposures_of(action_scheme("target_exposure", True), between=True).between


def test_captured_is_a_share_or_says_why_not():
    attainable = Oracle(2.0, "exact", None, "")
    assert captured(0.5, attainable).value == 0.25
    assert captured(-1.0, attainable).value == -0.5
    assert captured(None, attainable) == (None, "the policy has no finite growth")
    assert captured(math.nan, attainable).value is None
    assert captured(0.0, Oracle(0.0, "exact", None, "")) == (None, "nothing could be earned after costs")
    with pytest.raises(InvariantError, match="above the attainable"):
        captured(2.1, attainable)


def test_what_cannot_be_asked_is_refused():
    market = random_market(8, 20)
    for rows, exposures, words in (
        (RowRange(3, 4), BOTH, "1 row; allowed: at least 2"),
        (RowRange(0, 21), BOTH, "rows 0..20; allowed: rows within one of the series"),
        (RowRange(0, 20), Exposures(()), "allowed: at least one exposure"),
        (RowRange(0, 20), Exposures((0.0, 4.0)), "allowed: from -3 to 3"),
    ):
        with pytest.raises(ConfigError, match=words):
            oracle(market, rows, CostParams(), account(), exposures)


def test_bars_that_do_not_move_are_exact_too():
    # No drift at a close means no trade at the next open, however far it gaps.
    quotes = np.array([[10, 10, 10, 10], [10, 10, 10, 10], [12, 12, 12, 12], [11, 13, 11, 13], [13, 13, 13, 13.0]])
    market = market_of(np.column_stack([quotes, np.ones(5)]))
    params = account("every_bar")
    found = oracle(market, RowRange(0, 5), CostParams(), params, LEVERED)
    assert found.growth == pytest.approx(best_of_all(market, LEVERED.levels, CostParams(), params, 4), abs=1e-12)
