"""What the verbs of ``seawall bundle`` do first: find a bundle, and describe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from seawall.agents.bundle import MANIFEST, read_manifest
from seawall.core.errors import DataError
from seawall.core.run_folder import RunFolder


@dataclass(frozen=True)
class BundlePlace:
    """Where a bundle is.

    Attributes:
        folder: The bundle's folder.
        run: The run it belongs to; None for a bundle that stands alone.
    """

    folder: Path
    run: RunFolder | None


def find_bundle(runs: Path, reference: str) -> BundlePlace:
    """Find a bundle by its own folder, or by its run's path, beginning of a name, or ``latest``.

    Args:
        runs: Folder of all runs.
        reference: What the user named.

    Raises:
        ConfigError: No run, or more than one, answers to the reference.
        DataError: The run has no bundle yet.
    """
    direct = Path(reference)
    if direct.is_dir() and ((direct / MANIFEST).is_file() or any(direct.glob("member-*.safetensors"))):
        parent = RunFolder(direct.resolve().parent)
        return BundlePlace(direct, parent if parent.recipe.is_file() and parent.bundle.name == direct.resolve().name else None)
    run = RunFolder.find(runs, reference)
    if not run.bundle.is_dir():
        raise DataError(f"run {run.path} has no bundle yet; train it with: seawall resume {run.path}")
    return BundlePlace(run.bundle, run)


def bundle_facts(place: BundlePlace) -> dict[str, Any]:
    """Describe a bundle, without loading its weights.

    Raises:
        DataError: There is no bundle, or it cannot be read.
    """
    manifest = read_manifest(place.folder)
    seeds = manifest.get("seeds", [])
    members = [_member_facts(place.folder, entry) for entry in manifest["members"]]
    for number, member in enumerate(members):
        member["seed"] = seeds[number] if number < len(seeds) else None
    recipe, features, data = (manifest.get(key) or {} for key in ("recipe", "features", "data"))
    told = ("schema_version", "created_by", "migrated_by", "recipe_hash", "manifest_hash", "seeds", "progress", "window")
    also = ("timeframe", "action_scheme", "account", "network", "costs", "guards", "onnx")
    return {
        "bundle": str(place.folder),
        "run": None if place.run is None else str(place.run.path),
        "recipe": recipe.get("name"),
        "complete": manifest.get("complete", True),
        **{key: manifest.get(key) for key in (*told, *also)},
        "agent": recipe.get("agent"),
        "plugins": recipe.get("plugins"),
        "features": {**features, "count": len(features.get("names", ()))},
        "data": {
            key: data.get(key) for key in ("source", "symbol", "reference", "rows", "data_hash", "market_hash") if key in data
        },
        "members": members,
        "parameters": members[0]["parameters"] if members else 0,
        "bytes": sum(path.stat().st_size for path in place.folder.iterdir() if path.is_file()),
    }


def _member_facts(folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    path = folder / str(entry["file"])
    try:
        with safe_open(path, framework="np") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise DataError(f"weights {path} cannot be read: {error}; see what else is wrong with: seawall bundle verify") from error
    parameters = int(sum(np.prod(shape) for shape in shapes))
    return {"file": path.name, "bytes": path.stat().st_size, "parameters": parameters, "weights_hash": entry["weights_hash"]}
