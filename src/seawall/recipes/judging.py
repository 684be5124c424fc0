"""Judging a trained run out of sample: on its own test rows, or under changed costs, guards or bars."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seawall import __version__
from seawall.agents.bundle import Bundle
from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError, DataError
from seawall.core.fan_out import Channel, Interrupted, fan_out
from seawall.core.market import RowRange
from seawall.core.protocols import Policy
from seawall.core.run_folder import RunFolder
from seawall.evaluation.chain import evaluate_ranges
from seawall.evaluation.evaluate import Candidates, evaluate
from seawall.evaluation.judge import Judgement, RunFacts
from seawall.evaluation.leaks.findings import Judgement as LeakJudgement
from seawall.evaluation.ledger import Ledgers
from seawall.evaluation.report import render_report
from seawall.features.scaling.scaler import Scaler
from seawall.recipes.addenda import addenda_of
from seawall.recipes.assembly import Parts
from seawall.recipes.background import JudgedAs, background_of, note_judged
from seawall.recipes.dataset import Dataset, prepare
from seawall.recipes.experiment import load_run_recipe, training_summary, worker_count
from seawall.recipes.files import apply_overrides, dump_yaml
from seawall.recipes.leakcheck import check_recipe
from seawall.recipes.run_bundle import BEST, LAST, bundle_at, is_finished, stopped_words, unfinished_progress
from seawall.recipes.runtime import BY_ONNX, Runtime, ensemble_by
from seawall.recipes.schema import Recipe, validate_recipe
from seawall.recipes.trials import trial_of
from seawall.training.threads import use_threads

# What may differ from training. The split and the rules of the verdict were stated beforehand and stay.
_CHANGEABLE = ("data", "quality", "features", "costs", "simulator", "guards")


@dataclass(frozen=True)
class Case:
    """One judgement to make: a run, and what is changed for it.

    Attributes:
        run: The trained run.
        overrides: ``section.key=value`` each; empty for the run's own test rows.
        data_root: Folder of imported bars.
        checkpoint: Weights to judge: ``best`` by validation, ``last``, or those after a number of steps.
        runtime: What computes the ensemble's decisions: torch, or onnxruntime from the bundle's exported file.
    """

    run: RunFolder
    overrides: tuple[str, ...] = ()
    data_root: Path = Path("data")
    checkpoint: str = BEST
    runtime: Runtime = "torch"

    def recipe(self) -> Recipe:
        """Return the run's recipe with the changes."""
        recipe = load_run_recipe(self.run)
        if not self.overrides:
            return recipe
        for override in self.overrides:
            section = re.split(r"[.=]", override, maxsplit=1)[0].strip()
            if section not in _CHANGEABLE:
                raise ConfigError(
                    f"override {override!r} cannot change how a trained run is judged; allowed sections: {', '.join(_CHANGEABLE)}"
                )
        return validate_recipe(apply_overrides(recipe.model_dump(mode="json"), self.overrides), str(self.run.recipe))

    def folder(self) -> RunFolder:
        """Return where the judgement is kept: the run's folder, or one below it that is named by the changes.

        A stopped training is judged apart too, so that nothing of it is taken for the judgement of the finished run.
        """
        marks = [
            *([] if is_finished(self.run) else ["interrupted"]),
            *([] if self.checkpoint == BEST else [self.checkpoint]),
            *([] if self.runtime == "torch" else [self.runtime]),
        ]
        if not self.overrides and not marks:
            return self.run
        return RunFolder(self.run.path / "judged" / "-".join([self.recipe().digest()[:8], *marks]))


@dataclass(frozen=True)
class OpenedCase:
    """A case with everything that is needed to let its policies trade.

    Attributes:
        recipe: The run's recipe with the changes.
        parts: Its parts, over the market to judge on.
        rows: The rows to judge on.
        ensemble: The policy of the run.
        seeds: Each trained seed's policy.
        own: The dataset that the run was trained on.
        steps: Environment steps of each seed's weights, where these are known.
        stopped: How far each seed of a stopped training had come; None for a finished one.
    """

    recipe: Recipe
    parts: Parts
    rows: RowRange
    ensemble: Policy
    seeds: Mapping[int, Policy]
    own: Dataset
    steps: Mapping[int, int]
    stopped: Sequence[Mapping[str, Any]] | None

    @property
    def ranges(self) -> tuple[RowRange, ...]:
        """All ranges to judge on, in order of time; a fold of cross-validation tests several, of which `rows` is the first."""
        return self.own.split.tests if self.parts.dataset is self.own else (self.rows,)


