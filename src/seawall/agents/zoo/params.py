"""The settings of the zoo: one class for six algorithms, each of which takes those that it has a use for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import Field, model_validator

from seawall.agents.schedule import Schedule
from seawall.core.errors import ConfigError
from seawall.core.params import Params, as_value_error

Algorithm = Literal["DQN", "PPO", "A2C", "SAC", "QRDQN", "RecurrentPPO"]

_ON_POLICY = {"n_steps": 2_048, "gae_lambda": 0.95, "entropy_coefficient": 0.01, "value_coefficient": 0.5, "max_gradient_norm": 0.5}
_CLIPPED = {**_ON_POLICY, "minibatch": 128, "n_epochs": 10, "clip_range": 0.2, "target_kl": None}
_OFF_POLICY = {"buffer_size": 100_000, "learning_starts": 1_000, "minibatch": 128, "gradient_steps": 1}
_Q_LEARNING = {
    **_OFF_POLICY,
    "train_every": 4,
    "target_every": 10_000,
    "target_tau": 1.0,
    "epsilon_start": 1.0,
    "epsilon_end": 0.05,
    "epsilon_fraction": 0.1,
    "max_gradient_norm": 10.0,
}
OWN_SETTINGS: dict[str, dict[str, Any]] = {
    "PPO": _CLIPPED,
    "A2C": {**_ON_POLICY, "n_steps": 5, "gae_lambda": 1.0},
    "RecurrentPPO": {**_CLIPPED, "n_steps": 128, "lstm_units": 256, "lstm_layers": 1},
    "DQN": _Q_LEARNING,
    "QRDQN": {**_Q_LEARNING, "quantiles": 200},
    "SAC": {**_OFF_POLICY, "train_every": 1, "target_every": 1, "target_tau": 0.005, "entropy_coefficient": None},
}
"""The settings that each algorithm has beside those of all, and what they are where nothing is said."""
CONTINUOUS: tuple[str, ...] = ("SAC",)
"""Algorithms whose action is a number; the others choose among numbered actions."""


class ZooParams(Params):
    """Settings of an algorithm of Stable-Baselines3 or sb3-contrib.

    A setting that is null, and one that is left out, has the value of `OWN_SETTINGS`. One that the algorithm has no use for is
    refused.
    """

    algorithm: Algorithm = Field(default="PPO", description="DQN, PPO, A2C, SAC, QRDQN or RecurrentPPO; SAC acts by a number")
    total_steps: int = Field(default=1_000_000, ge=1, description="environment steps of the whole training, over all environments")
    n_envs: int = Field(default=8, ge=1, le=65_536, description="environments stepped together")
    update_steps: int = Field(
        default=4_096, ge=1, description="environment steps between diagnostics, over all environments, made up to whole rollouts"
    )
    learning_rate: float = Field(default=3e-4, gt=0, le=1, description="Adam's step size at the start, or RMSprop's of A2C")
    learning_rate_schedule: Schedule = Field(default="constant", description="linear falls to 0 at total_steps")
    gamma: float = Field(default=0.99, ge=0, le=1, description="discount per bar")
    hidden: tuple[int, ...] = Field(default=(64,), description="widths of the dense layers between encoder and outputs")
    normalise_reward: bool = Field(
        default=True, description="divide rewards by the running deviation of their discounted sum, as VecNormalize does"
    )
    n_steps: int | None = Field(default=None, ge=1, le=65_536, description="steps of each environment between updates")
    gae_lambda: float | None = Field(default=None, ge=0, le=1, description="weight of longer advantage estimates")
    entropy_coefficient: float | None = Field(
        default=None, ge=0, le=10, description="weight of the entropy bonus; null lets SAC learn it"
    )
    value_coefficient: float | None = Field(default=None, ge=0, le=100, description="weight of the value loss")
    max_gradient_norm: float | None = Field(default=None, gt=0, description="gradients are scaled down to this norm")
    minibatch: int | None = Field(default=None, ge=2, description="samples per gradient step")
    n_epochs: int | None = Field(default=None, ge=1, le=100, description="passes over each rollout")
    clip_range: float | None = Field(
        default=None, gt=0, lt=1, description="how far a probability ratio may move before it stops paying"
    )
    target_kl: float | None = Field(default=None, gt=0, description="leave an update early once the policy moved this far")
    lstm_units: int | None = Field(default=None, ge=1, le=4_096, description="units of the LSTM from bar to bar")
    lstm_layers: int | None = Field(default=None, ge=1, le=8, description="layers of the LSTM from bar to bar")
    buffer_size: int | None = Field(default=None, ge=2, le=100_000_000, description="transitions that are remembered")
    learning_starts: int | None = Field(default=None, ge=0, description="environment steps before the first gradient step")
    train_every: int | None = Field(default=None, ge=1, description="steps of each environment between gradient steps")
    gradient_steps: int | None = Field(
        default=None, ge=-1, description="gradient steps each time; -1 for as many as environment steps since the last"
    )
    target_every: int | None = Field(
        default=None, ge=1, description="environment steps (gradient steps of SAC) between moves of the target network"
    )
    target_tau: float | None = Field(
        default=None, gt=0, le=1, description="share of the way that the target network moves at a time"
    )
    epsilon_start: float | None = Field(default=None, ge=0, le=1, description="share of random actions at the start")
    epsilon_end: float | None = Field(default=None, ge=0, le=1, description="share of random actions once the exploring is over")
    epsilon_fraction: float | None = Field(default=None, gt=0, le=1, description="part of total_steps over which the share falls")
    quantiles: int | None = Field(default=None, ge=2, le=1_024, description="quantiles of the return that are learned")
    options: dict[str, Any] = Field(
        default={}, description="other arguments of the algorithm's constructor, by its own names: plain values alone"
    )

    @model_validator(mode="before")
    @classmethod
    def _own_defaults(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        own = OWN_SETTINGS.get(str(values.get("algorithm", cls.model_fields["algorithm"].default)), {})
        return {**own, **{name: value for name, value in values.items() if value is not None or name not in own}}

    @model_validator(mode="after")
    def _fits_the_algorithm(self) -> ZooParams:
        own = OWN_SETTINGS[self.algorithm]
        every = {name for settings in OWN_SETTINGS.values() for name in settings}
        foreign = sorted(name for name in every - set(own) if getattr(self, name) is not None)
        if foreign:
            raise ValueError(f"{self.algorithm} has no setting {', '.join(foreign)}; allowed beside those of all: {', '.join(own)}")
        if self.algorithm == "PPO":
            self._check_minibatch()
        if self.buffer_size is not None and self.buffer_size < self.n_envs:
            raise ValueError(f"buffer_size is {self.buffer_size}; allowed: at least n_envs {self.n_envs}")
        if self.algorithm in ("PPO", "RecurrentPPO") and self.n_envs * (self.n_steps or 0) < 2:
            raise ValueError("n_envs * n_steps is 1; advantages cannot be normalised; allowed: at least 2")
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden is {self.hidden}; allowed: widths of at least 1")
        if self.options:
            with as_value_error():
                require_zoo()
                from seawall.agents.zoo.algorithms import check_options

                check_options(self.algorithm, self.options)
        return self

    def _check_minibatch(self) -> None:
        samples, minibatch = self.n_envs * (self.n_steps or 0), self.minibatch or 1
        if samples % minibatch:
            raise ValueError(
                f"minibatch {minibatch} does not divide the {samples} samples of a rollout (n_envs {self.n_envs} * n_steps "
                f"{self.n_steps}); choose a divisor"
            )


def require_zoo() -> None:
    """Refuse to go on without the libraries.

    Raises:
        ConfigError: One is not installed; the message says how to get it.
    """
    missing = [name for name in ("stable_baselines3", "sb3_contrib") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"agent zoo needs {' and '.join(missing)}; install them with: pip install -c constraints.txt -e '.[zoo]'")


def check_actions(algorithm: str, n_actions: int) -> None:
    """Refuse an algorithm actions that it cannot choose.

    Args:
        algorithm: One of the six.
        n_actions: Numbered actions of the scheme; 0 where an action is a number.

    Raises:
        ConfigError: SAC is given numbered actions, or another algorithm a number.
    """
    numbers = [name for name in OWN_SETTINGS if name in CONTINUOUS]
    numbered = [name for name in OWN_SETTINGS if name not in CONTINUOUS]
    if n_actions and algorithm in CONTINUOUS:
        raise ConfigError(
            f"{algorithm} acts by a number and the action scheme has {n_actions} numbered actions; choose the scheme thresholded "
            f"or continuous_target, or an algorithm out of {', '.join(numbered)}"
        )
    if not n_actions and algorithm not in CONTINUOUS:
        raise ConfigError(
            f"{algorithm} chooses among numbered actions and the action scheme takes a number; choose a scheme with numbered "
            f"actions, as hold_long_short_close, or the algorithm {', '.join(numbers)}"
        )
