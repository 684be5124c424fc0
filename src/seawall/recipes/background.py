"""What is known of a run beside its ledgers: the configurations tried on its bars, who looked before, and its leak check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seawall.core import trials
from seawall.core.run_folder import RunFolder
from seawall.evaluation.evidence import Background, LeakCheck
from seawall.evaluation.judge import Judgement
from seawall.evaluation.leaks.findings import Judgement as LeakJudgement
from seawall.recipes.leak_record import check_and_keep, kept
from seawall.recipes.trials import trial_of


def background_of(
    run: RunFolder, mapping: Mapping[str, Any], recipe_hash: str, check: Callable[[], Sequence[LeakJudgement]]
) -> Background:
    """Gather what is known of a run.

    Args:
        run: A trained run.
        mapping: Its recipe as plain values.
        recipe_hash: Its hash.
        check: Looks for leaks in the recipe; called where the result is too good and nobody has looked.

    Raises:
        DataError: The registry of trials or the kept leak check is damaged.
    """
    trial = trial_of(run, mapping)
    known = trials.tried(_runs(run), trial)
    counted = len(known) if (trial.config_hash, trial.timeframe) in known else None
    earlier = trials.judged_before(_runs(run), trial)
    seen = "" if earlier is None else f"{earlier[0].recipe} was judged on it at {earlier[1]}, before this configuration was tried"

    def look() -> LeakCheck:
        return check_and_keep(run, recipe_hash, check)

    return Background(counted, seen, kept(run, recipe_hash), look)


def note_judged(run: RunFolder, mapping: Mapping[str, Any], judgement: Judgement) -> None:
    """Note in the registry of trials that a run was judged on its test bars."""
    found = judgement.document["skill"]["sharpe_per_bar"]
    trials.record_sharpe(_runs(run), trial_of(run, mapping), found.get("sharpe"))


def _runs(run: RunFolder) -> Any:
    return run.path.parents[1]
