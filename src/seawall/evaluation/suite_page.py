"""The page of a suite: every system in one table and one picture, with its report a click away."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from seawall import __version__
from seawall.core.files import refuse_replacing_file, write_text
from seawall.evaluation.figures import laid_out
from seawall.evaluation.page import number, render

_COLOURS = {"ensemble": "#3b7ddd", "hold or UCRP": "#8a8f98", "random": "#dd7f2b"}
_HEIGHT = 360


def render_suite(document: Mapping[str, Any], path: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        document: As `recipes.suite.suite_document` gives it.
        path: The HTML file; links to the reports are relative to it.

    Returns:
        The path.

    Raises:
        DataError: The disk is full, or the path may not be written.
    """
    refuse_replacing_file(path, force=True)
    rows: Sequence[Mapping[str, Any]] = document["rows"]
    ran = [row for row in rows if not row["problem"]]
    good = f"{sum(bool(row['ok']) for row in rows)} of {len(document['cases'])} cases"
    write_text(
        path,
        render(
            "suite.html.j2",
            {"returns": returns_figure(ran)} if ran else {},
            headline=f"{good} ran, know nothing too early, and trade on paper as in their backtest.",
            tone="evidence" if document["ok"] else "none",
            rows=[_cells(row, path.parent) for row in rows],
            budgets=document["cases"],
            version=__version__,
        ),
    )
    return path


def returns_figure(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Draw what each system earned out of sample, beside holding and trading at random."""
    names = [row["case"] for row in rows]
    figure = go.Figure()
    for label, colour in _COLOURS.items():
        values = [_earned(row, label) for row in rows]
        figure.add_bar(
            name=label, x=names, y=values, marker_color=colour, hovertemplate="%{x}<br>%{y:+.1%}<extra>%{fullData.name}</extra>"
        )
    figure.update_yaxes(tickformat="+.0%", title="total return")
    return laid_out(figure, _HEIGHT, dates=False)


def _earned(row: Mapping[str, Any], label: str) -> float | None:
    return row["total_return"] if label == "ensemble" else row["rivals"]["buy_and_hold" if label == "hold or UCRP" else "random"]


def _cells(row: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    if row["problem"]:
        return {"name": row["case"], "problem": row["problem"], "report": None, "numbers": [], "tone": "strong"}
    rivals = row["rivals"]
    numbers = [
        _share(row["total_return"]),
        f"{number(row['sharpe'])} ({number(row['sharpe_low'])} to {number(row['sharpe_high'])})",
        _share(row["max_drawdown"], signed=False),
        number(row["turnover_per_year"]),
        _share(row["costs"], signed=False),
        *(_share(rivals[name]) for name in ("flat", "buy_and_hold", "random")),
        row["headline"],
        row["leakcheck"],
        f"equal, {row['replay']['rows']:,} rows" if row["replay"]["equal"] else "differs",
        f"{row['seconds'] / 60:.1f}",
    ]
    report = os.path.relpath(row["report"], folder)
    return {"name": row["case"], "problem": None, "report": report, "numbers": numbers, "tone": "" if row["ok"] else "strong"}


def _share(value: float | None, *, signed: bool = True) -> str:
    return "–" if value is None else f"{100 * value:{'+' if signed else ''}.1f} %".replace("-", "−")
