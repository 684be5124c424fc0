"""The metrics of a foreign ledger: those of our own, with the round trips of the file, and without what it cannot tell."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.evaluation.foreign.rebuilding import Rebuilt
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.metrics import ledger_metrics
from seawall.evaluation.statistics.sharpe import deflated_sharpe, least_track_record, probabilistic_sharpe, sharpe_facts

_OF_FILLS = ("turnover_per_year", "hit_rate", "trades", "mean_exposure", "mean_absolute_exposure", "costs")
_NO_FILLS = "the file tells equity and no fills"


def foreign_metrics(rebuilt: Rebuilt) -> dict[str, Any]:
    """Return every figure of a foreign ledger, as `ledger_metrics` does.

    ``trades`` and ``hit_rate`` count the round trips of the file where it tells them, else those read off its fills;
    ``open_trades`` are those held at the end, which count as well, marked at the last close. ``hit_rate_closed`` leaves them out.

    Args:
        rebuilt: The ledger and its round trips.
    """
    metrics = ledger_metrics(rebuilt.ledger)
    undefined: dict[str, str] = dict(metrics["undefined"])
    trips = rebuilt.trips
    if trips is None:
        undefined |= dict.fromkeys((*_OF_FILLS, "open_trades", "hit_rate_closed"), _NO_FILLS)
        return {**metrics, **dict.fromkeys((*_OF_FILLS, "open_trades", "hit_rate_closed")), "undefined": undefined}
    closed = rebuilt.profits[~trips.open_at_end]
    undefined.pop("hit_rate", None)
    if not len(trips):
        undefined["hit_rate"] = "there was no trade"
    if not len(closed):
        undefined["hit_rate_closed"] = "no trade was closed"
    return {
        **metrics,
        "trades": len(trips),
        "open_trades": int(trips.open_at_end.sum()),
        "hit_rate": float(np.mean(rebuilt.profits > 0.0)) if len(trips) else None,
        "hit_rate_closed": float(np.mean(closed > 0.0)) if len(closed) else None,
        "undefined": undefined,
    }


def luck(ledger: Ledger, trials: int | None, confidence: float) -> dict[str, Any]:
    """Return how likely the Sharpe ratio is chance: probabilistic, and deflated by the number of trials.

    Args:
        ledger: The judged ledger.
        trials: Configurations tried on these bars, this one among them; None where unknown.
        confidence: Of the least track record.

    Returns:
        Plain values; None where undefined, with the reason under ``undefined``.
    """
    facts = sharpe_facts(ledger.returns())
    found = {
        "probabilistic_sharpe": probabilistic_sharpe(facts),
        "least_track_record_bars": least_track_record(facts, 0.0, confidence),
    }
    values: dict[str, Any] = {name: figure.value for name, figure in found.items()}
    undefined = {name: figure.reason for name, figure in found.items() if figure.value is None}
    if trials is None:
        values["deflated_sharpe"], undefined["deflated_sharpe"] = None, "the number of trials is unknown"
    else:
        deflated = deflated_sharpe(facts, trials)
        values["deflated_sharpe"] = deflated.value
        undefined |= {} if deflated.value is not None else {"deflated_sharpe": deflated.reason}
    return {**values, "trials": trials, "facts": None if isinstance(facts, str) else facts.to_dict(), "undefined": undefined}
