"""Stepping the environments with sampled actions.

What is kept of a step is a row of the market and an account row, never a window. The market's features live where the
network does; only rows, accounts and actions go there and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
import torch
from torch import Tensor

from seawall.agents.distributions import Distribution
from seawall.core.errors import ConfigError
from seawall.core.seeding import derived_seed
from seawall.nets.heads import ActorCritic

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Takes rows, returns what policy and value see of the windows that end there."""


class RolloutSizes(Protocol):
    """What settings must say of a rollout."""

    @property
    def n_envs(self) -> int:
        """N, environments."""
        ...

    @property
    def n_steps(self) -> int:
        """T, steps of each."""
        ...

    @property
    def steps_back(self) -> int:
        """Every so many steps what is remembered is kept."""
        ...


@dataclass(frozen=True)
class Rollout:
    """What T steps of N environments left behind; (T, N) unless said.

    Attributes:
        rows: Market row of each observation, int32.
        account: Account rows, float32, shape (T, N, A).
        starts: Whether an observation is the first of its episode, bool.
        memory: What was remembered before every `sequence`-th step, float32, shape (T / sequence, N, S).
        actions: What was chosen, as the distribution keeps it.
        log_probabilities: Of these when they were chosen, float32.
        values: Predicted values, with those after the last step; float32, shape (T + 1, N).
        rewards: As the environment gave them, float64.
        final_values: Value of the final observation where `truncated`, float32.
        terminated: Ended in ruin, bool.
        truncated: Ended by a limit of time or data, bool.
        turnover: Mean change of the target exposure in a step; NaN where the environment tells no targets.
    """

    rows: Tensor
    account: Tensor
    starts: Tensor
    memory: Tensor
    actions: Tensor
    log_probabilities: Tensor
    values: np.ndarray
    rewards: np.ndarray
    final_values: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    turnover: float


@dataclass
class Standing:
    """Where N environments stand.

    Attributes:
        rows: Row just closed, int64, shape (N,).
        account: Account rows, float32, shape (N, A).
        starts: Whether this is the first observation of an episode, bool, shape (N,).
        memory: What the network remembers of the episode's earlier bars, float32, shape (N, S).
    """

    rows: Tensor
    account: Tensor
    starts: Tensor
    memory: Tensor


