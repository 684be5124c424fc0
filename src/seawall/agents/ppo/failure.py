"""Why a batch of PPO made a loss that is not finite, in words."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from seawall.agents.ppo.batches import Batch


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
