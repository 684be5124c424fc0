"""Null tests of a run: every null market that is not judged yet is run, and the real result is placed among all of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seawall import __version__
from seawall.core.fan_out import fan_out
from seawall.core.files import read_json, write_json, write_text
from seawall.core.run_folder import RunFolder
from seawall.core.trials import REGISTRY
from seawall.evaluation.judge import Judgement
from seawall.evaluation.null_positions import found, levels_of, placed, sentences
from seawall.recipes import portfolio_run
from seawall.recipes.experiment import training_summary
from seawall.recipes.families import AnyRecipe, is_portfolio_run, judge_portfolio, load_any_run
from seawall.recipes.judging import Case, judge_cases, report_case
from seawall.recipes.nulls.origin import NullKind, Origin
from seawall.recipes.nulls.pipeline import NullTask, figures_of, null_task, remove_null
from seawall.recipes.nulls.plan import NullPlan
from seawall.recipes.nulls.record import FOLDER, document_path

_RUNS, _BARS = "runs", "bars"


@dataclass(frozen=True)
class NullTest:
    """What is tested, and how.

    Attributes:
        run: A trained run.
        plan: Which null markets.
        data_root: Folder of imported bars.
        workers: Null markets at once; as many as the recipe says where None.
        keep: Whether the null runs' files stay.
    """

    run: RunFolder
    plan: NullPlan
    data_root: Path = Path("data")
    workers: int | None = None
    keep: bool = False

    @property
    def folder(self) -> Path:
        """Where all of it is kept, below the run."""
        return self.run.path / FOLDER


@dataclass(frozen=True)
class Prepared:
    """A null test that can begin.

    Attributes:
        test: What is tested.
        recipe: What each null market is given.
        tasks: All null markets, kind by kind.
        deviations: In what they differ from the run beyond their bars.
        budget: What is ahead, by `NullPlan.budget`.
    """

    test: NullTest
    recipe: AnyRecipe
    tasks: tuple[NullTask, ...]
    deviations: tuple[str, ...]
    budget: dict[str, Any]

    @property
    def waiting(self) -> list[NullTask]:
        """The null markets that are not judged yet."""
        return [task for task in self.tasks if not task.result.is_file()]


def prepare_nulls(test: NullTest) -> Prepared:
    """Check that a run can be tested, keep its bars for all null markets, and say what is ahead.

    Args:
        test: What to test.

    Raises:
        ConfigError: The plan does not fit the run.
        DataError: The run is not trained to its end, or its bars are not there any more.
    """
    own = load_any_run(test.run)
    training_summary(test.run)
    recipe = test.plan.recipe(own)
    origin = Origin.keep(test.run, own, test.data_root, test.folder / _BARS)
    # A block that is longer than the bars is refused before anything is trained.
    for kind in test.plan.kinds:
        _kind(test.plan, kind, 0).of(origin.block())
    registry = test.folder / REGISTRY
    if not registry.is_file():
        # Of its own: null markets are no trials on the user's bars.
        write_text(registry, "")
    tasks = tuple(task for kind in test.plan.kinds for task in _tasks(test, recipe, origin, kind))
    waiting = sum(not task.result.is_file() for task in tasks)
    budget = test.plan.budget(test.run, recipe, waiting, test.workers)
    return Prepared(test, recipe, tasks, tuple(test.plan.deviations(own)), budget)


def run_nulls(prepared: Prepared, on_progress: Callable[[NullTask, float, str], Any]) -> dict[str, Any]:
    """Run every null market that is not judged yet, place the run among all of them, and write its page anew.

    Args:
        prepared: As `prepare_nulls` gives it.
        on_progress: Told a null market, the share of it that is done, and what it is at; also of those that were done before.

    Returns:
        The document that ``nulls/nulls.json`` in the run's folder holds, with the places of its files.

    Raises:
        Interrupted: Ctrl-C; the same call goes on. Null markets that are judged are kept.
    """
    test, waiting = prepared.test, prepared.waiting
    for task in prepared.tasks:
        on_progress(task, 1.0 if task.result.is_file() else 0.0, "")

    def relay(number: int, message: dict[str, Any]) -> None:
        on_progress(waiting[number], message["done"], message["note"])

    real = _real(test)
    fan_out(null_task, [(task,) for task in waiting], workers=prepared.budget["workers"], on_progress=relay)
    _tidy(prepared)
    document = {**_facts(prepared), **_results(prepared, real)}
    write_json(document_path(test.run), document)
    return {**document, "files": {"table": str(document_path(test.run)), "report": str(_report(test))}}


def _kind(plan: NullPlan, kind: str, number: int) -> NullKind:
    return NullKind(kind, plan.seed, number, plan.block, plan.drift)


def _tasks(test: NullTest, recipe: AnyRecipe, origin: Origin, kind: str) -> list[NullTask]:
    plan = test.plan
    name = f"{kind}-{plan.key(kind, recipe, {'data_hash': origin.data_hash, 'split': origin.split.to_dict()})}"
    return [
        NullTask(
            run=test.run.path.resolve(),
            origin=origin,
            plan=plan,
            kind=_kind(plan, kind, number),
            # Two levels below the registry, as every run is.
            place=(test.folder / _RUNS / f"{name}-{number:04}").resolve(),
            result=test.folder / name / f"{number:04}.json",
            data_root=test.data_root,
            keep=test.keep,
        )
        for number in range(plan.markets)
    ]


def _tidy(prepared: Prepared) -> None:
    """Remove what killed processes left behind, and the bars; a kept null run stays."""
    shutil.rmtree(prepared.test.folder / _BARS, ignore_errors=True)
    if prepared.test.keep:
        return
    for task in prepared.tasks:
        remove_null(task)
    runs = prepared.test.folder / _RUNS
    for left in runs.glob(".features-*"):
        shutil.rmtree(left, ignore_errors=True)
    if runs.is_dir() and not any(runs.iterdir()):
        runs.rmdir()


def _real(test: NullTest) -> Judgement:
    """Return the run's own judgement, which is made where it is not yet."""
    if not test.run.metrics.is_file():
        if is_portfolio_run(test.run):
            judge_portfolio(test.run, (), lambda _policy: None, test.data_root)
        else:
            judge_cases([Case(test.run, data_root=test.data_root)], lambda _case, _policy: None)
    return Judgement.read(test.run.metrics)


