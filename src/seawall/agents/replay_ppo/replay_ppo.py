"""PPO that learns from replayed transitions: the "simplified PPO with a replay buffer" of the Ichimoku design, made sound.

The design steps one market at a time, keeps the last 10,000 transitions, and after every 5 steps takes 4 gradient steps of 32
samples each down the clipped loss of PPO. What is added: a transition keeps the log-probability and the value of the time of
acting, so that the ratio is that of the policy now to the one that acted (Schulman et al. 2017, arXiv 1707.06347); advantages
are generalised ones, taken when a round is collected, over its steps and the value after them; and transitions that are too
many rounds old are left alone, for clipping can only hold a policy near one that is near already. Draws may prefer large
advantages.

N environments are N of the design's streams side by side: a round brings n_steps of each, and a gradient step draws
n_envs * minibatch samples, so each transition is replayed as often as there, with less noise in a step. With ``n_envs: 1`` it is
the design's own rhythm. A transition is a row of the market and an account row; windows are gathered as they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import gymnasium
import numpy as np
import torch
from torch import Tensor

from seawall.agents.distributions import distribution
from seawall.agents.losses import approximate_kl, clipped_surrogate, explained_variance, value_loss
from seawall.agents.optimiser import BlockAdamW
from seawall.agents.policy import NetworkPolicy
from seawall.agents.ppo.batches import Batch
from seawall.agents.ppo.diagnostics import actions_taken, step_diagnostics
from seawall.agents.ppo.failure import check_rewards, divergence, stop_diverged
from seawall.agents.ppo.rollout import Collector, Rollout, check_fit
from seawall.agents.replay_ppo.memory import TransitionMemory, Transitions
from seawall.agents.replay_ppo.params import ReplayPPOParams
from seawall.agents.returns import generalised_advantages
from seawall.agents.reward_scale import RewardScale
from seawall.agents.schedule import scheduled, share_done
from seawall.agents.state import host_weights, join_state, load_weights, split_state
from seawall.core.errors import ConfigError
from seawall.core.market import Market
from seawall.core.seeding import generator
from seawall.nets.heads import ActorCritic
from seawall.nets.windows import WindowGatherer, feature_tensor


class ReplayPPO:
    """One learner: an environment, a network, the memory, and where training stands.

    Attributes:
        failure_folder: Where the batch of a training that diverged is saved; None saves none.
    """

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv[Any, Any, Any],
        network: ActorCritic,
        params: ReplayPPOParams,
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
            ConfigError: `n_envs` is not what the environment steps, the network's actions are not the environment's, or the
                network remembers earlier bars.
        """
        check_fit(env, network, params.n_envs)
        if network.state_width:
            raise ConfigError(
                "the network remembers earlier bars, and replayed transitions come out of their order; choose a network that sees "
                "its window alone, or the agent ppo"
            )
        self.env, self.params, self.window, self.device = env, params, window, torch.device(device)
        self.network = network.to(self.device)
        self.steps, self.version = 0, 0
        self.failure_folder: Path | None = None
        self._gather = WindowGatherer(feature_tensor(market.features, self.device), window)
        self._distribution = distribution(network.n_actions)
        # To pull a deviation's logarithm to 0 would pull the deviation to 1.
        self._optimiser = BlockAdamW(self.network, params.weight_decay, free=self.network.log_deviation)
        self._scale = RewardScale(params.n_envs, params.gamma)
        self._sampling = generator(seed, "replay")
        self._collector = Collector(env, self.network, self._encode, self._distribution, params, seed, self.device)
        # The first episodes are numbered by their environments, later ones in the order in which they start.
        self._episodes, self._moments = np.arange(params.n_envs), np.zeros(params.n_envs, dtype=np.int64)
        kind = Transitions.none(params.n_envs, network.n_account, self._distribution.dtype, self.device)
        self.memory = TransitionMemory(params.slots, kind, params.priority_alpha, params.priority_beta)

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole training."""
        return self.params.total_steps

    def update(self) -> dict[str, float]:
        """Collect and learn for `rounds` rounds, or until `total_steps` are done.

        Returns:
            Diagnostics: mean reward per step before scaling, turnover, share of each action (or mean and deviation of continuous
            ones), mean value, explained variance, learning rate, transitions remembered and how many episodes they come from,
            steps so far, steps per second; and once learning has started losses, entropy, KL, clip fraction, largest log-ratio,
            gradient norm and how often it was clipped, and the mean age of the samples in rounds.

        Raises:
            InvariantError: A loss or reward is no longer finite; the message names the cause, what to change, and the saved batch.
        """
        started, before, params = perf_counter(), self.steps, self.params
        collected: list[tuple[Rollout, Transitions]] = []
        learned: list[dict[str, float]] = []
        while len(collected) < params.rounds and (not collected or self.steps < params.total_steps):
            collected.append(self._collect())
            if len(self.memory) >= params.learning_starts:
                learned.append(self._learn())
        return {
            **({name: float(np.mean([each[name] for each in learned])) for name in learned[0]} if learned else {}),
            **self._experience(collected),
            "learning_rate": self._learning_rate(),
            "transitions": float(len(self.memory)),
            "steps": float(self.steps),
            "steps_per_second": (self.steps - before) / (perf_counter() - started),
        }

    def _collect(self) -> tuple[Rollout, Transitions]:
        """Take one round's steps and remember them; return them both ways."""
        rollout, params = self._collector.collect(), self.params
        check_rewards(rollout, params, step=self.steps, folder=self.failure_folder)
        ended = rollout.terminated | rollout.truncated
        scaled = self._scale(rollout.rewards, ended) if params.normalise_reward else rollout.rewards.astype(np.float32)
        ends = (rollout.values, rollout.final_values, rollout.terminated, rollout.truncated)
        advantages, returns = generalised_advantages(scaled, *ends, params.gamma, params.gae_lambda)
        self.steps += scaled.size
        numbers = (
            rollout.values[:-1],
            scaled,
            advantages,
            returns,
            *self._number_episodes(ended),
            np.full(scaled.shape, self.version),
        )
        moved = (torch.from_numpy(block).to(self.device) for block in numbers)
        steps = Transitions(rollout.rows, rollout.account, rollout.actions, rollout.log_probabilities, *moved)
        self.memory.append(steps)
        return rollout, steps

    def _number_episodes(self, ended: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the episode of each step, and how many steps of it came before; int64, shape (T, N) each."""
        episodes, moments = np.empty(ended.shape, np.int64), np.empty(ended.shape, np.int64)
        for step, over in enumerate(ended):
            episodes[step], moments[step] = self._episodes, self._moments
            self._moments = np.where(over, 0, self._moments + 1)
            self._episodes[over] = self._episodes.max() + 1 + np.arange(int(over.sum()))
        return episodes, moments

    def _learn(self) -> dict[str, float]:
        """Take one round's gradient steps; return their diagnostics. Afterwards the policy is one version older."""
        params, count = self.params, self.params.n_envs * self.params.minibatch
        self._optimiser.learning_rate = self._learning_rate()
        losses: list[Tensor] = []
        ratios: list[Tensor] = []
        ages = 0.0
        for _ in range(params.n_epochs):
            samples, counts = self.memory.sample(count, self.version - params.max_age, self._sampling)
            loss, log_ratio = self._step(samples, counts)
            if not bool(loss.isfinite().all()):
                self._stop(samples, loss)
            ages += float((self.version - samples.versions).double().mean()) / params.n_epochs
            losses.append(loss)
            ratios.append(log_ratio)
            if params.target_kl is not None and float(approximate_kl(log_ratio)) > params.target_kl:
                break
        self.version += 1
        diagnostics = step_diagnostics(torch.stack(losses), torch.cat(ratios), params.clip_range, params.max_gradient_norm)
        return diagnostics | {"sample_age": ages}

    def _step(self, samples: Transitions, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Take one gradient step; return losses and gradient norm in the order of their names, and the log-ratios (B,)."""
        params = self.params
        preferences, values = self.network.heads(*self._encode(samples.rows), samples.account)
        logs, entropies = self._distribution.evaluate(preferences, samples.actions)
        if params.legacy_origin:
            advantages, returns, log_ratio = samples.rewards - values.detach(), samples.rewards, logs
        else:
            advantages, returns, log_ratio = samples.advantages, samples.returns, logs - samples.log_probabilities
        if params.normalise_advantage and len(advantages) > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        policy_part = clipped_surrogate(log_ratio, counts * advantages, params.clip_range)
        value_part = value_loss(counts.sqrt() * values, counts.sqrt() * returns)
        entropy_part = entropies.mean()
        loss = policy_part + params.value_coefficient * value_part - params.entropy_coefficient * entropy_part
        norm = self._optimiser.step(loss, params.max_gradient_norm)
        return torch.stack((policy_part, value_part, entropy_part, norm)).detach(), log_ratio.detach()

    def _encode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.encode(self._gather(rows))

    def _experience(self, collected: list[tuple[Rollout, Transitions]]) -> dict[str, float]:
        """Return what the steps of some rounds tell."""
        rollouts = [rollout for rollout, _ in collected]
        values, returns = (torch.cat([getattr(steps, name) for _, steps in collected]) for name in ("values", "returns"))
        turnover = float(np.mean([rollout.turnover for rollout in rollouts]))
        remembered = self.memory.held.episodes[torch.from_numpy(self.memory.usable(0)).to(self.device)]
        return {
            "explained_variance": float(explained_variance(values, returns)),
            "value_mean": float(values.mean()),
            "mean_reward": float(np.mean([rollout.rewards.mean() for rollout in rollouts])),
            **({} if np.isnan(turnover) else {"turnover": turnover}),
            **actions_taken(self._distribution, torch.cat([rollout.actions for rollout in rollouts]), self.network.n_actions),
            "episodes": float(len(remembered.unique())),
        }

    def _learning_rate(self) -> float:
        params = self.params
        return scheduled(params.learning_rate, params.learning_rate_schedule, share_done(self.steps, params.total_steps))

    def _stop(self, samples: Transitions, seen: Tensor) -> NoReturn:
        kept = {field.name: getattr(samples, field.name) for field in fields(Batch) if hasattr(samples, field.name)}
        batch = Batch(**kept, starts=samples.moments == 0, memory=samples.values.new_empty((len(samples.values), 0)))
        cause = divergence(batch, self._gather(samples.rows), self.params)
        stop_diverged(seen, cause, vars(samples), self.params, step=self.steps, folder=self.failure_folder)

    def policy(self) -> NetworkPolicy:
        """Return the policy as it is now; it follows the learner's further updates."""
        return NetworkPolicy(self.network, self.window, str(self.device))

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights, on the host."""
        return host_weights(self.network)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that an exact resumption needs, the memory included: tensors by path, and values for JSON."""
        sums, moments = self._scale.state()
        env: Any = self.env
        state = {
            "network": self.weights(),
            "environment": env.state_dict(),
            "generators": {"actions": self._collector.generator.get_state(), "replay": dict(self._sampling.bit_generator.state)},
            "standing": vars(self._collector.standing),
            "memory": self.memory.state(),
            "episodes": {"numbers": self._episodes, "moments": self._moments},
            "reward_scale": {"sums": sums, "moments": moments},
            "steps": self.steps,
            "version": self.version,
        }
        tensors, values = split_state(state, "replay_ppo")
        return tensors | self._optimiser.state("adam"), values

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from what `state` returned; further updates equal those of a learner that was never stopped.

        Raises:
            DataError: The weights do not fit this network, or the memory not these settings.
        """
        state = join_state(tensors, values, "replay_ppo")
        load_weights(self.network, state["network"], "the checkpoint")
        self._optimiser.load_state(tensors, "adam")
        self.memory.load_state(state["memory"])
        env: Any = self.env
        env.load_state_dict(state["environment"])
        self._collector.generator.set_state(torch.from_numpy(state["generators"]["actions"]))
        self._sampling.bit_generator.state = state["generators"]["replay"]
        for name, array in state["standing"].items():
            setattr(self._collector.standing, name, torch.from_numpy(array).to(self.device))
        self._episodes, self._moments = state["episodes"]["numbers"], state["episodes"]["moments"]
        self._scale.load_state(state["reward_scale"]["sums"], state["reward_scale"]["moments"])
        self.steps, self.version = int(state["steps"]), int(state["version"])
