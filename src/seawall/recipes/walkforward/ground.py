"""The bars that all folds of a walk-forward share, and what a fold makes of them."""

from __future__ import annotations

import filecmp
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seawall.core.bars import bars_digest, timestamps_ms
from seawall.core.errors import DataError
from seawall.core.market import RowRange
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import iso_ms
from seawall.market.splits import Split
from seawall.recipes.dataset import Featured, featured, purge_of, scaled
from seawall.recipes.experiment import keep_dataset
from seawall.recipes.families import AnyRecipe
from seawall.recipes.portfolio_dataset import FeaturedPanel, featured_panel, purge_of_look, scaled_panel
from seawall.recipes.portfolio_schema import PortfolioRecipe
from seawall.recipes.pretrained import encoder_folder, refuse_seen
from seawall.recipes.schema import Recipe
from seawall.recipes.smurf import require_fitting, require_taught, smurf_folder, smurf_reference, supervisor_of
from seawall.recipes.walkforward.plan import Bars
from seawall.training.pretraining.encoder_folder import load_encoder


@dataclass(frozen=True)
class Ground:
    """Checked bars with their features, before any fold scales them.

    Attributes:
        recipe: What is run.
        made: The bars and features; of its split only the first row counts.
    """

    recipe: AnyRecipe
    made: Featured | FeaturedPanel

    @classmethod
    def prepare(cls, recipe: AnyRecipe, data_root: Path) -> Ground:
        """Load and check the bars, and compute their features once.

        Raises:
            DataError: The bars are missing, bad or too few.
        """
        if isinstance(recipe, PortfolioRecipe):
            return cls(recipe, featured_panel(recipe, data_root))
        return cls(recipe, featured(recipe, data_root))

    @property
    def bars(self) -> Bars:
        """What is cut into folds."""
        made = self.made
        if isinstance(made, FeaturedPanel):
            times, frame, purge = made.panel.timestamps, made.panel.timeframe, purge_of_look(made.look)
        else:
            times, frame, purge = timestamps_ms(made.bars), made.timeframe, purge_of(self._series)
        rows = RowRange(made.split.train.start, len(times))
        return Bars(rows, np.asarray(times), frame.milliseconds, purge, made.warmup)

    @property
    def _series(self) -> Recipe:
        if isinstance(self.recipe, PortfolioRecipe):
            raise DataError(f"recipe {self.recipe.name} is of a portfolio; needed: one of one series")
        return self.recipe

    def data_hash(self) -> str:
        """Return the hash of the bars."""
        if isinstance(self.made, FeaturedPanel):
            return self.made.panel.content_hash()
        return bars_digest(self.made.bars, self.recipe.features.columns)

    def keep(self, recipe: AnyRecipe, split: Split, runs: Path, run: RunFolder, notes: tuple[str, ...]) -> None:
        """Write into the folder of a fold's run what it is trained on: a scaler of its own, fitted on its training rows.

        Args:
            recipe: What is run, on the fold's encoder where it has two stages.
            split: The fold's.
            runs: Folder of all runs.
            run: The fold's run.
            notes: What the user should know of it.
        """
        if isinstance(self.made, FeaturedPanel) and isinstance(recipe, PortfolioRecipe):
            made = replace(self.made, split=split, facts={**self.made.facts, "notes": [*self.made.facts["notes"], *notes]})
            scaled_panel(recipe, made).save(run)
        elif isinstance(self.made, Featured) and isinstance(recipe, Recipe):
            made = replace(self.made, split=split, notes=(*self.made.notes, *notes))
            keep_dataset(recipe, scaled(recipe, made), runs, run)

    def refuse_seen_tests(self, splits: list[Split], runs: Path) -> None:
        """Refuse an encoder that a recipe names and that has seen a bar which chooses or judges in a fold, and a like Smurf.

        A Smurf may have seen the bars that choose. One that cannot supervise the recipe at all is refused too, before any fold is
        opened.

        Args:
            splits: Of all folds, in the order of their numbers.
            runs: Folder of all runs, in which an encoder's and a Smurf's are looked up.

        Raises:
            ConfigError: There is no such run, or the Smurf cannot supervise.
            DataError: One has seen such a bar: the fold and what was seen are named. Or the Smurf does not fit.
        """
        self._refuse_encoder(splits, runs)
        self._refuse_smurf(splits, runs)

    def _refuse_encoder(self, splits: list[Split], runs: Path) -> None:
        reference = getattr(self.recipe, "encoder", None)
        if reference is None:
            return
        folder, times = encoder_folder(reference, runs), self.bars.times_ms
        manifest = load_encoder(folder).manifest
        for number, split in enumerate(splits):
            try:
                refuse_seen(manifest, split, times)
            except DataError as error:
                spans = " and ".join(f"{each['first']} to {each['last']}" for each in manifest["seen"]["ranges"])
                judged = _span(times, RowRange(split.validation.start, split.tests[-1].stop))
                raise DataError(
                    f"encoder {folder} was taught on {spans}, and fold {number} is chosen and judged on {judged}: {error}; or "
                    "encoder=null, which teaches one anew in each fold"
                ) from error

    def _refuse_smurf(self, splits: list[Split], runs: Path) -> None:
        recipe, made = self.recipe, self.made
        reference = smurf_reference(recipe) if isinstance(recipe, Recipe) else None
        if reference is None or not isinstance(recipe, Recipe) or not isinstance(made, Featured):
            return
        folder, times = smurf_folder(reference, runs), self.bars.times_ms
        manifest = require_taught(folder)
        known = [number for number, split in enumerate(splits) if _has_seen(manifest, split, times)]
        if known:
            tests = ", ".join(_span(times, rows) for rows in splits[known[0]].tests)
            others = f", and those of {len(known) - 1} more of {len(splits)} folds" if len(known) > 1 else ""
            raise DataError(
                f"guards.smurf.bundle: the Smurf {folder} has seen bars up to {iso_ms(int(manifest['seen']['last_seen_ms']))}, and "
                f"fold {known[0]} is judged on {tests}: it knows bars of that test{others}; allowed: tests that begin later, as by "
                "--scheme anchored with --train and --test, or a Smurf that was trained on earlier bars alone"
            )
        dataset = scaled(recipe, replace(made, split=splits[0]))
        supervisor_of(require_fitting(folder, recipe, dataset), dataset)


