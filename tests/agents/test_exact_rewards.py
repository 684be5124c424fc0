import numpy as np
import pytest
from exact_toys import market_of, random_market, whole

from seawall.agents.exact.additive import path_dependent_terms
from seawall.agents.exact.positions import positions_of
from seawall.agents.exact.rewards import reward_table
from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams, FinancingParams, FundingParams, SlippageParams
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.rewards.term import RewardTerm
from seawall.simulator.rewards.terms import REWARD_TERMS
from seawall.simulator.settings import OrderParams, SimulatorParams
from seawall.simulator.simulator import Simulator

EVERY_BAR = OrderParams(rebalance="every_bar")
DEAR = CostParams(
    taker_bps=30.0,
    spread_bps=4.0,
    slippage=SlippageParams(base_bps=1.0, volatility_multiplier=0.1, size_impact=2.0),
    financing=FinancingParams(long_apr=0.1, short_apr=0.2),
    funding=FundingParams(rate_bps=3.0),
)
LONG, SHORT_OF_MOVES, CLOSE, HOLD = 1, 2, 3, 0


def paths(market, scheme, costs, params, seed=0, n=32):
    """Rewards along random paths of actions: of the simulator itself, and of the table; both (n, bars)."""
    positions, rng = positions_of(scheme), np.random.default_rng(seed)
    table = reward_table(market, whole(market), positions, costs, params)
    simulator, everyone = Simulator(market, n, costs, params), np.arange(n)
    simulator.reset(everyone, np.zeros(n, np.int64), np.full(n, len(market)))
    place, lived, told = np.full(n, int(np.searchsorted(positions.levels, 0.0))), [], []
    for row in range(len(market) - 1):
        actions = rng.integers(positions.following.shape[1], size=n)
        told.append(table[row, place, actions])
        signals, place = positions.signals[place, actions], positions.following[place, actions]
        lived.append(simulator.step(positions.levels[place], signals=signals).reward)
    return np.array(lived).T, np.array(told).T


@pytest.mark.parametrize("name", ["target_exposure", "sell_buy_hold", "hold_long_short_close"])
def test_rebalanced_at_each_open_the_table_is_the_simulator_with_every_cost_and_the_gap(name):
    lived, told = paths(random_market(200, 0), action_scheme(name, True), DEAR, SimulatorParams(orders=EVERY_BAR))
    # float32 keeps seven digits of rewards of up to a tenth.
    assert np.abs(lived - told).max() < 1e-8


def test_long_or_flat_without_holding_costs_the_table_is_the_simulator_also_without_rebalancing():
    lived, told = paths(random_market(200, 1), action_scheme("sell_buy_hold", False), CostParams(), SimulatorParams())
    assert np.abs(lived - told).max() < 1e-8
    assert np.abs(lived).max() > 0.01


def test_on_the_short_side_without_rebalancing_it_is_near_and_only_near():
    lived, told = paths(random_market(200, 2), action_scheme("hold_long_short_close", True), CostParams(), SimulatorParams())
    missed, size = np.abs(lived - told).mean(), np.abs(lived).mean()
    # A short position of some bars drifts by a few of their moves of 1.4 %, and earns as much more or less.
    assert 1e-6 < missed < 0.03 * size
    growth = np.abs(lived.sum(1) - told.sum(1))
    assert growth.mean() < 0.05 * lived.sum(1).std()


@pytest.mark.slow  # it compiles the kernel once more
def test_with_holding_costs_and_without_rebalancing_a_long_position_misses_by_their_compound_alone():
    held = CostParams(financing=FinancingParams(long_apr=0.1))
    lived, told = paths(random_market(200, 3), action_scheme("sell_buy_hold", False), held, SimulatorParams())
    # An hour's interest is 1e-5 of equity: after ten of them the exposure is 1.0001, and a move of 1.4 % earns 1.4e-6 more.
    assert 0.0 < np.abs(lived - told).max() < 1e-5


def test_one_bar_is_the_one_worked_by_hand():
    # Close 100, open 102, close 99.96; 10 bps a side. In long: 99.96 / 100. From flat: 1 / 1.001 of equity in units at 102.
    market = market_of([(100, 100, 100, 100, 1), (102, 102, 99.96, 99.96, 1)])
    positions = positions_of(action_scheme("target_exposure", True))
    table = reward_table(market, whole(market), positions, CostParams(taker_bps=10.0, spread_bps=0.0), SimulatorParams())[0]
    long, bought = np.log(0.9996), np.log(0.98 / 1.001)
    sold, flat = np.log(1.02 * 0.999), 0.0
    assert table[2] == pytest.approx([table[2, 0], sold, long], rel=1e-5)
    assert table[1, 1:] == pytest.approx([flat, bought], rel=1e-5)
    # Short from flat: (1 - 0.001) left at 102, then 2 % of it won.
    assert table[1, 0] == pytest.approx(np.log((1.0 - 0.001 / 0.999 * 0.999) * 1.02), abs=2e-6)


def test_an_illegal_move_is_paid_as_a_hold_and_leads_nowhere():
    market = random_market(30, 4)
    positions = positions_of(action_scheme("hold_long_short_close", True))
    assert positions.following.tolist() == [[0, 0, 0, 1], [1, 2, 0, 1], [2, 2, 2, 1]]
    table = reward_table(market, whole(market), positions, CostParams(), SimulatorParams())
    np.testing.assert_array_equal(table[:, 2, [LONG, SHORT_OF_MOVES]], table[:, 2, [HOLD, HOLD]])
    np.testing.assert_array_equal(table[:, 1, CLOSE], table[:, 1, HOLD])


