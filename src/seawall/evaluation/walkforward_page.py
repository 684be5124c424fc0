"""The page of a walk-forward: all tests as one curve, each fold beside its rivals, and the verdict on the whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from seawall import __version__
from seawall.core.files import refuse_replacing_file, write_text
from seawall.evaluation.attribution_figures import attribution_figures
from seawall.evaluation.attribution_words import source_words
from seawall.evaluation.figures import ENSEMBLE, QUIET, laid_out
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.page import date, number, render
from seawall.evaluation.phrases import percent, share
from seawall.evaluation.portfolio_report import asset_rows
from seawall.evaluation.skill_words import skill_rows
from seawall.evaluation.thinning import kept_points
from seawall.evaluation.verdict import LEVEL_CLASSES, LEVEL_TITLES

_RIVALS = {"buy_and_hold": ("buy-and-hold", "#dd7f2b"), "random": ("random", QUIET)}


def render_walkforward(document: Mapping[str, Any], paths: Sequence[Ledgers], page: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        document: What ``metrics.json`` of a walk-forward holds.
        paths: The chained ledgers of each path.
        page: The HTML file.

    Raises:
        DataError: The disk is full, or the path may not be written.
    """
    refuse_replacing_file(page, force=True)
    walked, verdict = document["walkforward"], document["verdict"]
    text = render(
        "walkforward.html.j2",
        {
            "equity": equity_figure(document, paths),
            "folds": folds_figure(document["folds"]),
            **attribution_figures(document.get("attribution")),
        },
        run=document["run"],
        walked=walked,
        verdict_title=LEVEL_TITLES[verdict["level"]],
        verdict_class=LEVEL_CLASSES[verdict["level"]],
        verdict=verdict,
        remarks=[f"Warning from the run: {warning}" for warning in document["run"]["warnings"]],
        test=document["test"],
        skill_rows=skill_rows(document),
        source_words=source_words(document),
        asset_rows=asset_rows(document),
        totals=_totals(document),
        rows=[_cells(row, page.parent) for row in document["folds"]],
        paths=[_path(number_, path) for number_, path in enumerate(document["paths"])] if len(document["paths"]) > 1 else [],
        version=__version__,
    )
    write_text(page, text)
    return page


def equity_figure(document: Mapping[str, Any], paths: Sequence[Ledgers]) -> go.Figure:
    """Draw the net return of every path, the judged one's rivals, and where folds begin."""
    chosen, figure = document["walkforward"]["path"], go.Figure()
    for place, ledgers in enumerate(paths):
        if place != chosen:
            figure.add_trace(_curve(ledgers.ensemble, f"path {place}", ENSEMBLE).update(opacity=0.35))
    judged = paths[chosen]
    for name, (title, colour) in _RIVALS.items():
        if name in judged.baselines:
            figure.add_trace(_curve(judged.baselines[name], title, colour))
    words = "ensemble" if len(paths) == 1 else f"path {chosen}, judged"
    figure.add_trace(_curve(judged.ensemble, words, ENSEMBLE).update(line={"width": 2.4, "color": ENSEMBLE}))
    for first in sorted({row["first"] for row in document["folds"]})[1:]:
        figure.add_vline(x=first, line={"color": QUIET, "width": 1, "dash": "dot"})
    figure.update_yaxes(title_text="net return, %")
    return laid_out(figure, 420)


def folds_figure(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Draw what each test made, beside holding and trading at random."""
    names, figure = [_name(row) for row in rows], go.Figure()
    series = {"ensemble": ([row["total_return"] for row in rows], ENSEMBLE)}
    for name, (title, colour) in _RIVALS.items():
        series[title] = ([None if row["rivals"][name] is None else row["rivals"][name]["total_return"] for row in rows], colour)
    for title, (values, colour) in series.items():
        bars = [None if value is None else 100.0 * value for value in values]
        figure.add_bar(name=title, x=names, y=bars, marker_color=colour, hovertemplate="%{x}: %{y:+.1f} %<extra></extra>")
    figure.update_xaxes(type="category", title_text="fold")
    figure.update_yaxes(title_text="net return, %")
    return laid_out(figure, 320, dates=False)


def _curve(ledger: Ledger, name: str, colour: str) -> go.Scatter:
    shown = 100.0 * (ledger.equity_curve() / ledger.initial_equity - 1.0)
    kept = kept_points(shown)
    times, values = ledger.timestamps_ms[kept].astype(np.float64), shown[kept].astype(np.float32)
    trace = go.Scatter(x=times, y=values, name=name, mode="lines", line={"color": colour, "width": 1.4})
    return trace.update(hovertemplate=f"{name}: %{{y:,.1f}} %<extra></extra>")


def _name(row: Mapping[str, Any]) -> str:
    return str(row["fold"]) if row["fold"] == row["group"] else f"{row['fold']}, group {row['group']}"


def _cells(row: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    rivals = [None if row["rivals"][name] is None else row["rivals"][name]["total_return"] for name in ("flat", *_RIVALS)]
    values = [
        f"{date(row['first'])} to {date(row['last'])}",
        f"{row['bars']:,}",
        percent(row["total_return"]),
        number(row["sharpe"]),
        share(row["max_drawdown"]),
        number(row["turnover_per_year"]),
        share(row["costs"]),
        *(percent(value) for value in rivals),
    ]
    return {"name": _name(row), "values": values, "run": os.path.relpath(row["run"], folder)}


def _path(place: int, path: Mapping[str, Any]) -> dict[str, Any]:
    values = [percent(path["total_return"]), number(path["sharpe"]), share(path["max_drawdown"])]
    return {"name": place, "values": [", ".join(str(each) for each in path["folds"]), *values]}


def _totals(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the figures of the whole with their intervals, in words."""
    intervals, figures = document["intervals"]["ensemble"], document["ensemble"]
    shown = (("net return", "total_return", percent), ("Sharpe ratio", "sharpe", number), ("drawdown", "max_drawdown", share))
    rows: list[tuple[str, str, str]] = []
    for title, name, words in shown:
        found = intervals[name]
        between = "–" if found["low"] is None else f"{words(found['low'])} to {words(found['high'])}"
        rows.append((title, words(figures[name]), between))
    return rows