def _has_seen(manifest: dict[str, Any], split: Split, times: np.ndarray) -> bool:
    try:
        refuse_seen(manifest, split, times, "Smurf", chosen=False)
    except DataError:
        return True
    return False


def _span(times: np.ndarray, rows: RowRange) -> str:
    return f"{iso_ms(int(times[rows.start]))} to {iso_ms(int(times[rows.stop - 1]))}"


def share_blocks(run: RunFolder, origin: RunFolder) -> None:
    """Let a run's blocks that equal another's be the same file, so that all processes map one copy; where links fail, both stay.

    Args:
        run: Whose blocks are replaced.
        origin: The other.
    """
    for own in sorted(run.market.glob("*.npy")):
        other = origin.market / own.name
        if own.samefile(other) or not filecmp.cmp(own, other, shallow=False):
            continue
        linked = own.with_suffix(".linked")
        # A file system without links keeps both copies.
        with suppress(OSError):
            os.link(other, linked)
            os.replace(linked, own)


def as_facts(split: Split, times_ms: np.ndarray) -> dict[str, Any]:
    """Return a fold's ranges with their rows and dates, for JSON."""

    def told(rows: RowRange) -> dict[str, Any]:
        first, last = iso_ms(int(times_ms[rows.start])), iso_ms(int(times_ms[rows.stop - 1]))
        return {"start": rows.start, "stop": rows.stop, "bars": len(rows), "first": first, "last": last}

    return {
        "train": [told(each) for each in split.training],
        "validation": told(split.validation),
        "test": [told(each) for each in split.tests],
    }
