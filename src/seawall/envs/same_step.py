"""What every batch of environments does alike: start episodes, step, and start the next one in the step in which one ended."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv


def space_of_one(space: spaces.Space[Any]) -> spaces.Space[Any]:
    """Return the space of a single environment's observations: that of one of a batch, but for ``row``, which is of shape (1,).

    Stable-Baselines3's checker takes no arrays without an axis.
    """
    if not isinstance(space, spaces.Dict) or "row" not in space.spaces:
        return space
    row: Any = space.spaces["row"]
    return spaces.Dict({**space.spaces, "row": spaces.Box(row.low.item(), row.high.item(), (1,), np.int64)})


def seen_by_one(blocks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the observation of a batch of one in the space that `space_of_one` returns."""
    return {name: block if name == "row" else np.asarray(block[0]) for name, block in blocks.items()}


class SameStepVectorEnv(VectorEnv[dict[str, np.ndarray], np.ndarray, np.ndarray]):
    """N environments that are reset in the step in which they end."""

    @abstractmethod
    def begin(self, environments: np.ndarray) -> None:
        """Start the next episode in some environments.

        Args:
            environments: Their indices, int64, shape (K,), each once.
        """

    @abstractmethod
    def advance(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take every account one bar on, without resetting those that end; return reward, terminated and truncated."""

    @abstractmethod
    def observe(self) -> dict[str, np.ndarray]:
        """Return what every policy sees now, known at the close of each environment's row; new arrays."""

    @abstractmethod
    def _take_seed(self, seed: int) -> None:
        """Key the random streams by a seed and count episodes from 0 again."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start a new episode in every environment.

        Args:
            seed: A new seed, from whose first episodes the environments start; None goes on to the next episode.
            options: Not used.

        Returns:
            The first observation and an empty dictionary.
        """
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._take_seed(seed)
        self.begin(np.arange(self.num_envs))
        return self.observe(), {}

    def step(self, actions: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Take every account one bar on, and start new episodes where one ended.

        Args:
            actions: As `advance` takes them.

        Returns:
            Observation; reward, float64, shape (N,); terminated and truncated, bool, shape (N,); and details: empty, or
            ``final_obs`` and the mask ``_final_obs`` where an episode ended.

        Raises:
            InvariantError: An action is not allowed, or `reset` was never called.
        """
        reward, terminated, truncated = self.advance(actions)
        ended = terminated | truncated
        observation = self.observe()
        if not ended.any():
            return observation, reward, terminated, truncated, {}
        self.begin(np.flatnonzero(ended))
        return self.observe(), reward, terminated, truncated, {"final_obs": observation, "_final_obs": ended}
