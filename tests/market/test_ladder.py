"""The ladder's markets: their best policy is the best there is, earns what is stated, and no bar tells more than it may."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import RowRange
from seawall.market.synthetic.ladder import (
    FLAT,
    LEVELS,
    N_FEATURES,
    VOLATILITY,
    Optimum,
    chain_path,
    ladder_market,
    optimum_of,
    policy_growth,
    solve,
)
from seawall.market.synthetic.ladder_chains import RUNGS, STRENGTHS, Chain, stationary
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import OrderParams, SimulatorParams
from seawall.simulator.simulator import replay

EDGES = [name for name in RUNGS if name != "walk"]
SMALL = (4_000, 1_000, 3_000)


def tiny_chain(stays=0.8):
    transition = np.array([[stays, 1.0 - stays], [1.0 - stays, stays]])
    return Chain(transition, np.array([1.0, -1.0]), np.array([[1.0], [-1.0]]))


@pytest.mark.parametrize(("amplitude", "cost"), [(0.001, 0.0), (0.001, 0.0004), (0.0003, 0.0004), (0.002, 0.003), (0.0001, 0.002)])
def test_the_best_policy_of_a_tiny_chain_is_the_best_of_all_its_policies(amplitude, cost):
    chain = tiny_chain()
    found = solve(chain, amplitude, cost)
    policies = product(range(3), repeat=6)
    best = max(policy_growth(chain, found.earned, found.switching, np.array(choice).reshape(3, 2)) for choice in policies)
    assert found.growth == pytest.approx(best, abs=1e-12)


def test_the_growth_of_a_policy_is_that_of_its_arithmetic():
    # Always long in a chain whose drifts cancel: the one switch at the start is forgotten, and half the variance is paid.
    chain = tiny_chain()
    optimum = solve(chain, 0.001, 0.0004)
    always_long = np.full((3, 2), 2)
    assert policy_growth(chain, optimum.earned, optimum.switching, always_long) == pytest.approx(-0.5 * VOLATILITY**2, rel=1e-6)
    # Following the sign turns around at each change of state, a fifth of all bars.
    follow = np.tile([2, 0], (3, 1))
    each_bar = 0.001 - 0.5 * VOLATILITY**2 + 0.2 * np.log1p(-0.0004 * 2)
    # Shorts carry the fourth-order terms of the logarithm, which the formula leaves out.
    assert policy_growth(chain, optimum.earned, optimum.switching, follow) == pytest.approx(each_bar, rel=1e-3)


@pytest.mark.parametrize("rung", EDGES)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_drift_is_such_that_the_best_policy_has_the_sharpe_asked_for(rung, strength):
    assert optimum_of(rung, strength).growth / VOLATILITY == pytest.approx(STRENGTHS[strength], abs=1e-6)


def test_on_the_walk_the_best_is_to_stay_flat():
    optimum = optimum_of("walk", "strong")
    assert optimum.growth == 0.0
    assert (optimum.choice[FLAT] == FLAT).all()


@pytest.mark.parametrize("strength", STRENGTHS)
def test_following_every_sign_loses_most_to_costs_on_the_threshold_and_little_on_the_sine(strength):
    growth = {}
    for rung in ("threshold", "sine"):
        chain, optimum = RUNGS[rung].chain(), optimum_of(rung, strength)
        signs = np.tile(np.sign(chain.shape.round(12)).astype(np.int64) + 1, (3, 1))
        growth[rung] = policy_growth(chain, optimum.earned, optimum.switching, signs) / optimum.growth
    assert growth["threshold"] < 0.5
    assert growth["sine"] > 0.9


@pytest.mark.parametrize("rung", RUNGS)
def test_no_two_states_look_the_same_and_columns_are_scaled(rung):
    chain = RUNGS[rung].chain()
    assert len(np.unique(chain.shown.round(9), axis=0)) == len(chain.shape)
    assert chain.transition.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert np.abs(chain.shape).max() == pytest.approx(1.0, abs=1e-12)
    weights = chain.occupancy()
    variance = weights @ chain.shown**2 - (weights @ chain.shown) ** 2
    # The nodes of an AR(1) are cut off at 2.4 deviations.
    assert variance == pytest.approx(1.0, rel=0.15)


def test_a_path_visits_states_as_often_as_its_chain_says():
    chain = RUNGS["regime"].chain()
    states = chain_path(chain, np.random.default_rng(0).random(400_000))
    counts = np.bincount(states, minlength=4) / len(states)
    # A regime lasts 100 bars in the mean: 4,000 of them leave a standard error of 0.008.
    assert np.abs(counts - stationary(chain.transition)).max() < 0.025
    stays = (states[1:] == states[:-1]).mean()
    assert stays == pytest.approx(0.99 * 0.93, abs=2e-3)


@pytest.mark.parametrize("rung", EDGES)
def test_the_simulator_pays_the_best_policy_what_the_dynamic_programme_says(rung):
    ladder = ladder_market(rung, "strong", 3, (1_000, 1_000, 200_000))
    rows = ladder.split.test
    held = ladder.walk(ladder.best_choices(rows), rows)
    realised = ladder.realised_growth(held, rows)
    switching = ladder.optimum.switching[held[:-1], held[1:]]
    # Without costs, and with exposures kept at their levels, the simulator earns the moves themselves.
    free = simulated(ladder, held, 0.0, "every_bar")
    assert free == pytest.approx(realised - switching, abs=1e-9)
    # With costs, and without shorts, whose exposure drifts between trades: the same again, up to the square of the costs.
    paid = simulated(ladder, held, 1e4 * ladder.cost_rate, "on_change")
    calm = (held[1:] >= FLAT) & (held[:-1] >= FLAT)
    assert paid[calm] == pytest.approx(realised[calm], abs=2.0 * (2.0 * ladder.cost_rate) ** 2)
    # Shorts that win shrink, and are not traded back: up to a twentieth of a strong edge.
    assert paid.mean() == pytest.approx(realised.mean(), rel=0.05)
    blocks = realised[: len(realised) // 1_000 * 1_000].reshape(-1, 1_000).mean(axis=1)
    assert realised.mean() == pytest.approx(ladder.optimum.growth, abs=3.0 * blocks.std() / np.sqrt(len(blocks)))
    # The same path without the luck of its shocks: what is left is how often each state came.
    assert ladder.expected_growth(held, rows).mean() == pytest.approx(ladder.optimum.growth, rel=0.04)  # some 2,000 swings


def simulated(ladder, held, cost_bps, rebalance):
    costs = CostParams(taker_bps=cost_bps, spread_bps=0.0)
    params = SimulatorParams(initial_equity=1.0, orders=OrderParams(rebalance=rebalance))
    targets = np.array(LEVELS)[held[1:], None]
    return np.diff(np.log(replay(ladder.market, ladder.split.test, targets, costs, np.ones(1), params)[:, 0]))


def test_the_best_policy_scores_one_flat_scores_nothing_and_the_opposite_loses():
    ladder = ladder_market("ar1", "medium", 0, SMALL)
    rows = ladder.split.test
    best = ladder.best_choices(rows)
    assert ladder.share(best, rows) == 1.0
    assert ladder.share(np.full_like(best, FLAT), rows) == 0.0
    assert ladder.share(2 - best[:, ::-1], rows) < -0.5


def test_a_decision_earns_the_drift_of_its_own_row_at_the_level_that_it_takes():
    ladder = ladder_market("regime", "strong", 0, SMALL)
    rows = RowRange(100, 104)
    choices = np.array([[2, 2, 2], [2, 2, 2], [0, 0, 0]])
    held = ladder.walk(choices, rows)
    assert held.tolist() == [FLAT, 2, 2, 0]
    drift = ladder.optimum.amplitude * RUNGS["regime"].chain().shape[ladder.states[100:103]]
    costs = np.log1p(-ladder.cost_rate * np.array([1.0, 0.0, 2.0]))
    wanted = np.array([1.0, 1.0, -1.0]) * drift - 0.5 * VOLATILITY**2 + costs
    # The variance of a long position is that of the log return exactly; the short one adds terms of the third order.
    assert ladder.expected_growth(held, rows) == pytest.approx(wanted, abs=1e-7 + 2e-3 * np.abs(drift).max())
    moves = ladder.market.prices[101:104, 3] / ladder.market.prices[100:103, 3] - 1.0
    assert ladder.realised_growth(held, rows) == pytest.approx(np.log1p(np.array([1.0, 1.0, -1.0]) * moves) + costs, abs=1e-12)


def test_no_policy_of_the_level_and_the_state_scores_more_than_one():
    ladder = ladder_market("indicator", "weak", 0, (1_000, 1_000, 60_000))
    rows, source = ladder.split.test, np.random.default_rng(0)
    best = ladder.optimum.choice
    states = ladder.states[rows.start : rows.stop - 1]
    for _ in range(30):
        changed = np.where(source.random(best.shape) < 0.2, source.integers(0, 3, best.shape), best)
        # Best in the long run is not best on every path.
        assert ladder.share(changed[:, states].T, rows) < 1.0 + 5e-3


def test_the_same_seed_makes_the_same_market_and_another_another():
    first, again, other = (ladder_market("regime", "weak", seed, SMALL) for seed in (1, 1, 2))
    assert first.market.content_hash() == again.market.content_hash()
    assert first.market.content_hash() != other.market.content_hash()
    assert (first.states == again.states).all()


def test_features_do_not_tell_of_the_moves_that_follow():
    ladder = ladder_market("ar1", "strong", 0, SMALL)
    closes = ladder.market.prices[:, 3]
    moves = np.diff(np.log(closes)) - (-0.5 * VOLATILITY**2)
    drift = ladder.optimum.amplitude * RUNGS["ar1"].chain().shape[ladder.states[:-1]]
    shocks = (moves - drift) / VOLATILITY
    features = ladder.market.features[:-1].astype(np.float64)
    correlations = np.array([np.corrcoef(column, shocks)[0, 1] for column in features.T])
    # Four standard errors.
    assert np.abs(correlations).max() < 4.0 / np.sqrt(len(shocks))
    assert shocks.std() == pytest.approx(1.0, abs=0.04)  # four standard errors


def test_features_up_to_a_row_are_the_same_whatever_follows(monkeypatch):
    whole = ladder_market("sine", "medium", 0, SMALL)
    cut = 5_000
    original = np.random.Generator.standard_normal

    def other_future(self, size=None, *arguments):
        drawn = original(self, size, *arguments)
        if np.shape(drawn)[:1] == (len(whole.market),):
            drawn[cut + 1 :] = -3.0 * drawn[cut + 1 :]
        return drawn

    class Changed(np.random.Generator):
        standard_normal = other_future

    from seawall.market.synthetic import ladder as module

    real = module.generator
    monkeypatch.setattr(module, "generator", lambda seed, stream: Changed(real(seed, stream).bit_generator))
    changed = ladder_market("sine", "medium", 0, SMALL)
    assert (changed.market.features[: cut + 1] == whole.market.features[: cut + 1]).all()
    assert (changed.market.prices[: cut + 1] == whole.market.prices[: cut + 1]).all()
    assert (changed.market.features[cut + 1 :] != whole.market.features[cut + 1 :]).any()


def test_the_signal_stands_among_twenty_one_columns_and_tells_the_state_exactly():
    ladder = ladder_market("regime", "weak", 0, SMALL)
    names = ladder.market.feature_names
    assert len(names) == len(set(names)) == N_FEATURES == 21
    shown = ladder.market.features[:, [names.index("signal_0"), names.index("signal_1")]]
    assert (shown == RUNGS["regime"].chain().shown[ladder.states].astype(np.float32)).all()
    assert ladder.market.features.std(axis=0) == pytest.approx(1.0, abs=0.1)  # slow columns wander


def column_correlations(ladder, rows):
    """Of every column with the log move of the next bar, by name."""
    moves = np.diff(np.log(ladder.market.prices[rows.start : rows.stop, 3]))
    columns = ladder.market.features[rows.start : rows.stop - 1].astype(np.float64).T
    return {name: np.corrcoef(column, moves)[0, 1] for name, column in zip(ladder.market.feature_names, columns, strict=True)}


def test_the_control_pays_its_moves_in_another_order_so_that_no_column_tells_of_one_past_returns_neither():
    sizes = (60_000, 20_000, 20_000)
    true, control = (ladder_market("ar1", "strong", 0, sizes, shuffled=shuffled) for shuffled in (False, True))
    assert (true.market.features == control.market.features).all()
    for rows in (true.split.train, true.split.validation):
        told, nothing = column_correlations(true, rows), column_correlations(control, rows)
        # Past returns tell of a signal that lasts: to hide the signal's column alone would leave a third to be learned.
        assert told["signal_0"] > 0.15
        assert told["return_12"] > 0.06
        # Twenty-one columns: 4.5 standard errors.
        assert np.abs(list(nothing.values())).max() < 4.5 / np.sqrt(len(rows))
    # The same moves in another order come to the same price.
    start = true.split.test.start
    assert control.market.prices[start - 1, 3] == pytest.approx(true.market.prices[start - 1, 3], rel=1e-9)
    assert control.moves[start:] == pytest.approx(true.moves[start:], abs=1e-12)


def test_bars_open_at_the_close_before_them_and_are_consistent():
    prices = ladder_market("threshold", "strong", 0, SMALL).market.prices
    opens, highs, lows, closes = prices[:, :4].T
    assert (opens[1:] == closes[:-1]).all()
    assert (highs >= np.maximum(opens, closes)).all()
    assert (lows <= np.minimum(opens, closes)).all()
    assert lows.min() > 0.0


def test_unknown_names_are_refused_with_those_that_are_allowed():
    with pytest.raises(ConfigError, match="rung 'cosine' is unknown; allowed: sine, ar1, indicator, regime, threshold, walk"):
        ladder_market("cosine", "strong", 0)
    with pytest.raises(ConfigError, match="strength 'huge' is unknown; allowed: strong, medium, weak"):
        ladder_market("sine", "huge", 0)


def test_choices_of_another_shape_are_refused():
    ladder = ladder_market("sine", "strong", 0, SMALL)
    with pytest.raises(InvariantError, match=r"choices have shape \(5, 3\); allowed: \(9, 3\)"):
        ladder.walk(np.zeros((5, 3), dtype=np.int64), RowRange(0, 10))


def test_an_optimum_is_plain_arrays():
    optimum = optimum_of("regime", "medium")
    assert isinstance(optimum, Optimum)
    assert optimum.earned.shape == optimum.choice.shape == (3, 4)
    assert optimum.switching.shape == (3, 3)
    assert (optimum.switching <= 0.0).all()
