"""What the verbs of ``seawall bundle`` do: find a bundle, describe it, export it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from seawall import __version__
from seawall.agents.bundle import MANIFEST, ONNX, Bundle, attach_onnx, file_hash, load_bundle, read_manifest
from seawall.agents.onnx_export import EnsembleNetwork, ensemble_network, parity, require_onnx, require_parity, write_onnx
from seawall.agents.onnx_policy import windows_of
from seawall.core.errors import DataError
from seawall.core.files import refuse_replacing_file, replacing_file
from seawall.core.market import Market
from seawall.core.run_folder import RunFolder
from seawall.core.seeding import generator
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import load_run_recipe

COMPARED = 1_024
"""Random windows, and as many real ones, on which an export is compared with the networks."""


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


def export_onnx(place: BundlePlace, out: Path | None = None, *, force: bool = False) -> dict[str, Any]:
    """Export a run's ensemble as one ONNX graph, kept only where it gives the networks' probabilities.

    Args:
        place: The bundle of a run.
        out: Where to write it; None puts it beside the bundle's weights, with its hash in the manifest.
        force: Whether a file at `out` may be replaced.

    Returns:
        ``path``, ``sha256``, ``bytes``, ``max_difference``, and how many windows were compared.

    Raises:
        ConfigError: The packages of the extra ``onnx`` are missing, or these policies cannot be exported.
        DataError: The graph decides otherwise than the networks, `out` may not be written, or the bundle is damaged.
    """
    require_onnx()
    if place.run is None:
        raise DataError(f"{place.folder} stands alone; export from its run, whose bars the graph is compared on")
    parts = Parts(load_run_recipe(place.run), Dataset.load(place.run))
    bundle = load_bundle(place.folder)
    network = ensemble_network(parts.policies(bundle)[1])

    def write(path: Path) -> dict[str, Any]:
        return _write_compared(path, network, bundle, parts.dataset.market)

    if out is None:
        entry, path = attach_onnx(place.folder, write), place.folder / ONNX
    else:
        refuse_replacing_file(out, force=force)
        with replacing_file(out) as temporary:
            entry = write(temporary)
        path, entry = out, {**entry, "sha256": file_hash(out)}
    return {**entry, "path": str(path), "bytes": path.stat().st_size}


def comparison_inputs(manifest: Mapping[str, Any], market: Market | None) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Return the windows and account rows on which a graph and networks are compared.

    Args:
        manifest: The bundle's.
        market: Source of real windows, spread evenly over its rows; None gives random ones only.

    Returns:
        Windows, float32, shape (B, L, F); account rows, float32, shape (B, A); and how many windows of each kind there are.
    """
    source = generator(0, "onnx comparison")
    window, n_features = int(manifest["window"]), len(manifest["features"]["names"])
    windows = source.normal(size=(COMPARED, window, n_features)).astype(np.float32)
    real = np.empty((0, window, n_features), np.float32)
    if market is not None:
        every, first = windows_of(market.features, window), max(0, min(market.ready))
        real = every[np.linspace(min(first, len(every) - 1), len(every) - 1, COMPARED).astype(np.int64)]
    windows = np.concatenate((windows, real))
    account = source.uniform(-1.0, 1.0, size=(len(windows), len(manifest["account"]))).astype(np.float32)
    return windows, account, {"random_windows": COMPARED, "real_windows": len(real)}


def _write_compared(path: Path, network: EnsembleNetwork, bundle: Bundle, market: Market) -> dict[str, Any]:
    manifest = bundle.manifest
    sizes = int(manifest["window"]), len(manifest["features"]["names"]), len(manifest["account"])
    metadata = {
        "created_by": f"seawall {__version__}",
        "recipe_hash": str(manifest["recipe_hash"]),
        "features_hash": str(manifest["features"]["hash"]),
        "members": ", ".join(str(member["weights_hash"]) for member in manifest["members"]),
    }
    write_onnx(network, path, sizes, metadata)
    windows, account, counts = comparison_inputs(manifest, market)
    difference = parity(network, path, windows, account)
    require_parity(difference)
    return {"max_difference": difference, **counts}
