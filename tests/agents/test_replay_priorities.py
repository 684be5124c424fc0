"""Draws in proportion to priorities, and the weights that make up for it."""

import numpy as np
import pytest

from seawall.agents.dqn.replay import Replay
from seawall.agents.dqn.ring import Step
from seawall.agents.dqn.sum_tree import draw_leaves, set_leaves, sum_tree
from seawall.core.seeding import generator


@pytest.mark.parametrize("n", [2, 3, 7, 64, 100])
def test_every_node_is_the_sum_of_its_leaves_after_any_changes(n):
    source = np.random.default_rng(n)
    tree = sum_tree(np.zeros(n))
    leaves = np.zeros(n)
    for _ in range(50):
        changed, values = source.integers(0, n, 5), source.random(5)
        set_leaves(tree, changed, values)
        for leaf, value in zip(changed, values, strict=True):
            leaves[leaf] = value
    np.testing.assert_array_equal(tree[n:], leaves)
    assert tree[1] == pytest.approx(leaves.sum(), rel=1e-12)
    assert tree.tobytes() == sum_tree(leaves).tobytes()


def test_stratified_draws_fall_where_the_cumulated_priorities_say():
    tree = sum_tree(np.array([1.0, 0.0, 3.0, 4.0]))
    # Eight equal parts of a sum of 8: the first falls on leaf 0, three on leaf 2, four on leaf 3.
    assert draw_leaves(tree, np.full(8, 0.5)).tolist() == [0, 2, 2, 2, 3, 3, 3, 3]


def test_frequencies_of_draws_match_the_priorities():
    priorities = np.random.default_rng(0).exponential(size=37)
    priorities[5] = 0.0
    tree, source = sum_tree(priorities), generator(0, "draws")
    # One draw at a time, so that the draws are independent.
    counts = np.bincount([int(draw_leaves(tree, source.random(1))[0]) for _ in range(40_000)], minlength=37)
    assert counts[5] == 0
    expected = 40_000 * priorities[priorities > 0] / priorities.sum()
    excess = (np.square(counts[priorities > 0] - expected) / expected).sum() - 35
    # Chi-square with 35 degrees of freedom: four deviations of sqrt(70) above its mean.
    assert excess < 4 * np.sqrt(70)


def test_rounding_never_draws_a_leaf_without_priority():
    tree = sum_tree(np.array([0.1, 0.2, 0.0, 0.0]))
    assert draw_leaves(tree, np.array([np.nextafter(1.0, 0.0)])).tolist() == [1]
    assert draw_leaves(sum_tree(np.array([0.0, 0.0, 0.5])), np.array([0.0])).tolist() == [2]


def remembering(alpha):
    replay = Replay(1, 10, 0, prioritised=True, alpha=alpha)
    nothing, none = np.zeros((1, 0), np.float32), np.zeros(1, bool)
    replay.start(np.zeros(1, np.int64), nothing)
    for at in range(4):
        rows = np.array([at + 1], np.int64)
        replay.append(Step(np.zeros(1, np.int64), np.zeros(1), none, none, rows, nothing, rows, nothing))
    return replay


def test_surprises_become_priorities_by_their_exponent():
    replay = remembering(0.5)
    replay.surprise(np.arange(4), np.array([1.0, -4.0, 9.0, 16.0], np.float32))
    np.testing.assert_allclose(replay.tree[10:14], [1.0, 2.0, 3.0, 4.0], rtol=1e-6)
    assert replay.tree[14] == 0.0
    assert replay.top_priority == pytest.approx(4.0, rel=1e-6)


def test_a_new_transition_gets_the_highest_priority_so_far():
    replay = remembering(1.0)
    assert replay.tree[10:15].tolist() == [1.0, 1.0, 1.0, 1.0, 0.0]
    replay.surprise(np.array([2]), np.array([7.0], np.float32))
    nothing, none, rows = np.zeros((1, 0), np.float32), np.zeros(1, bool), np.array([9], np.int64)
    replay.append(Step(np.zeros(1, np.int64), np.zeros(1), none, none, rows, nothing, rows, nothing))
    assert replay.tree[14] == pytest.approx(7.0, rel=1e-6)
    assert replay.tree[15] == 0.0


def test_weights_make_up_for_being_drawn_more_often():
    replay = remembering(1.0)
    replay.surprise(np.arange(4), np.array([1.0, 2.0, 4.0, 8.0], np.float32))
    np.testing.assert_allclose(replay.weights(np.arange(4), 1.0), [1.0, 0.5, 0.25, 0.125], rtol=1e-5)
    np.testing.assert_allclose(replay.weights(np.arange(1, 4), 0.5), [1.0, 0.5**0.5, 0.5], rtol=1e-5)
    np.testing.assert_array_equal(replay.weights(np.arange(4), 0.0), 1.0)


def test_weighted_draws_estimate_the_plain_mean_without_bias():
    replay, values = remembering(1.0), np.array([3.0, -1.0, 10.0, 2.0])
    replay.surprise(np.arange(4), np.array([1.0, 2.0, 4.0, 8.0], np.float32))
    places, _ = replay.sample(20_000, generator(2, "draws"), 1, 0.9)
    weights = replay.weights(places, 1.0)
    assert (weights * values[places]).sum() / weights.sum() == pytest.approx(values.mean(), abs=0.01)
    assert values[places].mean() == pytest.approx((3.0 - 2.0 + 40.0 + 16.0) / 15.0, abs=0.01)
