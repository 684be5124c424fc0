"""Costs that differ from episode to episode: their law, and that each is a pure function of its place."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from seawall.simulator.costs import factors as module
from seawall.simulator.costs.factors import cost_factors
from seawall.simulator.costs.params import RandomizationParams

DESIGN = RandomizationParams(commission=0.1, spread=0.2, slippage=0.3)
N = 200
ENVIRONMENTS, EPISODES = np.repeat(np.arange(N), N), np.tile(np.arange(N), N)


def test_factors_have_mean_one_and_the_deviation_of_their_kind():
    factors = cost_factors(DESIGN, 7, ENVIRONMENTS, EPISODES)
    assert factors.shape == (3, N * N)
    assert factors.dtype == np.float64
    error = 5 / N  # five standard errors, in units of the deviation
    for row, sigma in zip(factors, (0.1, 0.2, 0.3), strict=True):
        assert abs(row.mean() - 1.0) < sigma * error
        assert abs(row.std() / sigma - 1.0) < error
        # A normal law, not just its first moments: one in 20 lies beyond 1.96 deviations.
        assert abs((np.abs(row - 1.0) > 1.959964 * sigma).mean() - 0.05) < 5 * np.sqrt(0.05 * 0.95) / N


def test_kinds_environments_and_episodes_are_drawn_apart():
    factors = cost_factors(DESIGN, 7, ENVIRONMENTS, EPISODES)
    for first, second in itertools.combinations(factors, 2):
        assert abs(np.corrcoef(first, second)[0, 1]) < 5 / N
    grid = factors[2].reshape(N, N)
    for one, other in ((grid[1:], grid[:-1]), (grid[:, 1:], grid[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5 / N


def test_a_factor_is_never_negative_and_as_often_nil_as_a_normal_number_is_below_minus_half():
    wide = cost_factors(RandomizationParams(slippage=2.0), 7, ENVIRONMENTS, EPISODES)[2]
    assert wide.min() == 0.0
    assert abs((wide == 0.0).mean() - 0.308538) < 5 * np.sqrt(0.3085 * 0.6915) / N


def test_a_kind_without_deviation_has_factors_of_exactly_one():
    factors = cost_factors(RandomizationParams(spread=0.2), 7, ENVIRONMENTS[:50], EPISODES[:50])
    assert (factors[[0, 2]] == 1.0).all()
    assert len(np.unique(factors[1])) == 50


def test_a_factor_is_the_same_bit_for_bit_in_every_batch():
    whole = cost_factors(DESIGN, 7, ENVIRONMENTS, EPISODES)
    order = np.random.default_rng(0).permutation(N * N)[:777]
    assert (cost_factors(DESIGN, 7, ENVIRONMENTS[order], EPISODES[order]) == whole[:, order]).all()
    for place in order[:20]:
        assert (cost_factors(DESIGN, 7, ENVIRONMENTS[[place]], EPISODES[[place]])[:, 0] == whole[:, place]).all()
    assert (cost_factors(DESIGN, 8, ENVIRONMENTS, EPISODES) != whole).mean() > 0.99
    assert cost_factors(DESIGN, 7, ENVIRONMENTS[:0], EPISODES[:0]).shape == (3, 0)


@pytest.mark.parametrize("drawn", [0.0, 1.0 - 2.0**-53])
def test_the_ends_of_the_draw_give_finite_factors(monkeypatch, drawn):
    monkeypatch.setattr(module, "uniform", lambda _key, environments, _episodes: np.full(len(environments), drawn))
    factors = cost_factors(DESIGN, 7, np.arange(2), np.arange(2))
    assert np.isfinite(factors).all()
    assert np.abs(factors[2] - 1.0).max() < 0.3 * 8.3
