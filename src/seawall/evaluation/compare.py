"""Several judged runs side by side: their figures, tests of the differences between them, and the settings in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from seawall.core.errors import DataError
from seawall.evaluation.bootstrap import BootstrapParams
from seawall.evaluation.judge import Judgement, at, lack_of
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.metrics import Measured
from seawall.evaluation.portfolio_ledger import PortfolioLedger
from seawall.evaluation.statistics.rivals import adjusted_p_values, paired_test

MOST_PAIRS_OF = 5
"""Up to so many runs every two of them are compared; of more, each with the first."""
ABSENT = "–"
"""What stands where a recipe has no such setting."""

_METRICS = ("total_return", "annual_return", "sharpe", "sortino", "max_drawdown", "turnover_per_year", "hit_rate", "trades")
_LUCK = ("probabilistic_sharpe", "deflated_sharpe", "least_track_record_bars", "pbo")
_TOLD = ("run.symbol", "run.timeframe", "test.first", "test.last")
_PARTS = ("run.costs", "intervals.ensemble.mean_log_return", "intervals.ensemble.sharpe", "stress.break_even")
"""What is compared of any judgement, beside what none is read without: words, and parts that hold figures."""
_WORDS = ("run", "recipe", "symbol", "timeframe", "test_first", "test_last", "verdict", "stamp", "captured_of", "comparable")
"""What is no figure in a row of the table."""
_NO_SETTINGS = ("name", "summary", "missing", "smoke", "data", "device")
"""What names a recipe, or its bars; of those the table of figures tells."""


@dataclass(frozen=True)
class Contender:
    """A judged run as it is compared.

    Attributes:
        name: What it is called.
        path: Its folder.
        kind: ``run``, ``portfolio`` or ``walk-forward``.
        judgement: Its judgement.
        ledger: Of its ensemble; None where it is not kept.
        recipe: Its resolved recipe as plain values.
        nulls: What its null tests came to; None where there were none.
    """

    name: str
    path: str
    kind: str
    judgement: Judgement
    ledger: Ledger | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    nulls: Mapping[str, Any] | None = None


def compare(judgements: Mapping[str, Judgement]) -> list[dict[str, Any]]:
    """Return one row per run, ready for a table or JSON.

    Runs over different test spans or costs are not comparable; ``comparable`` says whether a row has the span,
    market and costs of the first.

    Args:
        judgements: Each run's judgement by its name, in the order wanted.

    Returns:
        For each run its name, recipe, market, test span, number of seeds, verdict, the ensemble's figures with intervals, what
        luck, trials and perfect foresight make of them, and its costs; None where undefined, or not told by an older version.

    Raises:
        DataError: No run was given.
    """
    if not judgements:
        raise DataError("no run to compare; at least 1 is needed")
    first = _ground(next(iter(judgements.values())).document)
    return [_row(name, judgement.document, first) for name, judgement in judgements.items()]


def compared(contenders: Sequence[Contender], params: BootstrapParams | None = None) -> dict[str, Any]:
    """Return everything that is told of several runs side by side.

    Args:
        contenders: In the order wanted, each under a name of its own.
        params: Settings of the paired tests; the defaults where None.

    Returns:
        Plain values: ``runs``, as `compare` gives them, with ``kind``, ``path`` and the ``null_test`` of each; ``differences``: for
        each pair the test of the mean log return per bar of the first less that of the second, or why there is none; ``settings``:
        those that differ, with the value of each run; ``confidence`` of the intervals.

    Raises:
        DataError: No run was given, or two have one name.
    """
    params = BootstrapParams() if params is None else params
    named = {each.name: each for each in contenders}
    if len(named) < len(contenders):
        raise DataError(f"runs are called {', '.join(each.name for each in contenders)}; allowed: names that differ")
    rows = compare({name: each.judgement for name, each in named.items()})
    for row, each in zip(rows, contenders, strict=True):
        same = row["comparable"] and not _other_ground(contenders[0], each)
        row |= {"comparable": same, "path": each.path, "kind": each.kind, "null_test": _null_test(each.nulls)}
    return {
        "runs": rows,
        "differences": _differences(contenders, params),
        "settings": differing_settings({name: each.recipe for name, each in named.items()}),
        "confidence": params.confidence,
    }


def damage_of(judgement: Judgement) -> str:
    """Say what a judgement lacks, or holds that is no figure, of all that is compared; empty where nothing is amiss."""
    document = judgement.document
    lack = lack_of(document, _TOLD, _PARTS)
    if lack:
        return lack
    figures = {name: value for name, value in _row("", document, ()).items() if name not in _WORDS}
    for name, value in figures.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return f"{name} is {value!r}; allowed: a number, or null where it is undefined"
    return ""


def differing_settings(recipes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the settings that are not the same in all recipes: ``setting`` and its ``values``, one for each recipe.

    Args:
        recipes: Resolved recipes as plain values, by name. Names, summaries, devices and the place of the bars are left out.
    """
    flat = [dict(_flattened({key: value for key, value in each.items() if key not in _NO_SETTINGS})) for each in recipes.values()]
    keys = dict.fromkeys(key for each in flat for key in each)
    rows = [{"setting": key, "values": [each.get(key, ABSENT) for each in flat]} for key in keys]
    return [row for row in rows if any(value != row["values"][0] for value in row["values"])]


def why_not(one: Contender, other: Contender) -> str:
    """Return why two runs cannot be compared bar by bar, in words; empty where they can."""
    reasons = _other_ground(one, other)
    if reasons:
        return f"not comparable: {', '.join(reasons)}"
    missing = [each.name for each in (one, other) if each.ledger is None]
    return f"no ledger is kept of {' and '.join(missing)}" if missing else ""


