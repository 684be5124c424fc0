"""A training that stopped: everything needed to go on as if it had not, in two files that replace the older two at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seawall.core.errors import DataError
from seawall.core.files import read_json, recover_folder, replacing_folder, to_json

SCHEMA_VERSION = 1
_TENSORS, _VALUES = "checkpoint.safetensors", "checkpoint.json"
_LEARNER, _BEST = "learner:", "best:"


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stands.

    Attributes:
        tensors: The learner's tensors by path.
        values: The learner's other values.
        best: The best weights so far by parameter name; the initial ones before the first evaluation.
        progress: The driver's own counts and history.
    """

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]
    best: Mapping[str, Tensor]
    progress: Mapping[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint over the older one, all or nothing.

    Raises:
        DataError: The disk is full; the older checkpoint is as it was.
    """
    tensors = {f"{_LEARNER}{name}": tensor for name, tensor in checkpoint.tensors.items()}
    tensors |= {f"{_BEST}{name}": tensor for name, tensor in checkpoint.best.items()}
    document = {"schema_version": SCHEMA_VERSION, "learner": checkpoint.values, "progress": checkpoint.progress}
    with replacing_folder(folder) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary / _TENSORS)
        (temporary / _VALUES).write_text(to_json(document) + "\n", encoding="utf-8")


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Read a checkpoint; None where there is none.

    Raises:
        DataError: A file is missing or damaged, or of another schema.
    """
    recover_folder(folder)
    if not folder.exists():
        return None
    try:
        document = read_json(folder / _VALUES, "schema_version", "learner", "progress")
    except DataError as error:
        raise DataError(f"{error}; delete the folder {folder} to start anew") from error
    if document["schema_version"] != SCHEMA_VERSION:
        raise DataError(f"checkpoint {folder} has schema version {document['schema_version']}; {SCHEMA_VERSION} can be read")
    try:
        tensors = load_file(folder / _TENSORS)
    except (FileNotFoundError, SafetensorError) as error:
        raise DataError(f"checkpoint {folder / _TENSORS} cannot be read: {error}; delete the folder to start anew") from error
    return Checkpoint(_under(tensors, _LEARNER), document["learner"], _under(tensors, _BEST), document["progress"])


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
