"""Settings of the zoo: each algorithm has its own, and what it has no use for is refused by name."""

from __future__ import annotations

import inspect

import pytest

from seawall.agents.zoo import ZooParams
from seawall.agents.zoo.algorithms import ALGORITHMS, algorithm_arguments, policy_arguments
from seawall.agents.zoo.params import OWN_SETTINGS
from seawall.core.errors import ConfigError


@pytest.mark.parametrize("algorithm", OWN_SETTINGS)
def test_every_argument_is_one_that_the_algorithm_and_its_policy_take(algorithm):
    params = ZooParams(algorithm=algorithm)
    assert set(algorithm_arguments(params)) <= set(inspect.signature(ALGORITHMS[algorithm].__init__).parameters)
    policy = next(iter(ALGORITHMS[algorithm].policy_aliases.values()))
    assert set(policy_arguments(params)) <= set(inspect.signature(policy.__init__).parameters)


@pytest.mark.parametrize("algorithm", OWN_SETTINGS)
def test_settings_left_out_or_null_are_the_algorithms_own_and_are_saved_resolved(algorithm):
    params = ZooParams(algorithm=algorithm, **dict.fromkeys(OWN_SETTINGS[algorithm]))
    assert {name: getattr(params, name) for name in OWN_SETTINGS[algorithm]} == OWN_SETTINGS[algorithm]
    assert ZooParams(**params.model_dump(mode="json")) == params == ZooParams(algorithm=algorithm)


def test_the_designs_values_reach_the_library():
    arguments = algorithm_arguments(ZooParams(algorithm="QRDQN", learning_rate=1e-5, minibatch=256, epsilon_end=0.1))
    assert arguments["learning_rate"](0.3) == 1e-5
    chosen = {name: arguments[name] for name in ("batch_size", "exploration_final_eps", "buffer_size", "target_update_interval")}
    assert chosen == {"batch_size": 256, "exploration_final_eps": 0.1, "buffer_size": 100_000, "target_update_interval": 10_000}
    assert policy_arguments(ZooParams(algorithm="QRDQN")) == {"net_arch": [64], "n_quantiles": 200}
    assert "ent_coef" not in algorithm_arguments(ZooParams(algorithm="SAC"))


def test_a_linear_learning_rate_falls_with_what_is_left():
    rate = algorithm_arguments(ZooParams(learning_rate=0.4, learning_rate_schedule="linear"))["learning_rate"]
    assert [rate(1.0), rate(0.5), rate(0.0)] == [0.4, 0.2, 0.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "DQN", "clip_range": 0.1}, "DQN has no setting clip_range; allowed beside those of all: buffer_size, "),
        ({"algorithm": "A2C", "n_epochs": 3}, "A2C has no setting n_epochs; allowed beside those of all: n_steps, gae_lambda"),
        ({"algorithm": "PPO", "quantiles": 9, "lstm_units": 8}, "PPO has no setting lstm_units, quantiles"),
        ({"algorithm": "TD3"}, "'DQN', 'PPO', 'A2C', 'SAC', 'QRDQN' or 'RecurrentPPO'"),
        ({"algorithm": "PPO", "minibatch": 100}, "minibatch 100 does not divide the 16384 samples"),
        ({"algorithm": "DQN", "buffer_size": 4}, "buffer_size is 4; allowed: at least n_envs 8"),
        ({"algorithm": "PPO", "n_envs": 1, "n_steps": 1, "minibatch": 2}, "minibatch 2 does not divide the 1 samples"),
        ({"algorithm": "RecurrentPPO", "n_envs": 1, "n_steps": 1}, "advantages cannot be normalised"),
        ({"hidden": (8, 0)}, "widths of at least 1"),
        ({"options": {"batch_size": 8}}, "option 'batch_size' of PPO is the setting minibatch; set that"),
        ({"options": {"gamma": 0.5}}, "option 'gamma' of PPO is the setting gamma; set that"),
        ({"options": {"clip": 8}}, "PPO takes no option 'clip'; allowed: clip_range_vf, normalize_advantage"),
        ({"options": {"use_sde": True}}, "PPO takes no option 'use_sde'"),
        ({"options": {"verbose": 1}}, "PPO takes no option 'verbose'"),
        ({"algorithm": "SAC", "options": {"clip_range_vf": 1.0}}, "SAC takes no option 'clip_range_vf'; allowed: target_entropy"),
    ],
)
def test_what_an_algorithm_has_no_use_for_is_refused_saying_what_is_allowed(settings, message):
    with pytest.raises(ValueError, match=message):
        ZooParams(**settings)


def test_an_option_reaches_the_library():
    assert algorithm_arguments(ZooParams(options={"clip_range_vf": 0.3}))["clip_range_vf"] == 0.3
    assert algorithm_arguments(ZooParams(algorithm="A2C", options={"use_rms_prop": False}))["use_rms_prop"] is False


def test_without_the_libraries_the_message_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr("seawall.agents.zoo.params.find_spec", lambda name: None if name == "sb3_contrib" else object())
    from seawall.agents.zoo.params import require_zoo

    with pytest.raises(ConfigError, match=r"agent zoo needs sb3_contrib; install them with: pip install .*\[zoo\]"):
        require_zoo()
