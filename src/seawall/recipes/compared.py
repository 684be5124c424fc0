"""Finding what is compared: judged runs, portfolios and walk-forwards, by path, by the beginning of a name, or the latest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seawall.core.errors import ConfigError, DataError
from seawall.core.files import digest, read_json
from seawall.core.run_folder import RunFolder
from seawall.evaluation.compare import Contender, damage_of
from seawall.evaluation.judge import Judgement, damaged
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.portfolio_ledger import PortfolioLedgers
from seawall.recipes.files import parse_yaml
from seawall.recipes.schema import is_portfolio
from seawall.recipes.walkforward.folder import KIND as WALKS

_WALK_RECIPE, _WALK_STATE = "resolved.yaml", f"{WALKS}.json"
_NULLS = ("nulls/nulls.json", "nulls.json")


def contenders_of(references: Sequence[str], runs: Path) -> list[Contender]:
    """Find runs, and read what is compared of them; what is named twice counts once.

    Args:
        references: A path, the beginning of a name, or ``latest`` for the newest run, each.
        runs: Folder of all runs.

    Raises:
        ConfigError: One answers to no run, or to several.
        DataError: One is not judged, or damaged.
    """
    folders = list({folder.path.resolve(): folder for folder in (find(reference, runs) for reference in references)}.values())
    for folder in folders:
        if not folder.metrics.is_file():
            if _is_walk(folder):
                raise DataError(f"walk-forward {folder.path} is not judged yet; the command that began it goes on with it")
            raise DataError(f"run {folder.path} is not judged; judge it with: seawall backtest {folder.path}")
    return [_read(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]


def find(reference: str, runs: Path) -> RunFolder:
    """Find a run or a walk-forward.

    Args:
        reference: A path, the beginning of a name, or ``latest`` for the newest run.
        runs: Folder of all runs.

    Raises:
        ConfigError: Nothing, or more than one, answers to the reference.
    """
    for place in (Path(reference), runs / reference):
        if (place / _WALK_STATE).is_file():
            return RunFolder(place)
    states = sorted((runs / WALKS).glob(f"*/{_WALK_STATE}"))
    walks = [state.parent for state in states if state.parent.name.startswith(reference)]
    matches = [*walks, *(run.path for run in RunFolder.all(runs) if run.path.name.startswith(reference))]
    if len(walks) == 1 and len(matches) == 1:
        return RunFolder(walks[0])
    if walks:
        raise ConfigError(
            f"{reference!r} begins the names of {', '.join(str(path.relative_to(runs)) for path in matches)}; allowed: one of them"
        )
    return RunFolder.find(runs, reference)


def page_of(contenders: Sequence[Contender], runs: Path) -> Path:
    """Return where the page of a comparison is written if nobody says: one file for each choice of runs."""
    return runs / "compare" / f"{digest([str(Path(each.path).resolve()) for each in contenders])[:8]}.html"


def _is_walk(folder: RunFolder) -> bool:
    return (folder.path / _WALK_STATE).is_file()


def _names(folders: Sequence[RunFolder]) -> list[str]:
    """Return the name of each folder, with the one above it where two are called alike."""
    names = Counter(folder.path.resolve().name for folder in folders)
    shown: list[str] = []
    for folder in folders:
        path = folder.path.resolve()
        shown.append(path.name if names[path.name] == 1 else f"{path.parent.name}/{path.name}")
    return shown if len(set(shown)) == len(shown) else [str(folder.path.resolve()) for folder in folders]


def _read(folder: RunFolder, name: str) -> Contender:
    file = folder.path / _WALK_RECIPE if _is_walk(folder) else folder.recipe
    recipe = _recipe(file)
    portfolio = is_portfolio(recipe)
    kind = "walk-forward" if _is_walk(folder) else "portfolio" if portfolio else "run"
    judgement = Judgement.read(folder.metrics)
    damage = damage_of(judgement)
    if damage:
        raise damaged(folder.metrics, damage)
    return Contender(name, str(folder.path), kind, judgement, _ledger(folder, portfolio=portfolio), recipe, _nulls(folder))


def _recipe(file: Path) -> dict[str, Any]:
    try:
        found = parse_yaml(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"recipe {file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"recipe {file} is {type(found).__name__}; allowed: a mapping")
    return found


def _ledger(folder: RunFolder, *, portfolio: bool) -> Ledger | None:
    if not folder.ledger.is_file():
        return None
    return (PortfolioLedgers if portfolio else Ledgers).read(folder.ledger).ensemble


def _nulls(folder: RunFolder) -> dict[str, Any] | None:
    file = next((folder.path / name for name in _NULLS if (folder.path / name).is_file()), None)
    return None if file is None else read_json(file, "kinds")
