"""Every reward term and every preset, worked by hand on bars that do not move within themselves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from small_markets import bars, flat_bars, market_of, random_prices

from seawall.core.errors import InvariantError
from seawall.core.market import Market
from seawall.simulator.costs.params import CostParams
from seawall.simulator.rewards.params import REWARD_PRESETS, RewardParams
from seawall.simulator.rewards.term import RewardTerm
from seawall.simulator.rewards.terms import REWARD_TERMS
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

FREE = CostParams(taker_bps=0.0, spread_bps=0.0)
FEE = CostParams(taker_bps=100.0, spread_bps=0.0)
"""A commission of 1 %."""


def still(*prices: float) -> Market:
    return bars(*((price, price, price, price) for price in prices))


def account(
    market: Market, costs: CostParams = FREE, start: float = 0.0, rows: tuple[int, int] | None = None, **reward: Any
) -> Simulator:
    """One account of 10,000 at the close of the first row."""
    simulator = Simulator(market, 1, costs, SimulatorParams(reward=RewardParams(**reward)))
    first, stop = rows or (0, len(market))
    simulator.reset(np.array([0]), np.array([first]), np.array([stop]), np.array([start]))
    return simulator


def earned(simulator: Simulator, *targets: float, signal: int | None = None) -> list[float]:
    signals = None if signal is None else np.array([signal], dtype=np.int8)
    return [float(simulator.step(np.array([target]), signals=signals).reward[0]) for target in targets]


def of(term: str, market: Market, *targets: float, costs: CostParams = FREE, start: float = 0.0, **reward: Any) -> list[float]:
    return earned(account(market, costs, start, weights={term: 1.0}, **reward), *targets)


# A start exposure of 1 on 100 -> 110 -> 99: equity 10,000 -> 11,000 -> 9,900. No costs.
RISE_AND_FALL = flat_bars(100.0, 110.0, 99.0)
WORKED = {
    "log_return": [math.log(1.1), math.log(0.9)],
    "simple_return": [0.1, -0.1],
    "benchmark_excess": [0.0, 0.0],
    "drawdown": [0.0, -0.1],  # 1 - 9,900 / 11,000
    "drawdown_growth": [0.0, -0.1],
    "variance": [-(math.log(1.1) ** 2), -(math.log(0.9) ** 2)],
    "fee": [0.0, 0.0],
    "costs": [0.0, 0.0],
    "turnover": [0.0, 0.0],
    "trade": [0.0, 0.0],
    "trade_entry": [0.0, 0.0],
    "hold_bonus": [0.0, 0.0],
    "holding": [-1.0, -1.0],
    "profit_bonus": [0.0, 0.0],
    "ruin": [0.0, 0.0],
}


@pytest.mark.parametrize("term", WORKED)
def test_terms_of_a_position_held_through_a_rise_and_a_fall(term):
    assert of(term, RISE_AND_FALL, 1.0, 1.0, start=1.0) == pytest.approx(WORKED[term], rel=1e-12, abs=1e-15)


# 1 % commission, all prices 100. Entering: x = 10,000 / 1.01 = 9,900.990099 is traded, fee 99.00990099, equity 9,900.990099.
# Leaving: 9,900.990099 traded, fee 99.00990099, equity 9,801.980198; the fee over 9,900.990099 is exactly 1 %, the turnover 1.
BOUGHT_AND_SOLD = {
    "log_return": [-math.log(1.01), math.log(0.99)],
    "fee": [-0.01 / 1.01, -0.01],
    "costs": [-0.01 / 1.01, -0.01],
    "turnover": [-1.0 / 1.01, -1.0],
    "trade": [-1.0, -1.0],
    "trade_entry": [-1.0, 0.0],
    "hold_bonus": [0.0, 0.0],
    "holding": [-1.0, 0.0],
    "profit_bonus": [0.0, 0.0],
    "benchmark_excess": [-0.01 / 1.01, -0.01],
    "drawdown": [-0.01 / 1.01, 1.0 / 1.01 * 0.99 - 1.0],
    "drawdown_growth": [-0.01 / 1.01, -0.01 / 1.01],  # 0.990099 -> 0.980198 of the peak
}


@pytest.mark.parametrize("term", BOUGHT_AND_SOLD)
def test_terms_of_a_round_trip_that_pays_one_percent_a_side(term):
    assert of(term, still(100.0, 100.0, 100.0), 1.0, 0.0, costs=FEE) == pytest.approx(BOUGHT_AND_SOLD[term], rel=1e-12, abs=1e-15)


def test_all_costs_count_the_half_spread_too_and_the_fee_term_does_not():
    # 100 bps commission, 200 bps spread: 1 % each on x = 10,000 / 1.02.
    both = CostParams(taker_bps=100.0, spread_bps=200.0)
    assert of("costs", still(100.0, 100.0), 1.0, costs=both) == pytest.approx([-0.02 / 1.02], rel=1e-12)
    assert of("fee", still(100.0, 100.0), 1.0, costs=both) == pytest.approx([-0.01 / 1.02], rel=1e-12)


def test_reversing_and_enlarging_are_entries_and_reducing_is_none():
    market = still(*[100.0] * 6)
    assert of("trade_entry", market, 0.5, 1.0, 0.5, -0.25, 0.0) == [-1.0, -1.0, 0.0, -1.0, 0.0]


def test_a_short_position_held_counts_by_its_size():
    # 10,000 at 110: -100 units are worth -11,000, equity 9,000.
    assert of("holding", flat_bars(100.0, 110.0), -1.0, start=-1.0) == pytest.approx([-11_000 / 9_000], rel=1e-12)


def test_the_excess_over_the_asset_of_an_idle_and_of_a_short_account():
    assert of("benchmark_excess", flat_bars(100.0, 110.0), 0.0) == pytest.approx([-0.1], rel=1e-12)
    assert of("benchmark_excess", flat_bars(100.0, 110.0), -1.0, start=-1.0) == pytest.approx([-0.2], rel=1e-12)


def test_the_bonus_is_twice_the_profit_after_costs_and_losses_and_eaten_profits_earn_none():
    # Start with 100 units at 100; sold at 110 for 1 %: profit 1,000 - 110 = 890 over an entry value of 10,000, doubled.
    assert of("profit_bonus", still(100.0, 110.0), 0.0, costs=FEE, start=1.0) == pytest.approx([2 * 890 / 10_000], rel=1e-12)
    assert of("profit_bonus", still(100.0, 90.0), 0.0, costs=FEE, start=-1.0) == pytest.approx([2 * 910 / 10_000], rel=1e-12)
    assert of("profit_bonus", still(100.0, 99.0), 0.0, costs=FEE, start=1.0) == [0.0]
    assert of("profit_bonus", still(100.0, 100.5), 0.0, costs=FEE, start=1.0) == [0.0]  # 50 earned, 100.5 paid


def test_the_bonus_of_half_a_position_is_over_half_its_value():
    # 50 of 100 units sold at 120: exposure wanted 0.5 of 12,000. Profit 1,000 over 5,000, doubled.
    assert of("profit_bonus", still(100.0, 120.0), 0.5, start=1.0) == pytest.approx([0.4], rel=1e-12)


def test_idle_bars_cost_after_the_threshold_and_a_trade_starts_the_count_anew():
    market = still(*[100.0] * 10)
    assert of("idle", market, 0, 0, 0, 0, 1, 0, 0, 0, 0, idle_bars=2) == [0, 0, -1, -1, 0, 0, 0, 0, -1]
    assert of("idle", market, 0, 0, 1, 1, idle_bars=0) == [-1, -1, 0, 0]
    assert of("hold_bonus", market, 0, 1, 1, 0, 0) == [1, 0, 0, 0, 1]


def test_the_largest_drawdown_costs_only_where_it_grows():
    # 100 -> 90 (0.1) -> 95 -> 80 (0.2) -> 120 (new peak) -> 96 (0.2 again, no growth) -> 84 (0.3)
    market = flat_bars(100.0, 90.0, 95.0, 80.0, 120.0, 96.0, 84.0)
    wanted = [-0.1, 0.0, -0.1, 0.0, 0.0, -0.1]
    assert of("drawdown_growth", market, *[1.0] * 6, start=1.0) == pytest.approx(wanted, rel=1e-12, abs=1e-15)
    each = [-0.1, -0.05, -0.2, 0.0, -0.2, -0.3]
    assert of("drawdown", market, *[1.0] * 6, start=1.0) == pytest.approx(each, rel=1e-12, abs=1e-15)


def test_ruin_costs_one_in_its_bar_alone_and_what_has_ended_earns_nothing():
    market = flat_bars(100.0, 300.0, 300.0, 300.0)
    simulator = account(market, start=-1.0, weights={name: 1.0 for name in REWARD_TERMS if name != "log_return"}, idle_bars=0)
    first = earned(simulator, -1.0)
    assert simulator.reward.terms[simulator.reward.names.index("ruin"), 0] == -1.0
    assert np.isfinite(first).all()
    sums = simulator.reward.sums.copy()
    assert earned(simulator, 1.0, 0.0) == [0.0, 0.0]
    assert simulator.reward.sums.tolist() == sums.tolist()


CELLS = [
    # what is held, what is asked (+1 buy, -1 sell, 0 hold), reward. Entry 100, close before 110, close 121: the move is +10 %.
    (0, 1, -0.001),
    (0, -1, -0.001),
    (0, 0, -0.0001),
    (1, 1, 0.1),  # the move
    (1, -1, 0.21 - 0.002),  # (121 - 100) / 100 - 2c
    (1, 0, 0.05),  # half the move
    (-1, 1, -0.21 - 0.002),  # (100 - 121) / 100 - 2c
    (-1, -1, -0.1),
    (-1, 0, -0.05),
]


@pytest.mark.parametrize(("held", "asked", "reward"), CELLS)
def test_the_published_table_of_actions_cell_by_cell(held, asked, reward):
    simulator = account(still(100.0, 110.0, 121.0, 50.0), start=0.5 * held, weights={"action_table": 1.0})
    earned(simulator, 0.5 * held, 0.5 * held, signal=0)
    target = 0.5 * (asked or held)
    assert earned(simulator, target, signal=asked) == pytest.approx([reward], rel=1e-12)


def test_the_table_sees_no_move_into_the_first_bar_of_a_series():
    market = market_of(np.array([[price] * 4 + [1.0] for price in (10.0, 10.0, 10.0, 100.0, 110.0)]), starts=(0, 3))
    simulator = account(market, start=0.5, rows=(3, 5), weights={"action_table": 1.0})
    assert earned(simulator, 0.5, signal=1) == [0.0]


COST_7 = math.log(0.993 / 1.007)
COST_10 = math.log(0.99 / 1.01)


def hindsight(term: str, row: int, signal: int, market: Market, **reward: Any) -> float:
    simulator = account(market, rows=(row, len(market)), weights={term: 1.0}, **reward)
    return earned(simulator, 0.0, signal=signal)[0]


# Closes 100, 105, 95, 120, 90 with wicks of 2: two bars ahead of row 0 lie 105 and 95, highs 107 and 97, lows 103 and 93.
WICKS = bars(*((close, close + 2.0, close - 2.0, close) for close in (100.0, 105.0, 95.0, 120.0, 90.0)))


def test_an_exit_at_the_best_close_of_two_bars():
    ahead = {"hindsight_bars": 2}
    buy, sell = math.log(1.05) + COST_7, math.log(100 / 95) + COST_7  # 0.0348, 0.0373
    assert hindsight("hindsight_exit", 0, 1, WICKS, **ahead) == pytest.approx(buy, rel=1e-12)
    assert hindsight("hindsight_exit", 0, -1, WICKS, **ahead) == pytest.approx(sell, rel=1e-12)
    assert hindsight("hindsight_exit", 0, 0, WICKS, **ahead) == pytest.approx(-sell, rel=1e-12)
    assert pytest.approx(-0.014000, abs=1e-6) == COST_7
    assert pytest.approx(-0.020001, abs=1e-6) == COST_10


def test_an_exit_at_the_best_high_or_low_of_two_bars():
    ahead = {"hindsight_bars": 2}
    buy, sell = math.log(1.07) + COST_7, math.log(100 / 93) + COST_7
    assert hindsight("hindsight_exit_limit", 0, 1, WICKS, **ahead) == pytest.approx(buy, rel=1e-12)
    assert hindsight("hindsight_exit_limit", 0, -1, WICKS, **ahead) == pytest.approx(sell, rel=1e-12)
    assert hindsight("hindsight_exit_limit", 0, 0, WICKS, **ahead) == pytest.approx(-sell, rel=1e-12)


def test_a_hold_in_a_market_that_does_not_move_costs_nothing():
    assert hindsight("hindsight_exit", 0, 0, still(100.0, 100.0, 100.0), hindsight_bars=2) == 0.0
    assert hindsight("hindsight_exit", 0, 1, still(100.0, 100.0, 100.0), hindsight_bars=2) == pytest.approx(COST_7, rel=1e-12)


def test_fewer_bars_are_left_at_the_end_and_none_of_the_next_series_counts():
    # Row 3 of the series: only 90 is left of 20 bars ahead.
    assert hindsight("hindsight_exit", 3, 1, WICKS) == pytest.approx(math.log(90 / 120) + COST_7, rel=1e-12)
    both = market_of(np.concatenate([WICKS.prices, WICKS.prices * 50.0]), starts=(0, 5))
    simulator = account(both, rows=(3, 5), weights={"hindsight_exit": 1.0})
    assert earned(simulator, 0.0, signal=1) == pytest.approx([math.log(90 / 120) + COST_7], rel=1e-12)
    assert earned(account(both, rows=(5, 10), weights={"hindsight_exit": 1.0}, hindsight_bars=1), 0.0, signal=1) == pytest.approx(
        [math.log(1.05) + COST_7], rel=1e-12
    )


def test_a_series_of_a_single_bar_has_no_exit_and_is_no_error():
    market = market_of(np.concatenate([np.full((1, 5), 7.0), WICKS.prices]), starts=(0, 1))
    simulator = account(market, rows=(1, 6), weights={"hindsight_exit": 1.0}, hindsight_bars=2)
    assert earned(simulator, 0.0, signal=1) == pytest.approx([math.log(1.05) + COST_7], rel=1e-12)


def test_the_preset_with_a_fixed_bonus_for_holding_and_a_fee_of_one_percent():
    assert hindsight_of("smurf_limit", 0) == pytest.approx(0.0055, rel=1e-12)
    assert hindsight_of("smurf_limit", 1) == pytest.approx(math.log(1.22) + COST_10, rel=1e-12)  # high 122 of row 3
    assert hindsight_of("hindsight_limit", -1) == pytest.approx(math.log(100 / 88) + COST_7, rel=1e-12)  # low 88 of row 4
    assert hindsight_of("hindsight_market", 1) == pytest.approx(math.log(1.2) + COST_7, rel=1e-12)
    assert hindsight_of("hindsight_exit", 1) == hindsight_of("hindsight_market", 1)
    assert hindsight_of("smurf_exit", 0) == pytest.approx(0.0055, rel=1e-12)
    assert hindsight_of("smurf_exit", 1) == pytest.approx(math.log(1.2) + COST_10, rel=1e-12)


def hindsight_of(preset: str, signal: int) -> float:
    return earned(account(WICKS, preset=preset), 0.0, signal=signal)[0]


def test_presets_of_log_returns_and_their_additions():
    # Flat for two bars on a price that moves: nothing is earned but for what idleness costs or brings.
    market = flat_bars(100.0, 110.0, 99.0)
    assert earned(account(market, preset="log_return"), 0.0, 0.0) == [0.0, 0.0]
    assert earned(account(market, preset="market_order"), 0.0, 0.0) == [0.0, 0.0]
    assert earned(account(market, preset="ichimoku"), 0.0, 0.0) == [-1e-4, -1e-4]
    held = [math.log(1.1), math.log(0.9)]
    for name in ("log_return", "market_order", "ichimoku"):
        assert earned(account(market, start=1.0, preset=name), 1.0, 1.0) == pytest.approx(held, rel=1e-12)


def test_a_decision_to_hold_is_paid_a_share_of_the_round_trip_whatever_is_held():
    # 20 bps commission and half of 10 bps spread a side: a round trip costs 50 bps. What is held changes nothing.
    costs, market = CostParams(taker_bps=20.0, spread_bps=10.0), still(100.0, 100.0, 100.0)
    for start in (0.0, 1.0, -1.0):
        simulator = account(market, costs, start, weights={"hold_decision": 0.3})
        assert earned(simulator, start, signal=0) == pytest.approx([0.3 * 0.005], rel=1e-12)
        assert earned(simulator, start, signal=1) == [0.0]
    assert of("hold_decision", still(100.0, 100.0), 0.0) == [0.0]  # no costs, no bonus


def test_the_smurf_pays_ten_sevenths_of_the_commission_and_is_paid_to_hold():
    # 1 % commission: bought at 100, x = 10,000 / 1.01, equity 10,000 / 1.01. The commission counts once more by 3/7.
    simulator = account(still(100.0, 100.0, 100.0), FEE, preset="smurf")
    wanted = [-math.log(1.01) - 3.0 / 7.0 * 0.01 / 1.01, 0.275 * 0.02]
    assert earned(simulator, 1.0, signal=1) + earned(simulator, 1.0, signal=0) == pytest.approx(wanted, rel=1e-12)


def test_the_table_preset_pays_ten_less_at_ruin():
    # Short half at 100, then 300: the equity of 10,000 - 50 * 200 = 0 is below any margin. Held short, move 0 into the first bar.
    assert earned(account(flat_bars(100.0, 300.0), start=-0.5, preset="ichimoku_table"), -0.5, signal=0) == [-10.0]


def test_the_long_short_preset_adds_up_its_eight_terms():
    # Bought for 1 %: return -0.00990099, drawdown as much (x 0.5), fee as much (x 2), excess as much (x 0.5): 4 of them in all.
    market = still(100.0, 100.0, 110.0)
    simulator = account(market, FEE, preset="long_short")
    assert earned(simulator, 1.0) == pytest.approx([-4.0 * 0.01 / 1.01], rel=1e-12)
    # Sold at 110 for 1 %: equity 10,000/1.01 -> x 1.1 x 0.99 = x 1.089; return 0.089; the peak of 10,000 is passed; fee 0.011 x 2;
    # excess 0.089 - 0.1 = -0.011, half; bonus 2 x 0.089, half. 0.089 - 0.022 - 0.0055 + 0.089.
    assert earned(simulator, 0.0) == pytest.approx([0.1505], rel=1e-12)


def test_the_long_short_preset_charges_the_sixth_idle_bar():
    simulator = account(still(*[100.0] * 8), preset="long_short")
    assert earned(simulator, *[0.0] * 7) == [0.0] * 5 + [-0.1, -0.1]


def test_the_two_stage_preset_charges_growth_turnover_and_holding_and_is_clipped():
    # Bought half at 100 without costs: turnover 0.5, exposure 0.5: -0.5e-4 - 0.5 x 2e-5.
    # Then 100 -> 98: equity 9,900; log 0.99; drawdown grows 0.01 (x 0.1); exposure 4,900 / 9,900 (x 2e-5).
    simulator = account(still(100.0, 100.0, 98.0, 49.0), preset="two_stage")
    wanted = [-0.5e-4 - 1e-5, math.log(0.99) - 0.001 - 4_900 / 9_900 * 2e-5]
    assert earned(simulator, 0.5, 0.5) == pytest.approx(wanted, rel=1e-12)
    assert earned(simulator, 0.5) == [-0.05]


def test_every_term_and_preset_is_among_those_worked_here():
    elsewhere = {"differential_sharpe", "windowed_sharpe", "volatility"}  # in test_rewards_that_remember
    here = set(WORKED) | {"idle", "hold_decision", "action_table", "hindsight_exit", "hindsight_exit_limit"}
    assert here | elsewhere == set(REWARD_TERMS)
    assert set(REWARD_PRESETS) == {
        "log_return", "ichimoku", "ichimoku_table", "long_short", "two_stage", "market_order", "smurf", "hindsight_market",
        "hindsight_limit", "smurf_limit", "hindsight_exit", "smurf_exit",
    }  # fmt: skip


def test_what_is_said_beside_a_preset_replaces_its_part_alone():
    params = RewardParams(preset="two_stage", weights={"turnover": 0.5}, clip=1.0)
    assert params.weights == {"log_return": 1.0, "drawdown_growth": 0.1, "turnover": 0.5, "holding": 2e-5, "volatility": 1e-3}
    assert params.clip == 1.0
    assert RewardParams(**params.model_dump()) == params


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "best"}, "preset is 'best'; allowed: log_return, ichimoku"),
        ({"preset": ["smurf"]}, r"preset is \['smurf'\]; allowed"),
        ({"preset": "smurf", "weights": 3.0}, "valid dictionary"),
        ({"weights": {"luck": 1.0}}, r"unknown reward terms \['luck'\]"),
        ({"weights": {}}, "at least 1"),
        ({"weights": {"log_return": math.nan}}, "finite"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        RewardParams(**settings)


@pytest.mark.parametrize("term", ["log_return", "simple_return"])
def test_the_scale_comes_before_the_clip_and_sums_are_before_it(term):
    simulator = account(flat_bars(100.0, 110.0, 99.0), start=1.0, weights={term: 2.0}, scale=10.0, clip=1.5)
    up = math.log(1.1) if term == "log_return" else 0.1
    assert earned(simulator, 1.0, 1.0) == [1.5, -1.5]
    down = math.log(0.9) if term == "log_return" else -0.1
    assert simulator.reward.sums[0, 0] == pytest.approx(20.0 * (up + down), rel=1e-12)
    assert simulator.reward.terms[0, 0] == pytest.approx(down, rel=1e-12)


def test_a_term_that_is_no_number_is_refused_by_term_account_and_row(monkeypatch):
    def broken(bar):
        return np.where((bar.row == 2) & (np.arange(bar.n) == 1), np.nan, 0.0)

    monkeypatch.setitem(REWARD_TERMS, "broken", RewardTerm(broken, "broken"))
    simulator = Simulator(
        market_of(random_prices(1, 9, 0.01)),
        3,
        FREE,
        SimulatorParams(reward=RewardParams(weights={"log_return": 1.0, "broken": 1.0})),
    )
    simulator.reset(np.arange(3), np.zeros(3, dtype=int), np.full(3, 9))
    simulator.step(np.ones(3))
    with pytest.raises(InvariantError, match="reward term 'broken' is nan for account 1 at row 2"):
        simulator.step(np.ones(3))
