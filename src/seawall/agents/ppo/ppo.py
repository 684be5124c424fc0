"""Proximal policy optimisation over market rows.

Schulman et al. 2017, arXiv 1707.06347, with generalised advantages (arXiv 1506.02438). What differs from the paper: AdamW
with one learning rate for policy and value, a clipped gradient norm, advantages normalised per minibatch, rewards scaled
by a running deviation, the value loss clipped only where asked, and a bootstrap from the true final observation at every
truncation. An observation is a row of the market and an account row: buffers hold these, and windows are gathered as they
are needed. The log-probability is that of the agent's proposal; what guards made of it is the environment's affair.
A network that remembers learns from sequences: each begins with the memory it had when the rollout was taken, is emptied
where an episode starts, and sends no gradient to what came before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import gymnasium
import numpy as np
import torch
from torch import Tensor

from seawall.agents.diagnostics import told_by
from seawall.agents.distributions import distribution
from seawall.agents.losses import explained_variance
from seawall.agents.optimiser import BlockAdamW
from seawall.agents.policy import NetworkPolicy
from seawall.agents.ppo.batches import Batch, minibatches, whole_batch
from seawall.agents.ppo.diagnostics import actions_taken, step_diagnostics
from seawall.agents.ppo.failure import check_rewards, divergence, stop_diverged
from seawall.agents.ppo.objective import Weights, objective
from seawall.agents.ppo.params import PPOParams
from seawall.agents.ppo.rollout import Collector, Rollout, check_fit
from seawall.agents.returns import generalised_advantages
from seawall.agents.reward_scale import RewardScale
from seawall.agents.schedule import Schedule, scheduled, share_done
from seawall.agents.state import host_weights, join_state, load_weights, split_state
from seawall.core.errors import ConfigError
from seawall.core.market import Market
from seawall.core.seeding import derived_seed
from seawall.nets.heads import ActorCritic
from seawall.nets.windows import WindowGatherer, feature_tensor


class PPO:
    """One learner: an environment, a network, and where training stands.

    Attributes:
        failure_folder: Where the batch of a training that diverged is saved; None saves none.
    """

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv[Any, Any, Any],
        network: ActorCritic,
        params: PPOParams,
        *,
        market: Market,
        window: int,
        seed: int,
        device: str = "cpu",
    ) -> None:
        """Reset the environments and take the first observation.

        Args:
            env: N environments that reset in the same step; an observation has ``row`` and ``account``, and `state_dict`
                and `load_state_dict` take the environments out and put them back.
            network: Changed in place.
            params: Settings.
            market: What the rows refer to.
            window: L, rows that the network sees.
            seed: The run's seed.
            device: Where the network and the features live.

        Raises:
            ConfigError: `n_envs` is not what the environment steps, the network's actions are not the environment's, or
                minibatches are no whole sequences of a network that remembers.
        """
        _check(env, network, params)
        self.env, self.params, self.window, self.device = env, params, window, torch.device(device)
        self.network = network.to(self.device)
        self.steps = 0
        self.failure_folder: Path | None = None
        self._gather = WindowGatherer(feature_tensor(market.features, self.device), window)
        self._distribution = distribution(network.n_actions)
        # To pull a deviation's logarithm to 0 would pull the deviation to 1.
        self._optimiser = BlockAdamW(self.network, params.weight_decay, free=self.network.log_deviation)
        self._scale = RewardScale(params.n_envs, params.gamma)
        self._shuffling = torch.Generator().manual_seed(derived_seed(seed, "minibatches"))
        self._told = told_by(env)
        self._collector = Collector(env, self.network, self._encode, self._distribution, params, seed, self.device)

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole training."""
        return self.params.total_steps

    def update(self) -> dict[str, float]:
        """Collect one rollout and learn from it.

        Returns:
            Diagnostics: losses, entropy, KL, clip fraction, largest log-ratio, gradient norm and how often it was clipped,
            explained variance, mean value, mean reward per step before scaling, turnover, share of each action (or mean and
            deviation of continuous ones), learning rate, what the environment tells of reward terms and accounts, steps so far,
            steps per second.

        Raises:
            InvariantError: A loss or reward is no longer finite; the message names the cause, what to change, and the saved batch.
        """
        started, params = perf_counter(), self.params
        rollout = self._collector.collect()
        check_rewards(rollout, params, step=self.steps, folder=self.failure_folder)
        rewards, ended = rollout.rewards, rollout.terminated | rollout.truncated
        advantages, returns = generalised_advantages(
            self._scale(rewards, ended) if params.normalise_reward else rewards.astype(np.float32),
            rollout.values,
            rollout.final_values,
            rollout.terminated,
            rollout.truncated,
            params.gamma,
            params.gae_lambda,
        )
        learned = self._learn(rollout, advantages, returns)
        self.steps += rewards.size
        return {
            **learned,
            "explained_variance": float(explained_variance(torch.from_numpy(rollout.values[:-1]), torch.from_numpy(returns))),
            "value_mean": float(rollout.values[:-1].mean()),
            "mean_reward": float(rewards.mean()),
            **({} if np.isnan(rollout.turnover) else {"turnover": rollout.turnover}),
            **actions_taken(self._distribution, rollout.actions, self.network.n_actions),
            "learning_rate": self._now(params.learning_rate, params.learning_rate_schedule),
            **self._told(),
            "steps": float(self.steps),
            "steps_per_second": rewards.size / (perf_counter() - started),
        }

    def _learn(self, rollout: Rollout, advantages: np.ndarray, returns: np.ndarray) -> dict[str, float]:
        """Take the epochs' gradient steps; return the means of their diagnostics, and the largest of the log-ratios."""
        params = self.params
        self._optimiser.learning_rate = self._now(params.learning_rate, params.learning_rate_schedule)
        clip_range = self._now(params.clip_range, params.clip_schedule)
        entropy = self._now(params.entropy_coefficient, params.entropy_schedule)
        weights = Weights(clip_range, entropy, params.value_coefficient, params.value_clip)
        whole = whole_batch(rollout, advantages, returns, params.steps_back if self.network.state_width else None)
        epochs: list[dict[str, float]] = []
        for _ in range(params.n_epochs):
            batches = list(minibatches(whole, params.minibatch, self._shuffling, normalise=params.normalise_advantage))
            steps = [self._step(batch, weights) for batch in batches]
            losses, log_ratios = torch.stack([step for step, _ in steps]), torch.cat([ratio for _, ratio in steps])
            bad = (~losses.isfinite()).any(1).nonzero()
            if len(bad):
                self._stop(batches[int(bad[0])], losses[int(bad[0])])
            epochs.append(step_diagnostics(losses, log_ratios, clip_range, params.max_gradient_norm))
            if params.target_kl is not None and epochs[-1]["approx_kl"] > params.target_kl:
                break
        means = {name: float(np.mean([epoch[name] for epoch in epochs])) for name in epochs[0]}
        return means | {"log_ratio_max": max(epoch["log_ratio_max"] for epoch in epochs)}

    def _step(self, batch: Batch, weights: Weights) -> tuple[Tensor, Tensor]:
        """Take one gradient step; return losses and gradient norm in the order of their names, and the log-ratios (B,)."""
        preferences, values = self._predict(batch)
        loss, parts, log_ratio = objective(preferences, values, batch, self._distribution, weights)
        norm = self._optimiser.step(loss, self.params.max_gradient_norm)
        return torch.cat((parts, norm[None])), log_ratio

    def _predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return preferences and values, of samples or of sequences."""
        actor, critic = self._encode(batch.rows.flatten())
        if not self.network.state_width:
            return self.network.heads(actor, critic, batch.account)
        shape, shared = (*batch.rows.shape, -1), critic is actor
        actor = actor.view(shape)
        actor, critic, _ = self.network.remember(actor, actor if shared else critic.view(shape), batch.memory, batch.starts)
        return self.network.heads(actor, critic, batch.account)

    def _encode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the encoders make of the windows that end at some rows, float32 in either precision."""
        windows = self._gather(rows)
        if self.params.precision == "fp32":
            return self.network.encode(windows)
        with torch.autocast(self.device.type, torch.bfloat16):
            actor, critic = self.network.encode(windows)
        wide = actor.float()
        return wide, wide if critic is actor else critic.float()

    def _now(self, value: float, schedule: Schedule) -> float:
        return scheduled(value, schedule, share_done(self.steps, self.params.total_steps))

    def _stop(self, batch: Batch, seen: Tensor) -> NoReturn:
        cause = divergence(batch, self._gather(batch.rows.flatten()), self.params)
        stop_diverged(seen, cause, vars(batch), self.params, step=self.steps, folder=self.failure_folder)

    def policy(self) -> NetworkPolicy:
        """Return the policy as it is now; it follows the learner's further updates."""
        return NetworkPolicy(self.network, self.window, str(self.device))

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights, on the host."""
        return host_weights(self.network)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that an exact resumption needs: tensors by path, and values for JSON."""
        sums, moments = self._scale.state()
        env: Any = self.env
        state = {
            "network": self.weights(),
            "environment": env.state_dict(),
            "generators": {"sampling": self._collector.generator.get_state(), "shuffling": self._shuffling.get_state()},
            "standing": vars(self._collector.standing),
            "reward_scale": {"sums": sums, "moments": moments},
            "steps": self.steps,
        }
        tensors, values = split_state(state, "ppo")
        return tensors | self._optimiser.state("adam"), values

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from what `state` returned; further updates equal those of a learner that was never stopped.

        Raises:
            DataError: The weights do not fit this network.
        """
        state = join_state(tensors, values, "ppo")
        load_weights(self.network, state["network"], "the checkpoint")
        self._optimiser.load_state(tensors, "adam")
        env: Any = self.env
        env.load_state_dict(state["environment"])
        self._collector.generator.set_state(torch.from_numpy(state["generators"]["sampling"]))
        self._shuffling.set_state(torch.from_numpy(state["generators"]["shuffling"]))
        for name, array in state["standing"].items():
            setattr(self._collector.standing, name, torch.from_numpy(array).to(self.device))
        self._scale.load_state(state["reward_scale"]["sums"], state["reward_scale"]["moments"])
        self.steps = int(state["steps"])


def _check(env: gymnasium.vector.VectorEnv[Any, Any, Any], network: ActorCritic, params: PPOParams) -> None:
    """Refuse parts that do not fit together."""
    check_fit(env, network, params.n_envs)
    if network.state_width and params.minibatch % params.steps_back:
        raise ConfigError(
            f"minibatch {params.minibatch} is no whole number of sequences of {params.steps_back} steps, from which a network "
            "that remembers learns; choose a multiple, or set sequence to a divisor of n_steps"
        )
