"""What is left of a training that diverged: the batch, and the cause in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors.torch import save_file
from torch import Tensor

from seawall.core.errors import InvariantError
from seawall.core.files import replacing_folder, to_json
from seawall.core.params import Params


def stop_training(
    cause: str,
    tensors: Mapping[str, Tensor],
    params: Params,
    *,
    step: int,
    folder: Path | None,
    tallied: Mapping[str, float] | None = None,
) -> NoReturn:
    """Save the batch on which a training diverged, and stop.

    Args:
        cause: Why, and what to change.
        tensors: The batch by name.
        params: The learner's settings.
        step: Environment steps so far, by which the batch is named.
        folder: Where batches are saved; None saves none.
        tallied: Losses and norms of the batch.

    Raises:
        InvariantError: Always; the message names the cause, and the saved batch.
    """
    if folder is None:
        raise InvariantError(cause)
    facts = {"cause": cause, "step": step, "tallied": dict(tallied or {}), "settings": params.model_dump()}
    saved = save_failure(folder / f"batch-at-step-{step}", tensors, facts)
    raise InvariantError(f"{cause}; the batch is saved in {saved}")


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