class Collector:
    """Environments, and where they stand."""

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv[Any, Any, Any],
        network: ActorCritic,
        encode: Encode,
        distribution: Distribution,
        params: RolloutSizes,
        seed: int,
        device: torch.device,
    ) -> None:
        """Reset the environments and take the first observation.

        Args:
            env: See `PPO`.
            network: Whose memory and heads are asked.
            encode: Gathers windows and encodes them.
            distribution: What actions are drawn from.
            params: Settings.
            seed: The run's seed.
            device: Where the network is.
        """
        self.env, self.network, self.encode, self.distribution = env, network, encode, distribution
        self.params, self.device = params, device
        self.generator = torch.Generator(device).manual_seed(derived_seed(seed, "actions"))
        observation, _ = env.reset(seed=derived_seed(seed, "environments") % 2**31)
        n = params.n_envs
        self.standing = Standing(
            *self.tensors(observation),
            torch.ones(n, dtype=torch.bool, device=device),
            torch.zeros(n, network.state_width, device=device),
        )

    @torch.inference_mode()
    def collect(self) -> Rollout:
        """Take `n_steps` steps in every environment."""
        steps, n = shape = (self.params.n_steps, self.params.n_envs)
        rows, account, starts = (
            self._empty(shape, torch.int32),
            self._empty((*shape, self.network.n_account)),
            self._empty(shape, torch.bool),
        )
        memory = self._empty((steps // self.params.steps_back, n, self.network.state_width))
        preferences, actions = self._empty((*shape, self.network.n_preferences)), self._empty(shape, self.distribution.dtype)
        values, noise = self._empty((steps + 1, n)), self.distribution.noise(shape, self.generator)
        rewards, final_values = np.empty(shape), np.zeros(shape, dtype=np.float32)
        terminated, truncated, turnover = np.empty(shape, dtype=bool), np.empty(shape, dtype=bool), np.empty(steps)
        for step in range(steps):
            at = self.standing
            rows[step], account[step], starts[step] = at.rows, at.account, at.starts
            if step % self.params.steps_back == 0:
                memory[step // self.params.steps_back] = at.memory
            preferences[step], values[step], at.memory = self._look(at)
            actions[step] = self.distribution.choose(preferences[step], noise[step])
            before = _targets(self.env)
            observation, rewards[step], terminated[step], truncated[step], info = self.env.step(self._proposed(actions[step]))
            turnover[step] = _moved(self.env, before)
            if truncated[step].any():
                final_values[step, truncated[step]] = self._final_values(info["final_obs"], truncated[step])
            self._stand(observation, terminated[step] | truncated[step])
        values[steps] = self._look(self.standing)[1]
        logs, predicted = self.distribution.evaluate(preferences, actions)[0], values.cpu().numpy()
        kept = (rows, account, starts, memory, actions, logs, predicted, rewards, final_values, terminated, truncated)
        return Rollout(*kept, turnover=float(turnover.mean()))

    def _empty(self, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=self.device)

    def _proposed(self, actions: Tensor) -> np.ndarray:
        return self.distribution.proposals(actions).cpu().numpy().reshape(self.env.action_space.shape)

    def _look(self, at: Standing) -> tuple[Tensor, Tensor, Tensor]:
        """Return preferences, values, and what is remembered now."""
        actor, critic, memory = self.network.remember(*self.encode(at.rows), at.memory)
        preferences, values = self.network.heads(actor, critic, at.account)
        return preferences, values, memory

    def _final_values(self, final: Mapping[str, Any], chosen: np.ndarray) -> np.ndarray:
        """Return the values of final observations, seen with the memory of their own episodes."""
        rows, account = self.tensors(final, chosen)
        memory = self.standing.memory[torch.from_numpy(chosen).to(self.device)]
        return self._look(Standing(rows, account, torch.zeros_like(rows, dtype=torch.bool), memory))[1].cpu().numpy()

    def _stand(self, observation: Mapping[str, Any], ended: np.ndarray) -> None:
        at = self.standing
        at.rows, at.account = self.tensors(observation)
        at.starts = torch.from_numpy(ended).to(self.device)
        if self.network.state_width and ended.any():
            at.memory = at.memory.masked_fill(at.starts[:, None], 0.0)

    def tensors(self, observation: Mapping[str, Any], chosen: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Return rows (B,) and account rows (B, A) of an observation, or of the chosen environments in it."""
        rows, account = np.asarray(observation["row"]).reshape(-1), np.asarray(observation["account"], dtype=np.float32)
        if chosen is not None:
            rows, account = rows[chosen], account[chosen]
        return torch.tensor(rows, device=self.device), torch.tensor(account, device=self.device)


def check_fit(env: gymnasium.vector.VectorEnv[Any, Any, Any], network: ActorCritic, n_envs: int) -> None:
    """Refuse environments that a network or the settings do not fit.

    Raises:
        ConfigError: There are not `n_envs` of them, or the network's actions are not theirs.
    """
    if env.num_envs != n_envs:
        raise ConfigError(f"n_envs is {n_envs} and the environment steps {env.num_envs}; they must be the same")
    space = env.single_action_space
    fits = space == gymnasium.spaces.Discrete(network.n_actions) if network.n_actions else space.shape == (1,)
    if not fits:
        heads = f"{network.n_actions} numbered actions" if network.n_actions else "one number from -1 to 1"
        raise ConfigError(f"the network chooses {heads} and the environment takes {space}; they must be the same")


def _targets(env: Any) -> np.ndarray | None:
    """Return the target exposures in force, where the environment has a simulator that tells them."""
    simulator = getattr(env, "simulator", None)
    return None if simulator is None or not hasattr(simulator, "view") else simulator.view().target.copy()


def _moved(env: Any, before: np.ndarray | None) -> float:
    """Return the mean change that the last decision, guards included, made to the targets."""
    decision = getattr(env, "decision", None)
    return float("nan") if before is None or decision is None else float(np.abs(decision.allowed - before).mean())
