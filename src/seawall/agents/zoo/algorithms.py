"""From settings of the zoo to arguments of Stable-Baselines3 and sb3-contrib."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from sb3_contrib import QRDQN, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm

from seawall.agents.schedule import Schedule
from seawall.agents.zoo.params import OWN_SETTINGS, ZooParams
from seawall.core.errors import ConfigError

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {
    "DQN": DQN,
    "PPO": PPO,
    "A2C": A2C,
    "SAC": SAC,
    "QRDQN": QRDQN,
    "RecurrentPPO": RecurrentPPO,
}

_ARGUMENTS = {
    "entropy_coefficient": "ent_coef",
    "value_coefficient": "vf_coef",
    "max_gradient_norm": "max_grad_norm",
    "minibatch": "batch_size",
    "train_every": "train_freq",
    "target_every": "target_update_interval",
    "target_tau": "tau",
    "epsilon_start": "exploration_initial_eps",
    "epsilon_end": "exploration_final_eps",
    "epsilon_fraction": "exploration_fraction",
}
_OF_THE_POLICY = {"quantiles": "n_quantiles", "lstm_units": "lstm_hidden_size", "lstm_layers": "n_lstm_layers"}
_MANAGED = (
    "self",
    "policy",
    "env",
    "learning_rate",
    "gamma",
    "seed",
    "device",
    "verbose",
    "policy_kwargs",
    "tensorboard_log",
    "stats_window_size",
    "action_noise",
    "rollout_buffer_class",
    "rollout_buffer_kwargs",
    "replay_buffer_class",
    "replay_buffer_kwargs",
    "_init_setup_model",
)
# Noise that depends on the state keeps matrices that neither a bundle nor a checkpoint would hold; sums of n rewards do not exist
# for observations in several parts.
_UNFIT = ("use_sde", "sde_sample_freq", "use_sde_at_warmup", "n_steps", "optimize_memory_usage")


def policy_name(algorithm: str) -> str:
    """Return the policy of an algorithm for observations in several parts."""
    return "MultiInputLstmPolicy" if algorithm == "RecurrentPPO" else "MultiInputPolicy"


def check_options(algorithm: str, options: Mapping[str, Any]) -> None:
    """Refuse options that the algorithm's constructor does not take, or that a setting has already.

    Raises:
        ConfigError: The message lists what is allowed.
    """
    taken = {name: _ARGUMENTS.get(name, name) for name in OWN_SETTINGS[algorithm]}
    settings = {argument: name for name, argument in taken.items()} | {name: name for name in ("learning_rate", "gamma")}
    allowed = sorted(set(inspect.signature(ALGORITHMS[algorithm].__init__).parameters) - {*_MANAGED, *_UNFIT, *settings})
    for option in options:
        if option in settings:
            raise ConfigError(f"option {option!r} of {algorithm} is the setting {settings[option]}; set that")
        if option not in allowed:
            raise ConfigError(f"{algorithm} takes no option {option!r}; allowed: {', '.join(allowed)}")


def learning_schedule(start: float, schedule: Schedule) -> Callable[[float], float]:
    """Return the learning rate as a function of the share of a training that is left."""
    return lambda left: start * left if schedule == "linear" else start


def algorithm_arguments(params: ZooParams) -> dict[str, Any]:
    """Return the arguments of an algorithm's constructor, without policy, environment, seed and device."""
    given = {name: getattr(params, name) for name in OWN_SETTINGS[params.algorithm] if name not in _OF_THE_POLICY}
    own = {_ARGUMENTS.get(name, name): value for name, value in given.items() if value is not None}
    rate = learning_schedule(params.learning_rate, params.learning_rate_schedule)
    return {"learning_rate": rate, "gamma": params.gamma, **own, **params.options}


def policy_arguments(params: ZooParams) -> dict[str, Any]:
    """Return the arguments of an algorithm's policy, without the features extractor; a new dictionary."""
    given = {argument: getattr(params, name) for name, argument in _OF_THE_POLICY.items()}
    return {"net_arch": list(params.hidden), **{argument: value for argument, value in given.items() if value is not None}}
