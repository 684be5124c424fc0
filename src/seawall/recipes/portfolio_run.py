"""A run of a portfolio from its recipe to its judgement; its folder is laid out as that of a run over one series."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from seawall import __version__
from seawall.agents.bundle import load_bundle, save_bundle
from seawall.core.errors import ConfigError, DataError
from seawall.core.fan_out import Channel
from seawall.core.run_folder import RunFolder
from seawall.evaluation.chain import evaluate_ranges
from seawall.evaluation.evaluate import Candidates
from seawall.evaluation.judge import Judgement, RunFacts
from seawall.evaluation.portfolio_evaluate import evaluate_portfolios
from seawall.evaluation.portfolio_ledger import PortfolioLedgers
from seawall.evaluation.portfolio_report import render_portfolio_report
from seawall.evaluation.stitching import portfolio
from seawall.recipes.addenda import addenda_of
from seawall.recipes.background import JudgedAs, background_of, note_judged
from seawall.recipes.experiment import SeedSummary, open_run, read_run_mapping, train_learner, train_seeds, training_summary
from seawall.recipes.files import apply_overrides, dump_yaml, load_mapping
from seawall.recipes.portfolio_dataset import PortfolioDataset, prepare_portfolio
from seawall.recipes.portfolio_leakcheck import check_portfolio
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.recipes.portfolio_schema import PortfolioRecipe, validate_portfolio
from seawall.recipes.run_bundle import BEST, seed_progress
from seawall.recipes.runtime import BY_ONNX, Runtime, ensemble_by
from seawall.recipes.trials import trial_of
from seawall.simulator.actions.weights import weight_scheme
from seawall.training.checkpoint import load_checkpoint
from seawall.training.device import resolve_device
from seawall.training.threads import use_threads

# What may differ from training. The split and the rules of the verdict were stated beforehand and stay.
_CHANGEABLE = ("costs", "simulator")


def load(reference: str, overrides: Sequence[str] = ()) -> PortfolioRecipe:
    """Load, override and validate a recipe of a portfolio.

    Args:
        reference: A shipped recipe's name, or the path of a YAML or JSON file.
        overrides: ``section.key=value`` each.

    Raises:
        ConfigError: Something is missing, misspelt or out of range; the message names it, its value and what is allowed.
    """
    return validate_portfolio(load_mapping(reference, overrides), reference)


def create_run(recipe: PortfolioRecipe, runs: Path, data_root: Path) -> RunFolder:
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
    return open_run(recipe, runs, prepare_portfolio(recipe, data_root).save)


def load_run(run: RunFolder) -> PortfolioRecipe:
    """Read the resolved recipe of a run.

    Raises:
        DataError: The run has no recipe, or it is damaged.
    """
    return validate_portfolio(read_run_mapping(run), str(run.recipe))


def parts_of(run: RunFolder) -> PortfolioParts:
    """Return the parts of a run, on its own data."""
    return PortfolioParts(load_run(run), PortfolioDataset.load(run))


def train_seed(path: str, seed: int, channel: Channel) -> SeedSummary:
    """Train one seed of a run; called in a process of its own. A checkpoint that is there is continued."""
    run = RunFolder(Path(path))
    parts = parts_of(run)
    use_threads(parts.recipe.training.threads)
    return train_learner(run, seed, parts, parts.recipe.training, channel)


def train_run(
    run: RunFolder, on_progress: Callable[[int, dict[str, Any]], None] = lambda _seed, _report: None
) -> list[SeedSummary]:
    """Train every seed of a run, as many at once as the recipe allows, and save the bundle of their best weights.

    Args:
        run: A prepared run; seeds that were interrupted go on from their checkpoints.
        on_progress: Called with the seed and what `training.rl.train` reports.

    Raises:
        Interrupted: Ctrl-C; the same call goes on. The bundle then holds the best weights so far of the seeds that have some.
    """
    [summaries] = train_seeds(
        [run],
        [load_run(run)],
        train_seed,
        lambda run, finished: save_portfolio_bundle(run, complete=finished),
        lambda _run, seed, told: on_progress(seed, told),
    )
    return summaries


def save_portfolio_bundle(run: RunFolder, *, complete: bool) -> None:
    """Save the best weights of each seed that has some as the run's bundle; where none has, nothing is saved.

    Args:
        run: The run.
        complete: Whether every seed was trained to its end.

    Raises:
        DataError: A checkpoint is gone or damaged, or the disk is full.
    """
    parts = parts_of(run)
    recipe, data = parts.recipe, parts.data.dataset
    found = {seed: load_checkpoint(run.checkpoint(seed)) for seed in recipe.training.seeds}
    progress = [seed_progress(seed, checkpoint) for seed, checkpoint in found.items()]
    members: dict[int, Mapping[str, Tensor]] = {}
    for told, (seed, checkpoint) in zip(progress, found.items(), strict=True):
        if checkpoint is None and complete:
            raise DataError(f"the checkpoint {run.checkpoint(seed)} is gone; go on with: seawall resume {run.path}")
        if checkpoint is not None and (complete or told["best_step"] is not None):
            members[seed] = checkpoint.best
    if not members:
        return
    manifest = {
        **parts.manifest(),
        "recipe": recipe.model_dump(mode="json"),
        "recipe_hash": recipe.digest(),
        "scaler": data.scaler.to_dict(),
        "costs": recipe.costs.model_dump(),
        "guards": {},
        "data": data.facts,
        "seeds": list(members),
        "complete": complete,
        "progress": progress,
    }
    save_bundle(run.bundle, manifest, list(members.values()))


def judged_recipe(run: RunFolder, overrides: Sequence[str] = ()) -> PortfolioRecipe:
    """Return a run's recipe with what is changed to judge it.

    Args:
        run: The run.
        overrides: ``section.key=value`` each, of costs and accounts.

    Raises:
        ConfigError: An override is of another section, or not allowed.
    """
    recipe = load_run(run)
    for override in overrides:
        section = re.split(r"[.=]", override, maxsplit=1)[0].strip()
        if section not in _CHANGEABLE:
            raise ConfigError(
                f"override {override!r} cannot change how a trained portfolio is judged; allowed sections: {', '.join(_CHANGEABLE)}"
            )
    if not overrides:
        return recipe
    return validate_portfolio(apply_overrides(recipe.model_dump(mode="json"), overrides), str(run.recipe))


def judged_folder(run: RunFolder, overrides: Sequence[str] = (), runtime: Runtime = "torch") -> RunFolder:
    """Return where a judgement is kept: the run's folder, or one below it that is named by what was changed.

    Args:
        run: The run.
        overrides: As for `judged_recipe`.
        runtime: What computes the ensemble's decisions.
    """
    if not overrides and runtime == "torch":
        return run
    marks = [] if runtime == "torch" else [runtime]
    return RunFolder(run.path / "judged" / "-".join([judged_recipe(run, overrides).digest()[:8], *marks]))


def judge_run(
    run: RunFolder,
    on_progress: Callable[[str], Any] = lambda _name: None,
    overrides: Sequence[str] = (),
    data_root: Path = Path("data"),
    runtime: Runtime = "torch",
) -> Judgement:
    """Backtest a run's ensemble, its seeds and the rivals on its test rows, judge them, and keep metrics, ledgers and report.

    Args:
        run: A trained run.
        on_progress: Called with the name of each policy before its backtest.
        overrides: As for `judged_recipe`; with any, the judgement is kept in a folder below the run's, named by the changes.
        data_root: Folder of imported bars, for a leak check.
        runtime: What computes the ensemble's decisions; another than torch has a folder of its own, too.

    Returns:
        The judgement; its ``document`` is what ``metrics.json`` holds.

    Raises:
        ConfigError: An override is not allowed.
        DataError: The run is not trained to its end, or its bundle does not fit.
    """
    recipe = judged_recipe(run, overrides)
    parts = PortfolioParts(recipe, PortfolioDataset.load(run))
    folder = judged_folder(run, overrides, runtime)
    use_threads(recipe.training.threads)
    summaries = training_summary(run)["seeds"]
    bundle = load_bundle(run.bundle)
    ensemble, members = ensemble_by(runtime, parts, bundle, run)
    candidates = Candidates(ensemble, dict(zip(bundle.manifest["seeds"], members, strict=True)))
    warnings = sorted({warning for summary in summaries for warning in summary["warnings"]})
    first, *more = (parts.setting(rows) for rows in parts.data.dataset.split.tests)
    trained = load_run(run)
    trial = trial_of(run, trained.model_dump(mode="json"))
    facts = _facts(run, parts, warnings)
    judged_as = None if folder != run else JudgedAs(folder.ledger, facts.costs)
    background = background_of(run, trial, trained.digest(), lambda: check_portfolio(trained, data_root), judged_as=judged_as)
    if more:
        judgement, chained = evaluate_ranges(candidates, [first, *more], recipe.evaluation, facts, on_progress, background)
        ledgers = portfolio(chained)
    else:
        judgement, ledgers = evaluate_portfolios(candidates, first, recipe.evaluation, facts, on_progress, background)
    if runtime == "onnx":
        judgement = _by_onnx(judgement)
    ledgers.write(folder.ledger)
    judgement.write(folder.metrics)
    note_judged(run, trial, judgement, None if judged_as is None else judged_as.kept(ledgers.ensemble))
    _render(judgement, ledgers, recipe, folder)
    return judgement


def report_run(run: RunFolder) -> Path:
    """Write the page of a judged run anew, with what is told beside its judgement by now.

    Raises:
        DataError: The run is not judged yet.
    """
    _render(Judgement.read(run.metrics), PortfolioLedgers.read(run.ledger), load_run(run), run)
    return run.report


def _render(judgement: Judgement, ledgers: PortfolioLedgers, recipe: PortfolioRecipe, folder: RunFolder) -> None:
    render_portfolio_report(judgement, ledgers, dump_yaml(recipe.model_dump(mode="json")), folder.report, addenda_of(folder))


def _by_onnx(judgement: Judgement) -> Judgement:
    """Say in a judgement that torch did not compute the ensemble's decisions."""
    verdict = judgement.verdict
    verdict = {**verdict, "cautions": [BY_ONNX, *verdict["cautions"]]}
    return Judgement({**judgement.document, "verdict": verdict, "checkpoint": {"name": BEST, "runtime": "onnx"}})


def _facts(run: RunFolder, parts: PortfolioParts, warnings: Sequence[str]) -> RunFacts:
    recipe, data = parts.recipe, parts.data.dataset
    return RunFacts(
        recipe=recipe.name,
        recipe_hash=recipe.digest(),
        symbol=data.facts["symbol"],
        timeframe=data.facts["timeframe"],
        costs=recipe.costs.model_dump(),
        data=data.facts,
        split=data.dates(),
        scheme=weight_scheme("portfolio_weights", parts.data.panel.symbols).spec(),
        warnings=tuple(warnings),
        command=f"seawall train {run.recipe}",
        version=__version__,
    )
