"""What is known of a run beside its ledgers: the configurations tried on its bars, who looked before, and its leak check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seawall.core import trials
from seawall.core.run_folder import RunFolder
from seawall.core.trials import KeptLedger, Trial
from seawall.evaluation.evidence import Background, LeakCheck
from seawall.evaluation.judge import Judgement
from seawall.evaluation.leaks.findings import Judgement as LeakJudgement
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.tried import Tried
from seawall.recipes.leak_record import check_and_keep, kept
from seawall.recipes.tried_returns import kept_ledger, tried_returns

_CHANGED = "judged otherwise than its recipe says, and the choice was among runs as they are"


@dataclass(frozen=True)
class JudgedAs:
    """How a run is judged.

    Attributes:
        ledger: Where its ledgers are kept.
        costs: That are charged.
    """

    ledger: Path
    costs: Mapping[str, Any]

    def kept(self, ledger: Ledger) -> KeptLedger:
        """Return what the registry of trials notes of the ensemble's ledger."""
        return kept_ledger(self.ledger, ledger, self.costs)


def background_of(
    run: RunFolder,
    trial: Trial,
    recipe_hash: str,
    check: Callable[[], Sequence[LeakJudgement]],
    *,
    own_rows: bool = True,
    judged_as: JudgedAs | None = None,
) -> Background:
    """Gather what is known of a run.

    Args:
        run: A trained run; of a walk-forward the first fold's.
        trial: The trial that it is.
        recipe_hash: Hash of its recipe.
        check: Looks for leaks in the recipe; called where the result is too good and nobody has looked.
        own_rows: Whether it is judged on its own test bars; nobody knows who looked at others.
        judged_as: How it is judged; None where that is not as its recipe says.

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

    def tried(ledger: Ledger) -> Tried:
        if judged_as is None:
            return Tried(reason=_CHANGED)
        return tried_returns(runs, trial, judged_as.kept(ledger), ledger.timestamps_ms)

    return Background(counted, seen, kept(run, recipe_hash), look, tried)


def note_judged(run: RunFolder, trial: Trial, judgement: Judgement, ledger: KeptLedger | None) -> None:
    """Note in the registry of trials that a run was judged on its own test bars.

    Args:
        run: The run; of a walk-forward the first fold's.
        trial: The trial that it is.
        judgement: What came of it.
        ledger: The ensemble's, as it is kept; None where it was judged otherwise than its recipe says.
    """
    sharpe = judgement.document["skill"]["sharpe_per_bar"].get("sharpe")
    trials.record_sharpe(run.path.parents[1], trial, sharpe, ledger)
