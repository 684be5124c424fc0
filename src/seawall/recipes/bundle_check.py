"""Whether a bundle is whole and can be used by this installation: every check, and all that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from seawall.agents.bundle import (
    MANIFEST,
    Bundle,
    check_compatible,
    load_bundle,
    load_member,
    manifest_hash,
    onnx_file,
    read_manifest,
)
from seawall.agents.bundle_manifest import manifest_problems
from seawall.core.errors import ConfigError, DataError, SeawallError
from seawall.core.market import Market, RowRange
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import Timeframe
from seawall.features.scaling.scaler import Scaler
from seawall.market.splits import Split
from seawall.recipes.assembly import Parts
from seawall.recipes.bundles import BundlePlace
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import load_run_recipe
from seawall.recipes.onnx_export import compare_with_networks
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.recipes.portfolio_run import load_run, parts_of
from seawall.recipes.portfolio_schema import validate_portfolio
from seawall.recipes.schema import Recipe, is_portfolio, validate_recipe


@dataclass(frozen=True)
class BundleCheck:
    """One check of a bundle.

    Attributes:
        name: What was looked at.
        state: ``ok``, ``wrong``, or ``not checked``.
        details: What is wrong, or why it was not checked, one line each.
    """

    name: str
    state: Literal["ok", "wrong", "not checked"]
    details: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain values."""
        return asdict(self)


def verify_bundle(place: BundlePlace) -> list[BundleCheck]:
    """Check a bundle from its manifest to what its networks need; nothing is written.

    Later checks that need what an earlier one found wrong are not made.
    """
    try:
        manifest = read_manifest(place.folder)
    except SeawallError as error:
        return [_wrong("manifest", error)]
    schema = tuple(manifest_problems(manifest))
    checks = [
        BundleCheck("manifest", "wrong" if schema else "ok", schema),
        _manifest_unchanged(manifest),
        *(
            _checked(f"weights {entry['file']}", lambda entry=entry: load_member(place.folder, entry))
            for entry in manifest["members"]
        ),
    ]
    if schema:
        return [*checks, BundleCheck("use", "not checked", ("the manifest is not sound",))]
    whole = all(check.state == "ok" for check in checks[2:])
    return [*checks, *_uses(place, manifest, whole=whole)]


def _uses(place: BundlePlace, manifest: Mapping[str, Any], *, whole: bool) -> list[BundleCheck]:
    """Check that the recipe, the features and the networks are those that this installation makes."""
    parts: Parts | PortfolioParts
    try:
        if is_portfolio(manifest["recipe"]):
            if place.run is None:
                return [BundleCheck("use", "not checked", ("a portfolio's bundle is checked from its run, which has the assets",))]
            _portfolio_recipe(place.run, manifest)
            parts = parts_of(place.run)
        else:
            recipe = _recipe(place, manifest)
            parts = Parts(recipe, _stand_in(recipe, manifest))
    except SeawallError as error:
        return [_wrong("recipe", error)]
    checks = [BundleCheck("recipe", "ok"), _checked("inputs", lambda: check_compatible(manifest, parts.manifest()))]
    usable = whole and checks[-1].state == "ok"
    if not usable:
        return [*checks, BundleCheck("networks", "not checked", ("weights or inputs are not sound",))]
    checks.append(_checked("networks", lambda: parts.policies(load_bundle(place.folder))))
    if manifest.get("onnx") is not None and checks[-1].state == "ok":
        checks.append(_onnx(place, parts, load_bundle(place.folder)))
    return checks


def _onnx(place: BundlePlace, parts: Parts | PortfolioParts, bundle: Bundle) -> BundleCheck:
    own = _own_bars(place.run) if isinstance(parts, Parts) else parts.data.dataset
    try:
        compare_with_networks(onnx_file(place.folder, bundle.manifest), parts, bundle, own)
    except ConfigError as error:
        # Without onnxruntime nothing is wrong with the bundle.
        return BundleCheck("onnx", "not checked", (str(error),))
    except SeawallError as error:
        return _wrong("onnx", error)
    return BundleCheck("onnx", "ok")


def _own_bars(run: RunFolder | None) -> Dataset | None:
    """Return the bars of a run where they are whole; an altered market is not the bundle's fault."""
    if run is None:
        return None
    try:
        return Dataset.load(run)
    except DataError:
        return None


def _manifest_unchanged(manifest: Mapping[str, Any]) -> BundleCheck:
    saved, name = manifest.get("manifest_hash"), "manifest hash"
    if saved is None:
        return BundleCheck(name, "not checked", ("the bundle was saved before manifests had a hash",))
    found = manifest_hash(manifest)
    if found != saved:
        return BundleCheck(name, "wrong", (f"{MANIFEST} has hash {found[:16]} and says {str(saved)[:16]}: the file was changed",))
    return BundleCheck(name, "ok")


def _recipe(place: BundlePlace, manifest: Mapping[str, Any]) -> Recipe:
    """Return the bundle's recipe, which must be its run's."""
    if place.run is not None:
        run_hash = load_run_recipe(place.run).digest()
        if run_hash != manifest["recipe_hash"]:
            raise DataError(f"run {place.run.path} has the recipe {run_hash[:8]}, the bundle {manifest['recipe_hash'][:8]}")
    recipe = validate_recipe(manifest["recipe"], str(place.folder / MANIFEST))
    if recipe.digest() != manifest["recipe_hash"]:
        raise DataError(
            f"the recipe in {MANIFEST} has hash {recipe.digest()[:8]} here, and the bundle says {manifest['recipe_hash'][:8]}"
        )
    return recipe


def _portfolio_recipe(run: RunFolder, manifest: Mapping[str, Any]) -> None:
    """Refuse a bundle whose recipe is not its run's, or not what this installation makes of it."""
    here, saved = load_run(run).digest(), manifest["recipe_hash"]
    again = validate_portfolio(manifest["recipe"], MANIFEST).digest()
    if not here == again == saved:
        raise DataError(f"run {run.path} has the recipe {here[:8]}, the bundle {saved[:8]}, and its text gives {again[:8]}")


def _stand_in(recipe: Recipe, manifest: Mapping[str, Any]) -> Dataset:
    """Return a dataset of empty bars with the bundle's columns: networks are built from sizes, not from prices."""
    rows, names = recipe.environment.window + 6, tuple(manifest["features"]["names"])
    timeframe = Timeframe.parse(manifest["timeframe"])
    market = Market(
        symbols=("none",),
        starts=(0, rows),
        timeframe=timeframe,
        timestamps=np.arange(rows, dtype=np.int64) * timeframe.milliseconds,
        prices=np.ones((rows, 5)),
        features=np.zeros((rows, len(names)), np.float32),
        feature_names=names,
        ready=(0,),
    )
    split = Split(RowRange(0, rows - 4), RowRange(rows - 4, rows - 2), RowRange(rows - 2, rows), 0)
    return Dataset(market, split, Scaler.from_dict(manifest["scaler"]), dict(manifest["data"]))


def _checked(name: str, check: Callable[[], Any]) -> BundleCheck:
    try:
        check()
    except SeawallError as error:
        return _wrong(name, error)
    return BundleCheck(name, "ok")


def _wrong(name: str, error: SeawallError) -> BundleCheck:
    return BundleCheck(name, "wrong", tuple(line.strip() for line in str(error).splitlines()))
