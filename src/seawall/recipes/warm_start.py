"""Beginning from the weights of an earlier run, as to fine-tune on a reward that the first agent could not serve."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seawall.agents.bundle import Bundle, check_compatible, load_bundle
from seawall.core.bars import from_milliseconds
from seawall.core.errors import DataError
from seawall.core.run_folder import RunFolder
from seawall.recipes.dataset import Dataset

if TYPE_CHECKING:
    from seawall.recipes.assembly import Parts

START = "start"


def keep_start(parts: Parts, runs: Path, run: RunFolder) -> None:
    """Copy the bundle that a recipe starts from into its run, so that the run explains itself.

    Args:
        parts: The new run's parts.
        runs: Folder of all runs, in which the earlier one is looked up.
        run: The new run's folder.

    Raises:
        ConfigError: There is no such run.
        DataError: Its weights were made for other inputs or another agent's network, or have seen bars of this run's test rows.
    """
    reference = parts.recipe.training.start_from
    if reference is None:
        return
    source = RunFolder.find(runs, reference)
    bundle, earlier = load_bundle(source.bundle), Dataset.load(source)
    check_compatible(bundle.manifest, {**parts.manifest(), "scaler": parts.dataset.scaler.to_dict()})
    _refuse_seen(parts.dataset, earlier, source)
    parts.policies(bundle)
    shutil.copytree(source.bundle, run.path / START)


def kept_start(run: RunFolder) -> Bundle | None:
    """Return the bundle that a run starts from; None where it starts from fresh weights."""
    folder = run.path / START
    return load_bundle(folder) if folder.is_dir() else None


def _refuse_seen(own: Dataset, earlier: Dataset, source: RunFolder) -> None:
    seen = earlier.market.timestamps[earlier.split.last_seen]
    first = own.market.timestamps[own.split.test.start]
    if seen >= first:
        known, judged = from_milliseconds(np.array([seen, first]))
        raise DataError(
            f"training.start_from: run {source.path} has seen bars up to {known:%Y-%m-%d %H:%M}, and this run is judged from "
            f"{judged:%Y-%m-%d %H:%M} on; allowed: a run whose validation ends before that"
        )
