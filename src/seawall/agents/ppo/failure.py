"""What is left of a training that diverged: the batch, and the cause in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor

from seawall.agents.ppo.batches import Batch
from seawall.core.files import replacing_folder, to_json


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


def save_failure(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Path:
    """Write a batch and what is known of it, all or nothing.

    Args:
        folder: Replaced if it is there.
        tensors: The batch by name.
        facts: Plain values, to be written as JSON beside a summary of every tensor.

    Returns:
        The folder: ``batch.safetensors`` and ``batch.json``.

    Raises:
        DataError: The disk is full.
    """
    kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items() if tensor.numel()}
    document = {**facts, "tensors": {name: _summary(tensor) for name, tensor in kept.items()}}
    with replacing_folder(folder) as temporary:
        save_file(kept, temporary / "batch.safetensors")
        (temporary / "batch.json").write_text(to_json(document) + "\n", encoding="utf-8")
    return folder


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


def _summary(tensor: Tensor) -> dict[str, Any]:
    numbers = tensor.double()
    finite = numbers[numbers.isfinite()]
    known = finite if finite.numel() else torch.full((1,), float("nan"), dtype=torch.float64)
    return {
        "shape": list(tensor.shape),
        "mean": float(known.mean()),
        "smallest": float(known.min()),
        "largest": float(known.max()),
        "not_finite": int(numbers.numel() - finite.numel()),
    }
