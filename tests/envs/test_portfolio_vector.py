from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st
from small_panels import ASSETS, FEATURES, READY, ROWS, bars, batch, features, random_weights, single

from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.market import RowRange
from seawall.envs.portfolio_params import PortfolioEnvironmentParams
from seawall.envs.portfolio_vector import PortfolioVectorEnv
from seawall.envs.simplex import Simplex
from seawall.simulator.costs.params import CostParams
from seawall.simulator.portfolio.simulator import PortfolioParams


def trace(env: PortfolioVectorEnv, weights: np.ndarray, seed: int = 3) -> list[bytes]:
    """Everything that each environment saw and earned, as bytes, one string an environment."""
    observation, _ = env.reset(seed=seed)
    seen = [b""] * env.num_envs
    for now in weights:
        for i in range(env.num_envs):
            seen[i] += b"".join(block[i].tobytes() for block in observation.values())
        observation, *marks, _ = env.step(now)
        for i in range(env.num_envs):
            seen[i] += b"".join(block[i].tobytes() for block in marks)
    return seen


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), n=st.integers(1, 9), start=st.sampled_from(["random", "sequential", "first"]))
def test_a_portfolio_trajectory_does_not_depend_on_the_size_of_the_batch(seed, n, start):
    weights, ranges = random_weights(seed, 45, 10), [RowRange(0, 90), RowRange(100, ROWS)]
    chosen = {"start": start, "portfolio": PortfolioParams(rebalance_every=2, no_trade_band=0.1, stop_drawdown=0.1)}
    assert trace(batch(n, ranges, **chosen), weights[:, :n], seed) == trace(batch(10, ranges, **chosen), weights, seed)[:n]


def test_threads_give_a_large_batch_of_portfolios_the_same_trajectories():
    weights = random_weights(1, 30, 300)
    large, small = batch(300, portfolio=PortfolioParams(threads=2)), batch(5)
    assert trace(large, weights)[:5] == trace(small, weights[:, :5])


def test_portfolios_go_on_to_the_next_episodes_and_a_seed_starts_them_anew():
    env = batch(6)
    first = env.reset(seed=1)[0]["row"].tolist()
    second = env.reset()[0]["row"].tolist()
    assert first != second
    assert env.reset(seed=1)[0]["row"].tolist() == first
    assert env.reset(seed=2)[0]["row"].tolist() != first


@pytest.mark.parametrize("normalise", ["simplex", "softmax"])
@pytest.mark.parametrize("observation", ["index", "window"])
def test_portfolio_observations_and_actions_fit_their_spaces(observation, normalise):
    env = batch(5, observation=observation, normalise=normalise)
    seen, info = env.reset(seed=0)
    env.action_space.seed(0)
    assert info == {}
    for _ in range(25):
        assert env.observation_space.contains(seen)
        actions = env.action_space.sample()
        assert actions.shape == (5, ASSETS + 1)
        seen, reward, terminated, truncated, _ = env.step(actions)
        assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        assert reward.shape == terminated.shape == truncated.shape == (5,)
        assert env.single_observation_space.contains({name: np.asarray(block[2]) for name, block in seen.items()})


def test_softmax_numbers_become_the_weights_held():
    env = batch(1, normalise="softmax", costs=CostParams(taker_bps=0, spread_bps=0), start="first", window=5)
    env.reset(seed=0)
    env.step(np.log([[1.0, 2.0, 3.0, 4.0]], dtype=np.float32))
    opened = env.simulator.units[0] * np.abs(env.panel.prices[:, env.simulator.row[0], 0])
    assert not env.panel.stale[:, env.simulator.row[0]].any()
    np.testing.assert_allclose(opened / opened.sum(), [2 / 9, 3 / 9, 4 / 9], rtol=1e-6)


def test_a_window_of_a_panel_holds_every_asset_up_to_the_row_that_has_closed():
    env = batch(3, observation="window")
    env.reset(seed=0)
    seen, *_ = env.step(random_weights(0, 1, 3)[0])
    assert seen["window"].shape == (3, 4, ASSETS, FEATURES)
    for i in range(3):
        row = int(env.simulator.row[i])
        for asset in range(ASSETS):
            assert seen["window"][i, :, asset].tolist() == features()[asset, row - 3 : row + 1].tolist()


