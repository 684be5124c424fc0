"""What the replay gives back is what happened, and sums of rewards stop where an episode or the record does."""

import numpy as np
import pytest

from seawall.agents.dqn.params import DQNParams
from seawall.agents.dqn.replay import Replay
from seawall.agents.dqn.ring import Step
from seawall.core.errors import DataError, InvariantError
from seawall.core.seeding import generator

GAMMA = 0.5


def step(actions, rewards, rows, terminated=None, truncated=None, final_rows=None):
    """One step in which every account row says ten times its market row."""
    n = len(actions)
    seen = np.array(rows, np.int64)
    last = seen if final_rows is None else np.array(final_rows, np.int64)
    return Step(
        np.array(actions, np.int64),
        np.array(rewards, np.float64),
        np.zeros(n, bool) if terminated is None else np.array(terminated),
        np.zeros(n, bool) if truncated is None else np.array(truncated),
        seen,
        (10.0 * seen[:, None]).astype(np.float32),
        last,
        (10.0 * last[:, None]).astype(np.float32),
    )


def started(length=20, first=(100,), **options):
    replay = Replay(len(first), length, 1, **options)
    rows = np.array(first, np.int64)
    replay.start(rows, (10.0 * rows[:, None]).astype(np.float32))
    return replay


def seen(replay, n_step=1, draws=2_000):
    """Every remembered transition by its row: (action, return, discount, next row)."""
    _, batch = replay.sample(draws, generator(0, "draws"), n_step, GAMMA)
    np.testing.assert_array_equal(batch.account[:, 0], 10.0 * batch.rows)
    np.testing.assert_array_equal(batch.next_account[:, 0], 10.0 * batch.next_rows)
    columns = (batch.rows, batch.actions, batch.returns, batch.discounts, batch.next_rows)
    return {row: tuple(rest) for row, *rest in zip(*(column.tolist() for column in columns), strict=True)}


def test_what_follows_a_step_is_what_was_seen_next():
    replay = started()
    replay.append(step([2], [0.25], [101]))
    replay.append(step([1], [-1.0], [102]))
    assert len(replay) == 2
    assert seen(replay) == {100: (2, 0.25, GAMMA, 101), 101: (1, -1.0, GAMMA, 102)}


def test_after_ruin_nothing_follows():
    replay = started()
    replay.append(step([0], [-8.0], [500], terminated=[True]))
    replay.append(step([1], [1.0], [501]))
    replay.append(step([1], [1.0], [502]))
    found = seen(replay, n_step=2)
    assert found[100][1:3] == (-8.0, 0.0)
    assert found[500] == (1, 1.5, 0.25, 502)


def test_values_go_on_from_the_last_observation_of_a_cut_episode_and_not_from_the_next_episode():
    replay = started()
    replay.append(step([0], [4.0], [500], truncated=[True], final_rows=[101]))
    replay.append(step([1], [1.0], [501]))
    assert len(replay) == 2
    assert seen(replay) == {100: (0, 4.0, GAMMA, 101), 500: (1, 1.0, GAMMA, 501)}


def test_a_step_that_is_both_ruin_and_cut_is_ruin():
    replay = started()
    replay.append(step([0], [4.0], [500], terminated=[True], truncated=[True], final_rows=[101]))
    assert seen(replay)[100][2] == 0.0


def test_sums_of_three_rewards_equal_those_added_up_by_hand_and_stop_at_ends():
    replay = started()
    rewards = [1.0, 2.0, 4.0, 8.0]
    for at, reward in enumerate(rewards[:3]):
        replay.append(step([0], [reward], [101 + at]))
    replay.append(step([0], [rewards[3]], [500], truncated=[True], final_rows=[104]))
    replay.append(step([0], [16.0], [501]))
    replay.append(step([0], [32.0], [700], terminated=[True]))
    replay.append(step([0], [64.0], [701]))
    assert seen(replay, n_step=3) == {
        100: (0, 1.0 + 1.0 + 1.0, 0.125, 103),
        101: (0, 2.0 + 2.0 + 2.0, 0.125, 104),
        102: (0, 4.0 + 4.0, 0.25, 104),  # two rewards, then the episode was cut
        103: (0, 8.0, 0.5, 104),
        500: (0, 16.0 + 16.0, 0.0, 700),  # two rewards, then ruin: nothing follows, whatever row is named
        501: (0, 32.0, 0.0, 700),
        700: (0, 64.0, 0.5, 701),  # one reward, then the record ends
    }


def test_without_the_marks_sums_would_reach_into_the_next_episode():
    """The negative control: the same rewards without an end are added up over it."""
    replay = started()
    replay.append(step([0], [1.0], [500]))
    replay.append(step([0], [2.0], [501]))
    assert seen(replay, n_step=2)[100] == (0, 2.0, 0.25, 501)


