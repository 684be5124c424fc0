"""Training every seed of every fold, as many at once as there are cores; what is done is not done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seawall.core.fan_out import Channel, Interrupted, fan_out
from seawall.core.files import read_json, write_json
from seawall.core.run_folder import RunFolder
from seawall.recipes import portfolio_run
from seawall.recipes.experiment import SeedSummary, train_seed, worker_count
from seawall.recipes.families import AnyRecipe, is_portfolio_run, load_any_run
from seawall.recipes.portfolio_schema import PortfolioRecipe
from seawall.recipes.pretraining import pretrain_task
from seawall.recipes.run_bundle import is_finished, save_finished, save_unfinished
from seawall.recipes.trials import record_run

OnSeed = Callable[[RunFolder, int, dict[str, Any]], None]
"""Called with a fold's run, the seed, and what `training.rl.train` reports; ``{"finished": True}`` at its end."""


def teach_encoders(runs: Sequence[RunFolder], workers: int, on_progress: Callable[[RunFolder, dict[str, Any]], None]) -> None:
    """Pre-train the encoders of some runs, each in a process of its own.

    Args:
        runs: Opened pre-trainings; those that were stopped go on.
        workers: Processes at once.
        on_progress: Called with the run and what the pre-training reports.

    Raises:
        Interrupted: Ctrl-C; the same call goes on.
    """
    tasks = [(str(run.path),) for run in runs]
    fan_out(pretrain_task, tasks, workers=workers, on_progress=lambda number, told: on_progress(runs[number], told))


def train_folds(runs: Sequence[RunFolder], workers: int | None, on_progress: OnSeed) -> None:
    """Train every seed of every fold, and save each fold's bundle.

    Args:
        runs: Opened folds; seeds that were stopped go on from their checkpoints, and finished ones are left alone.
        workers: Trainings at once; as the recipe says where None.
        on_progress: Told of each seed.

    Raises:
        Interrupted: Ctrl-C; the same call goes on. Folds whose seeds are all trained are finished runs then.
    """
    recipes = {run.path: load_any_run(run) for run in runs}
    open_runs = [run for run in runs if not is_finished(run)]
    tasks = [
        (str(run.path), seed) for run in open_runs for seed in recipes[run.path].training.seeds if not _summary(run, seed).is_file()
    ]
    for run in open_runs:
        record_run(run, recipes[run.path].model_dump(mode="json"))
    most = workers or min((worker_count(recipe) for recipe in recipes.values()), default=1)

    def relay(number: int, message: dict[str, Any]) -> None:
        path, seed = tasks[number]
        on_progress(RunFolder(Path(path)), seed, message)

    try:
        fan_out(train_fold_seed, tasks, workers=min(most, max(1, len(tasks))), on_progress=relay)
    except Interrupted:
        for run in open_runs:
            save_trained(run, recipes[run.path], finished=_all_trained(run, recipes[run.path]))
        raise
    for run in open_runs:
        save_trained(run, recipes[run.path], finished=True)


def train_fold_seed(path: str, seed: int, channel: Channel) -> None:
    """Train one seed of a fold and note that it is done; called in a process of its own."""
    run = RunFolder(Path(path))
    train = portfolio_run.train_seed if is_portfolio_run(run) else train_seed
    summary = train(path, seed, channel)
    write_json(_summary(run, seed), vars(summary))
    channel.send({"finished": True})


def done_before(run: RunFolder, seed: int) -> bool:
    """Say whether a seed of a fold is trained."""
    return is_finished(run) or _summary(run, seed).is_file()


def _summary(run: RunFolder, seed: int) -> Path:
    return run.path / "trained" / f"seed-{seed}.json"


def _all_trained(run: RunFolder, recipe: AnyRecipe) -> bool:
    return all(_summary(run, seed).is_file() for seed in recipe.training.seeds)


def save_trained(run: RunFolder, recipe: AnyRecipe, *, finished: bool) -> None:
    """Save the bundle of a run whose seeds were trained by `train_fold_seed`.

    Args:
        run: The run.
        recipe: Its recipe.
        finished: Whether all of them are trained; the run is finished then.
    """
    if isinstance(recipe, PortfolioRecipe):
        portfolio_run.save_portfolio_bundle(run, complete=finished)
    else:
        (save_finished if finished else save_unfinished)(run, recipe)
    if finished:
        summaries = [SeedSummary(**read_json(_summary(run, seed), "seed")) for seed in recipe.training.seeds]
        write_json(run.path / "training.json", {"seeds": [vars(each) for each in summaries]})
