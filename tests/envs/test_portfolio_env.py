from __future__ import annotations

import math

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from small_panels import ASSETS, FEATURES, READY, ROWS, bars, batch, features, random_weights, single
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import RowRange
from seawall.envs.portfolio import PORTFOLIO_ID, PortfolioEnv
from seawall.envs.portfolio_params import PortfolioEnvironmentParams
from seawall.simulator.portfolio.simulator import PortfolioParams


@pytest.mark.filterwarnings("ignore:.*Box (observation|action) space:UserWarning")
@pytest.mark.filterwarnings("ignore:.*we recommend using a symmetric:UserWarning")
@pytest.mark.parametrize("normalise", ["simplex", "softmax"])
@pytest.mark.parametrize("observation", ["index", "window"])
def test_a_portfolio_passes_the_checker_of_gymnasium_with_its_pictures(observation, normalise):
    params = PortfolioEnvironmentParams(window=4, episode_bars=20, observation=observation, normalise=normalise)
    made = gymnasium.make(PORTFOLIO_ID, panel=bars(), rows=RowRange(0, ROWS), features=features(), ready=READY, params=params)
    check_env(made.unwrapped)


@pytest.mark.filterwarnings(
    "ignore:It seems that your observation (space )?window is an image:UserWarning"
)  # bars, assets and features
@pytest.mark.filterwarnings("ignore:.*for an image is 36x36:UserWarning")
@pytest.mark.filterwarnings("ignore:.*we recommend you? ?to use a symmetric:UserWarning")
@pytest.mark.parametrize("normalise", ["simplex", "softmax"])
@pytest.mark.parametrize("observation", ["index", "window"])
def test_a_portfolio_passes_the_checker_of_stable_baselines3(observation, normalise):
    check_env_for_sb3(single(render_mode="rgb_array", observation=observation, normalise=normalise))
    check_env_for_sb3(gymnasium.make(PORTFOLIO_ID, panel=bars(), rows=RowRange(0, ROWS)).unwrapped)


def test_a_portfolio_is_made_by_its_registered_name_and_shows_windows_where_there_are_features():
    env = gymnasium.make(PORTFOLIO_ID, panel=bars(), rows=RowRange(0, ROWS), features=features(), ready=READY)
    assert env.reset(seed=1)[0]["window"].shape == (12, ASSETS, FEATURES)
    bare = gymnasium.make(PORTFOLIO_ID, panel=bars(), rows=RowRange(0, ROWS))
    assert set(bare.reset(seed=1)[0]) == {"row", "account"}


def test_many_single_portfolios_stepped_together_keep_to_the_simplex():
    envs = gymnasium.vector.SyncVectorEnv([single, single])
    envs.reset(seed=0)
    for _ in range(3):
        _, reward, *_ = envs.step(envs.action_space.sample())
    assert np.isfinite(reward).all()


def test_stable_baselines3_learns_with_softmax_and_is_refused_on_the_simplex():
    ppo = pytest.importorskip("stable_baselines3", reason="the extra zoo is not installed").PPO
    model = ppo("MultiInputPolicy", single(observation="window", normalise="softmax"), n_steps=64, n_epochs=1, seed=0)
    assert model.learn(64).num_timesteps == 64
    action, _ = model.predict(single(observation="window").reset(seed=0)[0])
    assert model.action_space.contains(action)
    with pytest.raises(InvariantError, match="allowed: weights of at least 0 that add up to 1"):
        ppo("MultiInputPolicy", single(observation="window"), n_steps=64, seed=0).learn(64)


def test_a_portfolio_is_the_first_environment_of_every_batch():
    env, many, weights = single(), batch(4), random_weights(5, 20, 4)
    seen, _ = env.reset(seed=3)
    assert seen["row"].item() == int(many.reset(seed=3)[0]["row"][0])
    for step, now in enumerate(weights):
        seen, reward, _, truncated, _ = env.step(now[0])
        others, rewards, _, _, info = many.step(now)
        last = info["final_obs"] if truncated else others
        assert reward == rewards[0]
        assert seen["account"].tobytes() == last["account"][0].tobytes()
        assert truncated == (step == 19)


