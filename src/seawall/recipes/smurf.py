"""The second network of a run behind the guard ``smurf``: found, checked, kept in the run and its bundle, and set to work."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seawall.agents.bundle import MANIFEST, Bundle, check_compatible, load_bundle, read_manifest
from seawall.agents.policy import NetworkPolicy
from seawall.agents.rescaled import RescaledWindows
from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.core.protocols import Guard
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import iso_ms
from seawall.features.scaling.scaler import Scaler
from seawall.guards.smurf import Smurf, Supervisor
from seawall.recipes.agent_checks import network_params
from seawall.recipes.files import MAIN, ROLE, SMURF
from seawall.recipes.pretrained import refuse_seen

if TYPE_CHECKING:
    from seawall.recipes.assembly import Parts
    from seawall.recipes.dataset import Dataset
    from seawall.recipes.schema import Recipe

_RUNS = Path("runs")
_SAME = ("features", "window", "timeframe", "action_scheme")


def seen_by(dataset: Dataset) -> dict[str, Any]:
    """Return the bars that a training learns from and chooses on, as `refuse_seen` reads them."""
    times, split = dataset.market.timestamps, dataset.split

    def told(rows: RowRange) -> dict[str, str]:
        return {"first": iso_ms(int(times[rows.start])), "last": iso_ms(int(times[rows.stop - 1]))}

    return {
        "ranges": [told(rows) for rows in (*split.training, split.validation)],
        "last_seen_ms": int(times[split.last_seen]),
    }


def smurf_reference(recipe: Recipe) -> str | None:
    """Return what a recipe names as its supervisor; None where it has none."""
    settings = recipe.guards.get(SMURF)
    return None if settings is None else str(settings["bundle"])


def keep_smurf(parts: Parts, runs: Path, run: RunFolder) -> None:
    """Copy the supervisor that a recipe names into its run, so that the run explains itself.

    Args:
        parts: The new run's parts.
        runs: Folder of all runs, in which the supervisor's is looked up.
        run: The new run's folder.

    Raises:
        ConfigError: There is no such run, or it cannot supervise.
        DataError: As `require_fitting`.
    """
    reference = smurf_reference(parts.recipe)
    if reference is None:
        return
    folder = smurf_folder(reference, runs)
    supervisor_of(require_fitting(folder, parts.recipe, parts.dataset), parts.dataset)
    shutil.copytree(folder, run.path / SMURF)


def kept_smurf(run: RunFolder) -> Bundle | None:
    """Return the supervisor that a run keeps, in its folder or in its bundle; None where it has none."""
    for folder in (run.path / SMURF, run.bundle / SMURF):
        if folder.is_dir():
            return load_bundle(folder)
    return None


def supervise(guards: Iterable[Guard], parts: Parts) -> None:
    """Give the guard ``smurf`` among some guards its supervisor: the one that the run keeps, or the one that is named.

    Raises:
        ConfigError: There is no such run, or it cannot supervise.
        DataError: As `require_fitting`.
    """
    for guard in guards:
        if isinstance(guard, Smurf):
            reference = guard.params.bundle
            if reference not in parts.supervisors:
                parts.supervisors[reference] = _supervisor_named(reference, parts)
            guard.listen_to(parts.supervisors[reference])


def lend_smurf(parts: Parts) -> None:
    """Give parts that judge no policy, as a leak check's, their recipe's supervisor: that which their run keeps, or that named.

    Raises:
        ConfigError: There is no such run, or it cannot supervise.
        DataError: It does not fit. Which bars it has seen is not asked.
    """
    reference = smurf_reference(parts.recipe)
    if reference is None:
        return
    kept = None if parts.run is None else kept_smurf(parts.run)
    if kept is None:
        kept = require_alike(smurf_folder(reference, _RUNS), parts.recipe, parts.dataset)
    parts.supervisors[reference] = supervisor_of(kept, parts.dataset)


def _supervisor_named(reference: str, parts: Parts) -> Supervisor:
    # Imported here: a run's recipe is read by what builds the parts that need a supervisor.
    from seawall.recipes.dataset import Dataset
    from seawall.recipes.experiment import load_run_recipe

    run = parts.run
    own = None if run is None or not run.recipe.is_file() else smurf_reference(load_run_recipe(run))
    kept = kept_smurf(run) if run is not None and own == reference else None
    if kept is None:
        # A run that is judged on other bars was judged on its own test rows first: no supervisor may know of those either.
        dataset = parts.dataset if run is None else Dataset.load(run)
        runs = _RUNS if run is None else run.path.parent.parent
        kept = require_fitting(smurf_folder(reference, runs), parts.recipe, dataset)
    return supervisor_of(kept, parts.dataset)


def smurf_folder(reference: str, runs: Path) -> Path:
    """Return the folder of a supervisor's bundle, named by it, or by its run as `RunFolder.find` takes it.

    Raises:
        ConfigError: No run answers to the reference.
        DataError: The run is not trained.
    """
    direct = Path(reference)
    if (direct / MANIFEST).is_file():
        return direct
    run = RunFolder.find(runs, reference)
    if not run.bundle.is_dir():
        raise DataError(
            f"guards.smurf.bundle: run {run.path} is not trained: it has no bundle; go on with: seawall resume {run.path}"
        )
    return run.bundle


def require_fitting(folder: Path, recipe: Recipe, dataset: Dataset) -> Bundle:
    """Load a supervisor for a recipe.

    Args:
        folder: Its bundle.
        recipe: Of the run that is to be supervised.
        dataset: Of that run.

    Raises:
        DataError: It is damaged, not trained to its end, was trained to trade, on other features, windows, bars or actions, or has
            seen a bar on which the run is judged. Every difference is named.
    """
    bundle = require_alike(folder, recipe, dataset)
    refuse_seen(bundle.manifest, dataset.split, dataset.market.timestamps, "Smurf", chosen=False)
    return bundle


def require_alike(folder: Path, recipe: Recipe, dataset: Dataset) -> Bundle:
    """Load a supervisor for a recipe without asking which bars it has seen; arguments and errors else as `require_fitting`."""
    from seawall.recipes.assembly import Parts

    manifest = require_taught(folder)
    bundle, wanted = load_bundle(folder), Parts(recipe, dataset).manifest()
    try:
        check_compatible(manifest, {key: wanted[key] for key in _SAME})
        Scaler.from_dict(manifest["scaler"]).require_columns(dataset.scaler.columns)
    except DataError as error:
        raise DataError(f"guards.smurf.bundle: {folder}: {error}") from error
    return bundle


def require_taught(folder: Path) -> dict[str, Any]:
    """Return what a supervisor's bundle says of itself.

    Raises:
        DataError: It was trained to trade, not to its end, or does not say which bars it has seen.
    """
    manifest = read_manifest(folder)
    role = (manifest.get("recipe") or {}).get(ROLE, MAIN)
    if role != SMURF:
        raise DataError(f"guards.smurf.bundle: {folder} was trained with role={role}; allowed: {SMURF}, as with role={SMURF}")
    scored = [each for each in manifest.get("progress", ()) if each.get("best_step") is not None]
    if not manifest.get("complete", True) or not scored:
        raise DataError(f"guards.smurf.bundle: {folder} is not trained to its end; go on with: seawall resume {folder.parent}")
    if "seen" not in manifest:
        raise DataError(f"guards.smurf.bundle: {folder} does not say which bars it has seen; train it anew with role={SMURF}")
    return manifest


def supervisor_of(bundle: Bundle, dataset: Dataset) -> Supervisor:
    """Return what decides behind the guard, on the features of a dataset.

    Where the dataset's features were scaled by others' training rows, they are scaled anew as the supervisor knows them.

    Raises:
        ConfigError: It remembers earlier bars, or sees what a guard is not told.
        DataError: The weights do not fit the network.
    """
    from seawall.recipes.assembly import Parts
    from seawall.recipes.schema import validate_recipe

    recipe = validate_recipe(bundle.manifest["recipe"], "of the Smurf")
    if network_params(recipe).memory_units() or recipe.pretraining is not None:
        raise ConfigError(
            f"the Smurf has the network {recipe.network['kind']!r}, which remembers earlier bars or stands on a frozen encoder; "
            "allowed: one stage and a network that sees its window alone"
        )
    parts = Parts(recipe, dataset)
    columns = tuple(bundle.manifest["account"])
    supervisor = Supervisor(parts.policies(bundle)[0], parts.scheme, columns, recipe.environment.window)
    own = Scaler.from_dict(bundle.manifest["scaler"])
    if not _alike(own, dataset.scaler):
        for member in _members(supervisor.policy):
            member.see_through(RescaledWindows(supervisor.window, dataset.scaler, own))
    return supervisor


def _members(ensemble: Any) -> tuple[NetworkPolicy, ...]:
    if not all(hasattr(member, "see_through") for member in ensemble.members):
        raise ConfigError(
            "the Smurf was trained on other rows than this run, and its agent cannot be shown features scaled anew; allowed: "
            "a Smurf of agent ppo, dqn or exact, or one trained on the same training rows"
        )
    return ensemble.members


def _alike(one: Scaler, other: Scaler) -> bool:
    same = (one.kind, one.columns, one.unscaled) == (other.kind, other.columns, other.unscaled)
    return same and np.array_equal(one.offset, other.offset) and np.array_equal(one.scale, other.scale)
