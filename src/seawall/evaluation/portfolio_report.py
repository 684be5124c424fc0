"""The page of a judged portfolio: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from seawall.core.files import write_text
from seawall.evaluation.addenda import Addendum, figures_of
from seawall.evaluation.attribution_figures import attribution_figures
from seawall.evaluation.attribution_words import source_words
from seawall.evaluation.figures import costs_figure, equity_figure, interval_figure, laid_out, stress_figure
from seawall.evaluation.judge import Judgement
from seawall.evaluation.page import number, render
from seawall.evaluation.phrases import percent, rival_title, share
from seawall.evaluation.portfolio_ledger import PortfolioLedger, PortfolioLedgers
from seawall.evaluation.skill_words import skill_rows
from seawall.evaluation.verdict import LEVEL_CLASSES, LEVEL_TITLES

_MOST_POINTS = 2_000
_COLOURS = (
    "#3b7ddd", "#dd7f2b", "#2a9d6f", "#9a5fc4", "#e0a100", "#d1495b", "#5f9ac4", "#c4a15f", "#5fc49a", "#c45f9a", "#7a8f3b",
    "#5f5fc4",
)  # fmt: skip
_CASH = "#8a8f98"


def render_portfolio_report(
    judgement: Judgement, ledgers: PortfolioLedgers, recipe_text: str, path: Path, addenda: Sequence[Addendum] = ()
) -> None:
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
    write_text(path, portfolio_report_html(judgement, ledgers, recipe_text, addenda))


def portfolio_report_html(
    judgement: Judgement, ledgers: PortfolioLedgers, recipe_text: str, addenda: Sequence[Addendum] = ()
) -> str:
    """Return the page as text; arguments as for `render_portfolio_report`. Everything that is not ours is escaped."""
    document = judgement.document
    ensemble: Any = ledgers.ensemble
    figures = {
        "equity": equity_figure(ledgers),
        "intervals": interval_figure(document),
        "weights": weights_figure(ensemble),
        "costs": costs_figure(ensemble),
        "stress": stress_figure(document["stress"], document["ensemble"]["total_return"]),
        **attribution_figures(document.get("attribution")),
        **figures_of(addenda),
    }
    return render(
        "portfolio.html.j2",
        figures,
        **{key: document[key] for key in ("run", "test", "seeds")},
        verdict=judgement.verdict,
        remarks=[f"Warning from the run: {warning}" for warning in document["run"]["warnings"]],
        verdict_title=LEVEL_TITLES[judgement.level],
        verdict_class=LEVEL_CLASSES[judgement.level],
        rows=_rows(document),
        skill_rows=skill_rows(document),
        source_words=source_words(document),
        asset_rows=asset_rows(document),
        confidence=number(100 * document["bootstrap"]["confidence"]),
        block=document["bootstrap"]["mean_block_bars"],
        mean_weights={owner: share(weight) for owner, weight in document["ensemble"]["mean_weights"].items()},
        delay=document["stress"]["delay"],
        break_even=document["stress"]["break_even"]["words"],
        percent=percent,
        recipe_text=recipe_text,
        addenda=addenda,
    )


def weights_figure(ledger: PortfolioLedger) -> go.Figure:
    """Draw the weights at each close, one on the other: the assets, and cash on top."""
    weights = ledger.weights()
    shown = np.unique(np.linspace(0, len(weights) - 1, _MOST_POINTS).round().astype(np.int64))
    dates = ledger.timestamps_ms[1:].astype(np.float64)[shown]
    figure = go.Figure()
    owners = [*enumerate(ledger.symbols, start=1), (0, "cash")]
    for place, owner in owners:
        colour = _CASH if place == 0 else _COLOURS[(place - 1) % len(_COLOURS)]
        figure.add_trace(
            go.Scatter(
                x=dates, y=(100.0 * weights[shown, place]).astype(np.float32), name=owner, stackgroup="weights", mode="lines",
                line={"width": 0.5, "color": colour},
            )
        )  # fmt: skip
    figure.update_yaxes(title_text="share of equity, %", range=[0, 100])
    return laid_out(figure, 380)


def asset_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what each asset brought, the best first; nothing of judgements that do not tell, or are of one series."""
    found, initial = document.get("attribution") or {}, document["test"]["initial_equity"]
    return [
        {
            "name": group["name"],
            "cells": [
                percent(group["share"]),
                percent(group["gross"] / initial),
                share(group["costs"] / initial),
                share(group["mean_weight"]),
                f"{group['trades']:,}",
            ],
        }
        for group in sorted(found.get("by_asset", ()), key=lambda each: -each["net"])
    ]


def _rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    named = [("ensemble", "ensemble", document["ensemble"])]
    named += [("rival", rival_title(name), metrics) for name, metrics in document["baselines"].items()]
    named += [("seed", f"seed {seed}", metrics) for seed, metrics in document["seeds"].items()]
    return [
        {
            "kind": kind,
            "name": name,
            "cells": [
                percent(metrics["total_return"]),
                number(metrics["sharpe"]),
                share(metrics["max_drawdown"]),
                number(metrics["turnover_per_year"]),
                share(metrics["mean_exposure"]),
                share(metrics["costs"]["share_of_initial_equity"]),
            ],
        }
        for kind, name, metrics in named
    ]
