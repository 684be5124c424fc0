import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from seawall.core.bars import bars_digest
from seawall.core.errors import ConfigError
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.synthetic.known import (
    DEFAULT_COST_PER_UNIT,
    LONG_FLAT_SHORT,
    PlantedEdgeParams,
    attainable_growth,
    close_location,
    informed_policy,
    net_log_growth,
    optimal_targets,
    planted_edge_bars,
    random_walk_bars,
    sharpe_per_bar,
)
from seawall.market.synthetic.switching import autoregressive_grid

LONG = PlantedEdgeParams(n_bars=400_000)


@pytest.fixture(scope="module")
def planted():
    return planted_edge_bars(LONG, seed=5)


@pytest.fixture(scope="module")
def walk():
    return random_walk_bars(LONG, seed=5)


def _log_returns(market):
    return np.diff(np.log(market.bars["close"].to_numpy()))


def _t_statistic(x, y):
    return np.corrcoef(x, y)[0, 1] * np.sqrt(len(x))


def test_the_same_seed_gives_the_same_market_and_another_seed_another():
    params = PlantedEdgeParams(n_bars=1_000)
    first = bars_digest(planted_edge_bars(params, 1).bars)
    assert bars_digest(planted_edge_bars(params, 1).bars) == first
    assert bars_digest(planted_edge_bars(params, 2).bars) != first


def test_the_twin_differs_by_the_drift_alone(planted, walk):
    np.testing.assert_array_equal(walk.signal, planted.signal)
    assert not walk.drift.any()
    for name in ("volume", "trades"):
        np.testing.assert_array_equal(walk.bars[name], planted.bars[name])
    np.testing.assert_allclose(_log_returns(planted) - _log_returns(walk), planted.drift[:-1], rtol=0, atol=1e-12)
    # The close lies at the same place of the bar in logarithms; in prices that differs by the square of the range.
    np.testing.assert_allclose(close_location(planted.bars), close_location(walk.bars), rtol=0, atol=0.01)


def test_the_twin_is_a_martingale(walk):
    moves = np.expm1(_log_returns(walk))
    standard_error = moves.std() / np.sqrt(len(moves))
    assert abs(moves.mean()) < 4 * standard_error
    assert abs(_t_statistic(close_location(walk.bars)[:-1], moves)) < 4
    assert abs(_t_statistic(walk.signal[:-1], moves)) < 4


def test_the_signal_is_shown_by_the_place_of_the_close_and_by_nothing_else(planted):
    returns = _log_returns(planted)
    assert _t_statistic(close_location(planted.bars)[:-1], returns) > 40
    for shown in (planted.bars["volume"], planted.bars["trades"]):
        assert abs(_t_statistic(np.log(shown), planted.signal)) < 4
        assert abs(_t_statistic(np.log(shown)[:-1], returns)) < 4


def test_returns_have_the_stated_law(planted):
    shocks = _log_returns(planted) - planted.drift[:-1] + 0.5 * LONG.volatility**2
    assert shocks.std() == pytest.approx(LONG.volatility, rel=0.01)
    # a persistent signal has few independent draws: about four standard errors
    assert planted.signal.std() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(planted.signal[:-1], planted.signal[1:])[0, 1] == pytest.approx(LONG.persistence, abs=0.002)
    assert np.abs(planted.drift).max() <= LONG.edge


def test_bars_open_at_the_close_before_and_have_wicks_of_a_real_size(planted):
    bars = planted.bars
    np.testing.assert_array_equal(bars["open"][1:], bars["close"][:-1])
    assert bars["open"][0] == pytest.approx(LONG.start_price, rel=1e-12)
    ranges = np.log(bars["high"] / bars["low"])
    # A Brownian bar's range is 1.6 deviations on average.
    assert 1.2 < ranges.mean() / LONG.volatility < 2.5
    assert np.abs(close_location(bars)).max() < 0.65


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    edge=st.floats(0.0, 0.05),
    volatility=st.floats(1e-4, 0.05),
    persistence=st.floats(0.0, 0.995),
    noise=st.floats(0.0, 10.0),
)
def test_every_market_passes_the_quality_check(seed, edge, volatility, persistence, noise):
    params = PlantedEdgeParams(n_bars=300, edge=edge, volatility=volatility, persistence=persistence, observation_noise=noise)
    bars, report = apply_quality(planted_edge_bars(params, seed).bars, QualityParams())
    assert (len(bars), report.gaps) == (300, 0)


def test_without_costs_the_optimum_is_the_mean_of_the_best_level_in_every_state():
    # Long earns exactly drift - volatility² / 2, flat nothing; the signal is standard normal.
    params = PlantedEdgeParams(edge=0.001, volatility=0.005)
    signal = np.linspace(-8, 8, 160_001)
    weight = np.exp(-0.5 * signal**2) / np.sqrt(2 * np.pi) * (signal[1] - signal[0])
    best = np.maximum(params.edge * np.tanh(1.5 * signal) - 0.5 * params.volatility**2, 0.0)
    assert attainable_growth(params, (0.0, 1.0), 0.0) == pytest.approx(float(weight @ best), rel=1e-4)


def test_where_trading_costs_more_than_it_can_earn_the_best_is_to_stay_flat():
    assert attainable_growth(LONG, LONG_FLAT_SHORT, 0.1) == pytest.approx(0.0, abs=1e-12)


def test_no_policy_earns_on_the_twin():
    twin = LONG.model_copy(update={"edge": 0.0})
    assert attainable_growth(twin) == pytest.approx(0.0, abs=1e-12)
    # Always in the market, the log growth of a martingale is minus half its variance.
    assert attainable_growth(twin, (1.0,)) == pytest.approx(-0.5 * LONG.volatility**2, rel=1e-6)


