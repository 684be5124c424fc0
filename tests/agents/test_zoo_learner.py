"""The zoo trains as the libraries do, is resumed bit for bit, and leaves the global generators alone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from stable_baselines3.common.vec_env import VecNormalize
from zoo_toys import MARKET, NETWORK, SMALL, WINDOW, N, captured, face, scheme_of, seen, settings, zoo

from seawall.agents.bundle import weights_hash
from seawall.agents.sb3_gathering import FeatureSource
from seawall.agents.state import host_weights
from seawall.agents.zoo.algorithms import ALGORITHMS, algorithm_arguments, policy_name
from seawall.agents.zoo.learner import Zoo
from seawall.agents.zoo.network import policy_keywords, zoo_seed
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.files import to_json
from seawall.nets.lstm import LstmParams
from seawall.nets.tcn import TcnParams


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("algorithm", SMALL)
def test_updates_end_with_the_weights_of_the_librarys_own_learn(algorithm):
    learner = zoo(algorithm, 3, learning_rate_schedule="linear")
    while learner.steps < learner.total_steps:
        learner.update()
    params = learner.params
    env = VecNormalize(face(scheme_of(algorithm)), norm_obs=False, gamma=params.gamma)
    keywords = policy_keywords(params, "conv", NETWORK, FeatureSource(MARKET), WINDOW)
    model = ALGORITHMS[algorithm](
        policy_name(algorithm), env, policy_kwargs=keywords, seed=zoo_seed(3), device="cpu", **algorithm_arguments(params)
    )
    fresh = weights_hash(host_weights(model.policy))
    model.learn(params.total_steps)
    learned = weights_hash(host_weights(model.policy))
    assert learner.steps == model.num_timesteps
    assert fresh != learned
    assert weights_hash(host_weights(learner.model.policy)) == learned


@pytest.mark.parametrize("algorithm", SMALL)
def test_a_resumed_learner_ends_with_the_weights_of_one_never_stopped(algorithm, tmp_path):
    whole = zoo(algorithm, 5)
    for _ in range(5):
        whole.update()
    stopped = zoo(algorithm, 5)
    for _ in range(2):
        stopped.update()
    tensors, values = stopped.state()
    save_file(tensors, tmp_path / "state.safetensors")
    resumed = zoo(algorithm, 77)
    resumed.load_state(load_file(tmp_path / "state.safetensors"), json.loads(to_json(values)))
    for _ in range(3):
        last = resumed.update()
    assert weights_hash(resumed.weights()) == weights_hash(whole.weights())
    assert resumed.steps == whole.steps == last["steps"]


@pytest.mark.parametrize("algorithm", SMALL)
def test_an_update_tells_what_was_learned_by_readable_names(algorithm):
    learner = zoo(algorithm)
    for _ in range(2):
        told = learner.update()
    assert all(np.isfinite(value) for name, value in told.items() if name != "explained_variance")
    expected = {
        "PPO": {"loss", "policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "explained_variance"},
        "A2C": {"policy_loss", "value_loss", "entropy", "explained_variance"},
        "DQN": {"loss", "epsilon"},
        "SAC": {"actor_loss", "critic_loss", "temperature", "action_mean", "action_deviation"},
    }
    expected |= {"RecurrentPPO": expected["PPO"], "QRDQN": expected["DQN"]}
    common = {"mean_reward", "episode_reward", "steps", "steps_per_second", "learning_rate", "gradient_updates"}
    assert expected[algorithm] | common <= set(told)
    if algorithm != "SAC":
        assert sum(told[f"action_share_{action}"] for action in range(3)) == pytest.approx(1.0)
    assert told["steps"] == learner.steps >= 192


def test_the_global_generators_are_as_if_the_zoo_had_never_drawn():
    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002 (the library draws from it)

    for source in (random.seed, np.random.seed, torch.manual_seed):
        source(4)
    expected = [drawn(), drawn()]
    for source in (random.seed, np.random.seed, torch.manual_seed):
        source(4)
    learner = zoo("DQN")
    first = drawn()
    learner.update()
    assert [first, drawn()] == expected


def test_what_others_draw_in_between_does_not_change_what_is_learned():
    quiet, disturbed = zoo("PPO"), zoo("PPO")
    for learner in (quiet, disturbed):
        learner.update()
        if learner is disturbed:
            torch.manual_seed(99)
            np.random.seed(99)  # noqa: NPY002 (the library draws from it)
        learner.update()
    assert weights_hash(quiet.weights()) == weights_hash(disturbed.weights())


@pytest.mark.parametrize("network", [("lstm", LstmParams(units=8, layers=1)), ("tcn", TcnParams())])
def test_gradients_reach_every_weight_of_an_lstm_and_a_tcn_over_the_window(network):
    learner = zoo("PPO", network=network, total_steps=64, update_steps=64)
    before = learner.weights()
    learner.update()
    after = learner.weights()
    inside = [name for name in before if ".encoder." in name and before[name].is_floating_point() and "extra_state" not in name]
    assert inside
    still = [name for name in inside if torch.equal(before[name], after[name])]
    assert still == []


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_ppo_captures_most_of_what_a_planted_market_pays(seed):
    learner = zoo(
        "PPO", seed, total_steps=6_000, update_steps=1_500, n_envs=8, n_steps=32, minibatch=64, learning_rate=5e-3, gamma=0.5
    )
    while learner.steps < learner.total_steps:
        learner.update()
    assert captured(learner) > 0.9


@pytest.mark.slow
def test_dqn_captures_most_of_what_a_planted_market_pays():
    replay = {"buffer_size": 4_000, "learning_starts": 200, "minibatch": 64, "target_every": 200, "train_every": 1}
    learner = zoo("DQN", total_steps=4_000, update_steps=1_000, learning_rate=3e-3, gamma=0.3, **replay)
    while learner.steps < learner.total_steps:
        learner.update()
    assert captured(learner) > 0.9


def test_rewards_are_told_as_the_environment_gave_them():
    scaled, plain = zoo("A2C", normalise_reward=True, update_steps=32), zoo("A2C", normalise_reward=False, update_steps=32)
    assert scaled.update()["mean_reward"] == pytest.approx(plain.update()["mean_reward"], abs=MARKET_MOVE)
    assert abs(plain.update()["mean_reward"]) < MARKET_MOVE


MARKET_MOVE = 0.01  # no bar moves by more than this, and a scaled reward is about 1


def test_the_worth_of_a_unit_of_value_is_saved_with_the_weights_and_restored():
    learner, again = zoo("DQN"), zoo("DQN")
    assert float(learner.weights()["reward_scale"]) == 1.0
    learner.update()
    scale = float(learner.weights()["reward_scale"])
    assert 0.0 < scale < 0.1  # no bar moves by more than 0.01
    again.load_state(*learner.state())
    assert float(again.weights()["reward_scale"]) == scale
    rows = seen(np.arange(10, 20))
    values = learner.policy().act(rows)[1]["values"]
    learner.network.reward_scale.fill_(1.0)
    assert values == pytest.approx(scale * learner.policy().act(rows)[1]["values"], rel=1e-6)


def test_an_environment_of_another_size_is_refused():
    with pytest.raises(ConfigError, match="n_envs is 4 and the environment steps 2"):
        Zoo(face("target_exposure", 2), settings("PPO"), "conv", NETWORK, market=MARKET, window=WINDOW, seed=0)


@pytest.mark.parametrize(
    ("algorithm", "scheme", "message"),
    [
        (
            "SAC",
            "target_exposure",
            "3 numbered actions; choose the scheme thresholded or continuous_target, or an algorithm out of",
        ),
        (
            "DQN",
            "thresholded",
            "takes a number; choose a scheme with numbered actions, as hold_long_short_close, or the algorithm SAC",
        ),
    ],
)
def test_a_scheme_that_the_algorithm_cannot_act_on_is_refused(algorithm, scheme, message):
    with pytest.raises(ConfigError, match=message):
        Zoo(face(scheme, N), settings(algorithm), "conv", NETWORK, market=MARKET, window=WINDOW, seed=0)


def test_a_checkpoint_with_another_replay_is_refused():
    stopped = zoo("DQN", buffer_size=480)
    for _ in range(5):
        stopped.update()
    tensors, values = stopped.state()
    with pytest.raises(DataError, match="n_envs and buffer_size must be those of the training that was stopped"):
        zoo("DQN", buffer_size=120).load_state(tensors, values)


def test_a_checkpoint_of_another_network_is_refused_naming_the_shapes():
    tensors, values = zoo("PPO").state()
    with pytest.raises(DataError, match=r"mlp_extractor.policy_net.0.weight: network \(9, 17\), saved \(8, 17\)"):
        zoo("PPO", hidden=(9,)).load_state(tensors, values)


@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
def test_divergence_stops_the_training_and_names_the_learning_rate(algorithm):
    learner = zoo(algorithm, update_steps=200)
    with torch.no_grad():
        for parameter in learner.model.policy.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(InvariantError, match="lower learning_rate"):
        learner.update()


@pytest.mark.parametrize("algorithm", list(SMALL))
def test_what_a_diverging_training_learned_from_is_saved_with_the_cause(algorithm, tmp_path):
    learner = zoo(algorithm)
    learner.failure_folder = tmp_path
    learner.update()
    learner.model.lr_schedule = lambda _left: float("nan")
    with pytest.raises(InvariantError, match=r"training diverged at step \d+: .*the batch is saved in "):
        learner.update()
    (folder,) = tmp_path.iterdir()
    kept = load_file(folder / "batch.safetensors")
    told = json.loads((folder / "batch.json").read_text(encoding="utf-8"))
    assert told["cause"].startswith(f"training diverged at step {learner.steps}")
    assert told["settings"]["algorithm"] == algorithm
    rows = kept["observations_row"].numpy()
    assert rows.min() >= WINDOW - 1
    assert rows.max() < len(MARKET)
    assert len(kept["rewards"].flatten()) == rows.size
    assert kept["rewards"].isfinite().all()
    assert kept["rewards"].std() > 0.0
