"""Recipes of one series and of portfolios behind the same verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.agents.bundle import load_bundle
from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import iso_ms
from seawall.evaluation.judge import Judgement
from seawall.evaluation.leaks.findings import Judgement as LeakJudgement
from seawall.evaluation.portfolio_backtest import portfolio_backtest
from seawall.recipes import portfolio_run
from seawall.recipes.experiment import SeedSummary, create_run, load_run_recipe, train_runs
from seawall.recipes.files import apply_overrides, parse_yaml
from seawall.recipes.leakcheck import check_recipe
from seawall.recipes.paper import OWN, PaperCase, replay_run
from seawall.recipes.portfolio_dataset import prepare_portfolio
from seawall.recipes.portfolio_leakcheck import check_portfolio
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.recipes.portfolio_replay import replay_portfolio
from seawall.recipes.portfolio_schema import PortfolioRecipe, validate_portfolio
from seawall.recipes.runtime import Runtime, ensemble_by
from seawall.recipes.schema import Recipe, is_portfolio, recipe_mapping, validate_recipe

AnyRecipe = Recipe | PortfolioRecipe


def load_any(reference: str, overrides: Sequence[str] = (), plugins: Iterable[Path] = ()) -> AnyRecipe:
    """Load, override and validate a recipe of either family; arguments as `schema.load_recipe`.

    Raises:
        ConfigError: Something is missing, misspelt or out of range.
    """
    mapping = recipe_mapping(reference, overrides, plugins)
    return validate_portfolio(mapping, reference) if is_portfolio(mapping) else validate_recipe(mapping, reference)


def is_portfolio_run(run: RunFolder) -> bool:
    """Say whether a run is one of a portfolio; what cannot be read is none, and is refused where it is used."""
    try:
        mapping = parse_yaml(run.recipe.read_text(encoding="utf-8"), str(run.recipe))
    except (OSError, UnicodeDecodeError, ConfigError):
        return False
    return isinstance(mapping, dict) and is_portfolio(mapping)


def load_any_run(run: RunFolder) -> AnyRecipe:
    """Read the resolved recipe of a run."""
    return portfolio_run.load_run(run) if is_portfolio_run(run) else load_run_recipe(run)


def create_any_run(recipe: AnyRecipe, runs: Path, data_root: Path) -> RunFolder:
    """Prepare a recipe's data and open a run folder for it; as `experiment.create_run`."""
    create = portfolio_run.create_run if isinstance(recipe, PortfolioRecipe) else create_run
    return create(recipe, runs, data_root)  # pyright: ignore[reportArgumentType] (each family creates its own)


def train_any(runs: Sequence[RunFolder], on_progress: Callable[[RunFolder, int, dict[str, Any]], None]) -> list[list[SeedSummary]]:
    """Train every seed of some runs of one family, and save their bundles; as `experiment.train_runs`."""
    if not any(is_portfolio_run(run) for run in runs):
        return train_runs(runs, on_progress)
    return [portfolio_run.train_run(run, lambda seed, told, run=run: on_progress(run, seed, told)) for run in runs]


def judge_portfolio(
    run: RunFolder, overrides: Sequence[str], on_progress: Callable[[str], Any], data_root: Path, runtime: Runtime = "torch"
) -> dict[str, Any]:
    """Judge a trained portfolio and write its page; arguments as `portfolio_run.judge_run`.

    Returns:
        The document that ``seawall backtest --json`` prints.
    """
    judgement = portfolio_run.judge_run(run, on_progress, overrides, data_root, runtime)
    return portfolio_document(run, judgement, overrides, runtime)


def portfolio_document(
    run: RunFolder, judgement: Judgement, overrides: Sequence[str], runtime: Runtime = "torch"
) -> dict[str, Any]:
    """Return a judgement with the places of its files."""
    folder = portfolio_run.judged_folder(run, overrides, runtime)
    files = {"run_folder": run.path, "metrics": folder.metrics, "ledger": folder.ledger, "report": folder.report}
    return {**judgement.document, **{name: str(path) for name, path in files.items()}}


