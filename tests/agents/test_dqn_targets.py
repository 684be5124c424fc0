"""Targets and losses of Q-learning against numbers worked out by hand."""

import pytest
import torch

from seawall.agents.dqn.targets import bootstrapped, following_quantiles, quantile_losses, taken, value_losses

AHEAD = torch.tensor([[[1.0], [5.0], [3.0]], [[-2.0], [-1.0], [-7.0]]])


def test_q_learning_goes_on_from_the_highest_value():
    assert following_quantiles(AHEAD, AHEAD).tolist() == [[5.0], [-1.0]]


def test_double_q_learning_values_the_action_that_the_other_network_chose():
    chooser = torch.tensor([[[0.0], [1.0], [2.0]], [[9.0], [0.0], [0.0]]])
    assert following_quantiles(AHEAD, chooser).tolist() == [[3.0], [-2.0]]


def test_the_maximum_of_noise_is_overestimated_and_double_q_learning_is_not():
    noise, other = torch.randn(2, 40_000, 5, 1, generator=torch.Generator().manual_seed(0))
    # The largest of five standard normal numbers is 1.163 on average; one chosen by another's noise is 0.
    assert float(following_quantiles(noise, noise).mean()) == pytest.approx(1.163, abs=0.01)
    # Four standard errors of the mean of 40,000 are 0.02.
    assert float(following_quantiles(noise, other).mean()) == pytest.approx(0.0, abs=0.02)


def test_the_best_action_is_that_of_the_highest_mean_and_all_its_quantiles_go_on():
    quantiles = torch.tensor([[[-9.0, 9.0], [1.0, 2.0], [0.0, 2.5]]])
    assert following_quantiles(quantiles, quantiles).tolist() == [[1.0, 2.0]]


def test_quantiles_of_the_actions_taken_are_picked():
    assert taken(AHEAD, torch.tensor([2, 0])).tolist() == [[3.0], [-2.0]]


def test_targets_are_returns_plus_discounted_quantiles_and_stop_after_ruin():
    found = bootstrapped(torch.tensor([1.0, -4.0]), torch.tensor([0.25, 0.0]), torch.tensor([[8.0, -8.0], [3.0, 5.0]]))
    assert found.tolist() == [[3.0, -1.0], [-4.0, -4.0]]


def test_losses_of_values_are_half_squares_or_hubers():
    predicted, target = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.5, 3.0, -1.0])
    assert value_losses(predicted, target, None).tolist() == [0.125, 4.5, 2.0]
    assert value_losses(predicted, target, 1.0).tolist() == [0.125, 2.5, 1.5]
    assert value_losses(predicted, target, 2.0).tolist() == [0.125, 4.0, 2.0]


@pytest.mark.parametrize(("threshold", "expected"), [(1.0, 0.546875), (0.5, 0.75)])
def test_the_quantile_loss_equals_the_one_worked_out_by_hand(threshold, expected):
    # Errors 2 and -1/2 at the fraction 1/4, 1 and -3/2 at 3/4. With a threshold of 1 Huber's losses are 3/2, 1/8, 1/2 and 1, which
    # count 1/4, 3/4, 3/4 and 1/4: halves of 15/32 and 20/32 are added up.
    predicted, target = torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, -0.5]])
    assert quantile_losses(predicted, target, threshold).tolist() == pytest.approx([expected], rel=1e-6)


def test_one_quantile_is_half_the_huber_loss_of_the_value():
    predicted, target = torch.randn(2, 50, 1, generator=torch.Generator().manual_seed(1)) * 2
    torch.testing.assert_close(quantile_losses(predicted, target, 1.0), 0.5 * value_losses(predicted[:, 0], target[:, 0], 1.0))


def test_minimising_the_quantile_loss_finds_the_quantiles_of_a_distribution():
    samples = torch.linspace(0, 1, 2_001)[None].square()
    quantiles = torch.zeros(1, 4, requires_grad=True)
    optimiser = torch.optim.Adam([quantiles], lr=0.02)
    for number in range(400):
        optimiser.param_groups[0]["lr"] = 0.02 * (1 - number / 400)
        optimiser.zero_grad()
        quantile_losses(quantiles, samples, 1e-3).sum().backward()
        optimiser.step()
    assert quantiles[0].tolist() == pytest.approx([(fraction / 8) ** 2 for fraction in (1, 3, 5, 7)], abs=0.01)
