"""A running scale for rewards, so that one learning rate suits markets of any volatility."""

from __future__ import annotations

import numpy as np

_SMALLEST_SCALE = 1e-8


class RewardScale:
    """Divides rewards by the running standard deviation of their discounted sum; the mean stays where it is.

    Source: Engstrom et al. 2020, arXiv 2005.12729, section 2 (reward scaling), taken over whole rollouts.
    """

    def __init__(self, n: int, gamma: float) -> None:
        """Start with no experience and a scale of 1.

        Args:
            n: Number of environments.
            gamma: Discount of the sum.
        """
        self.gamma = gamma
        self.sums = np.zeros(n)
        self.count, self.mean, self.squares = 0.0, 0.0, 0.0

    @property
    def scale(self) -> float:
        """The standard deviation so far; 1 before the first rollout, and where every sum was the same."""
        deviation = (self.squares / self.count) ** 0.5 if self.count else 0.0
        return deviation if deviation > _SMALLEST_SCALE else 1.0

    def __call__(self, rewards: np.ndarray, ended: np.ndarray) -> np.ndarray:
        """Learn from one rollout, then scale it.

        Args:
            rewards: Shape (T, N).
            ended: Whether the step ended an episode, bool, shape (T, N).

        Returns:
            Scaled rewards, float32, shape (T, N).
        """
        sums = np.empty(rewards.shape)
        for step in range(len(rewards)):
            self.sums = self.sums * self.gamma + rewards[step]
            sums[step] = self.sums
            self.sums = np.where(ended[step], 0.0, self.sums)
        self._merge(sums)
        return (rewards / self.scale).astype(np.float32)

    def _merge(self, sums: np.ndarray) -> None:
        """Add samples to count, mean and squared deviations. Source: Chan, Golub, LeVeque 1979."""
        count, mean = sums.size, float(sums.mean())
        total, shift = self.count + count, mean - self.mean
        self.squares += float(np.square(sums - mean).sum()) + shift * shift * self.count * count / total
        self.mean += shift * count / total
        self.count = total

    def state(self) -> tuple[np.ndarray, dict[str, float]]:
        """Return the open sums, shape (N,), and the moments."""
        return self.sums.copy(), {"count": self.count, "mean": self.mean, "squares": self.squares}

    def load_state(self, sums: np.ndarray, moments: dict[str, float]) -> None:
        """Continue from what `state` returned."""
        self.sums = np.array(sums, dtype=np.float64)
        self.count, self.mean, self.squares = moments["count"], moments["mean"], moments["squares"]