def check_any(
    recipe: AnyRecipe,
    data_root: Path,
    n_bars: int,
    seed: int,
    done: Callable[[str], None] = lambda _part: None,
    run: RunFolder | None = None,
) -> list[LeakJudgement]:
    """Judge a recipe of either family for what it knows too early; as `leakcheck.check_recipe`."""
    if isinstance(recipe, PortfolioRecipe):
        return check_portfolio(recipe, data_root, n_bars, seed, done)
    return check_recipe(recipe, data_root, n_bars, seed, done, run)


def replayed(run: RunFolder, data_root: Path, source: str = OWN, runtime: Runtime = "torch") -> dict[str, Any]:
    """Trade a judged run on paper over recorded bars, told one at a time, and compare the ledger with the backtest's.

    Args:
        run: A judged run.
        data_root: Folder of imported bars.
        source: Of a portfolio the files to replay, as ``data`` of its recipe names them; ``own`` for the run's test bars.
        runtime: What computes the ensemble's decisions, as in the backtest.

    Returns:
        ``rows`` compared, whether they are ``equal``, and ``words``.

    Raises:
        DataError: The run is not judged, or no bar is later than those that it has seen.
    """
    if not is_portfolio_run(run):
        return replay_run(PaperCase(run, source, data_root=data_root, runtime=runtime), lambda _done, _total: None).parity.to_dict()
    parts, rows = _recorded(run, data_root, source)
    ensemble, _members = ensemble_by(runtime, parts, load_bundle(run.bundle), run)
    paper = replay_portfolio(parts, ensemble, rows).frame
    if source == OWN:
        judged = portfolio_run.judged_folder(run, runtime=runtime)
        backtest, words = _judged_ledger(judged, run), "the ensemble's ledger of the run's backtest, to the bit"
    else:
        backtest, words = portfolio_backtest(ensemble, parts.setting(rows)).frame, "a backtest over the same bars, to the bit"
    columns = [name for name in backtest.columns if name in paper.columns]
    equal = len(paper) == len(backtest) and backtest[columns].equals(paper[columns].astype(backtest[columns].dtypes.to_dict()))
    return {"rows": len(backtest), "equal": equal, "words": words}


def _recorded(run: RunFolder, data_root: Path, source: str) -> tuple[PortfolioParts, RowRange]:
    """Return a portfolio's parts on recorded bars, and the rows that the run has not seen."""
    parts = portfolio_run.parts_of(run)
    own = parts.data.dataset
    if source == OWN:
        if own.split.more_test:
            raise DataError(
                f"run {run.path} is judged on {len(own.split.tests)} test ranges, chained, which cannot be replayed as one; "
                "allowed: other bars"
            )
        return parts, own.split.test
    symbols = ",".join(parts.data.panel.symbols)
    changed = apply_overrides(parts.recipe.model_dump(mode="json"), [f"data={source}", f"data.symbols=[{symbols}]"])
    recipe = validate_portfolio(changed, source)
    other = PortfolioParts(recipe, prepare_portfolio(recipe, data_root, own.scaler))
    times, last_seen = other.data.panel.timestamps, own.market.timestamps[max(own.split.test.start - 1, own.split.last_seen)]
    start = max(other.data.dataset.split.train.start, int(np.searchsorted(times, last_seen, side="right")))
    if start > len(times) - 2:
        raise DataError(f"no bar of {source} is later than {iso_ms(int(last_seen))}, up to which the run was trained and validated")
    return other, RowRange(start, len(times))


def _judged_ledger(folder: RunFolder, run: RunFolder) -> pd.DataFrame:
    try:
        whole = pd.read_parquet(folder.ledger)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder.ledger} cannot be read: {error}; judge the run first: seawall backtest {run.path}") from error
    return whole[whole["policy"] == "ensemble"].drop(columns="policy").reset_index(drop=True)
