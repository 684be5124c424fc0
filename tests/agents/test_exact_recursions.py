import numpy as np
import pytest

from seawall.agents.exact.recursions import advantages_and_values, visiting_probabilities
from seawall.core.errors import InvariantError

# Two positions, two actions: the first asks for position 0, the second for position 1.
FOLLOWING = np.array([[0, 1], [0, 1]])
# Flat, long, and a third action that holds.
HOLDING = np.array([[0, 1, 0], [0, 1, 1]])


def one(values):
    """One stretch."""
    return np.array(values, dtype=np.float64)[None]


def test_values_of_three_bars_are_those_worked_by_hand():
    # pi: 1/4 to position 0, 3/4 to position 1. Rewards: 1 for position 1, less 2 for changing. gamma 1/2. End values 0, 8.
    policy = np.broadcast_to([0.25, 0.75], (1, 3, 2, 2)).copy()
    rewards = np.broadcast_to([[0.0, -1.0], [-2.0, 1.0]], (1, 3, 2, 2)).copy()
    advantages, values = advantages_and_values(policy, rewards, FOLLOWING, one([0.0, 8.0]), 0.5)
    # Bar 2: Q(0, .) = 0, -1 + 4 = 3; V = 9/4.  Q(1, .) = -2, 1 + 4 = 5; V = -1/2 + 15/4 = 13/4.
    # Bar 1: Q(0, .) = 9/8, -1 + 13/8 = 5/8; V = 9/32 + 15/32 = 3/4.  Q(1, .) = -2 + 9/8 = -7/8, 1 + 13/8 = 21/8; V = 7/4.
    # Bar 0: Q(0, .) = 3/8, -1 + 7/8 = -1/8; V = 3/32 - 3/32 = 0.  Q(1, .) = -13/8, 15/8; V = -13/32 + 45/32 = 1.
    np.testing.assert_allclose(values[0], [[0.0, 1.0], [0.75, 1.75], [2.25, 3.25]], rtol=1e-12)
    np.testing.assert_allclose(advantages[0, 0], [[0.375, -0.125], [-2.625, 0.875]], rtol=1e-12)
    np.testing.assert_allclose(advantages[0, 2], [[-2.25, 0.75], [-5.25, 1.75]], rtol=1e-12)


def test_a_cost_of_the_wrong_sign_gives_other_values():
    policy = np.broadcast_to([0.25, 0.75], (1, 3, 2, 2)).copy()
    rewards = np.broadcast_to([[0.0, 3.0], [2.0, 1.0]], (1, 3, 2, 2)).copy()
    _, values = advantages_and_values(policy, rewards, FOLLOWING, one([0.0, 8.0]), 0.5)
    assert np.abs(values[0, 0] - [0.0, 1.0]).min() > 1.0


def test_holding_forever_earns_the_geometric_series():
    bars, gamma = 400, 0.9
    policy = np.broadcast_to([0.0, 0.0, 1.0], (1, bars, 2, 3)).copy()
    rewards = np.zeros((1, bars, 2, 3))
    rewards[:, :, 1, :] = 1.0
    _, values = advantages_and_values(policy, rewards, HOLDING, one([0.0, 0.0]), gamma)
    assert values[0, 0, 1] == pytest.approx(1.0 / (1.0 - gamma), rel=1e-12)
    assert values[0, 0, 0] == 0.0


def test_advantages_are_zero_on_the_average_of_the_policy_and_stretches_do_not_meet():
    rng = np.random.default_rng(0)
    policy = rng.dirichlet(np.ones(3), (4, 9, 2))
    rewards, ends = rng.standard_normal((4, 9, 2, 3)), rng.standard_normal((4, 2))
    advantages, values = advantages_and_values(policy, rewards, HOLDING, ends, 0.97)
    assert np.abs((policy * advantages).sum(-1)).max() < 1e-12
    for i in range(4):
        alone = advantages_and_values(policy[i : i + 1], rewards[i : i + 1], HOLDING, ends[i : i + 1], 0.97)
        np.testing.assert_array_equal(alone[0][0], advantages[i])
        np.testing.assert_array_equal(alone[1][0], values[i])


def test_visiting_probabilities_are_those_of_the_chain_and_add_up_to_one():
    policy = np.broadcast_to([[0.5, 0.25, 0.25], [0.125, 0.625, 0.25]], (1, 200, 2, 3)).copy()
    visits = visiting_probabilities(policy, HOLDING, one([1.0, 0.0]))
    # To long from flat 1/4, to flat from long 1/8: the second bar, then the balance 1/4 x = 1/8 (1 - x), x = 1/3 flat.
    np.testing.assert_allclose(visits[0, 1], [0.75, 0.25], rtol=1e-12)
    np.testing.assert_allclose(visits[0, -1], [1 / 3, 2 / 3], rtol=1e-12)
    np.testing.assert_allclose(visits.sum(-1), 1.0, rtol=1e-12)


def test_discounted_visits_fall_by_the_discount_at_each_bar():
    policy = np.random.default_rng(1).dirichlet(np.ones(3), (2, 6, 2))
    start = np.full((2, 2), 0.5)
    plain, discounted = (visiting_probabilities(policy, HOLDING, start, discount) for discount in (1.0, 0.8))
    np.testing.assert_allclose(discounted, plain * 0.8 ** np.arange(6)[:, None], rtol=1e-12)


def test_what_the_start_is_worth_is_what_its_visits_earn():
    # sum over t of gamma^t d pi r equals d_0 V_0: the two recursions are each other's adjoint.
    rng = np.random.default_rng(2)
    policy = rng.dirichlet(np.ones(3), (5, 12, 2))
    rewards, start = rng.standard_normal((5, 12, 2, 3)), rng.dirichlet(np.ones(2), 5)
    _, values = advantages_and_values(policy, rewards, HOLDING, np.zeros((5, 2)), 0.9)
    visits = visiting_probabilities(policy, HOLDING, start, 0.9)
    earned = (visits[..., None] * policy * rewards).sum((1, 2, 3))
    np.testing.assert_allclose(earned, (start * values[:, 0]).sum(1), rtol=1e-12)


def test_shapes_that_do_not_fit_are_refused():
    policy = np.full((1, 3, 2, 3), 1 / 3)
    with pytest.raises(InvariantError, match=r"got \(1, 3, 2, 2\)"):
        advantages_and_values(policy, policy[..., :2], HOLDING, np.zeros((1, 2)), 0.9)
    with pytest.raises(InvariantError, match=r"\(1, 2\); got \(2, 3\), \(1, 3\)"):
        visiting_probabilities(policy, HOLDING, np.zeros((1, 3)))
