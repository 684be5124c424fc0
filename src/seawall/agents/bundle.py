"""The bundle: what training saves and everything else loads. Weights are safetensors; nothing here is ever pickled."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seawall import __version__
from seawall.core.errors import DataError
from seawall.core.files import array_digest, digest, read_json, replacing_folder, to_json

SCHEMA_VERSION = 1
MANIFEST, ONNX, SMURF = "bundle.json", "policy.onnx", "smurf"


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes:
        manifest: The resolved recipe, features, scaler, action scheme, account columns, costs, guards, data, seeds, ...
        members: Weights by parameter name, one mapping per seed, in the order of the manifest's `members`.
        smurf: The supervisor that the policy was trained behind, a bundle of its own; None for none.
    """

    manifest: dict[str, Any]
    members: list[dict[str, Tensor]]
    smurf: Bundle | None = None


Migration = Callable[[Bundle], Bundle]

MIGRATIONS: dict[int, Migration] = {}
"""By schema version: what makes a bundle of it into one of the next. Version 1 is the oldest that was ever saved."""


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, shapes and bytes of weights, in hexadecimal; the order of the names does not matter."""
    names = sorted(weights)
    letters = np.frombuffer("\n".join(names).encode(), dtype=np.uint8)
    return array_digest(letters, *(weights[name].detach().cpu().numpy() for name in names))


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own hash, in hexadecimal."""
    return digest({key: value for key, value in _as_json(manifest).items() if key != "manifest_hash"})


def save_bundle(
    folder: Path, manifest: Mapping[str, Any], members: Sequence[Mapping[str, Tensor]], smurf: Bundle | None = None
) -> None:
    """Write a bundle, all or nothing.

    Args:
        folder: An older bundle there is replaced once the new one is whole.
        manifest: What a reader must know to use the weights; plain values, kept as JSON.
        members: Weights of each seed.
        smurf: A supervisor to keep beside them.

    Raises:
        DataError: No member, or the disk is full.
    """
    if not members:
        raise DataError(f"a bundle of 0 members cannot be saved to {folder}; at least 1 is needed")
    with replacing_folder(folder) as temporary:
        _write(temporary, {**manifest, "created_by": f"seawall {__version__}"}, members, smurf)


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle, check that its weights are those that were saved, and bring an older one up to date in memory.

    Raises:
        DataError: There is no bundle, it is of a newer schema, or a file is missing or damaged.
    """
    manifest = read_manifest(folder)
    members = [load_member(folder, member) for member in manifest["members"]]
    bundle = Bundle(manifest, members, _load_smurf(folder, manifest))
    for version in range(manifest["schema_version"], SCHEMA_VERSION):
        bundle = MIGRATIONS[version](bundle)
    return bundle


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what a bundle says of itself, as it was saved.

    Raises:
        DataError: There is no bundle, its members are not listed, or its schema version cannot be read.
    """
    path = folder / MANIFEST
    manifest = read_json(path, "members")
    members = manifest["members"]
    if not isinstance(members, list) or not all(
        isinstance(item, dict) and {"file", "weights_hash"} <= item.keys() for item in members
    ):
        raise DataError(f"{path} is damaged: its members are not files with a weights_hash")
    if not members:
        raise DataError(f"{path} is damaged: it lists no members; allowed: at least one")
    for item in members:
        if Path(str(item["file"])).name != item["file"]:
            raise DataError(f"{path} is damaged: a member's file is {item['file']!r}; allowed: a name in the bundle's folder")
    version, oldest = manifest.get("schema_version"), min((*MIGRATIONS, SCHEMA_VERSION))
    if not isinstance(version, int) or not oldest <= version <= SCHEMA_VERSION:
        advice = ": upgrade seawall" if isinstance(version, int) and version > SCHEMA_VERSION else ""
        raise DataError(
            f"bundle {folder} has schema version {version}; this seawall {__version__} reads {oldest} to {SCHEMA_VERSION}{advice}"
        )
    return manifest


