"""The bundle: what training saves and everything else loads. Weights are safetensors; nothing here is ever pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seawall import __version__
from seawall.core.errors import DataError
from seawall.core.files import array_digest, read_json, replacing_folder, to_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes:
        manifest: The resolved recipe, features, scaler, action scheme, account columns, costs, guards, data, seeds, ...
        members: Weights by parameter name, one mapping per seed, in the order of the manifest's `members`.
    """

    manifest: dict[str, Any]
    members: list[dict[str, Tensor]]


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, shapes and bytes of weights, in hexadecimal; the order of the names does not matter."""
    names = sorted(weights)
    letters = np.frombuffer("\n".join(names).encode(), dtype=np.uint8)
    return array_digest(letters, *(weights[name].detach().cpu().numpy() for name in names))


def save_bundle(folder: Path, manifest: Mapping[str, Any], members: Sequence[Mapping[str, Tensor]]) -> None:
    """Write a bundle, all or nothing.

    Args:
        folder: An older bundle there is replaced once the new one is whole.
        manifest: What a reader must know to use the weights; plain values, kept as JSON.
        members: Weights of each seed.

    Raises:
        DataError: No member, or the disk is full.
    """
    if not members:
        raise DataError(f"a bundle of 0 members cannot be saved to {folder}; at least 1 is needed")
    files = [f"member-{number}.safetensors" for number in range(len(members))]
    hashes = [weights_hash(weights) for weights in members]
    document = {
        **manifest,
        "schema_version": SCHEMA_VERSION,
        "created_by": f"seawall {__version__}",
        "members": [{"file": file, "weights_hash": value} for file, value in zip(files, hashes, strict=True)],
    }
    with replacing_folder(folder) as temporary:
        for file, weights in zip(files, members, strict=True):
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, temporary / file)
        (temporary / "bundle.json").write_text(to_json(document) + "\n", encoding="utf-8")


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and check that its weights are those that were saved.

    Raises:
        DataError: There is no bundle, it is of a newer schema, or a file is missing or damaged.
    """
    path = folder / "bundle.json"
    manifest = read_json(path, "members")
    members = manifest["members"]
    if not isinstance(members, list) or not all(
        isinstance(item, dict) and {"file", "weights_hash"} <= item.keys() for item in members
    ):
        raise DataError(f"{path} is damaged: its members are not files with a weights_hash")
    version = manifest.get("schema_version")
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        raise DataError(
            f"bundle {folder} has schema version {version}; this seawall {__version__} reads 1 to {SCHEMA_VERSION}: upgrade seawall"
        )
    return Bundle(manifest, [_load_member(folder / member["file"], member["weights_hash"]) for member in manifest["members"]])


def check_compatible(manifest: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse a bundle that was made for something else.

    Args:
        manifest: The bundle's.
        expected: Entries that must be the same, as in feature names, window, action scheme, account columns.

    Raises:
        DataError: An entry differs or is absent; every difference is a line of the message.
    """
    lines = [line for key, value in expected.items() for line in _differences(key, manifest.get(key), _as_json(value))]
    if lines:
        raise DataError("the bundle does not fit; it was trained with other inputs:\n" + "\n".join(f"  {line}" for line in lines))


def _load_member(path: Path, expected_hash: str) -> dict[str, Tensor]:
    try:
        weights = load_file(path)
    except FileNotFoundError as error:
        raise DataError(f"the bundle lacks {path}") from error
    except (SafetensorError, OSError) as error:
        raise DataError(f"weights {path} cannot be read: {error}") from error
    found = weights_hash(weights)
    if found != expected_hash:
        raise DataError(f"weights {path} have hash {found[:16]} and the bundle says {expected_hash[:16]}: the file was changed")
    return weights


def _as_json(value: Any) -> Any:
    return json.loads(to_json(value))


def _differences(path: str, saved: Any, wanted: Any) -> list[str]:
    """List where two JSON values differ, one line each."""
    if isinstance(saved, dict) and isinstance(wanted, dict):
        keys = sorted(saved.keys() | wanted.keys())
        return [line for key in keys for line in _differences(f"{path}.{key}", saved.get(key), wanted.get(key))]
    if isinstance(saved, list) and isinstance(wanted, list):
        if len(saved) != len(wanted):
            only = [f"only in the bundle {item!r}" for item in saved if item not in wanted]
            only += [f"only here {item!r}" for item in wanted if item not in saved]
            return [f"{path}: {len(saved)} in the bundle, {len(wanted)} here; {', '.join(only)}"]
        pairs = enumerate(zip(saved, wanted, strict=True))
        return [line for number, (left, right) in pairs for line in _differences(f"{path}[{number}]", left, right)]
    return [] if saved == wanted else [f"{path}: bundle {saved!r}, here {wanted!r}"]
