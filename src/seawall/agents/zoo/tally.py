"""What an update of the zoo tells: rewards and actions of its steps, and what Stable-Baselines3 records, by readable names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from seawall.core.errors import InvariantError

_READABLE = {
    "policy_gradient_loss": "policy_loss",
    "n_updates": "gradient_updates",
    "exploration_rate": "epsilon",
    "ent_coef": "temperature",
    "ent_coef_loss": "temperature_loss",
}
_NEWEST = ("gradient_updates", "learning_rate", "epsilon", "temperature")


def diverged(step: int, seen: str, rate: str = "learning_rate") -> InvariantError:
    """Return that a training diverged, and what to change.

    Args:
        step: Environment steps so far.
        seen: What is not finite.
        rate: The setting to lower first, with its value where that is known.
    """
    return InvariantError(
        f"training diverged at step {step}: {seen}; lower {rate} or max_gradient_norm, set normalise_reward, or check that the "
        "features are finite"
    )


class Tally(BaseCallback):
    """Counts what happens in the steps of one update.

    Attributes:
        recorded: What the library recorded in each round, by readable names.
    """

    def __init__(self, n_actions: int) -> None:
        """Count that many numbered actions; 0 keeps mean and deviation of a number."""
        super().__init__()
        self._n_actions = n_actions
        self.begin()

    def begin(self) -> None:
        """Forget everything."""
        self.recorded: list[dict[str, float]] = []
        self._rewards: list[np.ndarray] = []
        self._actions: list[np.ndarray] = []
        self._episodes: list[float] = []

    def _on_step(self) -> bool:
        env, known = self.training_env, self.locals
        rewards = env.get_original_reward() if isinstance(env, VecNormalize) else np.array(known["rewards"])
        if not np.isfinite(rewards).all():
            raise InvariantError(
                f"a reward is not finite after {self.num_timesteps} steps; the market's prices or the costs are not usable"
            )
        self._rewards.append(rewards)
        self._actions.append(np.array(known["actions"]).reshape(len(rewards)))
        self._episodes += [float(each["episode"]["r"]) for each in known["infos"] if "episode" in each]
        return True

    def record(self, values: Mapping[str, Any]) -> None:
        """Keep what the library recorded in a round, by its names.

        Raises:
            InvariantError: A loss is not finite.
        """
        found = {}
        for path, value in values.items():
            name = path.rpartition("/")[2]
            if name == "entropy_loss":
                found["entropy"] = -float(value)
            else:
                found[_READABLE.get(name, name)] = float(value)
        bad = [f"{name} {value:.3g}" for name, value in found.items() if name.endswith("loss") and not np.isfinite(value)]
        if bad:
            raise diverged(self.num_timesteps, ", ".join(bad))
        self.recorded.append(found)

    def told(self) -> dict[str, float]:
        """Return the diagnostics of the update: means over its rounds, save for what only grows or is scheduled."""
        diagnostics: dict[str, float] = {}
        for name in sorted({name for each in self.recorded for name in each}):
            series = [each[name] for each in self.recorded if name in each]
            diagnostics[name] = series[-1] if name in _NEWEST else float(np.mean(series))
        actions = np.concatenate(self._actions)
        if self._n_actions:
            shares = np.bincount(actions.astype(np.int64), minlength=self._n_actions) / len(actions)
            diagnostics |= {f"action_share_{action}": share for action, share in enumerate(shares.tolist())}
        else:
            diagnostics |= {"action_mean": float(actions.mean()), "action_deviation": float(actions.std())}
        diagnostics["mean_reward"] = float(np.concatenate(self._rewards).mean())
        if self._episodes:
            diagnostics["episode_reward"] = float(np.mean(self._episodes))
        return diagnostics
