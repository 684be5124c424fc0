import numpy as np
import pytest
import torch

from seawall.agents.distributions import Numbered, Squashed, distribution

MEAN, DEVIATION = 0.4, 0.7
PREFERENCES = torch.tensor([[MEAN, np.log(DEVIATION)]], dtype=torch.float64)


def density(action):
    """The density of tanh(u), u normal, written out once more by the rule for a change of variables."""
    before = np.arctanh(action)
    normal = np.exp(-0.5 * ((before - MEAN) / DEVIATION) ** 2) / (DEVIATION * np.sqrt(2 * np.pi))
    return normal / (1 - action**2)


def test_the_density_of_a_squashed_number_is_that_of_the_change_of_variables_and_adds_up_to_one():
    actions = np.linspace(-0.999, 0.999, 20_001)
    chosen = torch.tensor(np.arctanh(actions))
    logs, _ = Squashed().evaluate(PREFERENCES.expand(len(actions), 2), chosen)
    np.testing.assert_allclose(logs.exp(), density(actions), rtol=1e-9)
    assert float(np.trapezoid(logs.exp(), actions)) == pytest.approx(1.0, abs=1e-4)


def test_the_entropy_of_a_squashed_number_is_minus_the_mean_log_density():
    actions = np.linspace(-1 + 1e-7, 1 - 1e-7, 2_000_001)
    exact = -np.trapezoid(density(actions) * np.log(density(actions)), actions)
    _, entropy = Squashed().evaluate(PREFERENCES, torch.zeros(1, dtype=torch.float64))
    assert float(entropy[0]) == pytest.approx(float(exact), abs=2e-4)


def test_a_number_far_out_keeps_a_finite_log_density():
    logs, entropy = Squashed().evaluate(torch.tensor([[30.0, -3.0]]), torch.tensor([30.0]))
    assert torch.isfinite(logs).all()
    assert torch.isfinite(entropy).all()


def test_samples_of_a_squashed_number_have_its_mean_and_deviation_and_stay_within_one():
    source = torch.Generator().manual_seed(0)
    drawn = Squashed().choose(PREFERENCES.float().expand(100_000, 2), Squashed().noise((100_000,), source))
    # Four standard errors: 4 * 0.7 / sqrt(100,000) = 0.009.
    assert float(drawn.mean()) == pytest.approx(MEAN, abs=0.009)
    assert float(drawn.std()) == pytest.approx(DEVIATION, abs=0.009)
    assert float(Squashed().proposals(100 * drawn).abs().max()) <= 1.0


def test_samples_of_numbered_actions_follow_their_probabilities():
    numbered = Numbered(3)
    logs = torch.tensor([0.6, 0.3, 0.1]).log()
    noise = numbered.noise((100_000,), torch.Generator().manual_seed(0))
    shares = torch.bincount(numbered.choose(logs.expand(100_000, 3), noise), minlength=3) / 100_000
    # Four standard errors of a share: 4 * 0.5 / sqrt(100,000) = 0.0063.
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=0.0063)


def test_numbered_log_probabilities_and_entropy_are_those_of_the_softmax():
    preferences = torch.tensor([[0.6, 0.3, 0.1]]).log() + 5.0
    logs, entropy = Numbered(3).evaluate(preferences, torch.tensor([1]))
    assert float(logs[0]) == pytest.approx(np.log(0.3), rel=1e-5)
    assert float(entropy[0]) == pytest.approx(-sum(p * np.log(p) for p in (0.6, 0.3, 0.1)), rel=1e-5)


def test_zero_actions_stand_for_one_number():
    assert isinstance(distribution(0), Squashed)
    assert isinstance(distribution(4), Numbered)
