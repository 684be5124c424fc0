import math

import numpy as np
import pytest
import torch

from seawall.agents.losses import approximate_kl, clip_fraction, clipped_surrogate, entropies, explained_variance, value_loss


def logs(*ratios):
    return torch.tensor(ratios, dtype=torch.float64).log()


def test_the_surrogate_of_an_unchanged_policy_is_minus_the_mean_advantage():
    advantages = torch.tensor([1.0, -2.0, 4.0], dtype=torch.float64)
    assert float(clipped_surrogate(logs(1, 1, 1), advantages, 0.2)) == pytest.approx(-1.0)


def test_the_surrogate_stops_paying_outside_the_clip_range_and_never_stops_charging():
    # ratio 1.5, A = +1 pays 1.2;  ratio 0.5, A = +1 pays 0.5;  ratio 1.5, A = -1 costs 1.5;  ratio 0.5, A = -1 costs 0.8.
    advantages = torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=torch.float64)
    loss = clipped_surrogate(logs(1.5, 0.5, 1.5, 0.5), advantages, 0.2)
    assert float(loss) == pytest.approx(-(1.2 + 0.5 - 1.5 - 0.8) / 4)


def test_a_clipped_sample_has_no_gradient_and_an_unclipped_one_has_ratio_times_advantage():
    log_ratio = logs(1.5, 1.1).requires_grad_()
    clipped_surrogate(log_ratio, torch.tensor([1.0, 3.0], dtype=torch.float64), 0.2).backward()
    assert log_ratio.grad is not None
    np.testing.assert_allclose(log_ratio.grad, [0.0, -1.1 * 3 / 2])


def test_the_value_loss_is_half_the_mean_square():
    assert float(value_loss(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 1.0]))) == pytest.approx((1 + 4) / 4)


def test_the_entropy_of_even_odds_is_the_log_of_their_number_and_of_certainty_is_zero():
    even = torch.full((5, 4), 0.25).log()
    sure = torch.log_softmax(torch.tensor([[50.0, 0.0, 0.0, 0.0]]), 1)
    assert float(entropies(even).mean()) == pytest.approx(math.log(4), rel=1e-6)
    assert float(entropies(sure).mean()) == pytest.approx(0.0, abs=1e-12)


def test_the_kl_estimate_averages_to_the_true_divergence():
    # Drawn from old = (0.5, 0.5) against new = (0.75, 0.25): KL(old || new) = 0.5 ln(0.5/0.75) + 0.5 ln(0.5/0.25).
    estimate = approximate_kl(logs(0.75 / 0.5, 0.25 / 0.5))
    assert float(estimate) == pytest.approx(0.5 * math.log(2 / 3) + 0.5 * math.log(2), rel=1e-12)


def test_the_clip_fraction_counts_ratios_outside_the_range():
    assert float(clip_fraction(logs(1.5, 0.7, 1.1, 0.95), 0.2)) == pytest.approx(0.5)


def test_explained_variance_is_one_for_the_truth_and_zero_for_a_constant():
    returns = torch.tensor([1.0, 2.0, 4.0])
    assert float(explained_variance(returns, returns)) == pytest.approx(1.0)
    assert float(explained_variance(torch.full((3,), 9.0), returns)) == pytest.approx(0.0, abs=1e-6)
