"""Smaller steps where the reward no longer rises."""

from __future__ import annotations

from typing import Any

from seawall.agents.joint_ppo.params import JointPPOParams


class Plateau:
    """The factor on every step size, which falls where the rolling mean reward has not been the best for long.

    Attributes:
        factor: On the step sizes as they were at the start.
    """

    def __init__(self, params: JointPPOParams) -> None:
        """Take the settings."""
        self._params = params
        self.factor = 1.0
        self._rewards: list[float] = []
        self._best: float | None = None
        self._updates = self._stale = 0

    def tell(self, reward: float) -> float:
        """Take the mean reward of an update; return the rolling mean."""
        params = self._params
        self._updates += 1
        self._rewards = [*self._rewards, reward][-params.reward_window :]
        rolling = sum(self._rewards) / len(self._rewards)
        if self._updates <= params.warmup_updates:
            return rolling
        if self._best is None or rolling > self._best:
            self._best, self._stale = rolling, 0
            return rolling
        self._stale += 1
        if self._stale >= params.patience_updates:
            self.factor, self._stale = self.factor * params.rate_factor, 0
        return rolling

    def rate(self, start: float) -> float:
        """Return a step size as it is now, which was `start` at the start."""
        return max(start * self.factor, min(start, self._params.rate_floor))

    def state(self) -> dict[str, Any]:
        """Return where it stands, for JSON."""
        return {
            "factor": self.factor,
            "rewards": list(self._rewards),
            "best": self._best,
            "updates": self._updates,
            "stale": self._stale,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.factor, self._rewards, self._best = state["factor"], list(state["rewards"]), state["best"]
        self._updates, self._stale = state["updates"], state["stale"]
