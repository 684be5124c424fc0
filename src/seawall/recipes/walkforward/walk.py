"""A walk-forward from a recipe to its judgement: cut, teach, train, test, chain, judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seawall.core.fan_out import available_cores
from seawall.core.files import write_json
from seawall.core.run_folder import RunFolder
from seawall.core.trials import open_registry
from seawall.evaluation.splits.fold import Fold
from seawall.evaluation.walkforward_page import render_walkforward
from seawall.recipes.families import AnyRecipe
from seawall.recipes.walkforward.folder import Walk, find_or_create, needs_encoders, open_encoders, open_folds
from seawall.recipes.walkforward.ground import Ground
from seawall.recipes.walkforward.judging import chain_path, fold_rows, judge_path, metrics_of, middle
from seawall.recipes.walkforward.plan import FORWARD, WalkPlan
from seawall.recipes.walkforward.testing import test_folds
from seawall.recipes.walkforward.training import done_before, teach_encoders, train_folds

Tell = Callable[[str, int, dict[str, Any]], None]
"""Called with a stage, the number of a fold, and what is known; ``done`` is the share of the fold's work in that stage."""
_AFTER = (
    "Folds are trained on rows after their tests too, as no trader could be: the result tells whether the recipe finds what holds "
    "throughout, and not what retraining as one goes would have made."
)


@dataclass(frozen=True)
class WalkCase:
    """What is walked.

    Attributes:
        recipe: The recipe.
        plan: How its bars are cut.
        runs: Folder of all runs.
        data_root: Folder of imported bars.
        workers: Processes at once; None for what the recipe says.
        command: How to make it again.
    """

    recipe: AnyRecipe
    plan: WalkPlan
    runs: Path
    data_root: Path
    workers: int | None = None
    command: str = ""


def walk_forward(case: WalkCase, on_walk: Callable[[Walk, bool], None], tell: Tell) -> dict[str, Any]:
    """Train, choose and test a recipe anew in each fold, and judge all tests as one; what is done already is not done again.

    Args:
        case: What is walked.
        on_walk: Called with the walk, and whether it is a new one.
        tell: Told of the progress of each fold.

    Returns:
        The document that ``metrics.json`` holds, with the places of its files.

    Raises:
        Interrupted: Ctrl-C; the same call goes on.
        ConfigError: The plan does not fit, or a part of the recipe is not there.
        DataError: The bars do not do, or an encoder or a Smurf has seen a bar that judges or does not fit.
    """
    ground = Ground.prepare(case.recipe, case.data_root)
    folds = case.plan.make(ground.bars, case.recipe.split)
    ground.refuse_seen_tests([fold.as_whole_split() for fold in folds], case.runs)
    open_registry(case.runs)
    walk, new = find_or_create(ground, case.plan, folds, case.runs)
    on_walk(walk, new)
    runs = _trained(case, walk, ground, folds, tell)
    test_folds(runs, case.workers or available_cores(), lambda run: tell("testing", _number(runs, run), {"done": 1.0}))
    return _judged(case, walk, ground, runs)


def _trained(case: WalkCase, walk: Walk, ground: Ground, folds: list[Fold], tell: Tell) -> list[RunFolder]:
    workers = case.workers or available_cores()
    if needs_encoders(case.recipe):
        waiting = open_encoders(walk, ground, folds, case.runs, lambda number: tell("preparing", number, {}))
        numbers = {walk.encoder(fold.number).path: fold.number for fold in folds}
        teach_encoders(waiting, workers, lambda run, told: tell("encoder", numbers[run.path], told))
    runs = open_folds(walk, ground, folds, case.runs, lambda number: tell("preparing", number, {}))
    seeds = case.recipe.training.seeds
    shares = {(run.path, seed): float(done_before(run, seed)) for run in runs for seed in seeds}

    def told(run: RunFolder, seed: int, message: dict[str, Any]) -> None:
        total = message.get("total_steps")
        share = 1.0 if message.get("finished") else message["steps"] / total if total else 0.0
        shares[run.path, seed] = share
        tell("training", _number(runs, run), {"done": sum(shares[run.path, each] for each in seeds) / len(seeds), "seed": seed})

    for run in runs:
        tell("training", _number(runs, run), {"done": sum(shares[run.path, each] for each in seeds) / len(seeds)})
    train_folds(runs, case.workers, told)
    return runs


def _judged(case: WalkCase, walk: Walk, ground: Ground, runs: Sequence[RunFolder]) -> dict[str, Any]:
    forward, groups = case.plan.scheme in FORWARD, [fold["groups"] for fold in walk.folds]
    numbers = [tuple(range(len(runs)))] if forward else case.plan.paths(ground.bars)
    chained = [chain_path(runs, path, None if forward else groups) for path in numbers]
    paths = [{"folds": list(path), **_figures(metrics_of(made.ensemble))} for path, (_, made) in zip(numbers, chained, strict=True)]
    chosen = middle(paths)
    tests, ledgers = chained[chosen]
    judgement = judge_path(runs, tests, ledgers, case.command, case.data_root, walk.run.ledger)
    for number, (_, made) in enumerate(chained):
        made.write(walk.run.ledger if number == chosen else walk.run.path / "paths" / f"{number}.parquet")
    document = {
        **judgement.document,
        "walkforward": {
            **case.plan.to_dict(),
            "folds": list(walk.folds),
            "purge": ground.bars.purge + (0 if forward else ground.bars.warmup),
            "path": chosen,
            "note": "" if forward else _AFTER,
        },
        "folds": fold_rows(walk.folds, runs),
        "paths": paths,
    }
    render_walkforward(document, [made for _, made in chained], walk.run.report)
    write_json(walk.run.metrics, document)
    return {
        **document,
        **{name: str(getattr(walk.run, name)) for name in ("metrics", "ledger", "report")},
        "folder": str(walk.run.path),
    }


def _figures(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: metrics[name] for name in ("total_return", "annual_return", "sharpe", "max_drawdown", "turnover_per_year")}


def _number(runs: Sequence[RunFolder], run: RunFolder) -> int:
    return next(number for number, each in enumerate(runs) if each.path == run.path)