def test_more_levels_and_lower_costs_never_lower_the_optimum():
    growths = [attainable_growth(LONG, LONG_FLAT_SHORT, cost) for cost in (0.0, 0.0005, 0.0011, 0.0022, 0.0044)]
    assert growths == sorted(growths, reverse=True)
    assert attainable_growth(LONG, (0.0, 1.0)) < attainable_growth(LONG, LONG_FLAT_SHORT)
    # Value iteration stops within 1e-12 of the mean.
    assert attainable_growth(LONG, (-1, -0.5, 0, 0.5, 1)) >= attainable_growth(LONG, LONG_FLAT_SHORT) - 1e-12


@pytest.mark.parametrize("persistence", [0.0, 0.5, 0.97, 0.99])
def test_the_optimum_does_not_depend_on_the_grid(persistence):
    params = PlantedEdgeParams(persistence=persistence, edge=0.003)
    coarse, fine = attainable_growth(params), attainable_growth(params, refinement=2.0)
    assert coarse == pytest.approx(fine, rel=2e-4)


@pytest.mark.parametrize("persistence", [0.0, 0.9, 0.995])
def test_the_grid_keeps_the_moments_of_the_process(persistence):
    grid, transition = autoregressive_grid(persistence)
    inner = np.abs(grid) < 3
    mean = transition @ grid
    np.testing.assert_allclose(mean[inner], persistence * grid[inner], atol=5e-4 if persistence < 0.5 else 5e-3)
    variance = transition @ grid**2 - mean**2
    np.testing.assert_allclose(variance[np.abs(grid) < 2], 1 - persistence**2, rtol=2e-3)


def test_the_informed_policy_earns_its_optimum_on_a_long_path(planted):
    growth = net_log_growth(planted.bars, optimal_targets(planted, LONG))
    standard_error = growth.std() / np.sqrt(len(growth))
    assert abs(growth.mean() - attainable_growth(LONG)) < 4 * standard_error


def _hysteresis(values, enter, leave):
    targets, held = np.empty(len(values)), 0.0
    for row, value in enumerate(values):
        if abs(value) > enter:
            held = float(np.sign(value))
        elif held * value < leave:
            held = 0.0
        targets[row] = held
    return targets


@pytest.mark.parametrize("enter", [0.0, 0.2, 0.3, 0.4, 0.6])
@pytest.mark.parametrize("leave", [-0.6, -0.4, -0.2, 0.0])
def test_no_threshold_rule_on_the_signal_beats_the_informed_policy(planted, enter, leave):
    best = net_log_growth(planted.bars, optimal_targets(planted, LONG))
    rule = net_log_growth(planted.bars, _hysteresis(planted.signal, enter, max(leave, -enter)))
    # Both see the same path, so only the part in which they differ is left to chance.
    difference = best - rule
    assert difference.mean() > -2 * difference.std() / np.sqrt(len(difference))


def test_the_default_edge_is_strong_against_its_cost(planted):
    growth = net_log_growth(planted.bars, optimal_targets(planted, LONG))
    assert 0.14 < sharpe_per_bar(growth) < 0.165


def test_a_window_of_twelve_bars_is_enough_for_most_of_the_optimum(planted):
    mean_location = np.convolve(close_location(planted.bars), np.ones(12) / 12)[: LONG.n_bars]
    rule = net_log_growth(planted.bars, _hysteresis(mean_location, 0.02, -0.02))
    best = net_log_growth(planted.bars, optimal_targets(planted, LONG))
    assert rule.mean() > 0.85 * best.mean()


def test_net_growth_charges_each_change_of_exposure():
    params = PlantedEdgeParams(n_bars=4, edge=0.0)
    bars = planted_edge_bars(params, 0).bars
    closes = bars["close"].to_numpy()
    growth = net_log_growth(bars, np.array([1.0, 1.0, -1.0, 0.0]), cost_per_unit=0.01)
    moves = closes[1:] / closes[:-1] - 1
    expected = [np.log(0.99) + np.log1p(moves[0]), np.log1p(moves[1]), np.log(0.98) + np.log1p(-moves[2])]
    np.testing.assert_allclose(growth, expected, rtol=0, atol=1e-14)


def test_growth_that_never_varies_has_no_sharpe():
    assert np.isnan(sharpe_per_bar(np.zeros(10)))


@pytest.mark.parametrize(
    ("levels", "cost", "match"),
    [
        ((), 0.001, "levels is empty"),
        ((-1, 1), -0.1, "cost_per_unit"),
        ((-1, 1), 0.5, "cost_per_unit"),
        ((50,), 0.0, "lose all equity"),
    ],
)
def test_levels_and_costs_that_cannot_be_are_refused(levels, cost, match):
    with pytest.raises(ConfigError, match=match):
        informed_policy(LONG, levels, cost)


@pytest.mark.parametrize(
    "settings_",
    [
        {"timeframe": "1 hour"},
        {"start": "yesterday?"},
        {"n_bars": 1},
        {"edge": -1},
        {"persistence": 1.0},
        {"n_bars": 20_000_000, "timeframe": "1w"},
    ],
)
def test_settings_out_of_range_are_refused(settings_):
    with pytest.raises(ValidationError):
        PlantedEdgeParams(**settings_)


def test_bars_follow_the_clock_without_gaps():
    bars = planted_edge_bars(PlantedEdgeParams(n_bars=3, timeframe="15m", start="2021-03-04T05:00"), 0).bars
    assert [str(time) for time in bars["timestamp"]] == [f"2021-03-04 05:{minute}:00+00:00" for minute in ("00", "15", "30")]


def test_the_default_cost_is_eleven_basis_points():
    assert pytest.approx(11e-4) == DEFAULT_COST_PER_UNIT
