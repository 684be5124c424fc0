import numpy as np
import pytest

from seawall.agents.reward_scale import RewardScale


def test_rewards_are_divided_by_the_deviation_of_their_discounted_sums():
    # One environment, gamma 0.5: sums of 2, 0, 4 are 2, 1, 4.5; mean 2.5, variance (0.25 + 2.25 + 4) / 3.
    scale = RewardScale(1, 0.5)
    scaled = scale(np.array([[2.0], [0.0], [4.0]]), np.zeros((3, 1), bool))
    np.testing.assert_allclose(scaled[:, 0], np.array([2.0, 0.0, 4.0]) / np.sqrt(6.5 / 3), rtol=1e-6)


def test_a_sum_starts_anew_after_an_end():
    scale = RewardScale(1, 0.5)
    scale(np.array([[2.0], [3.0]]), np.array([[True], [False]]))
    assert scale.sums[0] == 3.0


def test_two_rollouts_give_the_moments_of_both_together():
    source = np.random.default_rng(1)
    rewards = source.normal(size=(40, 6))
    ends = source.random((40, 6)) < 0.1
    once, twice = RewardScale(6, 0.9), RewardScale(6, 0.9)
    once(rewards, ends)
    twice(rewards[:15], ends[:15])
    twice(rewards[15:], ends[15:])
    assert twice.scale == pytest.approx(once.scale, rel=1e-12)


def test_rewards_that_never_vary_keep_their_size():
    scaled = RewardScale(2, 0.9)(np.zeros((4, 2)), np.zeros((4, 2), bool))
    np.testing.assert_array_equal(scaled, 0.0)


def test_the_scale_makes_training_independent_of_the_unit_of_reward():
    rewards = np.random.default_rng(2).normal(size=(50, 4))
    none = np.zeros((50, 4), bool)
    np.testing.assert_allclose(RewardScale(4, 0.9)(rewards, none), RewardScale(4, 0.9)(rewards * 1e-4, none), rtol=1e-5)
