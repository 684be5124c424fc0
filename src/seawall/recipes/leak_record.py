"""The leak check of a run: what it found is kept in the run's folder, and read when the run is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from seawall.core.errors import ConfigError, DataError
from seawall.core.files import read_json, write_json
from seawall.core.run_folder import RunFolder
from seawall.evaluation.evidence import LeakCheck
from seawall.evaluation.leaks.findings import Judgement

FILE = "leakcheck.json"


def leaks_in(judgements: Sequence[Judgement]) -> LeakCheck:
    """Return what a leak check of a recipe found, in one line."""
    leaks = [f"{judged.name}: {finding.words}" for judged in judgements for finding in judged.findings]
    if leaks:
        further = f", and {len(leaks) - 1} more" if len(leaks) > 1 else ""
        return LeakCheck("leak", f"{leaks[0]}{further}")
    problems = [f"{judged.name} could not be judged: {judged.problem}" for judged in judgements if judged.problem is not None]
    if problems:
        return LeakCheck("not run", problems[0])
    return LeakCheck("clean", f"{len(judgements)} parts of the recipe were checked, and nothing in them knows the future")


def check_and_keep(run: RunFolder, recipe_hash: str, check: Callable[[], Sequence[Judgement]]) -> LeakCheck:
    """Check a run's recipe for leaks, and keep what was found in its folder.

    Args:
        run: The run.
        recipe_hash: Hash of its recipe.
        check: Runs the check.

    Returns:
        What was found; where it cannot be run, as where the bars are gone, that it was not, and why.
    """
    try:
        judgements = check()
    except (ConfigError, DataError) as error:
        return LeakCheck("not run", str(error))
    return keep(run, recipe_hash, judgements)


def keep(run: RunFolder, recipe_hash: str, judgements: Sequence[Judgement]) -> LeakCheck:
    """Keep what a leak check found in a run's folder, and return it in one line."""
    found = leaks_in(judgements)
    document = {"recipe_hash": recipe_hash, "verdict": found.verdict, "words": found.words}
    write_json(_path(run), {**document, "judged": [judged.to_dict() for judged in judgements]})
    return found


def kept(run: RunFolder, recipe_hash: str) -> LeakCheck:
    """Return what a leak check of a run found; that none was run, where none is kept for this recipe.

    Raises:
        DataError: The file is damaged.
    """
    path = _path(run)
    if not path.is_file():
        return LeakCheck()
    document = read_json(path, "verdict")
    if document.get("recipe_hash") != recipe_hash:
        return LeakCheck("not run", "the leak check that is kept is of another recipe")
    if document["verdict"] not in ("clean", "leak", "not run"):
        raise DataError(f"{path} has verdict {document['verdict']!r}; allowed: clean, leak, not run")
    return LeakCheck(document["verdict"], str(document.get("words", "")))


def _path(run: RunFolder) -> Path:
    return run.path / FILE
