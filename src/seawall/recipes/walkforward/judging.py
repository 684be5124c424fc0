"""One judgement of all folds: their tests chained, beside the rivals' tests chained in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np

from seawall import __version__
from seawall.core.market import RowRange
from seawall.core.run_folder import RunFolder
from seawall.evaluation.chain import Tests, between_of, judge_chain
from seawall.evaluation.judge import Judgement, RunFacts
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.metrics import ledger_metrics
from seawall.evaluation.portfolio_ledger import PortfolioLedger
from seawall.evaluation.portfolio_metrics import portfolio_metrics
from seawall.evaluation.stitching import stitched
from seawall.recipes.background import JudgedAs, background_of, note_judged
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import training_summary
from seawall.recipes.families import check_any, load_any_run
from seawall.recipes.leakcheck import RECIPE_BARS
from seawall.recipes.trials import trial_of
from seawall.recipes.walkforward.testing import read_tests, setting_of

SHOWN_RIVALS: dict[str, tuple[str, ...]] = {"flat": ("flat", "cash"), "buy_and_hold": ("buy_and_hold",), "random": ("random",)}
"""Rivals of the fold table, and what ledgers of either family call them."""
_SHOWN = ("total_return", "sharpe", "max_drawdown", "turnover_per_year", "trades", "bars")


def fold_rows(folds: Sequence[Mapping[str, Any]], runs: Sequence[RunFolder]) -> list[dict[str, Any]]:
    """Return the fold table: for each test range of each fold its span, the ensemble's figures, and the rivals' beside them.

    Args:
        folds: As a walk's folder keeps them.
        runs: The folds' runs, tested.
    """
    rows: list[dict[str, Any]] = []
    for fold, run in zip(folds, runs, strict=True):
        for group, span, (_, ledgers) in zip(fold["groups"], fold["test"], read_tests(run), strict=True):
            figures = metrics_of(ledgers.ensemble)
            rivals = {name: _rival(ledgers, known) for name, known in SHOWN_RIVALS.items()}
            rows.append(
                {
                    "fold": fold["number"],
                    "group": group,
                    **{name: span[name] for name in ("first", "last")},
                    "trained_bars": sum(each["bars"] for each in fold["train"]),
                    **{name: figures[name] for name in _SHOWN},
                    "costs": figures["costs"]["share_of_initial_equity"],
                    "seeds": {str(seed): metrics_of(ledger)["total_return"] for seed, ledger in ledgers.seeds.items()},
                    "rivals": rivals,
                    "run": str(run.path),
                }
            )
    return rows


def metrics_of(ledger: Ledger) -> dict[str, Any]:
    """Return the figures of a ledger of either family."""
    return portfolio_metrics(ledger) if isinstance(ledger, PortfolioLedger) else ledger_metrics(ledger)


def _rival(ledgers: Ledgers, names: Sequence[str]) -> dict[str, Any] | None:
    name = next((name for name in names if name in ledgers.baselines), None)
    if name is None:
        return None
    figures = metrics_of(ledgers.baselines[name])
    return {"total_return": figures["total_return"], "sharpe": figures["sharpe"]}


def chain_path(runs: Sequence[RunFolder], folds: Sequence[int], groups: Sequence[Sequence[int]] | None) -> tuple[Tests, Ledgers]:
    """Return the tests of one path through the folds, and their ledgers chained.

    Args:
        runs: All folds' runs, in the order of their numbers.
        folds: Numbers of the folds whose tests are chained, in order of time.
        groups: Of cross-validation, the groups that each fold tests; the path takes group g from its g-th fold. None takes all.
    """
    parts: list[tuple[RowRange, Ledgers]] = []
    for group, number in enumerate(folds):
        tests = read_tests(runs[number])
        parts += tests if groups is None else [tests[list(groups[number]).index(group)]]
    return parts, stitched(parts, between_of(setting_of(runs[0])))


def judge_path(runs: Sequence[RunFolder], tests: Tests, ledgers: Ledgers, command: str, data_root: Path, kept: Path) -> Judgement:
    """Judge the chained ledgers of one path by the rules of any run.

    Args:
        runs: All folds' runs.
        tests: Of the path, as `chain_path` gives them.
        ledgers: The same chained.
        command: How to make it again.
        data_root: Folder of imported bars, for a leak check.
        kept: Where the chained ledgers are written.
    """
    first, facts = runs[0], _facts(runs, command)
    recipe = load_any_run(first)
    # A recipe's folds are one trial, as they came of one choice.
    trial, judged_as = trial_of(first, recipe.model_dump(mode="json")), JudgedAs(kept, facts.costs)
    background = background_of(
        first, trial, recipe.digest(), lambda: check_any(recipe, data_root, RECIPE_BARS, 0, run=first), judged_as=judged_as
    )
    judgement = judge_chain(tests, ledgers, setting_of(first), recipe.evaluation, facts, background)
    note_judged(first, trial, judgement, judged_as.kept(ledgers.ensemble))
    return judgement


def middle(paths: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of the path with the median Sharpe ratio, the lower of the two in the middle; one without counts lowest."""
    sharpes = [-np.inf if path["sharpe"] is None else float(path["sharpe"]) for path in paths]
    return sharpes.index(median_low(sharpes))


def _facts(runs: Sequence[RunFolder], command: str) -> RunFacts:
    first = runs[0]
    recipe = load_any_run(first)
    data = Dataset.load(first).facts
    warnings = {warning for run in runs for seed in training_summary(run)["seeds"] for warning in seed["warnings"]}
    return RunFacts(
        recipe=recipe.name,
        recipe_hash=recipe.digest(),
        symbol=data["symbol"],
        timeframe=data["timeframe"],
        costs=recipe.costs.model_dump(),
        data={**data, "notes": [note for note in data["notes"] if not note.startswith("fold ")]},
        guards=getattr(recipe, "guards", {}),
        warnings=tuple(sorted(warnings)),
        command=command,
        version=__version__,
    )
