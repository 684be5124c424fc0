"""A run from its recipe to its bundle: prepare the data, train every seed, keep the ensemble."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from seawall import __version__
from seawall.core.errors import DataError
from seawall.core.fan_out import Channel, Interrupted, available_cores, fan_out
from seawall.core.files import read_json, write_json, write_text
from seawall.core.logs import run_logger
from seawall.core.protocols import Policy
from seawall.core.run_folder import RunFolder
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import Dataset, prepare
from seawall.recipes.files import dump_yaml, parse_yaml
from seawall.recipes.plugins import keep_plugins, load_kept, trust
from seawall.recipes.pretrained import keep_encoder, kept_encoder
from seawall.recipes.run_bundle import save_finished, save_unfinished
from seawall.recipes.schema import Recipe, SeedsParams, validate_recipe
from seawall.recipes.smurf import keep_smurf
from seawall.recipes.trials import record_run
from seawall.recipes.warm_start import keep_start, kept_start
from seawall.training.checkpoint import load_checkpoint
from seawall.training.device import resolve_device
from seawall.training.rl import Learner, TrainingParams, train
from seawall.training.threads import use_threads
from seawall.training.tracking import TensorBoardScalars

OnProgress = Callable[[RunFolder, int, dict[str, Any]], None]


class AnyFamily(Protocol):
    """What a recipe of any family says of itself."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def plugins(self) -> dict[str, str]:
        """Its plugins, file name to hash."""
        ...

    @property
    def training(self) -> SeedsParams:
        """Its seeds, and how they are trained."""
        ...

    def digest(self) -> str:
        """Return its hash."""
        ...

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Return its settings as plain values."""
        ...


class TrainingParts(Protocol):
    """What a training needs of a recipe's parts, of any family."""

    def learner(self, seed: int) -> Learner:
        """Return the learner of one seed."""
        ...

    def validation_growth(self, policy: Policy) -> float:
        """Score a policy on the validation rows."""
        ...


@dataclass(frozen=True)
class SeedSummary:
    """How the training of one seed went; plain values only.

    Attributes:
        seed: The seed.
        best_step: Environment steps at the best validation score.
        best_score: Mean log growth per bar on the validation rows at that step; None if no score was finite.
        steps: Environment steps in all.
        seconds: Wall time in all.
        history: Steps and score of every evaluation.
        warnings: What looked wrong.
    """

    seed: int
    best_step: int
    best_score: float | None
    steps: int
    seconds: float
    history: list[tuple[int, float]]
    warnings: list[str]


def create_run(recipe: Recipe, runs: Path, data_root: Path) -> RunFolder:
    """Prepare a recipe's data and open a run folder for it.

    Args:
        recipe: What to run.
        runs: Folder of all runs.
        data_root: Folder of imported bars.

    Raises:
        ConfigError: The device is not there.
        DataError: The data cannot be used; no folder is left behind.
    """
    resolve_device(recipe.device)
    dataset = prepare(recipe, data_root)
    return open_run(recipe, runs, lambda run: keep_dataset(recipe, dataset, runs, run))


def keep_dataset(recipe: Recipe, dataset: Dataset, runs: Path, run: RunFolder) -> None:
    """Write into a new run's folder what it is trained on, and what it starts from.

    Args:
        recipe: What is run.
        dataset: On what.
        runs: Folder of all runs, in which those that the recipe names are looked up.
        run: The new run.

    Raises:
        ConfigError: A run that the recipe names is not there.
        DataError: What it names was made for other inputs, or has seen bars that choose or judge.
    """
    parts = Parts(recipe, dataset)
    keep_start(parts, runs, run)
    keep_encoder(parts, runs, run)
    keep_smurf(parts, runs, run)
    dataset.save(run)