def _other_ground(one: Contender, other: Contender) -> list[str]:
    """Return in what two runs were judged otherwise, as far as is known; none where they can be compared."""
    runs = [each.judgement.document["run"] for each in (one, other)]
    reasons: list[str] = []
    if runs[0]["symbol"] != runs[1]["symbol"] or runs[0]["timeframe"] != runs[1]["timeframe"]:
        reasons.append("other market")
    elif one.ledger is not None and other.ledger is not None and not _same_bars(one, other):
        reasons.append("other bars")
    if dict(runs[0]["costs"]) != dict(runs[1]["costs"]):
        reasons.append("other costs")
    return reasons


def _same_bars(one: Contender, other: Contender) -> bool:
    """Say whether two runs were judged on bars of the same times and, as far as that is known, the same prices."""
    if one.ledger is None or other.ledger is None or not np.array_equal(one.ledger.timestamps_ms, other.ledger.timestamps_ms):
        return False
    if isinstance(one.ledger, PortfolioLedger) or isinstance(other.ledger, PortfolioLedger):
        hashes = [at(each.judgement.document, "run", "data", "data_hash") for each in (one, other)]
        return type(one.ledger) is type(other.ledger) and hashes[0] == hashes[1]
    # A ruined account's ledger ends early.
    shared = min(len(one.ledger.frame), len(other.ledger.frame))
    return np.array_equal(one.ledger.column("close")[:shared], other.ledger.column("close")[:shared])


def _differences(contenders: Sequence[Contender], params: BootstrapParams) -> list[dict[str, Any]]:
    few = len(contenders) <= MOST_PAIRS_OF
    pairs = [*combinations(contenders, 2)] if few else [(contenders[0], each) for each in contenders[1:]]
    rows = [{"first": one.name, "second": other.name, **_tested(one, other, params)} for one, other in pairs]
    adjusted = adjusted_p_values({str(place): Measured(row["p_value"]) for place, row in enumerate(rows)})
    return [{**row, "adjusted_p_value": adjusted[str(place)].value} for place, row in enumerate(rows)]


def _tested(one: Contender, other: Contender, params: BootstrapParams) -> dict[str, Any]:
    reason = why_not(one, other)
    if reason or one.ledger is None or other.ledger is None:
        return {"mean": None, "low": None, "high": None, "p_value": None, "reason": reason}
    found = paired_test(one.ledger.log_returns(), other.ledger.log_returns(), params)
    return {
        "mean": found.mean.value,
        "low": found.interval.low,
        "high": found.interval.high,
        "p_value": found.p_value.value,
        "reason": found.interval.reason,
    }


def _ground(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what two runs must share to be compared."""
    run, test = document["run"], document["test"]
    return run["symbol"], run["timeframe"], test["first"], test["last"], dict(run["costs"])


def _row(name: str, document: Mapping[str, Any], first: tuple[Any, ...]) -> dict[str, Any]:
    run, test, ensemble = document["run"], document["test"], document["ensemble"]
    intervals = document["intervals"]["ensemble"]
    mean, sharpe = intervals["mean_log_return"], intervals["sharpe"]
    return {
        "run": name,
        "recipe": run["recipe"],
        "symbol": run["symbol"],
        "timeframe": run["timeframe"],
        "test_first": test["first"],
        "test_last": test["last"],
        "bars": test.get("bars"),
        "seeds": len(document["seeds"]),
        "verdict": document["verdict"]["level"],
        "stamp": document["verdict"].get("stamp", ""),
        **{metric: ensemble.get(metric) for metric in _METRICS},
        "sharpe_low": sharpe.get("low"),
        "sharpe_high": sharpe.get("high"),
        "mean_log_return": ensemble.get("mean_log_return"),
        "mean_log_return_low": mean.get("low"),
        "mean_log_return_high": mean.get("high"),
        **_luck(document),
        "captured": at(document, "attainable", "captured", "value"),
        "captured_of": at(document, "attainable", "kind"),
        "guards_effect": at(document, "attribution", "guards", "effect"),
        "costs_share": at(ensemble, "costs", "share_of_initial_equity"),
        "break_even": document["stress"]["break_even"].get("multiple"),
        "comparable": _ground(document) == first,
    }


def _luck(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trials": at(document, "skill", "trials"),
        **{name: at(document, "skill", name, "value") for name in _LUCK},
        "pbo_configurations": at(document, "skill", "pbo", "configurations"),
        **{f"seeds_{name}": at(document, "skill", "seeds", name, "iqm", "value") for name in ("total_return", "sharpe")},
    }


def _null_test(nulls: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the largest p-value of the Sharpe ratio over the kinds of null markets, and the number of markets of that kind."""
    known = [
        (told["p"], told["of"], kind)
        for kind, each in ((nulls or {}).get("kinds") or {}).items()
        for told in [at(each, "positions", "sharpe")]
        if told is not None and told.get("p") is not None
    ]
    if not known:
        return None
    p, markets, kind = max(known)
    return {"p": p, "markets": markets, "kind": kind}


def _flattened(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return the leaves of nested mappings with their dotted paths; an empty mapping and a list are leaves."""
    if not isinstance(value, Mapping) or not value:
        return [(path, value)] if path else []
    step: Callable[[str], str] = (lambda key: f"{path}.{key}") if path else str
    return [leaf for key, each in value.items() for leaf in _flattened(each, step(str(key)))]