def test_a_table_in_parts_is_the_table_and_rows_begin_where_they_are_asked(monkeypatch):
    market, positions = random_market(50, 5), positions_of(action_scheme("target_exposure", True))
    whole_table = reward_table(market, whole(market), positions, DEAR, SimulatorParams(orders=EVERY_BAR))
    monkeypatch.setattr("seawall.agents.exact.rewards._ACCOUNTS", 7 * 9)
    parts = reward_table(market, RowRange(11, 50), positions, DEAR, SimulatorParams(orders=EVERY_BAR))
    assert parts.shape == (38, 3, 3)
    np.testing.assert_array_equal(parts, whole_table[11:])


def test_the_end_of_the_rows_closes_nothing():
    market, positions = random_market(20, 6), positions_of(action_scheme("target_exposure", True))
    closing = reward_table(market, whole(market), positions, CostParams(), SimulatorParams(close_at_end=True))
    np.testing.assert_array_equal(closing, reward_table(market, whole(market), positions, CostParams(), SimulatorParams()))


@pytest.mark.parametrize("rebalance", ["on_change", "every_bar"])
def test_a_bar_that_liquidates_a_position_is_refused_by_row_and_exposure(rebalance):
    market = market_of([(100, 100, 100, 100, 1), (100, 100, 100, 100, 1), (100, 230, 100, 230, 1), (230, 230, 230, 230, 1)])
    params = SimulatorParams(orders=OrderParams(rebalance=rebalance))
    with pytest.raises(ConfigError, match=r"row 2 alone liquidates an exposure of -1, .*agent ppo"):
        reward_table(market, whole(market), positions_of(action_scheme("target_exposure", True)), CostParams(), params)


def test_hold_is_signalled_as_the_scheme_says_and_not_by_the_change_of_the_target():
    positions = positions_of(action_scheme("sell_buy_hold", True))
    assert positions.levels.tolist() == [-1.0, 0.0, 1.0]
    assert positions.following.tolist() == [[0, 2, 0], [0, 2, 1], [0, 2, 2]]
    assert positions.signals.tolist() == [[-1, 1, 0]] * 3
    assert positions.traded.tolist() == [[0, 2, 0], [1, 1, 0], [2, 0, 0]]


def test_account_rows_are_what_the_simulator_shows_of_a_position():
    positions = positions_of(action_scheme("target_exposure", True))
    market, columns = random_market(10, 0), ("side", "target", "working")
    simulator = Simulator(market, 3, CostParams())
    simulator.reset(np.arange(3), np.zeros(3, np.int64), np.full(3, 10), positions.levels)
    np.testing.assert_array_equal(positions.account_rows(columns), simulator.account_rows(columns))
    simulator.step(positions.levels)
    np.testing.assert_array_equal(positions.account_rows(columns), simulator.account_rows(columns))


ADDITIVE = (
    "log_return", "simple_return", "benchmark_excess", "variance", "fee", "costs", "turnover", "trade", "trade_entry", "hold_bonus",
    "hold_decision", "holding", "ruin", "hindsight_exit", "hindsight_exit_limit",
)  # fmt: skip
REMEMBERING = (
    "drawdown", "drawdown_growth", "differential_sharpe", "windowed_sharpe", "volatility", "idle", "profit_bonus", "action_table",
)  # fmt: skip


def test_each_term_is_known_to_add_up_per_bar_or_not_to():
    weights = {name: 1.0 for name in REWARD_TERMS}
    assert set(ADDITIVE) | set(REMEMBERING) == set(weights)
    assert path_dependent_terms(RewardParams(weights=weights)) == tuple(name for name in weights if name in REMEMBERING)


def test_idleness_adds_up_where_no_idle_bar_is_free_and_long_memories_are_found_too():
    assert path_dependent_terms(RewardParams(weights={"idle": 1.0}, idle_bars=0)) == ()
    assert path_dependent_terms(RewardParams(weights={"idle": 1.0}, idle_bars=1_000_000)) == ("idle",)
    long = RewardParams(weights={"differential_sharpe": 1.0}, sharpe_warmup=1_000_000)
    assert path_dependent_terms(long) == ("differential_sharpe",)
    assert path_dependent_terms(RewardParams(weights={"drawdown": 0.0, "log_return": 1.0})) == ()


def test_terms_of_a_users_own_are_tried_alike(monkeypatch):
    own = {
        "calm": RewardTerm(lambda bar: -np.abs(bar.simple_return), "minus the size of the bar's return"),
        "rich": RewardTerm(lambda bar: bar.equity * 1e-4, "equity, in ten thousands"),
    }
    monkeypatch.setattr("seawall.simulator.rewards.params.REWARD_TERMS", {**REWARD_TERMS, **own})
    monkeypatch.setattr("seawall.simulator.rewards.reward.REWARD_TERMS", {**REWARD_TERMS, **own})
    assert path_dependent_terms(RewardParams(weights={"calm": 1.0, "rich": 1.0})) == ("rich",)


@pytest.mark.parametrize("name", [name for name in ADDITIVE if name not in ("ruin", "log_return")])
def test_every_additive_term_is_paid_by_the_table_as_on_a_path(name):
    params = SimulatorParams(orders=EVERY_BAR, reward=RewardParams(weights={name: 1.0}, scale=2.0, clip=1.5))
    lived, told = paths(random_market(60, 7), action_scheme("sell_buy_hold", True), DEAR, params)
    np.testing.assert_allclose(told, lived, rtol=1e-6, atol=1e-7)
    assert np.abs(lived).max() > 0.0