def test_the_oldest_give_way_and_sums_never_cross_the_place_being_written():
    replay = started(length=5)
    for at in range(11):
        replay.append(step([0], [2.0**at], [101 + at]))
    assert len(replay) == 4
    assert seen(replay, n_step=3) == {
        107: (0, 128.0 + 128.0 + 128.0, 0.125, 110),
        108: (0, 256.0 + 256.0 + 256.0, 0.125, 111),
        109: (0, 512.0 + 512.0, 0.25, 111),
        110: (0, 1024.0, 0.5, 111),
    }


@pytest.mark.parametrize("prioritised", [False, True])
def test_rings_of_random_episodes_give_back_only_what_a_plain_list_of_them_holds(prioritised):
    source = np.random.default_rng(3)
    n, length = 3, 23
    replay = started(length, first=(1_000, 2_000, 3_000), prioritised=prioritised)
    at, happened = np.array([1_000, 2_000, 3_000]), {}
    for _ in range(200):
        actions, rewards = source.integers(0, 5, n), source.normal(size=n).astype(np.float32)
        terminated, truncated = source.random(n) < 0.1, source.random(n) < 0.3
        ended = terminated | truncated
        following = np.where(ended, at + 50, at + 1)
        replay.append(step(actions, rewards, following, terminated, truncated, at + 1))
        for i in range(n):
            after = None if terminated[i] else int(at[i] + 1)
            happened[int(at[i])] = (int(actions[i]), float(rewards[i]), 0.0 if terminated[i] else GAMMA, after)
        at = following
    found = seen(replay, draws=4_000)
    assert len(found) == len(replay) > n * length // 2
    for row, (action, reward, discount, after) in found.items():
        assert (action, reward, discount) == happened[row][:3]
        assert happened[row][3] is None or after == happened[row][3]


def test_every_transition_is_as_likely_to_be_drawn():
    replay = started(40, first=(1_000, 2_000))
    at = np.array([1_000, 2_000])
    for number in range(60):
        cut = np.array([number % 3 == 0, False])
        replay.append(step([0, 0], [0.0, 0.0], np.where(cut, at + 50, at + 1), truncated=cut, final_rows=at + 1))
        at = np.where(cut, at + 50, at + 1)
    places, _ = replay.sample(100_000, generator(1, "draws"), 1, GAMMA)
    counts = np.unique(places, return_counts=True)[1]
    assert len(counts) == len(replay)
    expected = 100_000 / len(replay)
    # Chi-square: mean k - 1 and deviation sqrt(2(k - 1)), so four deviations above is passed once in some 10,000 times.
    excess = (np.square(counts - expected) / expected).sum() - (len(counts) - 1)
    assert excess < 4 * np.sqrt(2 * (len(counts) - 1))


def test_a_million_transitions_with_four_account_columns_take_less_than_64_megabytes():
    params = DQNParams(n_envs=256, buffer_size=1_000_000)
    even, prioritised = (Replay(256, params.slots, 4, prioritised=flag) for flag in (False, True))
    assert 256 * (params.slots - 1) >= 1_000_000
    assert even.nbytes < 27e6
    assert prioritised.nbytes < 43e6


def test_a_loaded_replay_draws_what_the_saved_one_draws():
    replay = started(9, first=(1, 2), prioritised=True)
    for at in range(30):
        replay.append(step([at % 3, 1], [0.5, at], [at, at + 1], truncated=[at % 4 == 0, False]))
        places, _ = replay.sample(4, generator(at, "surprises"), 1, GAMMA)
        replay.surprise(places, np.arange(4, dtype=np.float32))
    loaded = started(9, first=(7, 7), prioritised=True)
    loaded.load_state(replay.state())
    assert len(loaded) == len(replay)
    assert loaded.tree.tobytes() == replay.tree.tobytes()
    for kept in (replay, loaded):
        kept.append(step([1, 1], [3.0, 4.0], [50, 60]))
    draws = [kept.sample(50, generator(5, "draws"), 2, GAMMA) for kept in (replay, loaded)]
    assert draws[0][0].tobytes() == draws[1][0].tobytes()
    assert [block.tobytes() for block in draws[0][1]] == [block.tobytes() for block in draws[1][1]]


def test_only_places_that_were_used_are_saved():
    replay = started(1_000)
    for at in range(10):
        replay.append(step([0], [0.0], [at]))
    assert replay.state()["account"].shape == (1, 11, 1)


@pytest.mark.parametrize(
    "other", [{"first": (1, 2)}, {"length": 5}, {"prioritised": True}], ids=["environments", "places", "priorities"]
)
def test_what_was_remembered_for_another_replay_is_refused(other):
    replay = started()
    for at in range(10):
        replay.append(step([0], [0.0], [at]))
    with pytest.raises(DataError, match="n_envs, buffer_size, the account columns and prioritised"):
        started(**other).load_state(replay.state())


def test_a_replay_without_a_transition_gives_none():
    with pytest.raises(InvariantError, match="without a transition"):
        started().sample(4, generator(0, "draws"), 1, GAMMA)