def test_an_ended_portfolio_waits_for_a_reset():
    env = single()
    env.reset(seed=0)
    action = np.array([0.25] * 4)
    for _ in range(20):
        seen, _, _, truncated, _ = env.step(action)
    assert truncated
    again, reward, _, still, _ = env.step(action)
    assert (reward, still, again["row"].item()) == (0.0, True, seen["row"].item())
    assert env.reset()[0]["row"].item() != seen["row"].item()


def test_the_details_of_a_step_add_up():
    env = single(portfolio=PortfolioParams(excess_weight=0.5))
    _, info = env.reset(seed=0)
    assert info["weights"].tolist() == [1.0, 0.0, 0.0, 0.0]
    before = info
    for now in random_weights(2, 10, 1)[:, 0]:
        _, reward, _, _, info = env.step(now)
        growth = math.log(info["equity"] / before["equity"])
        excess = 0.5 * (growth - math.log(info["benchmark"] / before["benchmark"]))
        assert info["reward_parts"] == pytest.approx({"growth": growth, "excess": excess}, abs=1e-14)
        assert reward == pytest.approx(sum(info["reward_parts"].values()), abs=1e-16)
        # 10 and 1 basis points by default.
        assert info["fee"] == pytest.approx(0.001 * info["traded_notional"], rel=1e-12)
        assert info["spread"] == pytest.approx(0.0001 * info["traded_notional"], rel=1e-12)
        assert (info["slippage"], info["weights"].sum()) == pytest.approx((0.0, 1.0), rel=1e-13)
        assert info["weights"] is not before["weights"]
        before = info


def test_the_line_names_the_time_the_equity_and_every_weight():
    env = single("ansi", start="first")
    env.reset(seed=0)
    assert env.render() == "1970-01-01T08:00:00Z equity 10,000.00 (+0.00% to the benchmark): cash 100.0%, A 0.0%, B 0.0%, C 0.0%"
    env.step(np.array([0.5, 0.25, 0.25, 0.0]))
    shown = env.batch.simulator
    assert f"09:00:00Z equity {shown.equity[0]:,.2f} (" in env.render()
    assert f"A {shown.weights[0, 1]:.1%}" in env.render()


def test_the_image_shows_equity_and_what_is_held_as_areas_of_the_colours_of_the_assets():
    env = single("rgb_array", start="first", episode_bars=0)
    env.reset(seed=0)
    empty = env.render()
    assert (empty.dtype, empty.shape) == (np.uint8, (200, 600, 3))
    for _ in range(60):
        env.step(np.array([0.0, 0.5, 0.5, 0.0]))
    shown = env.render()
    # From the second bar on the first asset fills the lower half, the second the upper one.
    for rows, colour in ((slice(162, 194), [108, 160, 245]), (slice(112, 144), [240, 190, 88])):
        area = shown[rows, 60:490]
        assert (area == colour).all(axis=-1).mean() > 0.99
    # Equity is drawn in the first of these colours, and where there was none at the start.
    lines = (shown[18:104, :500] == [108, 160, 245]).all(axis=-1)
    assert lines.any(axis=0).mean() > 0.5
    assert not (empty[18:104, :500] == [108, 160, 245]).all(axis=-1).any()


def test_a_long_episode_is_drawn_without_a_column_for_each_bar():
    env = single("rgb_array", start="first", episode_bars=0)
    env.reset(seed=0)
    for number in range(150):
        env.step(np.eye(4)[number % 4])
    env._history.equity *= 20
    env._history.benchmark *= 20
    env._history.weights *= 20
    assert env.render().shape == (200, 600, 3)


def test_nothing_is_shown_without_a_mode_before_a_reset_or_in_an_unknown_one():
    assert single().render() is None
    with pytest.raises(InvariantError, match="rendered before it was reset"):
        single("ansi").render()
    with pytest.raises(ConfigError, match="render_mode 'human' is unknown"):
        PortfolioEnv(bars(), RowRange(0, ROWS), render_mode="human")
