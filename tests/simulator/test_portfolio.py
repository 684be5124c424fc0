import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.simulator.costs.params import CostParams, FinancingParams, FundingParams, RandomizationParams, SlippageParams
from seawall.simulator.portfolio.simulator import PortfolioParams, PortfolioSimulator, transaction_remainder
from simulator.small_portfolios import FREE, panel_of, started, walk

C = 0.0025


@pytest.mark.parametrize(
    ("drifted", "wanted", "left"),
    [
        ((1, 0, 0), (0, 1, 0), 0.9975),  # all cash to an asset: 1 − c
        ((0, 1, 0), (1, 0, 0), 0.9975),  # an asset to cash: 1 − c
        ((0, 1, 0), (0, 0, 1), 0.99500625),  # one asset to another: (1 − c)²
        ((0.1, 0.6, 0.3), (0.2, 0.3, 0.5), 0.998749376097),
        ((0.2, 0.3, 0.5), (0.2, 0.3, 0.5), 1.0),
    ],
)
def test_what_a_trade_leaves_is_the_published_remainder_factor(drifted, wanted, left):
    assert transaction_remainder(np.array(drifted), np.array(wanted), C) == pytest.approx(left, abs=1e-12)


@given(seed=st.integers(0, 2**32 - 1), cost=st.floats(0, 0.05))
@settings(max_examples=200, deadline=None)
def test_what_is_left_pays_for_its_own_trades(seed, cost):
    rng = np.random.default_rng(seed)
    drifted, wanted = rng.dirichlet(np.ones(6), 2)
    rates = cost * rng.random(5)
    left = transaction_remainder(drifted, wanted, rates)
    sold, bought = np.maximum(drifted[1:] - left * wanted[1:], 0), np.maximum(left * wanted[1:] - drifted[1:], 0)
    # Cash after = cash before + what sales bring − what purchases take.
    assert drifted[0] + ((1 - rates) * sold).sum() - (bought / (1 - rates)).sum() == pytest.approx(left * wanted[0], abs=1e-14)
    assert (1 - rates.max()) ** 2 - 1e-15 <= left <= 1 + 1e-15


def test_weights_are_met_exactly_after_costs_and_then_drift():
    # Both assets open at 100 and 50; then A doubles and B stays.
    simulator = started(panel_of([[100, 200], [50, 50]]), costs=CostParams(taker_bps=20, spread_bps=10))
    simulator.step(np.array([[0.2, 0.4, 0.4]]))
    # Purchases of 0.8 κ take 0.8 κ / (1 − 0.0025): κ (0.2 + 0.8 / 0.9975) = 1000, κ = 997.998998…
    left = 1_000 / (0.2 + 0.8 / 0.9975)
    assert simulator.units[0] == pytest.approx([0.4 * left / 100, 0.4 * left / 50], rel=1e-14)
    assert simulator.cash[0] == pytest.approx(0.2 * left, rel=1e-13)
    assert simulator.equity[0] == pytest.approx(left * 1.4, rel=1e-14)
    assert simulator.weights[0] == pytest.approx([0.2 / 1.4, 0.8 / 1.4, 0.4 / 1.4], rel=1e-13)
    # Of the notional 0.8 κ / 0.9975, 0.2 % is commission and 0.05 % half-spread.
    assert simulator.fee[0] == pytest.approx(0.002 * 0.8 * left / 0.9975, rel=1e-13)
    assert simulator.spread[0] == pytest.approx(0.0005 * 0.8 * left / 0.9975, rel=1e-13)


def test_a_decision_is_filled_at_the_next_open_not_at_its_own_close():
    # A gaps from 100 to 110 over night and closes at 121: a buyer at the close of bar 0 earns the second tenth alone.
    simulator = started(panel_of([[100, 121]], opens=[[100, 110]]))
    assert simulator.step(np.array([[0.0, 1.0]])).reward[0] == pytest.approx(math.log(1.1), rel=1e-14)