def test_a_portfolio_observation_is_not_overwritten_by_the_next_step():
    env = batch(3)
    seen, _ = env.reset(seed=0)
    copy = {name: block.copy() for name, block in seen.items()}
    env.step(random_weights(0, 1, 3)[0])
    assert all(seen[name].tobytes() == copy[name].tobytes() for name in seen)


def test_the_account_row_shows_the_columns_asked_for_in_their_order():
    env = batch(2, account_columns=("drawdown", "weights"))
    seen, _ = env.reset(seed=0)
    assert env.account_names == ("drawdown", "weight.cash", "weight.A", "weight.B", "weight.C")
    assert seen["account"].tolist() == [[0.0, 1.0, 0.0, 0.0, 0.0]] * 2
    seen, *_ = env.step(random_weights(0, 1, 2)[0])
    np.testing.assert_allclose(seen["account"][:, 1:], env.simulator.weights, rtol=1e-6)


def test_a_portfolio_episode_ends_by_truncation_and_the_next_begins_in_the_same_step():
    env = batch(4)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    first, weights = env.reset(seed=0)[0]["row"], np.tile([0.0, 1.0, 0.0, 0.0], (4, 1))
    for _ in range(19):
        *_, truncated, info = env.step(weights)
        assert not truncated.any()
        assert info == {}
    seen, _, terminated, truncated, info = env.step(weights)
    assert (truncated.tolist(), terminated.tolist()) == ([True] * 4, [False] * 4)
    assert info["_final_obs"].tolist() == [True] * 4
    assert info["final_obs"]["row"].tolist() == (first + 20).tolist()
    assert (info["final_obs"]["account"][:, 0] < 0.1).all()  # invested at the end
    assert seen["row"].tolist() == env.simulator.row.tolist() != (first + 20).tolist()
    assert seen["account"].tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]] * 4
    assert env.simulator.equity.tolist() == [10_000.0] * 4


def test_the_stop_at_a_drawdown_is_a_termination():
    env = batch(1, start="first", episode_bars=0, portfolio=PortfolioParams(stop_drawdown=0.05))
    env.reset(seed=0)
    terminated = truncated = np.array([False])
    while not (terminated | truncated).any():
        _, _, terminated, truncated, info = env.step(np.array([[0.0, 1.0, 0.0, 0.0]]))
    assert (bool(terminated[0]), bool(truncated[0])) == (True, False)
    assert info["final_obs"]["account"][0, env.account_names.index("drawdown")] >= 0.05


def test_portfolio_costs_may_be_given_by_symbol():
    free = CostParams(taker_bps=0, spread_bps=0)
    env = batch(1, costs={"A": CostParams(taker_bps=100, spread_bps=0), "B": free, "C": free}, start="first", window=5)
    env.reset(seed=0)
    env.step(np.array([[0.0, 0.0, 1.0, 0.0]]))
    assert env.simulator.fee[0] == 0.0
    env.step(np.array([[0.0, 1.0, 0.0, 0.0]]))
    # All of B is sold for free, and all that it brought is spent on A.
    assert not env.panel.stale[:, env.simulator.row[0] - 1 : env.simulator.row[0] + 1].any()
    assert env.simulator.fee[0] == pytest.approx(0.01 * env.simulator.traded_notional[0] / 2, rel=1e-12)


def test_a_saved_portfolio_environment_goes_on_exactly():
    weights, env, other = random_weights(4, 60, 3), batch(3), batch(3)
    env.reset(seed=11)
    for now in weights[:30]:
        env.step(now)
    saved = env.state_dict()
    other.load_state_dict(saved)
    for now in weights[30:]:
        seen, reward, *_ = env.step(now)
        again, paid, *_ = other.step(now)
        assert reward.tobytes() == paid.tobytes()
        assert all(seen[name].tobytes() == again[name].tobytes() for name in seen)
    del saved["seed"]
    with pytest.raises(DataError, match="lacks"):
        other.load_state_dict(saved)


def test_the_first_portfolio_decision_waits_for_a_whole_warmed_up_window():
    assert batch(1, start="first", window=7).reset(seed=0)[0]["row"].tolist() == [READY + 6]


