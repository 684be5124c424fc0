"""Proximal policy optimisation over market rows.

Schulman et al. 2017, arXiv 1707.06347, with generalised advantages (arXiv 1506.02438). What differs from the paper: AdamW
with one learning rate for policy and value, a clipped gradient norm, advantages normalised per minibatch, rewards scaled
by a running deviation, the value loss not clipped, and a bootstrap from the true final observation at every truncation.
An observation is a row of the market and an account row: buffers hold these, and windows are gathered as they are needed.
The log-probability is that of the agent's proposal; what guards made of it is the environment's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

import gymnasium
import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from seawall.agents.losses import approximate_kl, clip_fraction, clipped_surrogate, entropy, explained_variance, value_loss
from seawall.agents.policy import NetworkPolicy
from seawall.agents.returns import generalised_advantages
from seawall.agents.reward_scale import RewardScale
from seawall.agents.state import adam_state, join_state, load_adam_state, load_weights, split_state
from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import Market
from seawall.core.params import Params
from seawall.core.seeding import derived_seed
from seawall.nets.heads import ActorCritic
from seawall.nets.windows import WindowGatherer, feature_tensor

_TALLIED: tuple[str, ...] = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "gradient_norm")


class PPOParams(Params):
    """Settings of PPO."""

    total_steps: int = Field(default=262_144, ge=1, description="environment steps of the whole training, over all environments")
    n_envs: int = Field(default=256, ge=1, le=65_536, description="environments stepped together")
    n_steps: int = Field(default=64, ge=1, le=65_536, description="steps of each environment between updates")
    learning_rate: float = Field(default=5e-4, gt=0, le=1, description="Adam's step size at the start")
    learning_rate_schedule: Literal["constant", "linear"] = Field(default="linear", description="linear falls to 0 at total_steps")
    gamma: float = Field(default=0.95, ge=0, le=1, description="discount per bar")
    gae_lambda: float = Field(default=0.95, ge=0, le=1, description="weight of longer advantage estimates")
    clip_range: float = Field(default=0.2, gt=0, lt=1, description="how far a probability ratio may move before it stops paying")
    n_epochs: int = Field(default=4, ge=1, le=100, description="passes over each rollout")
    minibatch: int = Field(default=512, ge=2, description="samples per gradient step; must divide n_envs * n_steps")
    entropy_coefficient: float = Field(default=0.01, ge=0, le=10, description="weight of the entropy bonus: more explores longer")
    value_coefficient: float = Field(default=0.5, ge=0, le=100, description="weight of the value loss")
    weight_decay: float = Field(
        default=0.5, ge=0, le=100, description="decoupled pull of every weight to 0: more forgets the noise of few bars"
    )
    max_gradient_norm: float = Field(default=0.5, gt=0, description="gradients are scaled down to this norm")
    target_kl: float | None = Field(
        default=None, gt=0, description="leave an update early once the policy moved this far; null never does"
    )
    normalise_advantage: bool = Field(default=True, description="centre and scale advantages within each minibatch")
    normalise_reward: bool = Field(default=True, description="divide rewards by the running deviation of their discounted sum")

    @model_validator(mode="after")
    def _whole_minibatches(self) -> PPOParams:
        if self.n_envs * self.n_steps % self.minibatch:
            raise ValueError(
                f"minibatch {self.minibatch} does not divide the {self.n_envs * self.n_steps} samples of a rollout "
                f"(n_envs {self.n_envs} * n_steps {self.n_steps}); choose a divisor"
            )
        return self


@dataclass(frozen=True)
class Rollout:
    """What T steps of N environments left behind; (T, N) unless said.

    Attributes:
        rows: Market row of each observation, int32.
        account: Account rows, float32, shape (T, N, A).
        actions: Proposed actions, int64.
        log_probabilities: Of these actions when they were taken, float32.
        values: Predicted values, with those after the last step; float32, shape (T + 1, N).
        rewards: Scaled as the learner sees them, float32.
        final_values: Value of the final observation where `truncated`, float32.
        terminated: Ended in ruin, bool.
        truncated: Ended by a limit of time or data, bool.
        mean_reward: Mean reward of a step before scaling.
    """

    rows: Tensor
    account: Tensor
    actions: Tensor
    log_probabilities: Tensor
    values: np.ndarray
    rewards: np.ndarray
    final_values: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    mean_reward: float


class PPO:
    """One learner: an environment, a network, and where training stands."""

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
            ConfigError: `n_envs` is not what the environment steps.
        """
        if env.num_envs != params.n_envs:
            raise ConfigError(f"n_envs is {params.n_envs} and the environment steps {env.num_envs}; they must be the same")
        self.env, self.params, self.window, self.device = env, params, window, torch.device(device)
        self.network = network.to(self.device)
        self.steps = 0
        self._gather = WindowGatherer(feature_tensor(market.features, self.device), window)
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=params.learning_rate, eps=1e-5, weight_decay=params.weight_decay, fused=True
        )
        self._scale = RewardScale(params.n_envs, params.gamma)
        self._sampling = torch.Generator(self.device).manual_seed(derived_seed(seed, "actions"))
        self._shuffling = torch.Generator().manual_seed(derived_seed(seed, "minibatches"))
        observation, _ = env.reset(seed=derived_seed(seed, "environments") % 2**31)
        self._rows, self._account = self._tensors(observation)

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole training."""
        return self.params.total_steps

    def update(self) -> dict[str, float]:
        """Collect one rollout and learn from it.

        Returns:
            Diagnostics: losses, entropy, KL, clip fraction, gradient norm, explained variance, mean reward per step
            before scaling, share of each action, learning rate, steps so far, steps per second.

        Raises:
            InvariantError: A loss or reward is no longer finite; the message names the likely setting.
        """
        started = perf_counter()
        rollout = self._collect()
        advantages, returns = generalised_advantages(
            rollout.rewards,
            rollout.values,
            rollout.final_values,
            rollout.terminated,
            rollout.truncated,
            self.params.gamma,
            self.params.gae_lambda,
        )
        diagnostics = self._learn(rollout, advantages, returns)
        self.steps += rollout.rewards.size
        shares = torch.bincount(rollout.actions.flatten(), minlength=self.network.n_actions) / rollout.actions.numel()
        explained = explained_variance(torch.from_numpy(rollout.values[:-1]), torch.from_numpy(returns))
        return {
            **diagnostics,
            "explained_variance": float(explained),
            "mean_reward": rollout.mean_reward,
            **{f"action_share_{action}": share for action, share in enumerate(shares.tolist())},
            "learning_rate": self._learning_rate(),
            "steps": float(self.steps),
            "steps_per_second": rollout.rewards.size / (perf_counter() - started),
        }

    @torch.no_grad()
    def _collect(self) -> Rollout:
        """Step the environments with sampled actions."""
        steps, n, shape = self.params.n_steps, self.params.n_envs, (self.params.n_steps, self.params.n_envs)
        rows = torch.empty(shape, dtype=torch.int32, device=self.device)
        account = torch.empty((*shape, self.network.n_account), device=self.device)
        actions = torch.empty(shape, dtype=torch.int64, device=self.device)
        log_probabilities = torch.empty(shape, device=self.device)
        values = torch.empty((steps + 1, n), device=self.device)
        rewards, final_values = np.empty(shape), np.zeros(shape, dtype=np.float32)
        terminated, truncated = np.empty(shape, dtype=bool), np.empty(shape, dtype=bool)
        for step in range(steps):
            rows[step], account[step] = self._rows, self._account
            logits, values[step] = self.network(self._gather(self._rows), self._account)
            log_policy = torch.log_softmax(logits, 1)
            actions[step] = torch.multinomial(log_policy.exp(), 1, generator=self._sampling)[:, 0]
            log_probabilities[step] = log_policy.gather(1, actions[step][:, None])[:, 0]
            observation, rewards[step], terminated[step], truncated[step], info = self.env.step(actions[step].cpu().numpy())
            self._rows, self._account = self._tensors(observation)
            if truncated[step].any():
                final_rows, final_account = self._tensors(info["final_obs"], truncated[step])
                final = self.network.values(self._gather(final_rows), final_account)
                final_values[step, truncated[step]] = final.cpu().numpy()
        values[steps] = self.network.values(self._gather(self._rows), self._account)
        mean_reward = float(rewards.mean())
        if not np.isfinite(mean_reward):
            raise InvariantError(
                f"a reward is not finite after {self.steps} steps; the market's prices or the costs are not usable"
            )
        scaled = self._scale(rewards, terminated | truncated) if self.params.normalise_reward else rewards.astype(np.float32)
        return Rollout(
            rows,
            account,
            actions,
            log_probabilities,
            values.cpu().numpy(),
            scaled,
            final_values,
            terminated,
            truncated,
            mean_reward,
        )

    def _learn(self, rollout: Rollout, advantages: np.ndarray, returns: np.ndarray) -> dict[str, float]:
        """Take the epochs' gradient steps; return the means of what was tallied over them."""
        self._optimiser.param_groups[0]["lr"] = self._learning_rate()
        samples = (
            rollout.rows.flatten(),
            rollout.account.flatten(0, 1),
            rollout.actions.flatten(),
            rollout.log_probabilities.flatten(),
            torch.from_numpy(advantages).flatten().to(self.device),
            torch.from_numpy(returns).flatten().to(self.device),
        )
        tallies: list[Tensor] = []
        for _ in range(self.params.n_epochs):
            epoch = [self._step(minibatch) for minibatch in self._minibatches(samples)]
            tallies += epoch
            if self.params.target_kl is not None and torch.stack(epoch)[:, 3].mean() > self.params.target_kl:
                break
        means = dict(zip(_TALLIED, torch.stack(tallies).mean(0).tolist(), strict=True))
        if not all(np.isfinite(value) for value in means.values()):
            raise InvariantError(self._explain_divergence(means))
        return means

    def _minibatches(self, samples: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
        order = torch.randperm(len(samples[0]), generator=self._shuffling).to(self.device)
        for chosen in order.split(self.params.minibatch):
            yield tuple(block[chosen] for block in samples)

    def _step(self, minibatch: tuple[Tensor, ...]) -> Tensor:
        """Take one gradient step; return the tallied numbers in the order of their names."""
        rows, account, actions, old_log_probabilities, advantages, returns = minibatch
        logits, values = self.network(self._gather(rows), account)
        log_policy = torch.log_softmax(logits, 1)
        log_ratio = log_policy.gather(1, actions[:, None])[:, 0] - old_log_probabilities
        if self.params.normalise_advantage:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        policy_part = clipped_surrogate(log_ratio, advantages, self.params.clip_range)
        value_part = value_loss(values, returns)
        entropy_part = entropy(log_policy)
        loss = policy_part + self.params.value_coefficient * value_part - self.params.entropy_coefficient * entropy_part
        self._optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.params.max_gradient_norm)
        self._optimiser.step()
        with torch.no_grad():
            distances = (approximate_kl(log_ratio), clip_fraction(log_ratio, self.params.clip_range))
            return torch.stack((policy_part, value_part, entropy_part, *distances, norm)).detach()

    def _learning_rate(self) -> float:
        left = 1.0 - min(self.steps / self.params.total_steps, 1.0)
        return self.params.learning_rate * (left if self.params.learning_rate_schedule == "linear" else 1.0)

    def _tensors(self, observation: Mapping[str, Any], chosen: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Return rows (B,) and account rows (B, A) of an observation, or of the chosen environments in it."""
        rows, account = np.asarray(observation["row"]).reshape(-1), np.asarray(observation["account"], dtype=np.float32)
        if chosen is not None:
            rows, account = rows[chosen], account[chosen]
        return torch.tensor(rows, device=self.device), torch.tensor(account, device=self.device)

    def _explain_divergence(self, means: Mapping[str, float]) -> str:
        seen = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
        where = f"training diverged at step {self.steps}: {seen}"
        if not all(bool(parameter.isfinite().all()) for parameter in self.network.parameters()):
            settings = f"learning_rate {self.params.learning_rate} and max_gradient_norm {self.params.max_gradient_norm}"
            return f"{where}; the weights are no longer finite: lower {settings}, or check that the features are finite"
        return f"{where}; the weights are still finite: lower learning_rate {self.params.learning_rate} or set target_kl"

    def policy(self) -> NetworkPolicy:
        """Return the policy as it is now; it follows the learner's further updates."""
        return NetworkPolicy(self.network, self.window, str(self.device))

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights, on the host."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that an exact resumption needs: tensors by path, and values for JSON."""
        sums, moments = self._scale.state()
        env: Any = self.env
        state = {
            "network": self.weights(),
            "environment": env.state_dict(),
            "generators": {"sampling": self._sampling.get_state(), "shuffling": self._shuffling.get_state()},
            "observation": {"row": self._rows, "account": self._account},
            "reward_scale": {"sums": sums, "moments": moments},
            "steps": self.steps,
        }
        tensors, values = split_state(state, "ppo")
        return tensors | adam_state(self._optimiser, self.network, "adam"), values

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from what `state` returned; further updates equal those of a learner that was never stopped.

        Raises:
            DataError: The weights do not fit this network.
        """
        state = join_state(tensors, values, "ppo")
        weights = {name: torch.from_numpy(array) for name, array in state["network"].items()}
        load_weights(self.network, weights, "the checkpoint")
        load_adam_state(self._optimiser, self.network, tensors, "adam")
        env: Any = self.env
        env.load_state_dict(state["environment"])
        self._sampling.set_state(torch.from_numpy(state["generators"]["sampling"]))
        self._shuffling.set_state(torch.from_numpy(state["generators"]["shuffling"]))
        self._rows, self._account = self._tensors(state["observation"])
        self._scale.load_state(state["reward_scale"]["sums"], state["reward_scale"]["moments"])
        self.steps = int(state["steps"])
