"""Stepping portfolios with drawn weights. What is kept of a step is a row of the panel and an account row, never a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from seawall.agents.joint_ppo.dirichlet import concentrations, draw, log_density
from seawall.agents.ppo.rollout import Rollout
from seawall.core.seeding import derived_seed, generator

Seen = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Takes rows and account rows; returns logits and values."""


class LastBar(Protocol):
    """What the last bar was to N portfolios, also to those whose episode it ended; shape (N,) each."""

    growth: Any
    benchmark_growth: Any
    turnover: Any


class Portfolios(Protocol):
    """N portfolios that are reset in the same step, as `PortfolioVectorEnv` steps them with ``observation: index``."""

    num_envs: int
    last_bar: Any

    def reset(self, *, seed: int | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start a new episode in every portfolio."""
        ...

    def step(self, actions: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Take every portfolio one bar on."""
        ...

    def observe(self) -> dict[str, np.ndarray]:
        """Return what is known now."""
        ...

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next step depends on."""
        ...

    def load_state_dict(self, saved: Mapping[str, np.ndarray]) -> None:
        """Take back what `state_dict` returned."""
        ...


class Gathered(NamedTuple):
    """What T steps of N portfolios left behind.

    Attributes:
        rollout: As PPO keeps it; actions are weights, float32, shape (T, N, A + 1), log-probabilities log densities of what acted.
        growth: Mean log growth of equity per bar, after all costs.
        benchmark_growth: The same of equal-weight buy-and-hold, without costs.
        concentration: Mean sum of the parameters of the distributions: how sure the policy was.
    """

    rollout: Rollout
    growth: float
    benchmark_growth: float
    concentration: float


class PortfolioCollector:
    """Portfolios, and where they stand."""

    def __init__(self, env: Portfolios, see: Seen, n_steps: int, seed: int, device: torch.device) -> None:
        """Reset the portfolios and take the first observation.

        Args:
            env: The portfolios.
            see: Looks at rows and account rows.
            n_steps: T, steps between updates.
            seed: The run's seed.
            device: Where the network is.
        """
        self.env, self.see, self.n_steps, self.device = env, see, n_steps, device
        self._seed = derived_seed(seed, "actions") % 2**31
        observation, _ = env.reset(seed=derived_seed(seed, "environments") % 2**31)
        self.rows, self.account = self._tensors(observation)

    def stand(self) -> None:
        """Take the observation anew, after the portfolios were put back to where they once were."""
        self.rows, self.account = self._tensors(self.env.observe())

    @torch.inference_mode()
    def collect(self, exploration: float, update: int) -> Gathered:
        """Take T steps with every portfolio.

        Args:
            exploration: Share of uniformly random weights.
            update: Number of the rollout, from which its draws follow.
        """
        source = generator(self._seed, f"rollout {update}")
        shape = steps, n = self.n_steps, self.env.num_envs
        rows, accounts, alphas, actions = [], [], [], []
        values, rewards, final_values = np.empty((steps + 1, n), np.float32), np.empty(shape), np.zeros(shape, np.float32)
        terminated, truncated, bars = np.empty(shape, dtype=bool), np.empty(shape, dtype=bool), np.empty((3, steps))
        for step in range(steps):
            rows.append(self.rows)
            accounts.append(self.account)
            logits, seen = self.see(self.rows, self.account)
            values[step] = seen.cpu().numpy()
            alphas.append(concentrations(logits))
            weights = draw(alphas[-1].cpu().numpy(), exploration, source)
            actions.append(torch.from_numpy(weights).to(self.device))
            observation, rewards[step], terminated[step], truncated[step], info = self.env.step(weights)
            bars[:, step] = [part.mean() for part in self.env.last_bar]
            if truncated[step].any():
                final_values[step, truncated[step]] = self._final_values(info["final_obs"], truncated[step])
            self.rows, self.account = self._tensors(observation)
        values[steps] = self.see(self.rows, self.account)[1].cpu().numpy()
        alpha, chosen = torch.stack(alphas), torch.stack(actions)
        growth, benchmark, turnover = bars.mean(1).tolist()
        rollout = Rollout(
            rows=torch.stack(rows).int(),
            account=torch.stack(accounts),
            starts=torch.zeros(shape, dtype=torch.bool, device=self.device),
            memory=torch.zeros((*shape, 0), device=self.device),
            actions=chosen,
            log_probabilities=log_density(alpha, chosen, exploration),
            values=values,
            rewards=rewards,
            final_values=final_values,
            terminated=terminated,
            truncated=truncated,
            turnover=turnover,
        )
        return Gathered(rollout, growth, benchmark, float(alpha.sum(-1).mean()))

    def _final_values(self, final: Mapping[str, Any], chosen: np.ndarray) -> np.ndarray:
        rows, account = self._tensors(final)
        picked = torch.from_numpy(chosen).to(self.device)
        return self.see(rows[picked], account[picked])[1].cpu().numpy()

    def _tensors(self, observation: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        rows, account = np.asarray(observation["row"]), np.asarray(observation["account"], dtype=np.float32)
        return torch.tensor(rows, device=self.device), torch.tensor(account, device=self.device)
