from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st
from small_worlds import FEATURES, READY, ROWS, batch, random_actions, world

from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.market import RowRange
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.settings import OrderParams, SimulatorParams


def trace(env: TradingVectorEnv, actions: np.ndarray, seed: int = 3) -> list[bytes]:
    """Everything that each environment saw and earned, as bytes, one string an environment."""
    observation, _ = env.reset(seed=seed)
    n = env.num_envs
    seen = [b""] * n
    for now in actions:
        for i in range(n):
            seen[i] += b"".join(block[i].tobytes() for block in observation.values())
        observation, reward, terminated, truncated, _ = env.step(now)
        for i in range(n):
            seen[i] += reward[i].tobytes() + terminated[i].tobytes() + truncated[i].tobytes()
    return seen


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), n=st.integers(1, 9), start_exposure=st.sampled_from(["flat", "random"]))
def test_a_trajectory_does_not_depend_on_the_size_of_the_batch(seed, n, start_exposure):
    actions = random_actions(seed, 45, 10)
    large = trace(batch(10, start_exposure=start_exposure), actions, seed)
    small = trace(batch(n, start_exposure=start_exposure), actions[:, :n], seed)
    assert small == large[:n]


def test_a_batch_large_enough_for_threads_gives_the_same_trajectories():
    actions = random_actions(1, 30, 2_100)
    large, small = batch(2_100, simulator=SimulatorParams(threads=2)), batch(5)
    large.reset(seed=9)
    small.reset(seed=9)
    for now in actions:
        seen = large.step(now)
        few = small.step(now[:5])
        assert seen[1][:5].tobytes() == few[1].tobytes()
        assert seen[0]["account"][:5].tobytes() == few[0]["account"].tobytes()


def test_a_seed_fixes_the_run_and_another_seed_changes_it():
    actions = random_actions(2, 60, 4)
    assert trace(batch(4), actions, seed=5) == trace(batch(4), actions, seed=5)
    assert trace(batch(4), actions, seed=5) != trace(batch(4), actions, seed=6)


def test_resetting_without_a_seed_goes_on_to_the_next_episodes():
    env = batch(6)
    first = env.reset(seed=1)[0]["row"].tolist()
    second = env.reset()[0]["row"].tolist()
    assert first != second
    assert env.reset(seed=1)[0]["row"].tolist() == first
    assert env.reset()[0]["row"].tolist() == second


@pytest.mark.parametrize("observation", ["index", "window"])
def test_observations_rewards_and_flags_fit_their_spaces(observation):
    env = batch(5, observation=observation)
    seen, info = env.reset(seed=0)
    env.action_space.seed(0)
    assert env.observation_space.contains(seen)
    assert info == {}
    for _ in range(50):
        seen, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert env.observation_space.contains(seen)
        assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        assert reward.shape == terminated.shape == truncated.shape == (5,)
        one = {name: block[2] for name, block in seen.items()}
        assert env.single_observation_space.contains({name: np.asarray(block) for name, block in one.items()})


def test_an_observation_is_not_overwritten_by_the_next_step():
    env = batch(3)
    seen, _ = env.reset(seed=0)
    copy = {name: block.copy() for name, block in seen.items()}
    env.step(np.ones(3, dtype=int))
    assert all(seen[name].tobytes() == copy[name].tobytes() for name in seen)


def test_a_window_holds_the_rows_up_to_the_one_that_has_closed():
    market = world()
    env = batch(3, market, observation="window")
    seen, _ = env.reset(seed=0)
    seen, *_ = env.step(np.ones(3, dtype=int))
    for i in range(3):
        row = int(env.simulator.row[i])
        assert seen["window"][i].tolist() == market.features[row - 3 : row + 1].tolist()
    assert seen["window"].shape == (3, 4, FEATURES)


def test_an_account_row_is_the_account_features_then_the_state_of_the_guards():
    env = batch(2, account_columns=("drawdown", "exposure"))
    seen, _ = env.reset(seed=0)
    assert env.account_names == ("drawdown", "exposure", "n_consecutive.signal_2_ago", "n_consecutive.signal_1_ago")
    assert seen["account"].tolist() == [[0.0, 0.0, 2.0, 2.0]] * 2
    seen, *_ = env.step(np.array([1, 2]))
    assert seen["account"][:, 2:].tolist() == [[2.0, 1.0], [2.0, 0.0]]


