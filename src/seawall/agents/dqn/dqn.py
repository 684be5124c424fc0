"""Deep Q-learning over market rows.

Mnih et al. 2015 (doi 10.1038/nature14236), with double Q-learning, and by choice dueling heads, sums of n rewards, prioritised
replay and quantiles of the return. What differs from the paper: AdamW, a clipped gradient norm, rewards divided by a running
deviation when they are replayed, and values that go on from the true final observation at every truncation.
An observation is a row of the market and an account row: the replay holds these, and windows are gathered as they are needed.
The action remembered is the agent's proposal; what guards made of it is the environment's affair.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import gymnasium
import numpy as np
import torch
from torch import Tensor

from seawall.agents.diagnostics import told_by
from seawall.agents.dqn.encodings import TargetEncodings
from seawall.agents.dqn.params import DQNParams
from seawall.agents.dqn.policy import QPolicy
from seawall.agents.dqn.replay import Replay
from seawall.agents.dqn.ring import Batch, Step
from seawall.agents.dqn.targets import bootstrapped, following_quantiles, quantile_losses, taken, value_losses
from seawall.agents.failure import stop_training
from seawall.agents.reward_scale import RewardScale
from seawall.agents.schedule import scheduled, share_done
from seawall.agents.state import adam_state, host_weights, join_state, load_adam_state, load_weights, split_state
from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import Market
from seawall.core.seeding import derived_seed, generator
from seawall.nets.q_network import QNetwork
from seawall.nets.windows import WindowGatherer, feature_tensor

MOST_ACTIONS = 256
_TALLIED: tuple[str, ...] = ("loss", "mean_q", "td_error", "gradient_norm")


class DQN:
    """One learner: an environment, a network and its target, the replay, and where training stands."""

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv[Any, Any, Any],
        network: QNetwork,
        params: DQNParams,
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
            ConfigError: The environment's actions are not numbered, or environment, network and settings do not fit together.
        """
        _check(env, network, params)
        self.env, self.params, self.window, self.device = env, params, window, torch.device(device)
        self.network = network.to(self.device)
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.steps, self.gradient_steps, self._owed = 0, 0, 0.0
        self.failure_folder: Path | None = None
        self._gather = WindowGatherer(feature_tensor(market.features, self.device), window)
        self._encodings: TargetEncodings | None = None
        samples = params.target_every * params.batch
        if params.target_tau == 1.0 and TargetEncodings.pays(network, len(market), samples):
            self._encodings = TargetEncodings(self.target, self._gather, len(market), self.device)
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=params.learning_rate, eps=1e-5, weight_decay=params.weight_decay, fused=True
        )
        self._scale = RewardScale(params.n_envs, params.gamma)
        self._exploring, self._sampling = generator(seed, "exploration"), generator(seed, "replay")
        self.replay = Replay(
            params.n_envs, params.slots, network.n_account, prioritised=params.prioritised, alpha=params.priority_alpha
        )
        self._told = told_by(env)
        observation, _ = env.reset(seed=derived_seed(seed, "environments") % 2**31)
        self._rows, self._account = _seen(observation)
        self.replay.start(self._rows, self._account)

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole training."""
        return self.params.total_steps

    def update(self) -> dict[str, float]:
        """Step the environments `update_steps` times, and take the gradient steps that are due on the way.

        Returns:
            Diagnostics: mean reward per step, share of each action among those that the network found best, share of random
            actions, learning rate, what one unit of the network's output is worth in reward, transitions remembered, what the
            environment tells of reward terms and accounts, steps so far, steps per second; and once learning has started the means
            over the gradient steps of the loss, and of the value of the actions taken and its absolute error, both in units of
            reward, and of the gradient norm before clipping.

        Raises:
            InvariantError: A loss or reward is no longer finite; the message names the likely setting.
        """
        started, before = perf_counter(), self.steps
        rewards, best = 0.0, np.zeros(self.network.n_actions)
        tallies: list[Tensor] = []
        for _ in range(self.params.update_steps):
            step, greedy = self._interact()
            rewards += float(step.rewards.sum())
            best += np.bincount(greedy, minlength=len(best))
            tallies += self._learn()
        taken_steps = self.steps - before
        return {
            **self._means(tallies),
            "mean_reward": rewards / taken_steps,
            **{f"action_share_{action}": share for action, share in enumerate((best / taken_steps).tolist())},
            "epsilon": self._epsilon(),
            "learning_rate": self._learning_rate(),
            "reward_scale": self._reward_scale,
            "transitions": float(len(self.replay)),
            **self._told(),
            "steps": float(self.steps),
            "steps_per_second": taken_steps / (perf_counter() - started),
        }

    @torch.no_grad()
    def _interact(self) -> tuple[Step, np.ndarray]:
        """Take one step of every environment; return it, and the actions that the network found best."""
        quantiles = self.network(self._gather(self._tensor(self._rows)), self._tensor(self._account))
        greedy = quantiles.mean(2).argmax(1).cpu().numpy()
        exploring = self._exploring.random(len(greedy)) < self._epsilon()
        actions = np.where(exploring, self._exploring.integers(0, self.network.n_actions, len(greedy)), greedy)
        observation, rewards, terminated, truncated, info = self.env.step(actions)
        rewards = np.asarray(rewards, dtype=np.float64)
        if not np.isfinite(rewards).all():
            raise InvariantError(
                f"a reward is not finite after {self.steps} steps; the market's prices or the costs are not usable"
            )
        self._rows, self._account = _seen(observation)
        final = _seen(info["final_obs"]) if truncated.any() else (self._rows, self._account)
        step = Step(actions, rewards, terminated, truncated, self._rows, self._account, *final)
        self.replay.append(step)
        if self.params.normalise_reward:
            self._scale(rewards[None], (terminated | truncated)[None])
        self.steps += len(actions)
        return step, greedy

    def _learn(self) -> list[Tensor]:
        """Take the gradient steps that are due; return what was tallied in each."""
        if self.steps < self.params.learning_starts:
            return []
        self._owed += self.params.n_envs * self.params.replay_ratio
        self._optimiser.param_groups[0]["lr"] = self._learning_rate()
        self.network.reward_scale.fill_(self._reward_scale)
        tallies: list[Tensor] = []
        while self._owed >= self.params.batch:
            self._owed -= self.params.batch
            tallies.append(self._gradient_step())
            self.gradient_steps += 1
            if self.gradient_steps % self.params.target_every == 0:
                self._move_target()
        return tallies

    def _gradient_step(self) -> Tensor:
        """Learn from one batch; return the tallied numbers in the order of their names."""
        places, batch = self.replay.sample(self.params.batch, self._sampling, self.params.n_step, self.params.gamma)
        goal = self._goal(batch)
        quantiles = self.network(self._gather(self._tensor(batch.rows)), self._tensor(batch.account))
        predicted = taken(quantiles, self._tensor(batch.actions))
        loss = (self._tensor(self.replay.weights(places, self._beta())) * self._losses(predicted, goal)).mean()
        self._optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.params.max_gradient_norm)
        if not bool(torch.isfinite(norm + loss.detach())):
            self._stop(batch, {"loss": float(loss.detach()), "gradient_norm": float(norm)})
        self._optimiser.step()
        with torch.no_grad():
            values = predicted.mean(1)
            errors = goal.mean(1) - values
            self.replay.surprise(places, errors.cpu().numpy())
            worth = self._reward_scale
            return torch.stack((loss.detach(), values.mean() * worth, errors.abs().mean() * worth, norm))

    @torch.no_grad()
    def _goal(self, batch: Batch) -> Tensor:
        """Return what the quantiles of the actions taken should have been, in the learner's units, shape (B, K)."""
        account, windows = self._tensor(batch.next_account), None
        if self._encodings is None or self.params.double:
            windows = self._gather(self._tensor(batch.next_rows))
        encoding = self.target.encoder(windows) if self._encodings is None else self._encodings(batch.next_rows)
        ahead = self.target.heads(encoding, account)
        chooser = ahead if windows is None or not self.params.double else self.network(windows, account)
        returns = self._tensor(batch.returns) / self._reward_scale
        return bootstrapped(returns, self._tensor(batch.discounts), following_quantiles(ahead, chooser))

    def _losses(self, predicted: Tensor, goal: Tensor) -> Tensor:
        threshold = self.params.huber_threshold
        if self.params.quantiles > 1:
            return quantile_losses(predicted, goal, threshold)
        return value_losses(predicted[:, 0], goal[:, 0], threshold if self.params.loss == "huber" else None)

    @torch.no_grad()
    def _move_target(self) -> None:
        for own, learned in zip(self.target.parameters(), self.network.parameters(), strict=True):
            own.lerp_(learned, self.params.target_tau)
        if self._encodings is not None:
            self._encodings.forget()

    @property
    def _reward_scale(self) -> float:
        return self._scale.scale if self.params.normalise_reward else 1.0

    def _done(self) -> float:
        return share_done(self.steps, self.params.total_steps)

    def _epsilon(self) -> float:
        return self.params.epsilon_at(self._done())

    def _beta(self) -> float:
        return self.params.priority_beta + (1.0 - self.params.priority_beta) * self._done()

    def _learning_rate(self) -> float:
        return scheduled(self.params.learning_rate, self.params.learning_rate_schedule, self._done())

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _means(self, tallies: list[Tensor]) -> dict[str, float]:
        """Return the means of what was tallied; empty before the first gradient step."""
        if not tallies:
            return {}
        return dict(zip(_TALLIED, torch.stack(tallies).mean(0).tolist(), strict=True))

    def _stop(self, batch: Batch, seen: Mapping[str, float]) -> NoReturn:
        kept = {name: torch.from_numpy(np.ascontiguousarray(block)) for name, block in batch._asdict().items()}
        stop_training(self._explain_divergence(seen), kept, self.params, step=self.steps, folder=self.failure_folder, tallied=seen)

    def _explain_divergence(self, means: Mapping[str, float]) -> str:
        seen = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
        params = self.params
        return (
            f"training diverged at step {self.steps}: {seen}; lower learning_rate {params.learning_rate} or max_gradient_norm "
            f"{params.max_gradient_norm}, move the target network less often (target_every {params.target_every}, target_tau "
            f"{params.target_tau}), lower gamma {params.gamma}, or check that the features are finite"
        )

    def policy(self) -> QPolicy:
        """Return the policy as it is now; it follows the learner's further updates."""
        return QPolicy(self.network, self.window, str(self.device))

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights and its scale of rewards, on the host."""
        return host_weights(self.network)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that an exact resumption needs, the replay included: tensors by path, and values for JSON."""
        sums, moments = self._scale.state()
        env: Any = self.env
        state = {
            "network": self.weights(),
            "target": host_weights(self.target),
            "environment": env.state_dict(),
            "generators": {
                "exploration": dict(self._exploring.bit_generator.state),
                "replay": dict(self._sampling.bit_generator.state),
            },
            "replay": self.replay.state(),
            "reward_scale": {"sums": sums, "moments": moments},
            "steps": self.steps,
            "gradient_steps": self.gradient_steps,
            "owed": self._owed,
        }
        tensors, values = split_state(state, "dqn")
        return tensors | adam_state(self._optimiser, self.network, "adam"), values

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from what `state` returned; further updates equal those of a learner that was never stopped.

        Raises:
            DataError: The weights do not fit this network, or the replay not these settings.
        """
        state = join_state(tensors, values, "dqn")
        for network, name in ((self.network, "network"), (self.target, "target")):
            load_weights(network, state[name], "the checkpoint")
        load_adam_state(self._optimiser, self.network, tensors, "adam")
        env: Any = self.env
        self.replay.load_state(state["replay"])
        env.load_state_dict(state["environment"])
        self._exploring.bit_generator.state = state["generators"]["exploration"]
        self._sampling.bit_generator.state = state["generators"]["replay"]
        self._rows, self._account = self.replay.waiting()
        self._scale.load_state(state["reward_scale"]["sums"], state["reward_scale"]["moments"])
        self.steps, self.gradient_steps, self._owed = int(state["steps"]), int(state["gradient_steps"]), float(state["owed"])
        if self._encodings is not None:
            self._encodings.forget()


def _check(env: gymnasium.vector.VectorEnv[Any, Any, Any], network: QNetwork, params: DQNParams) -> None:
    space = env.single_action_space
    if not isinstance(space, gymnasium.spaces.Discrete):
        raise ConfigError(f"the actions are {space} and Q-learning needs numbered ones; choose a discrete scheme, or the agent ppo")
    if env.num_envs != params.n_envs:
        raise ConfigError(f"n_envs is {params.n_envs} and the environment steps {env.num_envs}; they must be the same")
    if network.n_actions != space.n or space.n > MOST_ACTIONS:
        raise ConfigError(
            f"the environment has {space.n} actions and the network values {network.n_actions}; "
            f"they must be the same, and at most {MOST_ACTIONS}"
        )
    if (network.quantiles, network.value_head is not None) != (params.quantiles, params.dueling):
        raise ConfigError(
            f"the settings ask for quantiles {params.quantiles} and dueling {params.dueling}; the network was built with "
            f"{network.quantiles} and {network.value_head is not None}"
        )


def _seen(observation: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, int64, shape (N,), and account rows, float32, shape (N, A), of an observation."""
    rows = np.ascontiguousarray(observation["row"], dtype=np.int64).reshape(-1)
    return rows, np.ascontiguousarray(observation["account"], dtype=np.float32)