@pytest.mark.parametrize("rows", [[], RowRange(0, ROWS + 1), RowRange(0, 9), [RowRange(0, 50), RowRange(198, 199)]])
def test_rows_without_a_decision_are_refused(rows):
    with pytest.raises(ConfigError, match=r"no rows were given|hold no decision; allowed: within the 200 rows"):
        batch(1, rows)


def test_the_shortest_range_holds_one_decision():
    env = batch(1, RowRange(0, READY + 5), start="first")
    env.reset(seed=0)
    *_, truncated, _ = env.step(random_weights(0, 1, 1)[0])
    assert truncated.tolist() == [True]


def test_features_that_do_not_fit_are_refused():
    def made(block, ready=READY, observation="window"):
        params = PortfolioEnvironmentParams(observation=observation)
        return PortfolioVectorEnv(bars(), RowRange(0, ROWS), 1, features=block, ready=ready, params=params)

    with pytest.raises(ConfigError, match="observation 'window' was asked for without features"):
        made(None)
    with pytest.raises(DataError, match=r"float64 of shape \(3, 200, 2\); allowed: float32 of shape \(3, 200\)"):
        made(features().astype(np.float64))
    with pytest.raises(DataError, match=r"shape \(2, 200, 2\)"):
        made(features()[:2])
    with pytest.raises(DataError, match="features from row 4 on are not all finite"):
        made(features(), READY - 1)
    made(None, observation="index")


def test_actions_off_the_simplex_and_steps_before_a_reset_are_refused():
    env = batch(2)
    with pytest.raises(InvariantError, match="before it was reset"):
        env.step(random_weights(0, 1, 2)[0])
    env.reset(seed=0)
    with pytest.raises(InvariantError, match=r"action \[1\.0, 1\.0, 0\.0, 0\.0\] of account 1"):
        env.step(np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]))


def test_samples_of_a_simplex_are_uniform_on_it_and_it_knows_what_lies_on_it():
    space = Simplex((20_000, 3), seed=0)
    drawn = space.sample()
    assert space.contains(drawn)
    assert drawn.dtype == np.float32
    # Of a uniform draw each weight has mean 1/3 and variance 1/18.
    np.testing.assert_allclose(drawn.mean(axis=0), 1 / 3, atol=0.01)
    np.testing.assert_allclose(drawn.var(axis=0), 1 / 18, atol=0.002)
    one = Simplex((3,))
    assert one.contains(np.array([0.2, 0.3, 0.5]))
    for wrong in ([0.2, 0.3, 0.6], [1.2, -0.2, 0.0], [np.nan, 0.5, 0.5], [0.5, 0.5]):
        assert not one.contains(np.array(wrong))
    with pytest.raises(InvariantError, match="sampled with mask"):
        one.sample(mask=np.ones(3))


@pytest.mark.parametrize("reward", ["log_growth", "scaled_return"])
def test_a_step_from_one_rebalancing_to_the_next_is_its_bars_one_by_one(reward):
    accounts = PortfolioParams(rebalance_every=4, stop_drawdown=0.08, reward=reward)
    chosen = {"episode_bars": 18, "portfolio": accounts}
    long, short = batch(6, decide_at="rebalancings", **chosen), batch(6, **chosen)
    long.reset(seed=3)
    short.reset(seed=3)
    ended = np.zeros(6, dtype=bool)
    for weights in random_weights(2, 5, 6):
        step = long.advance(weights)
        sums = np.zeros((4, 6))
        for _ in range(4):
            one = short.advance(weights)
            sums += one.reward, *short.last_bar
        np.testing.assert_allclose(np.stack([step.reward, *long.last_bar]), sums, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(long.simulator.equity, short.simulator.equity)
        assert (step.terminated == one.terminated).all()
        assert (step.truncated == one.truncated).all()
        ended |= step.terminated | step.truncated
    # Five steps of four bars reach behind the 18 of an episode.
    assert ended.all()


def test_one_portfolio_is_stepped_bar_by_bar():
    with pytest.raises(ConfigError, match="decide_at is 'rebalancings'"):
        single(decide_at="rebalancings")