@given(seed=st.integers(0, 2**32 - 1), fee=st.floats(0, 100), band=st.sampled_from([0.0, 0.02]), every=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_money_is_conserved_in_every_bar(seed, fee, band, every):
    panel, rng = walk(seed), np.random.default_rng(seed)
    costs = CostParams(taker_bps=fee, spread_bps=fee, slippage=SlippageParams(base_bps=fee / 2))
    simulator = started(panel, n=3, costs=costs, no_trade_band=band, rebalance_every=every)
    for _ in range(50):
        before, units = simulator.equity.copy(), simulator.units.copy()
        hold = rng.random(3) < 0.3
        simulator.step(rng.dirichlet(np.ones(5), 3), hold)
        parts = simulator.price_pnl - simulator.fee - simulator.spread - simulator.slippage
        np.testing.assert_allclose(simulator.equity - before, parts, rtol=0, atol=1e-9 * before.max())
        np.testing.assert_array_equal(simulator.units[hold], units[hold])
        assert (simulator.weights >= 0).all()
        np.testing.assert_allclose(simulator.weights.sum(axis=1), 1.0, rtol=1e-13)
        np.testing.assert_array_equal(simulator.traded_notional[hold], 0.0)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_dearer_trades_never_leave_more(seed):
    panel = walk(seed)
    weights = np.random.default_rng(seed).dirichlet(np.ones(5), (100, 1))
    ends = []
    for fee in (0.0, 1.0, 10.0, 100.0):
        simulator = started(panel, costs=CostParams(taker_bps=fee, spread_bps=0.0))
        for each in weights:
            simulator.step(each)
        ends.append(simulator.equity[0])
    assert ends == sorted(ends, reverse=True)


def test_free_daily_rebalancing_earns_the_product_of_weighted_price_relatives():
    close = np.array([[100.0, 110.0, 99.0, 120.0], [50.0, 45.0, 54.0, 54.0]])
    simulator = started(panel_of(close))
    for _ in range(3):
        simulator.step(np.array([[0.0, 0.5, 0.5]]))
    # Relatives: 1.1 and 0.9; 0.9 and 1.2; 120/99 and 1: halves of each, multiplied.
    wanted = 1_000 * (1.1 + 0.9) / 2 * (0.9 + 1.2) / 2 * (120 / 99 + 1) / 2
    assert simulator.equity[0] == pytest.approx(wanted, rel=1e-14)


def test_the_benchmark_is_equal_weight_buy_and_hold_and_its_excess_counts_by_its_weight():
    close = np.array([[100.0, 110.0, 121.0], [50.0, 50.0, 25.0]])
    simulator = started(panel_of(close), excess_weight=2.0)
    rewards = [simulator.step(np.array([[1.0, 0.0, 0.0]])).reward[0] for _ in range(2)]
    # Buy-and-hold of 500 each: 500 · 1.1 + 500 = 1050, then 500 · 1.21 + 250 = 855. Cash earns 0.
    assert simulator.benchmark[0] == pytest.approx(855.0, rel=1e-14)
    assert rewards == pytest.approx([-2 * math.log(1.05), -2 * math.log(855 / 1_050)], rel=1e-12)


def test_assets_within_the_band_are_left_alone_and_the_others_share_the_rest():
    simulator = started(panel_of(np.full((2, 4), 100.0)), no_trade_band=0.05)
    simulator.step(np.array([[0.2, 0.4, 0.4]]))
    units = simulator.units[0].copy()
    # A is asked to go from 0.40 to 0.43, within the band; B from 0.40 to 0.20. A keeps 0.40, and B and cash share the other 0.60 as
    # 0.20 to 0.37.
    simulator.step(np.array([[0.37, 0.43, 0.2]]))
    assert simulator.units[0, 0] == units[0]
    assert simulator.weights[0] == pytest.approx([0.6 * 0.37 / 0.57, 0.4, 0.6 * 0.2 / 0.57], rel=1e-13)


def test_an_asset_without_a_bar_is_neither_bought_nor_sold():
    stale = [[False, False, True, False], [False] * 4]
    simulator = started(panel_of([[100, 100, 100, 120], [50, 50, 50, 50]], stale=stale))
    simulator.step(np.array([[0.5, 0.5, 0.0]]))
    simulator.step(np.array([[0.5, 0.0, 0.5]]))
    # A has no bar: its half stays, and the other half is shared between cash and B, half each.
    assert simulator.weights[0] == pytest.approx([0.25, 0.5, 0.25], rel=1e-13)
    simulator.step(np.array([[0.5, 0.0, 0.5]]))
    # At the next open (100, the close before) it is sold; the rise to 120 is not earned.
    assert simulator.units[0, 0] == 0.0
    assert simulator.equity[0] == pytest.approx(1_000.0, rel=1e-14)


def test_rebalancing_every_third_bar_trades_at_the_first_and_the_fourth():
    simulator = started(walk(3), costs=CostParams(taker_bps=10, spread_bps=0), rebalance_every=3)
    traded = []
    for number in range(6):
        simulator.step(np.array([[0.0, *np.roll([1.0, 0.0, 0.0, 0.0], number)]]))
        traded.append(bool(simulator.traded_notional[0] > 0))
    assert traded == [True, False, False, True, False, False]


@pytest.mark.parametrize(("reference", "ends_at"), [("peak", 2), ("start", 3)])
def test_a_loss_from_the_peak_or_the_start_ends_the_episode(reference, ends_at):
    # 1000, 1500 (peak), 900: 40 % below the peak, 10 % below the start; 400: 60 % below the start.
    simulator = started(panel_of([[100, 150, 90, 40, 40]]), stop_drawdown=0.4, drawdown_reference=reference)
    ended = [bool(simulator.step(np.array([[0.0, 1.0]])).terminated[0]) for _ in range(3)]
    assert ended.index(True) + 1 == ends_at
    rest = simulator.step(np.array([[0.0, 1.0]]))
    assert (rest.reward[0], bool(rest.terminated[0]), bool(rest.truncated[0])) == (0.0, True, False)


def test_the_last_row_truncates_and_a_reset_starts_anew():
    simulator = started(panel_of([[100, 110, 121]]))
    simulator.step(np.array([[0.0, 1.0]]))
    assert simulator.step(np.array([[0.0, 1.0]])).truncated[0]
    simulator.reset(np.array([0]), np.array([1]), np.array([3]))
    assert (simulator.equity[0], simulator.row[0], simulator.episode[0], simulator.units[0, 0]) == (1_000.0, 1, 1, 0.0)


def test_many_accounts_are_as_many_single_ones_and_threads_change_no_bit():
    panel, rng, n = walk(7, assets=11), np.random.default_rng(0), 700
    weights, starts = rng.dirichlet(np.ones(12), (40, n)), rng.integers(0, 300, n)
    found = []
    for threads in (1, 2):
        simulator = PortfolioSimulator(panel, n, CostParams(), PortfolioParams(threads=threads))
        simulator.reset(np.arange(n), starts, np.full(n, 400))
        for each in weights:
            simulator.step(each)
        found.append((simulator.equity.copy(), simulator.units.copy(), simulator.fee.copy()))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
    for account in (0, 123, 699):
        single = PortfolioSimulator(panel, 1, CostParams(), PortfolioParams())
        single.reset(np.array([0]), starts[[account]], np.array([400]))
        for each in weights:
            single.step(each[[account]])
        assert single.equity[0] == found[0][0][account]


def test_costs_by_symbol_are_charged_to_their_asset():
    costs = {"A": CostParams(taker_bps=100, spread_bps=0), "B": FREE}
    simulator = started(panel_of(np.full((2, 3), 100.0)), costs=costs)
    simulator.step(np.array([[0.0, 0.0, 1.0]]))
    assert (simulator.fee[0], simulator.equity[0]) == (0.0, 1_000.0)
    simulator.step(np.array([[0.0, 1.0, 0.0]]))
    assert simulator.equity[0] == pytest.approx(990.0, rel=1e-14)


def test_base_slippage_is_a_part_of_its_own():
    costs = CostParams(taker_bps=20, spread_bps=10, slippage=SlippageParams(base_bps=15))
    simulator = started(panel_of([[100, 100, 100]]), costs=costs)
    simulator.step(np.array([[0.0, 1.0]]))
    # All of 1,000 is spent, of which 0.20 %, 0.05 % and 0.15 % are costs.
    assert (simulator.fee[0], simulator.spread[0], simulator.slippage[0]) == pytest.approx((2.0, 0.5, 1.5), rel=1e-13)
    assert simulator.equity[0] == pytest.approx(996.0, rel=1e-14)
    simulator.step(np.array([[1.0, 0.0]]))
    assert simulator.slippage[0] == pytest.approx(996.0 * 0.0015, rel=1e-13)
    assert simulator.equity[0] == pytest.approx(996.0 * 0.996, rel=1e-13)


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({"slippage": SlippageParams(volatility_multiplier=0.5)}, r"costs\.slippage\.volatility_multiplier of A is 0\.5"),
        ({"slippage": SlippageParams(size_impact=3.0)}, r"costs\.slippage\.size_impact of A is 3\.0, .*; allowed: 0\.0"),
        ({"financing": FinancingParams(long_apr=0.05)}, r"costs\.financing\.long_apr of A is 0\.05"),
        ({"financing": FinancingParams(short_apr=-0.01)}, r"costs\.financing\.short_apr of A is -0\.01"),
        ({"funding": FundingParams(rate_bps=1.0)}, r"costs\.funding\.rate_bps of A is 1\.0"),
        ({"randomization": RandomizationParams(spread=0.2)}, r"costs\.randomization\.spread of A is 0\.2"),
    ],
)
def test_costs_that_portfolios_do_not_charge_are_refused_not_ignored(costs, message):
    with pytest.raises(ConfigError, match=message):
        started(panel_of([[100, 110]]), costs=CostParams(**costs))


