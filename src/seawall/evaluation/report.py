"""The page to look at: one HTML file that needs no network, for a phone and a desktop, by day and by night."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from seawall.core.files import write_text
from seawall.evaluation.addenda import Addendum, figures_of
from seawall.evaluation.attribution_figures import attribution_figures, guard_effect_figure
from seawall.evaluation.attribution_words import guard_lines, guards_summary, source_words
from seawall.evaluation.figures import costs_figure, equity_figure, exposure_figure, interval_figure, price_figure, stress_figure
from seawall.evaluation.judge import Judgement
from seawall.evaluation.ledger import Ledgers
from seawall.evaluation.page import number, render
from seawall.evaluation.phrases import percent, rival_title, share, two_digits
from seawall.evaluation.skill_words import skill_rows
from seawall.evaluation.verdict import LEVEL_CLASSES, LEVEL_TITLES

_LONG_ITEMS = 8


def render_report(judgement: Judgement, ledgers: Ledgers, recipe_text: str, path: Path, addenda: Sequence[Addendum] = ()) -> None:
    """Write the report of a judged run, whole or not at all.

    Args:
        judgement: The judgement.
        ledgers: The ledgers that it was made from.
        recipe_text: The resolved recipe, as text.
        path: The HTML file.
        addenda: Further sections.

    Raises:
        DataError: The disk is full or the path may not be written.
    """
    write_text(path, report_html(judgement, ledgers, recipe_text, addenda))


def report_html(judgement: Judgement, ledgers: Ledgers, recipe_text: str, addenda: Sequence[Addendum] = ()) -> str:
    """Return the page as text; arguments as for `render_report`. Everything that is not ours is escaped."""
    document = judgement.document
    data, long_data = _data_facts(document)
    return render(
        "report.html.j2",
        {**_figures(document, ledgers), **figures_of(addenda)},
        **{key: document[key] for key in ("run", "test", "seeds", "guards", "settings")},
        verdict=judgement.verdict,
        remarks=[f"Warning from the run: {warning}" for warning in document["run"]["warnings"]],
        verdict_title=LEVEL_TITLES[judgement.level],
        verdict_class=LEVEL_CLASSES[judgement.level],
        cards=_cards(document),
        columns=_COLUMNS,
        rows=_table_rows(document),
        skill_rows=skill_rows(document),
        guard_lines=guard_lines(document),
        guards_summary=guards_summary(document),
        source_words=source_words(document),
        undefined=_undefined(document),
        confidence=number(100 * document["bootstrap"]["confidence"]),
        block=document["bootstrap"]["mean_block_bars"],
        costs_words=_costs_words(document),
        stress_words=_stress_words(document),
        data=data,
        long_data=long_data,
        recipe_text=recipe_text,
        addenda=addenda,
    )


def _count(value: int) -> str:
    return f"{value:,}"


class _Column:
    """A column of the table of policies."""

    def __init__(self, key: str, label: str, show: Any, meaning: str) -> None:
        self.key, self.label, self.show, self.meaning = key, label, show, meaning


_COLUMNS = (
    _Column("total_return", "net return", percent, "over the test span, after all costs"),
    _Column("annual_return", "a year", percent, "net return compounded to a year"),
    _Column("sharpe", "Sharpe", two_digits, "annualised, of bar returns"),
    _Column("sortino", "Sortino", two_digits, "annualised, of bar returns"),
    _Column("max_drawdown", "max drawdown", share, "deepest fall of equity from a peak"),
    _Column("calmar", "Calmar", two_digits, "annual return over max drawdown"),
    _Column("trades", "trades", _count, "round trips"),
    _Column("hit_rate", "won", share, "share of trades that made money after costs"),
    _Column("turnover_per_year", "turnover a year", number, "traded notional over mean equity"),
    _Column("mean_absolute_exposure", "exposure", share, "mean absolute exposure"),
    _Column("costs", "costs", lambda costs: share(costs["share_of_initial_equity"]), "costs paid over initial equity"),
)


def _table_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    policies = [("ensemble", "ensemble", document["ensemble"])]
    policies += [("rival", rival_title(name), metrics) for name, metrics in document["baselines"].items()]
    policies += [("seed", f"seed {seed}", metrics) for seed, metrics in document["seeds"].items()]
    return [
        {"kind": kind, "name": name, "cells": [column.show(metrics[column.key]) for column in _COLUMNS]}
        for kind, name, metrics in policies
    ]


def _undefined(document: Mapping[str, Any]) -> list[str]:
    """Return why figures of the table are undefined, each reason once."""
    everyone: Iterable[Mapping[str, Any]] = (document["ensemble"], *document["seeds"].values(), *document["baselines"].values())
    labels = {column.key: column.label for column in _COLUMNS}
    reasons = {f"{labels[name]} where {reason}" for metrics in everyone for name, reason in metrics["undefined"].items()}
    return sorted(reasons)


def _cards(document: Mapping[str, Any]) -> list[dict[str, str]]:
    metrics, intervals = document["ensemble"], document["intervals"]["ensemble"]
    costs = metrics["costs"]

    def interval(name: str, show: Any) -> str:
        bounds = intervals[name]
        return bounds["reason"] if bounds["low"] is None else f"{show(bounds['low'])} to {show(bounds['high'])}"

    hits = "no trade" if metrics["hit_rate"] is None else f"{share(metrics['hit_rate'])} won"
    exposure = f"{share(metrics['mean_exposure'])} net of shorts"
    cards = [
        ("Net return", percent(metrics["total_return"]), interval("total_return", percent)),
        ("Sharpe, annualised", two_digits(metrics["sharpe"]), interval("sharpe", two_digits)),
        ("Sortino, annualised", two_digits(metrics["sortino"]), interval("sortino", two_digits)),
        ("Max drawdown", share(metrics["max_drawdown"]), interval("max_drawdown", share)),
        ("Round trips", _count(metrics["trades"]), hits),
        ("Costs paid", share(costs["share_of_initial_equity"]), "of the initial equity"),
        ("Mean exposure", share(metrics["mean_absolute_exposure"]), exposure),
        ("Break-even costs", _break_even(document["stress"]["break_even"]), "the costs charged"),
    ]
    return [{"label": label, "value": value, "detail": detail} for label, value, detail in cards]


def _break_even(found: Mapping[str, Any]) -> str:
    if found["multiple"] is not None:
        return f"{found['multiple']:.2f} ×"
    return {True: f"> {found['searched_to']:g} ×", False: "never", None: "–"}[found["above_one"]]


def _costs_words(document: Mapping[str, Any]) -> str:
    costs = document["ensemble"]["costs"]
    # Judgements made before holding had costs know but two parts, and further ones are told where there is something to tell.
    further = [f", {name} {number(costs[name], 6)}" for name in ("slippage", "financing", "funding") if costs.get(name)]
    return (
        f"{number(costs['fee'], 6)} and {number(costs['spread'], 6)} quote units{''.join(further)}, together "
        f"{share(costs['share_of_initial_equity'])} of the initial equity"
    )


def _stress_words(document: Mapping[str, Any]) -> str:
    stress = document["stress"]
    delay = stress["delay"]
    late, on_time = percent(delay["total_return"]), percent(delay["on_time_total_return"])
    words = stress["break_even"]["words"]
    return f"The decisions are kept as they were: {words}. One bar later, they make {late} instead of {on_time}."


def _data_facts(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is told of the data at once, and the long lists that are folded away."""
    run = document["run"]
    data = {**run["data"], "split": {name: _rows(part) for name, part in run["split"].items()}}
    quality = data.pop("quality", None)
    if isinstance(quality, Mapping):
        data["quality"] = {name: value for name, value in quality.items() if not _is_long(value)}
        folded = {f"quality: {name}": value for name, value in quality.items() if _is_long(value)}
    else:
        folded = {}
    folded.update({name: data.pop(name) for name in list(data) if _is_long(data[name])})
    return data, folded


def _rows(part: Any) -> Any:
    """Return a row range in words."""
    if isinstance(part, Mapping) and all(isinstance(part.get(edge), int) for edge in ("start", "stop")):
        return f"rows {part['start']:,} to {part['stop'] - 1:,} ({part['stop'] - part['start']:,})"
    return part


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and (len(value) > _LONG_ITEMS or any(isinstance(item, Mapping) for item in value))


def _figures(document: Mapping[str, Any], ledgers: Ledgers) -> dict[str, go.Figure]:
    found = document.get("attribution")
    figures = {
        "equity": equity_figure(ledgers),
        "intervals": interval_figure(document),
        "price": price_figure(ledgers.ensemble),
        "exposure": exposure_figure(ledgers.ensemble),
        "costs": costs_figure(ledgers.ensemble),
        "stress": stress_figure(document["stress"], document["ensemble"]["total_return"]),
        **attribution_figures(found),
    }
    if found is not None and found["guards"]["course"]["saved"]:
        figures["guards"] = guard_effect_figure(found)
    return figures
