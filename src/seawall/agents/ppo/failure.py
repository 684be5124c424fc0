"""Why a batch of PPO made a loss that is not finite, in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np
import torch
from torch import Tensor

from seawall.agents.failure import stop_training
from seawall.agents.ppo.batches import Batch
from seawall.agents.ppo.diagnostics import LOSSES
from seawall.agents.ppo.rollout import Rollout
from seawall.core.params import Params


class StepSizes(Protocol):
    """What settings must say of a gradient step."""

    @property
    def learning_rate(self) -> float:
        """Step size at the start."""
        ...

    @property
    def max_gradient_norm(self) -> float:
        """To which gradients are scaled down."""
        ...


def divergence(batch: Batch, windows: Tensor, params: StepSizes) -> str:
    """Return why a loss of a batch is not finite, and what to change.

    Args:
        batch: On which the first such loss was seen.
        windows: What the network saw of its rows.
        params: The settings in use.
    """
    steps = f"lower learning_rate {params.learning_rate} and max_gradient_norm {params.max_gradient_norm}"
    causes = (
        (windows, "the market's features are not finite: check the feature set and its scaling"),
        (batch.account, "account rows are not finite: check account_columns and the costs"),
        (batch.values, f"the weights were no longer finite before this rollout: {steps}"),
        (batch.log_probabilities, f"the weights were no longer finite before this rollout: {steps}"),
        (batch.returns, "the returns are not finite: set normalise_reward, or lower the weights of the reward"),
        (batch.advantages, "the advantages are not finite: set normalise_reward, or lower the weights of the reward"),
    )
    found = next((words for block, words in causes if not block.isfinite().all()), None)
    return found or f"its inputs are finite, so the weights have grown too large: {steps}, or set target_kl"


def check_rewards(rollout: Rollout, params: Params, *, step: int, folder: Path | None) -> None:
    """Stop a training whose rewards are no finite numbers; arguments as `failure.stop_training` takes them.

    Raises:
        InvariantError: A reward is not finite; the rollout is saved.
    """
    if np.isfinite(rollout.rewards).all():
        return
    cause = f"a reward is not finite after {step} steps; the market's prices or the costs are not usable"
    kept = {"rows": rollout.rows, "account": rollout.account, "actions": rollout.actions}
    stop_training(cause, {**kept, "rewards": torch.from_numpy(rollout.rewards)}, params, step=step, folder=folder)


def stop_diverged(
    seen: Tensor, cause: str, tensors: Mapping[str, Tensor], params: Params, *, step: int, folder: Path | None
) -> NoReturn:
    """Stop a training at a loss that is no finite number.

    Args:
        seen: Losses and gradient norm of the step, in the order of `LOSSES`, shape (4,).
        cause: As `divergence` tells it.
        tensors: The batch by name.
        params: The learner's settings.
        step: Environment steps so far.
        folder: Where batches are saved; None saves none.

    Raises:
        InvariantError: Always.
    """
    tallied: dict[str, float] = dict(zip(LOSSES, seen.tolist(), strict=True))
    described = ", ".join(f"{name} {value:.3g}" for name, value in tallied.items())
    words = f"training diverged at step {step}: {described}; {cause}"
    stop_training(words, tensors, params, step=step, folder=folder, tallied=tallied)
