"""What is known of a run beside its ledgers: the configurations tried on its bars, who looked before, and its leak check."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seawall.core import trials
from seawall.core.run_folder import RunFolder
from seawall.core.trials import Trial
from seawall.evaluation.evidence import Background, LeakCheck
from seawall.evaluation.judge import Judgement
from seawall.evaluation.leaks.findings import Judgement as LeakJudgement
from seawall.recipes.leak_record import check_and_keep, kept


def background_of(
    run: RunFolder, trial: Trial, recipe_hash: str, check: Callable[[], Sequence[LeakJudgement]], *, own_rows: bool = True
) -> Background:
    """Gather what is known of a run.

    Args:
        run: A trained run; of a walk-forward the first fold's.
        trial: The trial that it is.
        recipe_hash: Hash of its recipe.
        check: Looks for leaks in the recipe; called where the result is too good and nobody has looked.
        own_rows: Whether it is judged on its own test bars; nobody knows who looked at others.

    Raises:
        DataError: The registry of trials or the kept leak check is damaged.
    """
    runs = run.path.parents[1]
    known = trials.tried(runs, trial)
    counted = len(known) if (trial.config_hash, trial.timeframe) in known else None
    earlier = trials.judged_before(runs, trial) if own_rows else None
    seen = "" if earlier is None else f"{earlier[0].recipe} was judged on it at {earlier[1]}, before this configuration was tried"

    def look() -> LeakCheck:
        return check_and_keep(run, recipe_hash, check)

    return Background(counted, seen, kept(run, recipe_hash), look)


def note_judged(run: RunFolder, trial: Trial, judgement: Judgement) -> None:
    """Note in the registry of trials that a run was judged on its own test bars."""
    trials.record_sharpe(run.path.parents[1], trial, judgement.document["skill"]["sharpe_per_bar"].get("sharpe"))