def test_costs_that_say_how_or_never_fall_due_are_taken():
    costs = CostParams(taker_bps=0, spread_bps=0, maker_bps=50, funding=FundingParams(every_hours=4))
    simulator = started(panel_of([[100, 110]]), costs=costs)
    simulator.step(np.array([[0.0, 1.0]]))
    assert simulator.equity[0] == pytest.approx(1_100.0, rel=1e-14)


def test_a_saved_portfolio_goes_on_exactly():
    panel, rng = walk(5), np.random.default_rng(5)
    weights = rng.dirichlet(np.ones(5), (20, 3))
    one, other = (started(panel, n=3, costs=CostParams(), rebalance_every=3) for _ in range(2))
    for each in weights[:10]:
        one.step(each)
    saved = one.state_dict()
    one.step(weights[10])
    other.load_state_dict(saved)
    other.step(weights[10])
    for each in weights[11:]:
        assert one.step(each).reward.tobytes() == other.step(each).reward.tobytes()
    del saved["units"]
    with pytest.raises(DataError, match=r"saved portfolio has 'units' of shape None; allowed: \(3, 4\)"):
        other.load_state_dict(saved)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[0.5, 0.6]], "add up to 1|adding up to 1"),
        ([[-0.1, 1.1]], r"weights \[-0.1, 1.1\] of account 0 are not allowed"),
        ([[np.nan, 1.0]], r"weights \[nan, 1.0\] of account 0"),
        ([[1.0]], r"weights have shape \(1, 1\); allowed: \(1, 2\), cash first"),
    ],
)
def test_weights_off_the_simplex_are_refused_and_nothing_moves(weights, message):
    simulator = started(panel_of([[100, 110, 121]]))
    with pytest.raises(InvariantError, match=message):
        simulator.step(np.array(weights))
    assert (simulator.row[0], simulator.equity[0]) == (0, 1_000.0)