def open_case(case: Case) -> OpenedCase:
    """Load a case's policies and the rows that they are judged on.

    Raises:
        ConfigError: The checkpoint is not kept, or cannot be judged so.
        DataError: The run is not trained, or its bundle does not fit.
    """
    recipe = case.recipe()
    stopped = unfinished_progress(case.run)
    if stopped is None:
        training_summary(case.run)
    use_threads(recipe.training.threads)
    bundle, steps = bundle_at(case.run, load_run_recipe(case.run), case.checkpoint)
    own = Dataset.load(case.run)
    dataset, rows = _judged_rows(case, recipe, bundle, own)
    parts = Parts(recipe, dataset, run=case.run)
    ensemble, members = ensemble_by(case.runtime, parts, bundle, case.run, case.checkpoint)
    if len(bundle.manifest.get("seeds", ())) != len(members) or "scaler" not in bundle.manifest:
        raise DataError(f"{case.run.bundle / 'bundle.json'} is damaged: its seeds, members and scaler do not fit together")
    seeds = dict(zip(bundle.manifest["seeds"], members, strict=True))
    return OpenedCase(recipe, parts, rows, ensemble, seeds, own, steps, stopped)


def judge_case(case: Case, on_progress: Callable[[str], Any]) -> Judgement:
    """Backtest a bundle's ensemble, its seeds and the rivals, judge them, and keep metrics and ledgers.

    Args:
        case: What to judge.
        on_progress: Called with the name of each policy before its backtest.

    Raises:
        ConfigError: The checkpoint is not kept, or cannot be judged so.
        DataError: The run is not trained, or its bundle does not fit.
    """
    opened = open_case(case)
    recipe, own_rows = opened.recipe, opened.parts.dataset is opened.own
    facts = _facts(case, recipe, opened.parts, opened.own)
    trained = load_run_recipe(case.run)
    trial = trial_of(case.run, trained.model_dump(mode="json"))

    def check() -> list[LeakJudgement]:
        return check_recipe(trained, case.data_root, run=case.run)

    folder = case.folder()
    judged_as = JudgedAs(folder.ledger, facts.costs) if folder == case.run else None
    background = background_of(case.run, trial, trained.digest(), check, own_rows=own_rows, judged_as=judged_as)
    candidates = Candidates(opened.ensemble, opened.seeds)
    first, *more = (opened.parts.setting(rows) for rows in opened.ranges)
    if more:
        judgement, ledgers = evaluate_ranges(candidates, [first, *more], recipe.evaluation, facts, on_progress, background)
    else:
        judgement, ledgers = evaluate(candidates, first, recipe.evaluation, facts, on_progress, background)
    judgement = _with_checkpoint(judgement, case, opened.steps, opened.stopped)
    ledgers.write(folder.ledger)
    judgement.write(folder.metrics)
    if own_rows:
        note_judged(case.run, trial, judgement, None if judged_as is None else judged_as.kept(ledgers.ensemble))
    return judgement


def judge_cases(cases: Sequence[Case], on_progress: Callable[[Case, str], None]) -> list[dict[str, Any]]:
    """Judge several cases, one process each, and write their reports.

    Returns:
        For each case its document, as `document` gives it.
    """
    workers = min(worker_count(case.recipe()) for case in cases)
    return fan_out(
        _judge_and_report,
        [(case,) for case in cases],
        workers=min(workers, len(cases)),
        on_progress=lambda number, message: on_progress(cases[number], message["policy"]),
    )


