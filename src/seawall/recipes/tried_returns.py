"""What the configurations tried on the same bars made there, from the ledgers that their runs keep.

The registry of trials says which configurations there are and where each was judged. A configuration counts where it was judged on
the very bars and under the very costs of the judged run, as its recipe says; of several runs of one configuration the newest stands
for it. So the answer hangs on what is kept in the folder of runs, and not on which run is asked about.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seawall.core import trials
from seawall.core.errors import DataError
from seawall.core.files import array_digest, digest
from seawall.core.trials import KeptLedger, Trial
from seawall.evaluation.ledger import Ledger, ensemble_returns
from seawall.evaluation.tried import Tried

NOT_JUDGED, ELSEWHERE, GONE = (
    "not judged yet, or before ledgers were noted",
    "judged on other bars or costs",
    "whose ledgers are gone",
)
"""Why a configuration does not count."""


def kept_ledger(path: Path, ledger: Ledger, costs: Mapping[str, Any]) -> KeptLedger:
    """Return what the registry of trials notes of a judged run's ledger.

    Args:
        path: Where it is written.
        ledger: The ensemble's.
        costs: That it was judged under.
    """
    ground = digest({"bars": array_digest(ledger.timestamps_ms), "costs": dict(costs)})
    return KeptLedger(Path(os.path.normpath(path.absolute())), ground)


def tried_returns(runs: Path, trial: Trial, own: KeptLedger, times_ms: np.ndarray) -> Tried:
    """Read what the configurations tried on the same bars made there.

    Args:
        runs: Folder of the judged run's runs.
        trial: The trial that it is.
        own: Its ledger, which need not be written yet.
        times_ms: Opening times of its rows, int64, shape (T,).

    Raises:
        DataError: The registry of trials is damaged.
    """
    known = trials.kept_ledgers(runs, trial)
    mine = (trial.config_hash, trial.timeframe)
    others: dict[str, np.ndarray] = {}
    left_out: Counter[str] = Counter()
    newer: np.ndarray | None = None
    for key, files in known.items():
        found = _newest(files if key != mine else [*(each for each in files if each.path != own.path), own], own, times_ms)
        if key == mine:
            newer = None if isinstance(found, str) else found
        elif isinstance(found, str):
            left_out[found] += 1
        else:
            others[" ".join(key)] = found
    return Tried(others, " ".join(mine), newer, dict(sorted(left_out.items())))


def _newest(files: Sequence[KeptLedger], own: KeptLedger, times_ms: np.ndarray) -> np.ndarray | str:
    """Return the returns of the newest run of a configuration, by its name; or why there are none, which for the own run is ""."""
    if not files:
        return NOT_JUDGED
    same = [each for each in files if each.ground == own.ground]
    if not same:
        return ELSEWHERE
    for each in sorted(same, key=lambda kept: (kept.path.parent.name, str(kept.path)), reverse=True):
        if each.path == own.path:
            return ""
        try:
            times, returns = ensemble_returns(each.path)
        except DataError:
            # Gone, or no ledger any more: an older run may still stand for the configuration.
            continue
        if np.array_equal(times, times_ms):
            return returns
    return GONE
