"""Several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seawall.core.errors import DataError
from seawall.evaluation.judge import Judgement

_METRICS = ("total_return", "annual_return", "sharpe", "sortino", "max_drawdown", "turnover_per_year", "hit_rate", "trades")


def compare(judgements: Mapping[str, Judgement]) -> list[dict[str, Any]]:
    """Return one row per run, ready for a table or JSON.

    Runs over different test spans or costs are not comparable; ``comparable`` says whether a row has the span,
    market and costs of the first.

    Args:
        judgements: Each run's judgement by its name, in the order wanted.

    Returns:
        For each run its name, recipe, market, test span, number of seeds, verdict, the ensemble's figures, the interval of
        its mean log return, and its break-even cost multiple; None where undefined.

    Raises:
        DataError: No run was given.
    """
    if not judgements:
        raise DataError("no run to compare; at least 1 is needed")
    first = _ground(next(iter(judgements.values())).document)
    return [_row(name, judgement.document, first) for name, judgement in judgements.items()]


def _ground(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what two runs must share to be compared."""
    run, test = document["run"], document["test"]
    return run["symbol"], run["timeframe"], test["first"], test["last"], dict(run["costs"])


def _row(name: str, document: Mapping[str, Any], first: tuple[Any, ...]) -> dict[str, Any]:
    run, test, ensemble = document["run"], document["test"], document["ensemble"]
    mean = document["intervals"]["ensemble"]["mean_log_return"]
    return {
        "run": name,
        "recipe": run["recipe"],
        "symbol": run["symbol"],
        "timeframe": run["timeframe"],
        "test_first": test["first"],
        "test_last": test["last"],
        "seeds": len(document["seeds"]),
        "verdict": document["verdict"]["level"],
        **{metric: ensemble[metric] for metric in _METRICS},
        "mean_log_return": ensemble["mean_log_return"],
        "mean_log_return_low": mean["low"],
        "mean_log_return_high": mean["high"],
        "costs_share": ensemble["costs"]["share_of_initial_equity"],
        "break_even": document["stress"]["break_even"]["multiple"],
        "comparable": _ground(document) == first,
    }
