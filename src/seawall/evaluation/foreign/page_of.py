"""The page of a judged foreign ledger: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from seawall.evaluation.attribution_figures import (
    cost_parts_figure,
    guard_effect_figure,
    hour_figure,
    regime_figure,
    session_figure,
    side_figure,
    weekday_figure,
)
from seawall.evaluation.figures import equity_figure, exposure_figure, price_figure, stress_figure
from seawall.evaluation.foreign.foresight import YARDSTICK
from seawall.evaluation.foreign.judging import Judged
from seawall.evaluation.page import number, render
from seawall.evaluation.phrases import percent, share, two_digits
from seawall.evaluation.verdict import LEVEL_CLASSES

_NAMES = {"buy_and_hold": "buy-and-hold"}
_DASH = "–"


def judged_html(judged: Judged, command: str) -> str:
    """Return the page as text. Everything that is not ours is escaped.

    Args:
        judged: What was judged.
        command: How to judge it again.
    """
    document = judged.document
    verdict = document["verdict"]
    return render(
        "judge.html.j2",
        _figures(judged),
        verdict=verdict,
        verdict_title=verdict["title"],
        verdict_class=LEVEL_CLASSES[verdict["level"]],
        source=document["source"],
        test=document["test"],
        cards=_cards(document),
        columns=("return", "Sharpe", "Sortino", "max drawdown", "trades", "won", "costs"),
        rows=_rows(document),
        undefined=_undefined(document),
        remarks=[f"In the file: {finding['words']}." for finding in document["findings"]],
        guards=(document["attribution"] or {}).get("guards"),
        command=command,
        version=document["version"],
    )


def _figures(judged: Judged) -> dict[str, go.Figure]:
    """Draw what the ledger tells: of an equity curve alone, only that."""
    document = judged.document
    equity = equity_figure(judged.ledgers)
    equity.for_each_trace(lambda trace: trace.update(name="the ledger"), selector={"name": "ensemble"})
    figures = {"equity": equity}
    found = document["attribution"]
    if found is None:
        return figures
    ledger = judged.ledgers.ensemble
    figures |= {
        "price": price_figure(ledger),
        "exposure": exposure_figure(ledger),
        "costs": cost_parts_figure(found),
        "stress": stress_figure(document["stress"], document["ledger"]["total_return"]),
        "side": side_figure(found),
        "hour": hour_figure(found),
        "weekday": weekday_figure(found),
        "session": session_figure(found),
        "regime": regime_figure(found),
    }
    if found["guards"]["course"]["saved"]:
        figures["guards"] = guard_effect_figure(found)
    return figures


def _costs(metrics: Mapping[str, Any]) -> str:
    return _DASH if metrics["costs"] is None else share(metrics["costs"]["share_of_initial_equity"])


def _cells(metrics: Mapping[str, Any]) -> list[str]:
    return [
        percent(metrics["total_return"]),
        two_digits(metrics["sharpe"]),
        two_digits(metrics["sortino"]),
        share(metrics["max_drawdown"]),
        _DASH if metrics["trades"] is None else f"{metrics['trades']:,}",
        share(metrics["hit_rate"]),
        _costs(metrics),
    ]


def _rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    named = [("ensemble", "the ledger", document["ledger"])]
    named += [("rival", _NAMES.get(name, name), metrics) for name, metrics in document["baselines"].items()]
    return [{"kind": kind, "name": name, "cells": _cells(metrics)} for kind, name, metrics in named]


def _undefined(document: Mapping[str, Any]) -> list[str]:
    told = {**document["ledger"]["undefined"], **document["luck"]["undefined"]}
    return sorted(f"{name.replace('_', ' ')}: {reason}" for name, reason in told.items())


def _captured(attainable: Mapping[str, Any]) -> tuple[str, str]:
    found = attainable["captured"]
    if found["value"] is None:
        return _DASH, f"undefined: {found['reason']}"
    return percent(found["value"], 2), f"of what {YARDSTICK}, after the same costs"


def _cards(document: Mapping[str, Any]) -> list[dict[str, str]]:
    metrics, intervals, luck = document["ledger"], document["intervals"]["ledger"], document["luck"]

    def interval(name: str, show: Any) -> str:
        bounds = intervals[name]
        return bounds["reason"] if bounds["low"] is None else f"{show(bounds['low'])} to {show(bounds['high'])}"

    trials = "number of trials unknown" if luck["trials"] is None else f"{luck['trials']:,} tried"
    cards = [
        ("Net return", percent(metrics["total_return"]), interval("total_return", percent)),
        ("Sharpe, annualised", two_digits(metrics["sharpe"]), interval("sharpe", two_digits)),
        ("Max drawdown", share(metrics["max_drawdown"]), interval("max_drawdown", share)),
        ("Round trips", _DASH if metrics["trades"] is None else f"{metrics['trades']:,}", f"{share(metrics['hit_rate'])} won"),
        ("Costs paid", _costs(metrics), f"{number(document['costs']['bps_of_notional'])} bps of what was traded"),
        ("Probabilistic Sharpe", share(luck["probabilistic_sharpe"]), "that the true one is above 0, were it the only try"),
        ("Deflated Sharpe", share(luck["deflated_sharpe"]), trials),
        ("Captured", *_captured(document["attainable"])),
    ]
    return [{"label": label, "value": value, "detail": detail} for label, value, detail in cards]
