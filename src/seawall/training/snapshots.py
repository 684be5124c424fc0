"""Weights of single evaluations, kept by step beside a checkpoint, so that any of them can be judged later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from seawall.agents.bundle import weights_hash
from seawall.core.errors import DataError
from seawall.core.files import replacing_file

Keep = int | Literal["best", "all"]
"""Newest evaluations whose weights are kept; ``best`` keeps the newest one only, since the best are in the checkpoint."""

_SUFFIX = ".safetensors"


def snapshots_folder(checkpoint: Path) -> Path:
    """Return where the snapshots of a training are: beside its checkpoint, which is replaced as a whole."""
    return checkpoint.with_name(f"{checkpoint.name}-weights")


def save_snapshot(checkpoint: Path, step: int, weights: Mapping[str, Tensor], keep: Keep) -> None:
    """Keep the weights of one evaluation, and drop those that are too old.

    A training that goes on from an earlier checkpoint writes the same steps again, with the same weights.

    Args:
        checkpoint: Folder of the training's checkpoint.
        step: Environment steps so far.
        weights: By parameter name.
        keep: How many to keep.

    Raises:
        DataError: The disk is full; the older ones are as they were.
    """
    folder = snapshots_folder(checkpoint)
    with replacing_file(folder / f"{step}{_SUFFIX}") as temporary:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
        save_file(tensors, temporary, {"weights_hash": weights_hash(weights)})
    if keep == "all":
        return
    newest = 1 if keep == "best" else keep
    for old in [known for known in snapshot_steps(checkpoint) if known <= step][:-newest]:
        (folder / f"{old}{_SUFFIX}").unlink(missing_ok=True)


def snapshot_steps(checkpoint: Path) -> list[int]:
    """Return the steps whose weights are kept, ascending."""
    return sorted(int(path.stem) for path in snapshots_folder(checkpoint).glob(f"*{_SUFFIX}") if path.stem.isdecimal())


def load_snapshot(checkpoint: Path, step: int) -> dict[str, Tensor]:
    """Read the weights of one evaluation.

    Raises:
        DataError: They are not there, damaged, or not those that were saved.
    """
    path = snapshots_folder(checkpoint) / f"{step}{_SUFFIX}"
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            expected = (file.metadata() or {}).get("weights_hash")
    except (SafetensorError, OSError) as error:
        raise DataError(f"weights {path} cannot be read: {error}") from error
    if weights_hash(weights) != expected:
        raise DataError(f"weights {path} are not those that were saved: the file was changed")
    return weights
