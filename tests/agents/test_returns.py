import numpy as np
import pytest

from seawall.agents.returns import generalised_advantages
from seawall.core.errors import InvariantError

GAMMA = 0.9


def column(*numbers):
    return np.array(numbers, dtype=np.float64)[:, None]


def flags(*numbers):
    return np.array(numbers, dtype=bool)[:, None]


def test_a_constant_reward_valued_at_its_closed_form_has_no_advantage():
    # V = 1 + gamma * V for ever, so V = 1 / (1 - gamma) = 10, and nothing is better than expected.
    values = np.full((9, 3), 1 / (1 - GAMMA))
    none = np.zeros((8, 3), dtype=bool)
    advantages, returns = generalised_advantages(np.ones((8, 3)), values, np.zeros((8, 3)), none, none, GAMMA, 0.95)
    np.testing.assert_allclose(advantages, 0.0, atol=1e-6)
    np.testing.assert_allclose(returns, 10.0, rtol=1e-6)


def test_four_steps_by_hand():
    # gamma 0.5, lambda 0.5, so what follows is weighted by 0.25.
    # delta_3 = 4 + 0.5*8 - 7 = 1          A_3 = 1
    # delta_2 = 3 + 0.5*7 - 5 = 1.5        A_2 = 1.5 + 0.25*1 = 1.75
    # delta_1 = 2 + 0.5*5 - 3 = 1.5        A_1 = 1.5 + 0.25*1.75 = 1.9375
    # delta_0 = 1 + 0.5*3 - 2 = 0.5        A_0 = 0.5 + 0.25*1.9375 = 0.984375
    none = flags(0, 0, 0, 0)
    advantages, returns = generalised_advantages(
        column(1, 2, 3, 4), column(2, 3, 5, 7, 8), column(0, 0, 0, 0), none, none, 0.5, 0.5
    )
    np.testing.assert_array_equal(advantages[:, 0], [0.984375, 1.9375, 1.75, 1.0])
    np.testing.assert_array_equal(returns[:, 0], [2.984375, 4.9375, 6.75, 8.0])


def test_four_steps_by_hand_with_a_truncation_and_a_termination():
    # Step 1 is truncated in an observation worth 6; step 2 ends in ruin; values 5 and 8 belong to new episodes.
    # delta_3 = 4 + 0.5*8 - 7 = 1          A_3 = 1
    # delta_2 = 3 + 0     - 5 = -2         A_2 = -2
    # delta_1 = 2 + 0.5*6 - 3 = 2          A_1 = 2
    # delta_0 = 1 + 0.5*3 - 2 = 0.5        A_0 = 0.5 + 0.25*2 = 1
    advantages, _ = generalised_advantages(
        column(1, 2, 3, 4), column(2, 3, 5, 7, 8), column(9, 6, 9, 9), flags(0, 0, 1, 0), flags(0, 1, 0, 0), 0.5, 0.5
    )
    np.testing.assert_array_equal(advantages[:, 0], [1.0, 2.0, -2.0, 1.0])


def test_a_step_that_is_both_is_a_termination():
    both = flags(1)
    advantages, _ = generalised_advantages(column(1), column(0, 5), column(5), both, both, GAMMA, 0.95)
    assert advantages[0, 0] == 1.0


def test_time_limits_do_not_bias_the_value_and_calling_them_ruin_does():
    # A reward of 1 a step for ever is worth 10; the limit of 4 steps is the trainer's, not the market's.
    values, final = np.full((5, 1), 10.0), column(0, 0, 0, 10)
    limit, none = flags(0, 0, 0, 1), flags(0, 0, 0, 0)
    rewards = column(1, 1, 1, 1)
    _, right = generalised_advantages(rewards, values, final, none, limit, GAMMA, 1.0)
    _, wrong = generalised_advantages(rewards, values, final, limit, none, GAMMA, 1.0)
    np.testing.assert_allclose(right, 10.0, rtol=1e-6)
    # As ruin the first state is worth 1 + 0.9 + 0.81 + 0.729 only.
    assert wrong[0, 0] == pytest.approx(3.439, rel=1e-6)


def test_environments_do_not_mix():
    source = np.random.default_rng(0)
    rewards, values, final = source.normal(size=(6, 5)), source.normal(size=(7, 5)), source.normal(size=(6, 5))
    ends = source.random((6, 5)) < 0.3
    limits = source.random((6, 5)) < 0.3
    together, _ = generalised_advantages(rewards, values, final, ends, limits, GAMMA, 0.8)
    alone, _ = generalised_advantages(rewards[:, [2]], values[:, [2]], final[:, [2]], ends[:, [2]], limits[:, [2]], GAMMA, 0.8)
    np.testing.assert_array_equal(together[:, [2]], alone)


def test_blocks_that_do_not_fit_are_refused():
    none = flags(0, 0)
    with pytest.raises(InvariantError, match=r"values need \(3, 1\)"):
        generalised_advantages(column(1, 2), column(1, 2), column(0, 0), none, none, GAMMA, 0.95)
