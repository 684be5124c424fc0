"""Judging a trained run out of sample: on its own test rows, or under changed costs, guards or bars."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seawall import __version__
from seawall.agents.bundle import Bundle, load_bundle
from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError, DataError
from seawall.core.fan_out import Channel, Interrupted, fan_out
from seawall.core.market import RowRange
from seawall.core.run_folder import RunFolder
from seawall.evaluation.evaluate import Candidates, Setting, evaluate
from seawall.evaluation.judge import Judgement, RunFacts
from seawall.evaluation.ledger import Ledgers
from seawall.evaluation.report import render_report
from seawall.features.scaling.scaler import Scaler
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import Dataset, prepare
from seawall.recipes.experiment import load_run_recipe, training_summary, worker_count
from seawall.recipes.files import apply_overrides, dump_yaml
from seawall.recipes.schema import Recipe, validate_recipe
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
    """

    run: RunFolder
    overrides: tuple[str, ...] = ()
    data_root: Path = Path("data")

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
        """Return where the judgement is kept: the run's folder, or one below it that is named by the changes."""
        return RunFolder(self.run.path / "judged" / self.recipe().digest()[:8]) if self.overrides else self.run


def judge_case(case: Case, on_progress: Callable[[str], Any]) -> Judgement:
    """Backtest a bundle's ensemble, its seeds and the rivals, judge them, and keep metrics and ledgers.

    Args:
        case: What to judge.
        on_progress: Called with the name of each policy before its backtest.

    Raises:
        DataError: The run is not trained, or its bundle does not fit.
    """
    recipe = case.recipe()
    training_summary(case.run)
    use_threads(recipe.training.threads)
    bundle = load_bundle(case.run.bundle)
    own = Dataset.load(case.run)
    dataset, rows = _judged_rows(case, recipe, bundle, own)
    parts = Parts(recipe, dataset)
    ensemble, members = parts.policies(bundle)
    if len(bundle.manifest.get("seeds", ())) != len(members) or "scaler" not in bundle.manifest:
        raise DataError(f"{case.run.bundle / 'bundle.json'} is damaged: its seeds, members and scaler do not fit together")
    seeds = dict(zip(bundle.manifest["seeds"], members, strict=True))
    setting = Setting(
        market=dataset.market,
        rows=rows,
        make_desk=lambda: parts.desk(1),
        short=recipe.environment.short,
        costs=recipe.costs,
        simulator=recipe.simulator,
        account_columns=recipe.environment.account_columns,
    )
    judgement, ledgers = evaluate(
        Candidates(ensemble, seeds), setting, recipe.evaluation, _facts(case, recipe, parts, own), on_progress
    )
    folder = case.folder()
    ledgers.write(folder.ledger)
    judgement.write(folder.metrics)
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
    render_report(judgement, ledgers, dump_yaml(case.recipe().model_dump(mode="json")), folder.report)
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
    last_seen = own.market.timestamps[own.split.test.start - 1]
    start = max(other.split.train.start, int(np.searchsorted(other.market.timestamps, last_seen, side="right")))
    if start > len(other.market) - 2:
        until = from_milliseconds(np.array([last_seen]))[0]
        raise DataError(
            f"no bar of {other.facts['reference']} is later than {until:%Y-%m-%d %H:%M}, up to which the run was trained and "
            "validated; later bars are needed to judge it"
        )
    return other, RowRange(start, len(other.market))


def _facts(case: Case, recipe: Recipe, parts: Parts, own: Dataset) -> RunFacts:
    facts = parts.dataset.facts
    warnings = {warning for seed in training_summary(case.run)["seeds"] for warning in seed["warnings"]}
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
