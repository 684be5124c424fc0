"""The folder of a walk-forward: its plan, and an ordinary run for each fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seawall import __version__
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import digest, read_json, write_json, write_text
from seawall.core.run_folder import RunFolder
from seawall.evaluation.splits.fold import Fold
from seawall.recipes.experiment import fill_run
from seawall.recipes.families import AnyRecipe
from seawall.recipes.files import dump_yaml
from seawall.recipes.pretrained import ENCODER
from seawall.recipes.pretraining import encoder_recipe, keep_pretraining
from seawall.recipes.schema import Recipe
from seawall.recipes.walkforward.ground import Ground, as_facts, share_blocks
from seawall.recipes.walkforward.plan import WalkPlan
from seawall.training.device import resolve_device
from seawall.training.pretraining.encoder_folder import MANIFEST

KIND = "walkforward"
"""Name of the folder of all walk-forwards, and of what each says of itself."""
_STATE = f"{KIND}.json"


@dataclass(frozen=True)
class Walk:
    """One walk-forward: ``runs/walkforward/<time>-<hash>/``.

    Attributes:
        run: Its folder; metrics, ledger and report lie where those of a run do.
        folds: What each fold's rows are used for, in the order of their numbers; as `ground.as_facts`, with ``number``.
    """

    run: RunFolder
    folds: tuple[dict[str, Any], ...]

    def fold(self, number: int) -> RunFolder:
        """Return the run of a fold."""
        return RunFolder(self.run.path / f"fold-{number:02}")

    def encoder(self, number: int) -> RunFolder:
        """Return the run in which a fold's encoder is pre-trained."""
        return RunFolder(self.run.path / f"{ENCODER}-{number:02}")

    @property
    def finished(self) -> bool:
        """Whether it is judged."""
        return self.run.metrics.is_file()


def find_or_create(ground: Ground, plan: WalkPlan, folds: list[Fold], runs: Path) -> tuple[Walk, bool]:
    """Return the newest unfinished walk of this recipe, these bars and this plan, or a new one; and whether it is new.

    Args:
        ground: Recipe and bars.
        plan: How they are cut.
        folds: The folds that came of it.
        runs: Folder of all runs.
    """
    times = ground.bars.times_ms
    facts = [{"number": each.number, "groups": list(each.groups), **as_facts(each.as_whole_split(), times)} for each in folds]
    marks = {"recipe": ground.recipe.digest(), "data": ground.data_hash(), "plan": plan.to_dict(), "folds": facts}
    key = digest(marks)
    for folder in sorted((runs / KIND).glob(f"*-{key[:8]}*"), reverse=True):
        found = RunFolder(folder)
        if (folder / _STATE).is_file() and not found.metrics.is_file() and read_json(folder / _STATE, "key")["key"] == key:
            return Walk(found, tuple(facts)), False
    run = RunFolder.create(runs, KIND, key)
    write_text(run.path / "resolved.yaml", dump_yaml(ground.recipe.model_dump(mode="json")))
    write_json(run.path / _STATE, {"key": key, "name": ground.recipe.name, "seawall": __version__, **marks})
    return Walk(run, tuple(facts)), True


def needs_encoders(recipe: AnyRecipe) -> bool:
    """Say whether each fold first teaches an encoder of its own."""
    return isinstance(recipe, Recipe) and recipe.pretraining is not None and recipe.encoder is None


def open_encoders(walk: Walk, ground: Ground, folds: list[Fold], runs: Path, done: Callable[[int], None]) -> list[RunFolder]:
    """Open the run of each fold's pre-training that is not there yet, and return those without an encoder.

    Args:
        walk: Where they lie.
        ground: Recipe and bars.
        folds: The folds.
        runs: Folder of all runs.
        done: Called with a fold's number when its run is there.
    """
    recipe = ground.recipe
    if not isinstance(recipe, Recipe) or recipe.pretraining is None:
        raise ConfigError(f"recipe {recipe.name} has one stage; allowed: one with a section pretraining")
    waiting: list[RunFolder] = []
    for fold in folds:
        run = walk.encoder(fold.number)
        if not run.recipe.is_file():
            _open(run, encoder_recipe(recipe), ground, fold, runs)
            keep_pretraining(run, recipe.pretraining)
        if not (run.path / ENCODER / MANIFEST).is_file():
            waiting.append(run)
        done(fold.number)
    return waiting


def open_folds(walk: Walk, ground: Ground, folds: list[Fold], runs: Path, done: Callable[[int], None]) -> list[RunFolder]:
    """Open the run of each fold that is not there yet, and return all.

    Args:
        walk: Where they lie.
        ground: Recipe and bars.
        folds: The folds.
        runs: Folder of all runs.
        done: Called with a fold's number when its run is there.

    Raises:
        ConfigError: The device is not there.
        DataError: A fold's rows do not do.
    """
    resolve_device(ground.recipe.device)
    opened: list[RunFolder] = []
    for fold in folds:
        run = walk.fold(fold.number)
        if not run.recipe.is_file():
            recipe = ground.recipe
            if needs_encoders(recipe):
                recipe = recipe.model_copy(update={"encoder": str(walk.encoder(fold.number).path)})
            _open(run, recipe, ground, fold, runs)
        if opened:
            share_blocks(run, opened[0])
        opened.append(run)
        done(fold.number)
    return opened


def _open(run: RunFolder, recipe: AnyRecipe, ground: Ground, fold: Fold, runs: Path) -> None:
    if run.path.exists():
        raise DataError(f"{run.path} is there, but is no run: it has no recipe.yaml; remove it, and go on with the same command")
    run.path.mkdir(parents=True)
    note = f"fold {fold.number} of a walk-forward: its rows are those of the fold, and not by the recipe's shares of split"
    split = fold.as_whole_split()
    fill_run(run, recipe, lambda opened: ground.keep(recipe, split, runs, opened, (note,)))