def open_run(recipe: AnyFamily, runs: Path, keep: Callable[[RunFolder], None]) -> RunFolder:
    """Open a run folder, fill it, and write the resolved recipe into it; where that fails, no folder is left behind.

    Args:
        recipe: What to run, of any family.
        runs: Folder of all runs.
        keep: Writes into the folder what the family keeps there.
    """
    return fill_run(RunFolder.create(runs, recipe.name, recipe.digest()), recipe, keep)


def fill_run(run: RunFolder, recipe: AnyFamily, keep: Callable[[RunFolder], None]) -> RunFolder:
    """Fill the new folder of a run, as `open_run`; where that fails, it is removed."""
    try:
        keep(run)
        write_json(run.path / "run.json", {"recipe": recipe.name, "recipe_hash": recipe.digest(), "seawall": __version__})
        keep_plugins(recipe.plugins, run.path)
        heading = f"# The resolved recipe of this run. hash: {recipe.digest()}"
        write_text(run.recipe, f"{heading}\n{dump_yaml(recipe.model_dump(mode='json'))}")
    except BaseException:
        shutil.rmtree(run.path)
        raise
    return run


def load_run_recipe(run: RunFolder) -> Recipe:
    """Read the resolved recipe of a run."""
    return validate_recipe(read_run_mapping(run), str(run.recipe))


def read_run_mapping(run: RunFolder) -> dict[str, Any]:
    """Read what a run's recipe says, and load the plugins that it keeps.

    Raises:
        ConfigError: A plugin is not trusted.
        DataError: The run has no recipe, or it is damaged.
    """
    try:
        text = run.recipe.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(f"{run.path} is no run: it has no recipe.yaml") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{run.recipe} cannot be read: {error}") from error
    mapping = parse_yaml(text, str(run.recipe))
    if not isinstance(mapping, dict):
        raise DataError(f"{run.recipe} is damaged: it holds no recipe")
    load_kept(kept_plugins(run, mapping), run.path)
    return mapping


def kept_plugins(run: RunFolder, mapping: Mapping[str, Any]) -> dict[str, str]:
    """Return the plugins that a run's recipe names, file name to hash.

    Raises:
        DataError: The recipe is damaged.
    """
    named = mapping.get("plugins") or {}
    if not isinstance(named, dict) or not all(isinstance(each, str) for pair in named.items() for each in pair):
        raise DataError(f"{run.recipe} is damaged: its plugins are {named!r}")
    return named


def trust_run(run: RunFolder) -> None:
    """Trust the plugins that a run keeps; the user has said so."""
    text = run.recipe.read_text(encoding="utf-8") if run.recipe.is_file() else ""
    mapping = parse_yaml(text, str(run.recipe))
    trust(kept_plugins(run, mapping if isinstance(mapping, dict) else {}).values())


def train_runs(runs: Sequence[RunFolder], on_progress: OnProgress) -> list[list[SeedSummary]]:
    """Train every seed of some runs, as many at once as the recipes allow, and save each run's bundle.

    Seeds that were interrupted go on from their checkpoints; finished ones are not trained again.

    Args:
        runs: Prepared runs.
        on_progress: Called with the run, the seed, and what `training.rl.train` reports.

    Returns:
        For each run the summary of each seed.

    Raises:
        Interrupted: Ctrl-C; the same call goes on from the checkpoints. Each run's bundle then holds the best weights so far of
            the seeds that have some.
    """
    recipes = {run.path: load_run_recipe(run) for run in runs}

    def save(run: RunFolder, finished: bool) -> None:
        (save_finished if finished else save_unfinished)(run, recipes[run.path])

    return train_seeds(runs, list(recipes.values()), train_seed, save, on_progress)


