"""What an attribution tells, in words and lines for a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seawall.evaluation.attribution import is_empty
from seawall.evaluation.page import date, words
from seawall.evaluation.phrases import percent, share


def guard_lines(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a line for each guard and reason of a judgement: how often, and what that saved or cost where it is known."""
    found = (document.get("attribution") or {}).get("guards")
    if found is None:
        return [{**line, "guard": words(line["guard"]), "effect": None} for line in document["guards"]["by_reason"]]
    return [
        {
            "guard": words(line["guard"]),
            "reason": line["reason"],
            "count": line["count"],
            "changed": line["changed_exposure"],
            "first": date(line["first"]),
            "last": date(line["last"]),
            "saved": percent(line["saved"], 2),
            "cost": percent(line["cost"], 2),
            "effect": percent(line["effect"], 2),
        }
        for line in found["by_reason"]
    ]


def guards_summary(document: Mapping[str, Any]) -> str:
    """Return in a sentence or two what the guards saved or cost together; empty where nobody knows, or none changed anything."""
    found = (document.get("attribution") or {}).get("guards")
    if found is None or found["effect"] is None or not found["changed_exposure"]:
        return ""
    effect = found["effect"]
    did = "saved" if effect > 0.0 else "cost"
    told = (
        f"Added up bar by bar, they {did} {_size(effect)} of equity: {percent(found['price'], 2)} by what prices did while "
        f"exposures differed, and {percent(found['turnover'], 2)} by trading less or more."
    )
    if found["unguarded_return"] is None:
        return told
    return (
        f"{told} The same proposals, filled without guards, make {percent(found['unguarded_return'])} instead of "
        f"{percent(found['guarded_return'])}; a policy that had lived without guards might have proposed otherwise."
    )


def source_words(document: Mapping[str, Any]) -> str:
    """Return in a sentence what prices brought and what costs took; empty where a judgement does not tell.

    Args:
        document: A judgement's document.
    """
    found = document.get("attribution")
    if found is None:
        return ""
    total, initial = found["total"], document["test"]["initial_equity"]
    if is_empty(found):
        return "Nothing was ever held, so there is nothing to take apart."
    told = (
        f"Prices brought {percent(total['gross'] / initial)} of the initial equity, costs took {share(total['costs'] / initial)}: "
        f"{percent(total['share'])} is left."
    )
    return f"{told} {_extremes(found['by_asset'], 'asset')}" if found.get("by_asset") else told


def _extremes(groups: list[dict[str, Any]], kind: str) -> str:
    """Name the best and the worst of some groups."""
    best, worst = max(groups, key=lambda each: each["net"]), min(groups, key=lambda each: each["net"])
    return f"The best {kind} was {best['name']} ({percent(best['share'])}), the worst {worst['name']} ({percent(worst['share'])})."


def _size(value: float) -> str:
    return percent(abs(value), 2).removeprefix("+")
