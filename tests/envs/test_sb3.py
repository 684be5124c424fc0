"""The face for Stable-Baselines3 shows what the batch does, bit for bit, in the form that library expects."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from small_worlds import FEATURES, ROWS, batch, random_actions, world
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import RowRange
from seawall.core.rows import ROW_BASE, split_rows
from seawall.envs.params import EnvironmentParams
from seawall.envs.sb3 import SB3VecEnv
from seawall.envs.vector import TradingVectorEnv
from seawall.simulator.actions.registry import ACTION_SCHEMES, action_scheme
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.settings import SimulatorParams

ACCOUNT = 6  # four account features and two numbers of the guard


def face(n: int, kind: str, **settings: object) -> SB3VecEnv:
    return SB3VecEnv(batch(n, **settings), kind)


def with_scheme(name: str, n: int = 3, kind: str = "flat") -> SB3VecEnv:
    params = EnvironmentParams(window=4, episode_bars=20)
    return SB3VecEnv(TradingVectorEnv(world(), RowRange(0, ROWS), n, action_scheme(name, short=True), params=params), kind)


def end_of_the_episode(env: SB3VecEnv, action: int) -> dict:
    """The details with which the episode of the first account ends, one action being taken all the time."""
    for _ in range(ROWS):
        _, _, done, infos = env.step(np.array([action]))
        if done[0]:
            return infos[0]
    raise AssertionError("the episode does not end")


@pytest.mark.parametrize("start", ["flat", "random"])
def test_it_equals_the_batch_bit_for_bit_through_ends_of_episodes(start):
    seen_by, plain = face(7, "window", start_exposure=start), batch(7, observation="window", start_exposure=start)
    seen_by.seed(4)
    seen, wanted = seen_by.reset(), plain.reset(seed=4)[0]
    ends = 0
    for now in random_actions(3, 90, 7):
        assert seen.keys() == wanted.keys() == {"window", "account"}
        assert all(seen[name].tobytes() == wanted[name].tobytes() for name in wanted)
        seen, reward, done, infos = seen_by.step(now)
        wanted, paid, terminated, truncated, info = plain.step(now)
        assert (reward.dtype, done.dtype) == (np.float32, np.bool_)
        assert reward.tobytes() == paid.astype(np.float32).tobytes()
        assert done.tolist() == (terminated | truncated).tolist()
        for i in np.flatnonzero(done):
            ends += 1
            last = infos[i]["terminal_observation"]
            assert all(last[name].tobytes() == info["final_obs"][name][i].tobytes() for name in wanted)
            assert infos[i]["TimeLimit.truncated"] is bool(truncated[i] and not terminated[i])
    assert ends == 7 * 4


def test_flat_and_index_observations_show_what_windows_show():
    window, flat, index = face(3, "window"), face(3, "flat"), face(3, "index")
    space = window.observation_space
    assert flat.observation_space == gymnasium.spaces.Box(-np.inf, np.inf, (ACCOUNT + 4 * FEATURES,), np.float32)
    for env in (window, flat, index):
        env.seed(1)
    shown = [env.reset() for env in (window, flat, index)]
    for now in random_actions(8, 45, 3):
        whole, line, rows = shown
        for i in range(3):
            one = {name: block[i] for name, block in whole.items()}
            assert gymnasium.spaces.flatten(space, one).tobytes() == line[i].tobytes()
        assert rows["account"].tobytes() == whole["account"].tobytes()
        assert (rows["row"] @ [ROW_BASE, 1]).tolist() == index.batch.simulator.row.tolist()
        stepped = [env.step(now) for env in (window, flat, index)]
        shown = [step[0] for step in stepped]
        for i in np.flatnonzero(stepped[0][2]):
            one, line, row = (step[3][i]["terminal_observation"] for step in stepped)
            assert gymnasium.spaces.flatten(space, one).tobytes() == line.tobytes()
            assert row["account"].tobytes() == one["account"].tobytes()


@pytest.mark.parametrize("kind", ["index", "window", "flat"])
@pytest.mark.parametrize("scheme", ACTION_SCHEMES)
def test_observations_fit_their_spaces_whatever_the_actions_mean(scheme, kind):
    env = with_scheme(scheme, kind=kind)
    env.action_space.seed(0)
    seen = env.reset()
    for _ in range(25):
        ones = [{name: block[i] for name, block in seen.items()} for i in range(3)] if isinstance(seen, dict) else list(seen)
        assert all(env.observation_space.contains(one) for one in ones)
        seen, *_ = env.step(np.array([env.action_space.sample() for _ in range(3)]))


def test_the_space_of_an_index_does_not_depend_on_the_market_so_that_a_model_fits_another_one():
    small, large = face(1, "index"), face(1, "index", market=world(rows=900))
    assert small.observation_space == large.observation_space


def test_rows_are_told_exactly_beyond_what_one_float32_holds():
    rows = np.array([0, 65_535, 65_536, 2**24 + 1, 2**31 + 7, 2**40 - 1])
    told = split_rows(rows)
    assert told.dtype == np.float32
    assert (told.astype(np.int64) @ [ROW_BASE, 1]).tolist() == rows.tolist()
    assert int(np.float32(2**24 + 1)) == 2**24  # which is why there are two numbers


def test_ruin_is_no_time_limit_and_the_last_row_is_one():
    market = world(rows=60)
    market.prices[30:, :4] *= 10.0
    env = face(1, "index", market=market, rows=RowRange(0, 60), start="first", episode_bars=0)
    env.reset()
    sold, held = (end_of_the_episode(env, action) for action in (0, 2))
    assert sold["TimeLimit.truncated"] is False
    assert (sold["account"]["equity"], sold["account"]["drawdown"]) == (0.0, 1.0)
    assert held["TimeLimit.truncated"] is True
    assert held["account"]["equity"] == 10_000.0


@pytest.mark.filterwarnings("ignore:The environment is already wrapped with a `Monitor`")
def test_the_statistics_of_an_episode_are_those_that_a_monitor_would_write():
    env, watched = face(4, "flat"), VecMonitor(face(4, "flat"))
    for one in (env, watched):
        one.seed(2)
        one.reset()
    seen = 0
    for now in random_actions(6, 60, 4):
        _, _, done, infos = env.step(now)
        _, _, _, others = watched.step(now)
        for i in np.flatnonzero(done):
            seen += 1
            assert infos[i]["episode"]["l"] == others[i]["episode"]["l"] == 20
            assert infos[i]["episode"]["r"] == pytest.approx(float(others[i]["episode"]["r"]), abs=1e-6)
            assert infos[i]["episode"]["t"] >= 0.0
    assert seen == 12


def test_the_terms_of_the_reward_add_up_to_the_return_of_their_own_episode():
    weights = {"log_return": 1.0, "drawdown": 0.5}
    env = face(3, "flat", simulator=SimulatorParams(reward=RewardParams(weights=weights)))
    env.reset()
    ended = []
    for now in random_actions(1, 40, 3):
        ended += [one for one in env.step(now)[3] if one]
    assert len(ended) == 6
    for one in ended:
        terms = one["account"]["reward_terms"]
        assert set(terms) == set(weights)
        assert terms["drawdown"] != 0.0
        assert sum(terms.values()) == pytest.approx(one["episode"]["r"], abs=1e-12)
        assert terms["log_return"] == pytest.approx(np.log(one["account"]["equity"] / 10_000.0), abs=1e-12)


def test_details_are_empty_and_the_same_ones_until_an_episode_ends():
    env = face(3, "flat", episode_bars=5)
    env.reset()
    steps = [env.step(np.ones(3, dtype=int))[3] for _ in range(6)]
    assert all(infos == [{}, {}, {}] for infos in (*steps[:4], steps[5]))
    assert steps[0] is steps[3] is steps[5]
    assert len({id(one) for one in steps[0]}) == 3
    assert [set(one) for one in steps[4]] == [{"terminal_observation", "TimeLimit.truncated", "episode", "account"}] * 3


def test_what_a_caller_wrote_into_a_detail_does_not_come_back():
    env = face(2, "flat")
    env.reset()
    infos = env.step(np.ones(2, dtype=int))[3]
    infos[1]["note"] = 1
    assert env.step(np.ones(2, dtype=int))[3] == [{}, {}]


def test_no_step_overwrites_what_another_returned():
    for kind in ("index", "window", "flat"):
        env = face(3, kind)
        first = env.reset()
        blocks = list(first.values()) if isinstance(first, dict) else [first]
        copies = [block.copy() for block in blocks]
        for _ in range(4):
            env.step(np.ones(3, dtype=int))
        assert all(block.tobytes() == copy.tobytes() for block, copy in zip(blocks, copies, strict=True))


def test_illegal_moves_of_an_episode_are_told_at_its_end():
    env = with_scheme("hold_long_short_close", n=2)
    env.reset()
    for step in range(20):
        *_, infos = env.step(np.array([3, 0]) if step < 7 else np.array([0, 0]))
    assert [one["account"]["illegal_moves"] for one in infos] == [7, 0]


def test_a_seed_starts_the_episodes_anew_and_none_goes_on():
    env = face(4, "index")
    env.seed(9)
    first = env.reset()["row"].tolist()
    second = env.reset()["row"].tolist()
    assert first != second
    assert env.seed(9) == [9, 10, 11, 12]
    assert env.reset()["row"].tolist() == first
    assert env.batch.reset(seed=9)[0]["row"].tolist() == [int(parts[0]) * ROW_BASE + int(parts[1]) for parts in first]


def test_masks_are_asked_of_all_accounts_or_of_some():
    env = with_scheme("hold_long_short_close")
    env.reset()
    env.step(np.array([1, 0, 2]))
    assert env.has_attr("action_masks")
    flat, held = [True, True, True, False], [True, False, False, True]
    assert [mask.tolist() for mask in env.env_method("action_masks")] == [held, flat, held]
    assert [mask.tolist() for mask in env.env_method("action_masks", indices=[1, 2])] == [flat, held]
    assert [masks().tolist() for masks in env.get_attr("action_masks", indices=1)] == [flat]


def test_there_are_no_masks_where_actions_are_numbers():
    env = with_scheme("continuous_target")
    assert not env.has_attr("action_masks")
    with pytest.raises(AttributeError, match="no attribute 'action_masks'"):
        env.env_method("action_masks")


def test_attributes_of_accounts_are_read_and_costs_and_new_ones_are_set():
    env = face(3, "flat")
    env.reset()
    env.step(np.array([1, 1, 2]))
    assert env.get_attr("equity") == env.batch.simulator.equity.tolist()
    assert env.get_attr("target", indices=[0, 2]) == [1.0, 0.0]
    assert env.get_attr("render_mode") == [None] * 3
    env.set_attr("cost_multiple", 2.5, indices=[1])
    assert env.batch.simulator.cost_multiple.tolist() == [1.0, 2.5, 1.0]
    env.set_attr("tag", "a")
    assert env.get_attr("tag") == ["a"] * 3


@pytest.mark.parametrize("name", ["equity", "action_masks"])
def test_the_state_of_an_account_cannot_be_set(name):
    with pytest.raises(AttributeError, match=f"'{name}' of an account cannot be set; of its state only 'cost_multiple' can"):
        face(2, "flat").set_attr(name, 1.0)


def test_unknown_attributes_and_methods_are_refused():
    env = face(2, "flat")
    assert not env.has_attr("wealth")
    with pytest.raises(AttributeError, match="an account has no attribute 'wealth'"):
        env.get_attr("wealth")


def test_an_unknown_kind_of_observation_is_refused():
    with pytest.raises(ConfigError, match=r"observation 'rows' is unknown; allowed: \('index', 'window', 'flat'\)"):
        face(1, "rows")


def test_the_kind_of_the_batch_is_the_default():
    assert SB3VecEnv(batch(1)).observation == "index"
    assert SB3VecEnv(batch(1, observation="window")).observation == "window"


def test_waiting_for_a_step_that_was_not_begun_is_refused():
    env = face(1, "flat")
    env.reset()
    env.step(np.array([1]))
    with pytest.raises(InvariantError, match="step_wait was called without step_async"):
        env.step_wait()


def test_its_own_statistics_serve_evaluation_without_a_warning(recwarn):
    env = face(2, "flat")
    assert env.env_is_wrapped(Monitor) == [True, True]
    assert env.env_is_wrapped(gymnasium.Wrapper, indices=0) == [False]

    class Long:
        def predict(self, observations, state=None, episode_start=None, deterministic=True):
            return np.ones(len(observations), dtype=int), None

    rewards, lengths = evaluate_policy(Long(), env, n_eval_episodes=4, return_episode_rewards=True)
    assert lengths == [20] * 4
    assert len(set(rewards)) > 1
    assert not list(recwarn)


def test_wrappers_of_the_library_work_around_it():
    env = VecNormalize(face(3, "window"), norm_obs_keys=["account"], norm_reward=True)
    seen = env.reset()
    for now in random_actions(0, 25, 3):
        seen, reward, _, _ = env.step(now)
    assert seen["window"].shape == (3, 4, FEATURES)
    assert np.isfinite(reward).all()
    env.close()
