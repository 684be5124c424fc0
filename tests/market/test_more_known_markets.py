"""Markets of known answer beside the planted edge: the best policy earns its stated growth, and none does better."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest

from seawall.core.errors import ConfigError
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.synthetic.indicator_edge import (
    IndicatorEdgeParams,
    close_above_mean,
    indicator_edge_bars,
    informed_indicator_policy,
)
from seawall.market.synthetic.known import DEFAULT_COST_PER_UNIT, net_log_growth
from seawall.market.synthetic.known_markets import KNOWN_KINDS, known_kind
from seawall.market.synthetic.pair import PairParams, informed_pair_policy, pair_bars, pair_log_growth
from seawall.market.synthetic.regime_edge import RegimeEdgeParams, informed_regime_policy, regime_edge_bars
from seawall.market.synthetic.switching import SwitchingPolicy

LONG = 400_000


@pytest.fixture(scope="module", params=KNOWN_KINDS)
def kind(request):
    return known_kind(request.param)


def made(kind, n_bars, seed=0):
    params = kind.params(n_bars=n_bars)
    return params, kind.make(params, seed)


def test_the_informed_policy_earns_its_optimum_on_a_long_path(kind):
    params, market = made(kind, LONG)
    policy = kind.policy(params, (-1.0, 0.0, 1.0), DEFAULT_COST_PER_UNIT)
    growth = kind.growth(market, policy.follow(market.signal), DEFAULT_COST_PER_UNIT)
    blocks = growth[: len(growth) // 1_000 * 1_000].reshape(-1, 1_000).mean(axis=1)
    # Four standard errors of the mean, from blocks that are all but independent.
    assert growth.mean() == pytest.approx(policy.mean, abs=4 * blocks.std() / np.sqrt(len(blocks)) + 1e-12)


def test_no_rule_on_the_signal_earns_more(kind):
    params, market = made(kind, LONG)
    policy = kind.policy(params, (-1.0, 0.0, 1.0), DEFAULT_COST_PER_UNIT)
    spread = policy.grid[-1] - policy.grid[0]
    for enter in (0.05, 0.1, 0.2, 0.3):
        for sign in (1.0, -1.0):
            middle = 0.5 * (policy.grid[0] + policy.grid[-1])
            target = sign * np.sign(np.where(np.abs(market.signal - middle) > enter * spread, market.signal - middle, 0.0))
            growth = kind.growth(market, target, DEFAULT_COST_PER_UNIT)
            assert growth.mean() <= policy.mean + 4 * growth.std() / np.sqrt(len(growth))


def test_costs_only_lower_the_optimum_and_levels_only_raise_it(kind):
    params = kind.params()
    means = [kind.attainable(params, (-1.0, 0.0, 1.0), cost) for cost in (0.0, 0.0011, 0.01)]
    # Value iteration ends when the mean is known to 1e-12.
    assert means[0] >= means[1] - 1e-12 >= means[2] - 2e-12
    assert kind.attainable(params, (0.0,)) == pytest.approx(0.0, abs=1e-15)
    assert kind.attainable(params, (0.0, 1.0)) <= means[1] + 1e-12


def test_every_series_is_sound_and_the_same_seed_makes_the_same(kind):
    params, market = made(kind, 5_000)
    again = kind.make(params, 0)
    other = kind.make(params, 1)
    for symbol, bars in market.series.items():
        passed, report = apply_quality(bars, QualityParams())
        assert (len(passed), report.gaps) == (5_000, 0)
        assert bars.equals(again.series[symbol])
        assert not bars.equals(other.series[symbol])


def test_the_facts_tell_the_answer_what_was_earned_and_what_the_bars_are_like(kind):
    params, market = made(kind, 20_000)
    facts = kind.facts(params, market)
    assert facts["attainable_log_growth_per_bar"] == kind.attainable(params)
    assert (
        abs(facts["informed_log_growth_per_bar"] - facts["attainable_log_growth_per_bar"])
        < 5 * facts["informed_standard_error"] + 1e-12
    )
    assert set(facts["series"]) == set(market.series)


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="kind 'magic' is unknown; allowed: random_walk, planted_edge"):
        known_kind("magic")


@pytest.mark.parametrize("edge", [0.0013, -0.0013])
def test_the_indicator_is_what_anyone_computes_from_the_closes(edge):
    params = IndicatorEdgeParams(n_bars=5_000, edge=edge)
    market = indicator_edge_bars(params, 2)
    np.testing.assert_allclose(close_above_mean(market.bars, params), market.signal, atol=1e-9)


def test_the_indicator_tells_the_next_drift():
    params = IndicatorEdgeParams(n_bars=LONG)
    market = indicator_edge_bars(params, 0)
    returns = np.diff(np.log(market.bars["close"].to_numpy()))
    above = market.signal[:-1] > 1.0
    # Far above the mean the drift is all but the edge; four standard errors of the mean.
    assert returns[above].mean() == pytest.approx(params.edge, abs=4 * params.volatility / np.sqrt(above.sum()) + 0.1 * params.edge)


@pytest.mark.parametrize(
    ("policy", "params"),
    [
        pytest.param(informed_indicator_policy, IndicatorEdgeParams(), marks=pytest.mark.slow),
        (informed_indicator_policy, IndicatorEdgeParams(span=6)),
        (informed_pair_policy, PairParams()),
    ],
)
def test_the_optimum_does_not_depend_on_the_grid(policy, params):
    coarse, fine = policy(params).mean, policy(params, refinement=2.0).mean
    assert fine == pytest.approx(coarse, rel=1e-3, abs=1e-9)


def test_two_states_that_are_seen_earn_their_drift_less_half_the_variance():
    # Long in the first: 0.002 - 0.005²/2 = 0.0019875. Short in the second: with x the simple return of mean exp(-0.002) - 1 =
    # -0.001998 and square 0.005² + 0.002² = 0.000029, the growth is 0.001998 - 0.0000145 = 0.0019835. Half of each.
    params = RegimeEdgeParams(drifts=(0.002, -0.002), transitions=((0.5, 0.5), (0.5, 0.5)), volatility=0.005)
    assert informed_regime_policy(params, (-1.0, 1.0), 0.0).mean == pytest.approx(0.0019855, abs=1e-7)


def test_where_a_change_costs_more_than_a_state_can_earn_nothing_is_traded():
    params = RegimeEdgeParams(drifts=(0.0001, -0.0001), transitions=((0.9, 0.1), (0.1, 0.9)))
    assert informed_regime_policy(params, (-1.0, 0.0, 1.0), 0.01).mean == pytest.approx(0.0, abs=1e-12)


def test_states_follow_their_chain():
    params = RegimeEdgeParams(
        n_bars=LONG, drifts=(0.001, 0.0, -0.001), transitions=((0.9, 0.1, 0.0), (0.1, 0.8, 0.1), (0.0, 0.3, 0.7))
    )
    states = regime_edge_bars(params, 0).signal.astype(int)
    for row, chances in enumerate(params.transitions):
        after = np.bincount(states[1:][states[:-1] == row], minlength=3)
        allowed = 4.5 * np.sqrt(after.sum() * np.array(chances) * (1.0 - np.array(chances)))
        assert (np.abs(after - after.sum() * np.array(chances)) <= allowed).all()
    np.testing.assert_allclose(np.bincount(states) / LONG, params.occupancy(), atol=0.01)


def test_a_pair_s_ratio_reverts_and_its_prices_wander():
    params = PairParams(n_bars=LONG)
    pair = pair_bars(params, 0)
    ratio = np.log(pair.first["close"].to_numpy() / pair.second["close"].to_numpy())
    # Both open at one price, so the ratio is the signal but for where it began.
    assert np.corrcoef(ratio, pair.signal)[0, 1] == pytest.approx(1.0, abs=1e-9)
    assert ratio.std() == pytest.approx(params.spread_deviation, rel=1e-2)
    assert np.corrcoef(ratio[1:], ratio[:-1])[0, 1] == pytest.approx(params.persistence, abs=1e-3)
    assert np.ptp(np.log(pair.first["close"].to_numpy())) > 20 * np.ptp(ratio)


def test_a_pair_is_charged_for_both_legs():
    pair = pair_bars(PairParams(n_bars=4), 0)
    free = pair_log_growth(pair.first, pair.second, np.array([1.0, 1.0, 0.0, 0.0]), 0.0)
    charged = pair_log_growth(pair.first, pair.second, np.array([1.0, 1.0, 0.0, 0.0]), 0.001)
    np.testing.assert_allclose(charged - free, [np.log1p(-0.002), 0.0, np.log1p(-0.002)], atol=1e-15)


def test_growth_of_one_asset_and_of_a_pair_against_cash_agree_on_the_moves():
    market = indicator_edge_bars(IndicatorEdgeParams(n_bars=50), 0)
    held = np.ones(50)
    closes = market.bars["close"].to_numpy()
    np.testing.assert_allclose(net_log_growth(market.bars, held, 0.0), np.diff(np.log(closes)), atol=1e-12)


def test_a_policy_follows_its_table():
    policy = SwitchingPolicy(np.array([-1.0, 0.0, 1.0]), np.array([0.0, 1.0]), np.array([[0, 0, 1], [0, 1, 1]]), 0.0)
    # It enters above, keeps in the middle, and leaves below.
    assert policy.follow(np.array([0.0, 1.4, 0.1, -0.2, -0.9, 0.3])).tolist() == [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("params", "settings", "message"),
    [
        (IndicatorEdgeParams, {"edge": 0.01, "volatility": 0.005}, "an edge within ± the volatility"),
        (IndicatorEdgeParams, {"span": 1}, "span"),
        (RegimeEdgeParams, {"drifts": (0.06, 0.0)}, "within ±0.05"),
        (RegimeEdgeParams, {"drifts": (0.001, 0.0, 0.0)}, "3 rows of 3 chances"),
        (RegimeEdgeParams, {"transitions": ((0.9, 0.2), (0.1, 0.9))}, "sum to 1"),
        (RegimeEdgeParams, {"transitions": ((1.0, 0.0), (0.0, 1.0))}, "keep a share 1"),
        (RegimeEdgeParams, {"transitions": ((0.0, 1.0), (1.0, 0.0))}, "keep a share 1"),
        (PairParams, {"persistence": 1.0}, "persistence"),
        (PairParams, {"spread_deviation": 0.0}, "spread_deviation"),
    ],
)
def test_settings_that_cannot_be_are_refused(params, settings, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        params(**settings)


def test_levels_that_can_lose_everything_in_a_bar_are_refused():
    with pytest.raises(ConfigError, match="can lose all equity in one bar"):
        informed_pair_policy(PairParams(spread_deviation=0.2, persistence=0.0), (-3.0, 0.0, 3.0))
