"""Testing each fold on its own rows: ensemble, seeds and rivals, a ledger for each test range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from seawall.agents.bundle import load_bundle
from seawall.core.fan_out import Channel, Interrupted, fan_out
from seawall.core.market import RowRange
from seawall.core.run_folder import RunFolder
from seawall.evaluation.evaluate import Candidates, Setting, walk_all
from seawall.evaluation.ledger import Ledgers
from seawall.evaluation.portfolio_backtest import PortfolioSetting
from seawall.evaluation.portfolio_evaluate import walk_portfolios
from seawall.evaluation.portfolio_ledger import PortfolioLedgers
from seawall.recipes import portfolio_run
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import load_run_recipe
from seawall.recipes.families import is_portfolio_run
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.training.threads import use_threads

Tell = Callable[[str], None]


def test_folds(runs: Sequence[RunFolder], workers: int, done: Callable[[RunFolder], None]) -> None:
    """Test every fold that is not tested yet, each in a process of its own.

    Args:
        runs: Trained folds.
        workers: Processes at once.
        done: Called with each fold that is tested.

    Raises:
        Interrupted: Ctrl-C; the same call goes on.
    """
    waiting = [run for run in runs if not all(path.is_file() for path in ledger_files(run))]
    for run in runs:
        if run not in waiting:
            done(run)
    tasks = [(str(run.path),) for run in waiting]
    fan_out(test_fold, tasks, workers=workers, on_progress=lambda number, told: done(waiting[number]) if "done" in told else None)


def test_fold(path: str, channel: Channel) -> None:
    """Test one fold and write its ledgers; called in a process of its own."""

    def tell(name: str) -> None:
        channel.send({"policy": name})
        if channel.should_stop():
            raise Interrupted("testing was stopped; the same command goes on")

    run = RunFolder(Path(path))
    walk = _portfolio_ledgers if is_portfolio_run(run) else _series_ledgers
    walk(run, tell)
    channel.send({"done": True})


def ledger_files(run: RunFolder) -> list[Path]:
    """Return where the ledgers of each test range of a fold lie."""
    tests = Dataset.load(run).split.tests
    return [run.path / "tests" / f"{number}.parquet" for number in range(len(tests))]


def read_tests(run: RunFolder) -> list[tuple[RowRange, Ledgers]]:
    """Return rows and ledgers of each test range of a tested fold.

    Raises:
        DataError: A file is missing or damaged.
    """
    read = PortfolioLedgers.read if is_portfolio_run(run) else Ledgers.read
    tests = Dataset.load(run).split.tests
    return [(rows, read(path)) for rows, path in zip(tests, ledger_files(run), strict=True)]


def setting_of(run: RunFolder) -> Setting | PortfolioSetting:
    """Return where the tests of a walk are traded, from any fold's run; its rows are the first range of that fold."""
    if is_portfolio_run(run):
        parts = portfolio_run.parts_of(run)
        return parts.setting(parts.data.dataset.split.test)
    dataset = Dataset.load(run)
    return Parts(load_run_recipe(run), dataset, run=run).setting(dataset.split.test)


def _series_ledgers(run: RunFolder, tell: Tell) -> None:
    recipe = load_run_recipe(run)
    use_threads(recipe.training.threads)
    parts = Parts(recipe, Dataset.load(run), run=run)
    candidates = _candidates(parts, run)
    for path, rows in zip(ledger_files(run), parts.dataset.split.tests, strict=True):
        walk_all(candidates, parts.setting(rows), recipe.evaluation.baselines, tell).write(path)


def _portfolio_ledgers(run: RunFolder, tell: Tell) -> None:
    parts = portfolio_run.parts_of(run)
    use_threads(parts.recipe.training.threads)
    candidates, seed = _candidates(parts, run), parts.recipe.evaluation.baselines.seed
    for path, rows in zip(ledger_files(run), parts.data.dataset.split.tests, strict=True):
        walk_portfolios(candidates, parts.setting(rows), seed, tell).write(path)


def _candidates(parts: Parts | PortfolioParts, run: RunFolder) -> Candidates:
    bundle = load_bundle(run.bundle)
    ensemble, members = parts.policies(bundle)
    return Candidates(ensemble, dict(zip(bundle.manifest["seeds"], members, strict=True)))