def _report(test: NullTest) -> Path:
    """Write the run's page anew, with where it lies among the null markets."""
    if is_portfolio_run(test.run):
        return portfolio_run.report_run(test.run)
    return report_case(Case(test.run, data_root=test.data_root))


def _facts(prepared: Prepared) -> dict[str, Any]:
    test, plan = prepared.test, prepared.test.plan
    return {
        "run": str(test.run.path),
        "recipe": prepared.recipe.name,
        "markets": plan.markets,
        "seeds": prepared.recipe.training.n_seeds,
        "block": plan.block,
        "drift": plan.drift,
        "seed": plan.seed,
        "deviations": list(prepared.deviations),
        "version": __version__,
    }


def _results(prepared: Prepared, real: Judgement) -> dict[str, Any]:
    """Return the real figures, and for each kind its rows, positions, verdicts and words."""
    figures, plan = figures_of(real), prepared.test.plan
    kinds: dict[str, dict[str, Any]] = {}
    for kind in plan.kinds:
        rows: Sequence[Mapping[str, Any]] = [read_json(task.result, "level") for task in prepared.tasks if task.kind.kind == kind]
        positions = placed(figures, rows)
        kinds[kind] = {
            "made": plan.made(kind),
            "positions": positions,
            "found": found(positions),
            "levels": levels_of(rows),
            "words": sentences(kind, positions),
            "training_seconds": sum(row["training_seconds"] for row in rows),
            "rows": rows,
        }
    said = [told["found"] for told in kinds.values()]
    worst = next((level for level in ("inside", "too few") if level in said), "outside")
    return {"found": worst, "real": {**figures, "level": real.level}, "kinds": kinds}