def test_an_episode_ends_by_truncation_and_the_next_begins_in_the_same_step():
    env = batch(4)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    first = env.reset(seed=0)[0]["row"]
    for _ in range(19):
        *_, truncated, info = env.step(np.ones(4, dtype=int))
        assert not truncated.any()
        assert info == {}
    seen, _, terminated, truncated, info = env.step(np.ones(4, dtype=int))
    assert truncated.all()
    assert not terminated.any()
    assert info["_final_obs"].tolist() == [True] * 4
    assert info["final_obs"]["row"].tolist() == (first + 20).tolist()
    assert (info["final_obs"]["account"][:, 0] > 0.99).all()  # still long at the end
    assert seen["row"].tolist() == env.simulator.row.tolist() != (first + 20).tolist()
    assert seen["account"].tolist() == [[0.0, 0.0, 0.0, 0.0, 2.0, 2.0]] * 4  # flat, and nothing on record
    assert env.simulator.equity.tolist() == [10_000.0] * 4


def test_ruin_is_a_termination():
    market = world(rows=60)
    market.prices[30:, :4] *= 10.0
    env = batch(1, market, RowRange(0, 60), start="first", episode_bars=0)
    env.reset(seed=0)
    for _ in range(100):
        _, reward, terminated, truncated, info = env.step(np.array([0]))  # SELL
        if terminated[0] or truncated[0]:
            break
    assert bool(terminated[0])
    assert not bool(truncated[0])
    assert reward[0] < -20.0
    assert int(info["final_obs"]["row"][0]) == 30


def test_a_saved_environment_goes_on_exactly():
    actions = random_actions(4, 60, 3)
    env, other = batch(3, start_exposure="random"), batch(3, start_exposure="random")
    env.reset(seed=11)
    for now in actions[:30]:
        env.step(now)
    saved = env.state_dict()
    assert all(isinstance(block, np.ndarray) for block in saved.values())
    other.load_state_dict(saved)
    for now in actions[30:]:
        seen, reward, *_ = env.step(now)
        again, paid, *_ = other.step(now)
        assert reward.tobytes() == paid.tobytes()
        assert all(seen[name].tobytes() == again[name].tobytes() for name in seen)


def test_a_saved_environment_without_its_guards_is_refused():
    saved = batch(2).state_dict()
    del saved["guards"]
    with pytest.raises(DataError, match=r"saved environment lacks \['guards'\]"):
        batch(2).load_state_dict(saved)


def test_the_decision_on_record_says_what_the_guard_did():
    env = batch(1)
    env.reset(seed=0)
    for action in (1, 0, 0, 0):  # BUY, SELL, SELL, and a third SELL that repeats the last two
        env.step(np.array([action]))
    decision = env.decision
    assert decision is not None
    assert decision.intent.target.tolist() == [-1.0]
    assert decision.allowed.tolist() == [-1.0]
    assert decision.guard_code.tolist() == [1]  # vetoed, although already short
    assert decision.signal.tolist() == [0]


def test_starting_exposures_are_drawn_from_the_levels():
    env = batch(300, start_exposure="random")
    env.reset(seed=0)
    values, counts = np.unique(env.simulator.target, return_counts=True)
    assert values.tolist() == [-1.0, 0.0, 1.0]
    assert counts.min() > 70
    assert not env.simulator.fee.any()


def test_an_action_outside_the_numbering_is_refused():
    env = batch(2)
    env.reset(seed=0)
    with pytest.raises(InvariantError, match="action 3 is unknown"):
        env.step(np.array([0, 3]))


def test_stepping_before_a_reset_is_refused():
    with pytest.raises(InvariantError, match="before it was reset"):
        batch(2).step(np.zeros(2, dtype=int))


def test_levels_beyond_the_largest_exposure_are_refused():
    params = EnvironmentParams(simulator=SimulatorParams(max_exposure=0.5))
    with pytest.raises(ConfigError, match=r"allowed: -0\.5 to 0\.5"):
        TradingVectorEnv(world(), RowRange(0, ROWS), 1, action_scheme("target_exposure", short=False), params=params)


def test_the_first_decision_waits_for_a_whole_warmed_up_window():
    env = batch(1, start="first", window=7)
    assert env.reset(seed=0)[0]["row"].tolist() == [READY + 6]


def test_masks_follow_the_target_decided_while_its_order_is_on_its_way():
    late = SimulatorParams(orders=OrderParams(latency_bars=3))
    params = EnvironmentParams(window=4, episode_bars=20, simulator=late)
    env = TradingVectorEnv(world(), RowRange(0, ROWS), 1, action_scheme("hold_long_short_close", short=True), params=params)
    env.reset(seed=0)
    env.step(np.array([1]))
    # LONG was decided and has not arrived: HOLD and CLOSE are legal, as the desk judges.
    assert env.action_masks().tolist() == [[True, False, False, True]]