def migrate_bundle(folder: Path) -> int:
    """Rewrite a bundle in the newest schema, all or nothing; one that is up to date is left as it is.

    Returns:
        The schema version that it had.

    Raises:
        DataError: As for `load_bundle`, or the disk is full; the bundle is as it was.
    """
    before = read_manifest(folder)
    if before["schema_version"] == SCHEMA_VERSION:
        return SCHEMA_VERSION
    bundle = load_bundle(folder)
    with replacing_folder(folder) as temporary:
        if (folder / ONNX).is_file():
            shutil.copyfile(folder / ONNX, temporary / ONNX)
        _write(temporary, {**bundle.manifest, "migrated_by": f"seawall {__version__}"}, bundle.members, bundle.smurf)
    return before["schema_version"]


def attach_onnx(folder: Path, write: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
    """Put an ONNX file beside a bundle's weights and its hash into the manifest, all or nothing.

    Args:
        folder: The bundle.
        write: Writes the file to the path it is given, and returns what the manifest shall say of it.

    Returns:
        The manifest's entry.

    Raises:
        DataError: The bundle is damaged or of an older schema, or the disk is full; the bundle is as it was.
    """
    bundle = load_bundle(folder)
    if read_manifest(folder)["schema_version"] != SCHEMA_VERSION:
        raise DataError(f"bundle {folder} is of an older schema; bring it up to date first: seawall bundle migrate {folder}")
    with replacing_folder(folder) as temporary:
        facts = write(temporary / ONNX)
        entry = {"file": ONNX, "sha256": file_hash(temporary / ONNX), **facts}
        _write(temporary, {**bundle.manifest, "onnx": entry}, bundle.members, bundle.smurf)
    return entry


def onnx_file(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Return a bundle's ONNX file, checked against the hash in the manifest.

    Raises:
        DataError: There is none, or it was changed.
    """
    entry = manifest.get("onnx")
    if not isinstance(entry, Mapping):
        raise DataError(f"bundle {folder} has no ONNX file; make it with: seawall bundle export {folder} --onnx")
    path = folder / ONNX
    if not path.is_file():
        raise DataError(f"the bundle lacks {path}; make it anew with: seawall bundle export {folder} --onnx")
    found = file_hash(path)
    if found != entry.get("sha256"):
        raise DataError(f"{path} has hash {found[:16]} and the bundle says {str(entry.get('sha256'))[:16]}: the file was changed")
    return path


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


def load_member(folder: Path, entry: Mapping[str, Any]) -> dict[str, Tensor]:
    """Read the weights of one member.

    Args:
        folder: The bundle.
        entry: The member's line of the manifest: ``file`` and ``weights_hash``.

    Raises:
        DataError: They are missing, damaged, or not those that were saved.
    """
    path, expected_hash = folder / str(entry["file"]), str(entry["weights_hash"])
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


def _load_smurf(folder: Path, manifest: Mapping[str, Any]) -> Bundle | None:
    """Return the supervisor that a bundle keeps, checked to be the one that was saved with it."""
    entry = manifest.get(SMURF)
    if entry is None:
        return None
    smurf, wanted = load_bundle(folder / SMURF), str(entry.get("manifest_hash") if isinstance(entry, Mapping) else entry)
    found = manifest_hash(smurf.manifest)
    if found != wanted:
        raise DataError(f"the Smurf in {folder / SMURF} has hash {found[:16]} and the bundle says {wanted[:16]}: it was changed")
    return smurf


def _write(folder: Path, manifest: Mapping[str, Any], members: Sequence[Mapping[str, Tensor]], smurf: Bundle | None = None) -> None:
    """Fill an empty folder."""
    entries = []
    for number, weights in enumerate(members):
        file = f"member-{number}.safetensors"
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, folder / file)
        entries.append({"file": file, "weights_hash": weights_hash(weights)})
    document = {**manifest, "schema_version": SCHEMA_VERSION, "members": entries}
    document.pop(SMURF, None)
    if smurf is not None:
        (folder / SMURF).mkdir()
        _write(folder / SMURF, smurf.manifest, smurf.members)
        document[SMURF] = {"manifest_hash": read_manifest(folder / SMURF)["manifest_hash"], "seeds": smurf.manifest.get("seeds")}
    document["manifest_hash"] = manifest_hash(document)
    (folder / MANIFEST).write_text(to_json(document) + "\n", encoding="utf-8")


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