def test_what_cannot_be_simulated_is_refused():
    panel = panel_of([[100, 110, 121]])
    with pytest.raises(ConfigError, match="0 accounts"):
        PortfolioSimulator(panel, 0, FREE)
    with pytest.raises(ConfigError, match="no entry for A"):
        PortfolioSimulator(panel, 1, {"B": FREE})
    with pytest.raises(DataError, match=r"row 1 of A has prices .*; allowed: positive, finite"):
        PortfolioSimulator(panel_of([[100, 0.0, 121]]), 1, FREE)
    simulator = PortfolioSimulator(panel, 1, FREE)
    with pytest.raises(InvariantError, match="stepped before it was reset"):
        simulator.step(np.array([[1.0, 0.0]]))
    with pytest.raises(ConfigError, match=r"episode of rows 1\.\.3 cannot be simulated"):
        simulator.reset(np.array([0]), np.array([1]), np.array([4]))


def test_prices_tiny_and_huge_are_simulated_alike():
    ends = []
    for scale in (1e-12, 1.0, 1e12):
        simulator = started(panel_of(np.array([[1.0, 1.1, 0.9], [2.0, 2.0, 3.0]]) * scale), costs=CostParams())
        simulator.step(np.array([[0.1, 0.4, 0.5]]))
        simulator.step(np.array([[0.3, 0.6, 0.1]]))
        ends.append(simulator.equity[0])
    assert ends == pytest.approx([ends[1]] * 3, rel=1e-12)