def train_seeds(
    runs: Sequence[RunFolder],
    recipes: Sequence[AnyFamily],
    task: Callable[[str, int, Channel], SeedSummary],
    save: Callable[[RunFolder, bool], None],
    on_progress: OnProgress,
) -> list[list[SeedSummary]]:
    """Train every seed of some runs of one family, each of which counts as a trial from here on; see `train_runs`.

    Args:
        runs: Prepared runs.
        recipes: Their recipes.
        task: Trains a seed of the run of a path; called in a process of its own.
        save: Saves the bundle of a run; told whether its training was finished.
        on_progress: Called with the run, the seed, and what `training.rl.train` reports.
    """
    tasks = [(str(run.path), seed) for run, recipe in zip(runs, recipes, strict=True) for seed in recipe.training.seeds]
    workers = min(worker_count(recipe) for recipe in recipes)
    for run, recipe in zip(runs, recipes, strict=True):
        record_run(run, recipe.model_dump(mode="json"))

    def relay(number: int, message: dict[str, Any]) -> None:
        path, seed = tasks[number]
        on_progress(RunFolder(Path(path)), seed, message)

    try:
        results = dict(zip(tasks, fan_out(task, tasks, workers=min(workers, len(tasks)), on_progress=relay), strict=True))
    except Interrupted:
        for run in runs:
            save(run, False)
        raise
    summaries = []
    for run, recipe in zip(runs, recipes, strict=True):
        summaries.append([results[str(run.path), seed] for seed in recipe.training.seeds])
        save(run, True)
        write_json(run.path / "training.json", {"seeds": [vars(summary) for summary in summaries[-1]]})
    return summaries


def scores_so_far(run: RunFolder, seed: int) -> tuple[int, list[tuple[int, float]]]:
    """Return how many steps of a seed are done, and the steps and score of its evaluations; those not finite are left out.

    Raises:
        DataError: The checkpoint is damaged.
    """
    checkpoint = load_checkpoint(run.checkpoint(seed))
    if checkpoint is None:
        return 0, []
    history = [(int(step), float(score)) for step, score in checkpoint.progress.get("history", ()) if score is not None]
    return int(checkpoint.progress.get("steps", 0)), history


def worker_count(recipe: AnyFamily) -> int:
    """Return how many seeds are trained at once."""
    workers = recipe.training.workers
    return max(1, available_cores() // recipe.training.threads) if workers == "auto" else workers


def train_seed(path: str, seed: int, channel: Channel) -> SeedSummary:
    """Train one seed of a run; called in a process of its own."""
    run = RunFolder(Path(path))
    recipe = load_run_recipe(run)
    use_threads(recipe.training.threads)
    parts = Parts(recipe, Dataset.load(run), kept_start(run), kept_encoder(run), run)
    if recipe.pretraining is not None and parts.encoder is None:
        raise DataError(f"{run.path} has no encoder yet; if it is a pre-training, go on with: seawall pretrain {run.path} --resume")
    return train_learner(run, seed, parts, recipe.training, channel)


def train_learner(run: RunFolder, seed: int, parts: TrainingParts, params: TrainingParams, channel: Channel) -> SeedSummary:
    """Train one seed's learner with everything that it reads and writes in its run.

    Args:
        run: The run.
        seed: The seed.
        parts: Build the learner, and score its policies.
        params: When a training is judged and saved.
        channel: To the process that waits.
    """
    learner = parts.learner(seed)
    learner.failure_folder = run.path / "failures" / f"seed-{seed}"
    with closing(TensorBoardScalars(run.tensorboard(seed))) as scalars:
        result = train(
            learner,
            evaluate=parts.validation_growth,
            params=params,
            folder=run.checkpoint(seed),
            should_stop=channel.should_stop,
            on_progress=channel.send,
            logger=run_logger(run.log, seed=seed),
            scalars=scalars,
        )
    score = result.best_score if result.best_step >= 0 else None
    return SeedSummary(seed, result.best_step, score, result.steps, result.seconds, result.history, result.warnings)


def training_summary(run: RunFolder) -> dict[str, Any]:
    """Return how the training of a run went.

    Raises:
        DataError: The run has not been trained to its end.
    """
    path = run.path / "training.json"
    if not path.is_file():
        raise DataError(f"run {run.path} is not trained to its end; go on with: seawall resume {run.path}")
    return read_json(path, "seeds")
