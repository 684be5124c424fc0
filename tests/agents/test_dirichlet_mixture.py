"""The density of weights: exact, and of what acted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from seawall.agents.joint_ppo.dirichlet import concentrations, draw, entropies, log_density, mean_weights
from seawall.core.seeding import generator

ALPHA = np.array([1.5, 3.0, 1.1])


def mixture(alpha: np.ndarray, exploration: float) -> np.ndarray:
    """The density over a fine grid of the triangle of weights, by midpoints."""
    steps = (np.arange(600) + 0.5) / 600
    first, second = np.meshgrid(steps, steps, indexing="ij")
    inside = first + second < 1 - 1e-9
    weights = np.stack([first[inside], second[inside], 1 - first[inside] - second[inside]], axis=1)
    return log_density(torch.tensor(alpha), torch.tensor(weights), exploration).exp().numpy() / 600**2


@pytest.mark.parametrize("exploration", [0.0, 0.075, 0.9])
def test_the_density_adds_up_to_one_over_all_weights(exploration):
    # Midpoints miss half of the cells that the far edge cuts, of which there are 600.
    assert mixture(ALPHA + 1, exploration).sum() == pytest.approx(1.0, abs=5e-3)


def test_the_density_is_that_of_scipy_and_of_the_mixture():
    weights = generator(0, "weights").dirichlet(np.ones(3), 20)
    own = stats.dirichlet(ALPHA).logpdf(weights.T)
    given = torch.tensor(weights)
    np.testing.assert_allclose(log_density(torch.tensor(ALPHA), given).numpy(), own, rtol=1e-12)
    mixed = np.log(0.9 * np.exp(own) + 0.1 * 2.0)  # the uniform density over three weights is 2!
    np.testing.assert_allclose(log_density(torch.tensor(ALPHA), given, 0.1).numpy(), mixed, rtol=1e-12)
    np.testing.assert_allclose(entropies(torch.tensor(ALPHA)).item(), stats.dirichlet(ALPHA).entropy(), rtol=1e-12)


def test_draws_follow_the_mixture():
    n, exploration = 200_000, 0.3
    drawn = draw(np.tile(ALPHA * 10, (n, 1)), exploration, generator(1, "draws")).astype(np.float64)
    expected = 0.7 * stats.dirichlet(ALPHA * 10).mean() + 0.3 / 3
    np.testing.assert_allclose(drawn.mean(0), expected, atol=4 * 0.3 / np.sqrt(n))
    # The share of all weights alike that have no asset above one half is 1/4; of the other part it is what is counted here.
    own = draw(np.tile(ALPHA * 10, (n, 1)), 0.0, generator(2, "draws"))
    counted = [(part.max(1) < 0.5).mean() for part in (drawn, own)]
    assert counted[0] == pytest.approx(0.7 * counted[1] + 0.3 / 4, abs=4 * 0.5 / np.sqrt(n) * 2)


def test_weights_are_on_the_simplex_and_none_is_nothing():
    drawn = draw(np.full((1_000, 12), 1.0), 0.5, generator(0, "draws"))
    assert drawn.dtype == np.float32
    assert drawn.min() > 0.0
    np.testing.assert_allclose(drawn.sum(1, dtype=np.float64), 1.0, atol=1e-6)


def test_logits_far_below_nothing_forget_an_asset_and_the_mean_follows_the_parameters():
    alpha = concentrations(torch.tensor([[-80.0, 0.0, 20.0]]))
    np.testing.assert_allclose(alpha.numpy(), [[1.0, 1.0 + np.log(2.0), 21.0]], rtol=1e-6)
    np.testing.assert_allclose(mean_weights(np.array([[1.0, 1.0, 2.0]])), [[0.25, 0.25, 0.5]])
