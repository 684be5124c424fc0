from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from small_worlds import FEATURES, ROWS, batch, random_actions, world
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from seawall.core.market import RowRange
from seawall.envs.params import EnvironmentParams
from seawall.envs.single import ENVIRONMENT_ID, TradingEnv
from seawall.guards.n_consecutive import NConsecutiveParams
from seawall.guards.registry import guard_chain
from seawall.simulator.actions.registry import ACTION_SCHEMES, action_scheme


def single(scheme: str = "sell_buy_hold", **settings: object) -> TradingEnv:
    params = EnvironmentParams(**({"window": 4, "episode_bars": 20} | settings))
    guards = guard_chain([("n_consecutive", NConsecutiveParams())])
    return TradingEnv(world(), RowRange(0, ROWS), action_scheme(scheme, short=True), params=params, guards=guards)


@pytest.mark.filterwarnings("ignore:.*Box observation space:UserWarning")
@pytest.mark.parametrize("observation", ["index", "window"])
@pytest.mark.parametrize("scheme", ACTION_SCHEMES)
def test_it_passes_the_checker_of_gymnasium(observation, scheme):
    check_env(single(scheme, observation=observation), skip_render_check=True)


@pytest.mark.filterwarnings("ignore:.*Box observation space:UserWarning")
def test_every_render_mode_passes_the_checker_of_gymnasium():
    scheme = action_scheme("target_exposure", short=True)
    made = gymnasium.make(ENVIRONMENT_ID, market=world(), rows=RowRange(0, ROWS), scheme=scheme, render_mode="ansi")
    check_env(made.unwrapped)


@pytest.mark.filterwarnings("ignore:Your observation window has an unconventional shape")  # flattened, as that library does itself
@pytest.mark.parametrize("scheme", ACTION_SCHEMES)
def test_it_passes_the_checker_of_stable_baselines3(scheme):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="(?!Your observation window)")
        check_env_for_sb3(single(scheme, observation="window"))
        check_env_for_sb3(TradingEnv(world(), RowRange(0, ROWS), action_scheme(scheme, short=False), render_mode="rgb_array"))
        check_env_for_sb3(single(scheme, observation="index"))


def test_it_is_made_by_its_registered_name():
    env = gymnasium.make(
        ENVIRONMENT_ID, market=world(), rows=RowRange(0, ROWS), scheme=action_scheme("target_exposure", short=False)
    )
    seen, _ = env.reset(seed=1)
    assert seen["window"].shape == (12, FEATURES)
    assert env.action_space == gymnasium.spaces.Discrete(2)


def test_it_is_the_first_environment_of_every_batch():
    env, many = single(), batch(4)
    actions = random_actions(5, 20, 4)
    seen, _ = env.reset(seed=3)
    others, _ = many.reset(seed=3)
    assert seen["row"].item() == int(others["row"][0])
    for step, now in enumerate(actions):
        seen, reward, _, truncated, _ = env.step(int(now[0]))
        others, rewards, _, _, info = many.step(now)
        last = info["final_obs"] if truncated else others
        assert reward == rewards[0]
        assert seen["account"].tobytes() == last["account"][0].tobytes()
        assert truncated == (step == 19)


def test_an_ended_episode_waits_for_a_reset():
    env = single()
    env.reset(seed=0)
    for _ in range(20):
        seen, _, _, truncated, _ = env.step(1)
    assert truncated
    again, reward, _, still, _ = env.step(1)
    assert (reward, still, again["row"].item()) == (0.0, True, seen["row"].item())
    assert env.reset()[0]["row"].item() != seen["row"].item()
    assert np.isfinite(env.step(0)[1])


def test_illegal_moves_do_nothing_are_counted_and_masked_and_the_count_starts_anew_with_the_episode():
    env = TradingEnv(
        world(), RowRange(0, ROWS), action_scheme("hold_long_short_close", short=True), params=EnvironmentParams(window=4)
    )
    env.reset(seed=3)
    assert env.action_masks().tolist() == [True, True, True, False]
    counts = []
    for action in (3, 1, 1, 2, 3):  # close when flat, long, long again, short while long, close
        counts.append(env.step(action)[4]["illegal_moves"])
    assert counts == [1, 1, 2, 3, 3]
    assert env.batch.simulator.target[0] == 0.0
    env.reset()
    assert env.step(0)[4]["illegal_moves"] == 0


def test_a_number_is_the_action_of_a_scheme_without_numbered_ones():
    env = TradingEnv(world(), RowRange(0, ROWS), action_scheme("continuous_target", short=True), params=EnvironmentParams(window=4))
    env.reset(seed=3)
    assert env.action_space == gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
    env.step(np.array([0.25], dtype=np.float32))
    assert env.batch.simulator.target[0] == 0.25
    assert env.action_masks().shape == (0,)