def report_case(case: Case) -> Path:
    """Write the page of a judged case.

    Raises:
        DataError: The case is not judged yet.
    """
    folder = case.folder()
    judgement, ledgers = Judgement.read(folder.metrics), Ledgers.read(folder.ledger)
    judgement.refuse_other(ledgers, folder.metrics)
    recipe_text = dump_yaml(case.recipe().model_dump(mode="json"))
    render_report(judgement, ledgers, recipe_text, folder.report, addenda_of(folder))
    return folder.report


def document(case: Case) -> dict[str, Any]:
    """Return a judged case as one JSON document: the judgement, and where its files are."""
    folder = case.folder()
    report = folder.report if folder.report.is_file() else None
    files = {"run_folder": case.run.path, "metrics": folder.metrics, "ledger": folder.ledger, "report": report}
    return {
        **Judgement.read(folder.metrics).document,
        **{name: None if path is None else str(path) for name, path in files.items()},
    }


def _judge_and_report(case: Case, channel: Channel) -> dict[str, Any]:
    def tell(policy: str) -> None:
        channel.send({"policy": policy})
        if channel.should_stop():
            raise Interrupted("judging was stopped; nothing was written")

    judge_case(case, tell)
    report_case(case)
    return document(case)


def _judged_rows(case: Case, recipe: Recipe, bundle: Bundle, own: Dataset) -> tuple[Dataset, RowRange]:
    """Return the market to judge on and its rows: the run's test rows, or those of other bars after the validation."""
    trained = load_run_recipe(case.run)
    if (recipe.data, recipe.quality) == (trained.data, trained.quality):
        return own, own.split.test
    other = prepare(recipe, case.data_root, scaler=Scaler.from_dict(bundle.manifest["scaler"]))
    # Another name or market does not make the same days unseen: markets move together.
    last_seen = own.market.timestamps[max(own.split.test.start - 1, own.split.last_seen)]
    start = max(other.split.train.start, int(np.searchsorted(other.market.timestamps, last_seen, side="right")))
    if start > len(other.market) - 2:
        until = from_milliseconds(np.array([last_seen]))[0]
        raise DataError(
            f"no bar of {other.facts['reference']} is later than {until:%Y-%m-%d %H:%M}, up to which the run was trained and "
            "validated; later bars are needed to judge it"
        )
    return other, RowRange(start, len(other.market))


def _with_checkpoint(
    judgement: Judgement, case: Case, steps: Mapping[int, int], stopped: Sequence[Mapping[str, Any]] | None
) -> Judgement:
    """Say in a judgement which weights it is of, and what the reader should know of them."""
    cautions = []
    if stopped is not None:
        cautions.append(f"{stopped_words(stopped)}; this is not the run as its recipe states it. Go on with: seawall resume")
    if case.checkpoint != BEST:
        which = "the last weights that were scored" if case.checkpoint == LAST else f"the weights after {case.checkpoint} steps"
        cautions.append(
            f"judged with {which}, not with those that the validation rows chose: to prefer a checkpoint for its score on the "
            "test rows is to select on them, and makes the score too good"
        )
    if case.runtime == "onnx":
        cautions.append(BY_ONNX)
    verdict = judgement.verdict
    checkpoint = {
        "name": case.checkpoint,
        "steps": {str(seed): step for seed, step in steps.items()},
        "training_finished": stopped is None,
        "progress": stopped,
        "runtime": case.runtime,
    }
    verdict = {**verdict, "cautions": [*cautions, *verdict["cautions"]]}
    return Judgement({**judgement.document, "verdict": verdict, "checkpoint": checkpoint})


def _facts(case: Case, recipe: Recipe, parts: Parts, own: Dataset) -> RunFacts:
    facts = parts.dataset.facts
    summaries = training_summary(case.run)["seeds"] if is_finished(case.run) else []
    warnings = {warning for seed in summaries for warning in seed["warnings"]}
    return RunFacts(
        recipe=recipe.name,
        recipe_hash=recipe.digest(),
        symbol=facts["symbol"],
        timeframe=facts["timeframe"],
        costs=recipe.costs.model_dump(),
        data=facts,
        split=own.dates(),
        guards=recipe.guards,
        scheme=parts.scheme.spec(),
        warnings=tuple(sorted(warnings)),
        command=f"seawall train {case.run.recipe}",
        version=__version__,
    )
