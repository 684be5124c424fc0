"""Exporting an ensemble as one ONNX graph, kept only where it decides as the networks do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from seawall import __version__
from seawall.agents.bundle import ONNX, Bundle, attach_onnx, file_hash, load_bundle
from seawall.agents.onnx.graph import EnsembleGraph, ensemble_graph
from seawall.agents.onnx.parity import COMPARED, differences, episodes_of, random_market, require_parity
from seawall.agents.onnx.policy import OnnxPolicy
from seawall.agents.onnx.writing import require_onnx, write_onnx
from seawall.core.errors import DataError
from seawall.core.files import refuse_replacing_file, replacing_file
from seawall.core.market import RowRange
from seawall.core.seeding import generator
from seawall.recipes.assembly import Parts
from seawall.recipes.bundles import BundlePlace
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import load_run_recipe
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.recipes.portfolio_run import parts_of
from seawall.recipes.runtime import sees
from seawall.recipes.schema import is_portfolio

AnyParts = TypeVar("AnyParts", bound=Parts | PortfolioParts)


def export_onnx(place: BundlePlace, out: Path | None = None, *, force: bool = False) -> dict[str, Any]:
    """Export a run's ensemble as one ONNX graph, kept only where it decides as the networks do.

    Args:
        place: The bundle of a run.
        out: Where to write it; None puts it beside the bundle's weights, with its hash in the manifest.
        force: Whether a file at `out` may be replaced.

    Returns:
        ``path``, ``sha256``, ``bytes``, ``kind``, ``max_difference``, and how many decisions were compared.

    Raises:
        ConfigError: The packages of the extra ``onnx`` are missing, or these policies cannot be exported.
        DataError: The graph decides otherwise than the networks, `out` may not be written, or the bundle is damaged.
    """
    require_onnx()
    if place.run is None:
        raise DataError(f"{place.folder} stands alone; export from its run, whose bars the graph is compared on")
    bundle = load_bundle(place.folder)
    parts: Parts | PortfolioParts
    if is_portfolio(bundle.manifest["recipe"]):
        parts = parts_of(place.run)
    else:
        parts = Parts(load_run_recipe(place.run), Dataset.load(place.run), run=place.run)
    graph = ensemble_graph(_on_cpu(parts).policies(bundle)[1])

    def write(path: Path) -> dict[str, Any]:
        _write(path, graph, parts, bundle)
        return compare_with_networks(path, parts, bundle, _dataset(parts))

    if out is None:
        entry, path = attach_onnx(place.folder, write), place.folder / ONNX
    else:
        refuse_replacing_file(out, force=force)
        with replacing_file(out) as temporary:
            entry = write(temporary)
        path, entry = out, {**entry, "sha256": file_hash(out)}
    return {**entry, "path": str(path), "bytes": path.stat().st_size}


def compare_with_networks(path: Path, parts: Parts | PortfolioParts, bundle: Bundle, own: Dataset | None) -> dict[str, Any]:
    """Refuse a graph that decides otherwise than a bundle's networks, which torch runs on the CPU.

    Args:
        path: The graph.
        parts: What the policies look at.
        bundle: The networks.
        own: The run's bars, on whose test rows every decision must be the same; None compares random windows alone.

    Returns:
        ``kind``, ``max_difference``, and the decisions compared: ``random_windows`` and ``real_windows``.

    Raises:
        ConfigError: onnxruntime is not installed.
        DataError: The graph cannot be read, takes other inputs, or decides otherwise.
    """
    networks, _members = _on_cpu(parts).policies(bundle)
    graph, source = OnnxPolicy(path, sees(parts)), generator(0, "onnx comparison")
    reach = parts.recipe.environment.window if isinstance(parts, Parts) else parts.look.reach
    made_up = random_market(_dataset(parts).market, COMPARED + reach - 1, source)
    grounds = [(made_up, (RowRange(reach - 1, COMPARED + reach - 1),)), *([] if own is None else [(own.market, own.split.tests)])]
    counts, worst = [0, 0], 0.0
    for number, (market, ranges) in enumerate(grounds):
        episodes = episodes_of(market, ranges, len(parts.account_names), source, remembers=graph.memory_width > 0)
        found = differences(networks, graph, episodes)
        require_parity(found, own=number > 0)
        counts[number], worst = found.decisions, max(worst, found.share)
    return {"kind": graph.session.kind, "max_difference": worst, "random_windows": counts[0], "real_windows": counts[1]}


def _write(path: Path, graph: EnsembleGraph, parts: Parts | PortfolioParts, bundle: Bundle) -> None:
    manifest: Mapping[str, Any] = bundle.manifest
    metadata = {
        "created_by": f"seawall {__version__}",
        "recipe_hash": str(manifest["recipe_hash"]),
        "features_hash": str(manifest["features"]["hash"]),
        "members": ", ".join(str(member["weights_hash"]) for member in manifest["members"]),
    }
    if isinstance(parts, Parts):
        window = parts.shape.window, parts.shape.n_features
    else:
        window = parts.shape.assets, parts.shape.rows, parts.shape.features
    write_onnx(graph, path, (window, len(parts.account_names)), metadata)


def _dataset(parts: Parts | PortfolioParts) -> Dataset:
    return parts.dataset if isinstance(parts, Parts) else parts.data.dataset


def _on_cpu(parts: AnyParts) -> AnyParts:
    """Return parts whose networks run where graphs do: another device rounds otherwise."""
    return replace(parts, recipe=parts.recipe.model_copy(update={"device": "cpu"}))
