"""Training an algorithm of Stable-Baselines3 or sb3-contrib on a trading environment, in updates that can be interrupted.

The algorithms are the libraries' own; only their outer loop is run here, a rollout and what is learned from it at a time, so
that a training of any number of updates equals one call of the library's ``learn``. The libraries draw from the global
generators of Python, NumPy and torch: a learner has states of its own, in place only while it works.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from torch import Tensor

from seawall.agents.failure import stop_training
from seawall.agents.sb3_gathering import FeatureSource
from seawall.agents.state import host_weights, join_state, split_state
from seawall.agents.zoo.algorithms import ALGORITHMS, algorithm_arguments, policy_name
from seawall.agents.zoo.learned_from import LearnedFrom
from seawall.agents.zoo.network import ZooNetwork, policy_keywords, zoo_seed
from seawall.agents.zoo.params import ZooParams, check_actions
from seawall.agents.zoo.policy import ZooPolicy
from seawall.agents.zoo.randomness import OwnRandomness
from seawall.agents.zoo.saved import load_model_state, model_state
from seawall.agents.zoo.tally import Tally, diverged
from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import Market
from seawall.nets.params import NetworkParams


class Zoo:
    """One learner: an environment, a model of the library, and where training stands.

    Attributes:
        model: The library's own; it may be read, and must not be stepped from outside.
        network: What decides in it, and whose weights are saved.
    """

    def __init__(  # noqa: PLR0913 (a network of the zoo is built with its algorithm, from settings of both)
        self,
        env: VecEnv,
        params: ZooParams,
        network_kind: str,
        network_params: NetworkParams,
        *,
        market: Market,
        window: int,
        seed: int,
        device: str = "cpu",
    ) -> None:
        """Build the model, reset the environments and take the first observation.

        Args:
            env: N environments with index observations; `state_dict` and `load_state_dict` take them out and put them back, as
                those of `SB3VecEnv` do.
            params: Settings.
            network_kind: A key of `seawall.nets.registry.NETWORKS`: what reads the windows, with gradients.
            network_params: Settings of that network.
            market: What the rows refer to.
            window: L, rows that the network sees.
            seed: The run's seed.
            device: Where the network and the features live.

        Raises:
            ConfigError: `n_envs` is not what the environment steps, or the algorithm cannot choose its actions, or not train the
                encoder.
        """
        if env.num_envs != params.n_envs:
            raise ConfigError(f"n_envs is {params.n_envs} and the environment steps {env.num_envs}; they must be the same")
        n_actions = int(env.action_space.n) if isinstance(env.action_space, spaces.Discrete) else 0
        check_actions(params.algorithm, n_actions)
        self.params, self.window, self.device = params, window, device
        self.failure_folder: Path | None = None
        self._face: Any = env
        self._random = OwnRandomness(device)
        self._tally = Tally(n_actions)
        seen = VecNormalize(env, norm_obs=False, gamma=params.gamma) if params.normalise_reward else env
        keywords = policy_keywords(params, network_kind, network_params, FeatureSource(market), window)
        algorithm: Any = ALGORITHMS[params.algorithm]
        with self._random.installed():
            arguments = {**algorithm_arguments(params), "policy_kwargs": keywords, "seed": zoo_seed(seed), "device": device}
            self.model: Any = algorithm(policy_name(params.algorithm), seen, **arguments)
            self.model.set_logger(Logger(None, []))
            self.model._setup_learn(params.total_steps, self._tally)
        self._learned_from = LearnedFrom(self.model)
        self.network = ZooNetwork(params.algorithm, self.model.policy)

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        return int(self.model.num_timesteps)

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole training."""
        return self.params.total_steps

    def update(self) -> dict[str, float]:
        """Collect and learn until `update_steps` more steps are done.

        Returns:
            Diagnostics: mean reward per step and per episode before scaling, share of each action (or mean and deviation of
            continuous ones), steps so far, steps per second, and what the library records of its learning, by readable names: of
            most of it the mean over the update.

        Raises:
            InvariantError: A loss, a reward or a weight is no longer finite; the message names the likely setting, and what was
                learned from is saved in `failure_folder`.
        """
        started, before = perf_counter(), self.steps
        goal = min(before + self.params.update_steps, self.total_steps)
        self._tally.begin()
        with self._random.installed():
            while self.steps < goal or self.steps == before:
                self._round()
        self._tell_scale()
        return {
            **self._tally.told(),
            "steps": float(self.steps),
            "steps_per_second": (self.steps - before) / (perf_counter() - started),
        }

    def _round(self) -> None:
        """Take one rollout and learn from it, as the library's ``learn`` does; where that diverges, save what it learned from."""
        try:
            self._learn()
            self._tally.record(self.model.logger.name_to_value)
        except InvariantError as error:
            stop_training(str(error), self._learned_from.tensors(), self.params, step=self.steps, folder=self.failure_folder)
        self.model.logger.dump(self.steps)

    def _learn(self) -> None:
        try:
            if isinstance(self.model, OnPolicyAlgorithm):
                self._rollout_round()
            else:
                self._replay_round()
        except ValueError as error:
            # The library finds out that weights are not numbers when it draws actions by them.
            if self._finite():
                raise
            raise self._lost_weights() from error

    def _finite(self) -> bool:
        return all(bool(parameter.isfinite().all()) for parameter in self.model.policy.parameters())

    def _lost_weights(self) -> InvariantError:
        return diverged(self.steps, "weights are not finite", f"learning_rate {self.params.learning_rate}")

    def _rollout_round(self) -> None:
        model = self.model
        model.collect_rollouts(model.env, self._tally, model.rollout_buffer, n_rollout_steps=model.n_steps)
        model._update_current_progress_remaining(model.num_timesteps, self.total_steps)
        model.train()
        # Now, for the next rollout overwrites the one that did it. What was replayed stays until more is.
        if not self._finite():
            raise self._lost_weights()

    def _replay_round(self) -> None:
        model = self.model
        rollout = model.collect_rollouts(
            model.env,
            train_freq=model.train_freq,
            action_noise=None,
            callback=self._tally,
            learning_starts=model.learning_starts,
            replay_buffer=model.replay_buffer,
            log_interval=None,
        )
        steps = model.gradient_steps if model.gradient_steps >= 0 else rollout.episode_timesteps
        if model.num_timesteps > model.learning_starts and steps > 0:
            model.train(batch_size=model.batch_size, gradient_steps=steps)

    def _tell_scale(self) -> None:
        scale = self.model.get_vec_normalize_env()
        if scale is not None:
            self.network.reward_scale.fill_(float(scale.ret_rms.var + scale.epsilon) ** 0.5)

    def policy(self) -> ZooPolicy:
        """Return the policy as it is now; it follows the learner's further updates."""
        return ZooPolicy(self.network, self.window, self.device)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights, on the host; no features are among them."""
        return host_weights(self.network)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that an exact resumption needs, the replay included: tensors by path, and values for JSON."""
        state = {
            "model": model_state(self.model),
            "environment": self._face.state_dict(),
            "generators": {
                "global": self._random.state(),
                "actions": dict(self.model.action_space.np_random.bit_generator.state),
            },
        }
        return split_state(state, "zoo")

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from what `state` returned; further updates equal those of a learner that was never stopped.

        Raises:
            DataError: The weights do not fit this network, or the replay not these settings.
        """
        state = join_state(tensors, values, "zoo")
        load_model_state(self.model, state["model"])
        self._tell_scale()
        self._face.load_state_dict(state["environment"])
        self._random.load_state(state["generators"]["global"])
        self.model.action_space.np_random.bit_generator.state = state["generators"]["actions"]
