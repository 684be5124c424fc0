"""The page of an ablation: what every choice of guards did, in one table and one picture for each figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from seawall.core.files import refuse_replacing_file, write_text
from seawall.evaluation.ablation import MEASURES
from seawall.evaluation.ablation_walk import NO_GUARD
from seawall.evaluation.figures import ENSEMBLE, GAIN, LOSS, QUIET, laid_out
from seawall.evaluation.page import number, render

TITLES = {
    "total_return": "net return, %",
    "max_drawdown": "maximum drawdown, %",
    "sharpe": "Sharpe ratio",
    "turnover_per_year": "turnover a year, times equity",
}
SHARES = ("total_return", "max_drawdown")
"""Figures that are shown as percentages."""


def render_ablation(document: Mapping[str, Any], path: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        document: As `recipes.ablation.ablate` makes it.
        path: The HTML file.

    Raises:
        DataError: The disk is full, or the path may not be written.
    """
    refuse_replacing_file(path, force=True)
    rows: Sequence[Mapping[str, Any]] = document["rows"]
    page = render(
        "ablation.html.j2",
        {measure: measure_figure(rows, measure) for measure in MEASURES},
        document=document,
        rows=[cells(row) for row in rows],
        titles=TITLES,
        settings=[settings_told(each) for each in document["guards"]],
    )
    write_text(path, page)
    return path


def measure_figure(rows: Sequence[Mapping[str, Any]], measure: str) -> go.Figure:
    """Draw one figure of the ensemble before every choice of guards, with its interval, and of every seed.

    Args:
        rows: As `ablation.ablation_rows` gives them.
        measure: One of `MEASURES`.
    """
    scale = 100.0 if measure in SHARES else 1.0
    names = [escape(row["name"]) for row in rows]
    figure = go.Figure()
    points = [
        (name, seed, scale * figures[measure])
        for name, row in zip(names, rows, strict=True)
        for seed, figures in row["seeds"].items()
        if figures[measure] is not None
    ]
    dots = go.Scatter(x=[point[2] for point in points], y=[point[0] for point in points], mode="markers", name="each seed")
    dots.update(marker={"color": QUIET, "size": 7, "symbol": "circle-open"}, customdata=[point[1] for point in points])
    figure.add_trace(dots.update(hovertemplate="%{y}, %{customdata}: %{x:,.2f}<extra></extra>"))
    known = [(name, row[measure]) for name, row in zip(names, rows, strict=True) if row[measure]["value"] is not None]
    bounds = [tuple(scale * _or(each[key], each["value"]) for key in ("value", "low", "high")) for _, each in known]
    error = {"array": [b[2] - b[0] for b in bounds], "arrayminus": [b[0] - b[1] for b in bounds], "thickness": 2.2}
    trace = go.Scatter(x=[b[0] for b in bounds], y=[name for name, _ in known], mode="markers", name="ensemble", error_x=error)
    trace.update(marker={"color": [_colour(each, measure) for _, each in known], "size": 10}, customdata=[b[1:] for b in bounds])
    figure.add_trace(trace.update(hovertemplate="%{y}: %{x:,.2f} (%{customdata[0]:,.2f} to %{customdata[1]:,.2f})<extra></extra>"))
    base = next(
        (scale * row[measure]["value"] for row in rows if row["name"] == NO_GUARD and row[measure]["value"] is not None), None
    )
    if base is not None:
        figure.add_vline(x=base, line={"color": QUIET, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text=TITLES[measure])
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True)
    return laid_out(figure, 110 + 34 * max(len(rows), 3), dates=False, legend=False)


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _colour(figure: Mapping[str, Any], measure: str) -> str:
    """Return the colour of a figure: whether it is clearly better or worse than with no guard."""
    against = figure["against"]
    if against["low"] is None or against["low"] <= 0.0 <= against["high"] or measure == "turnover_per_year":
        return ENSEMBLE
    return GAIN if (against["low"] > 0.0) == (measure != "max_drawdown") else LOSS


def cells(row: Mapping[str, Any], measures: Sequence[str] = MEASURES) -> dict[str, Any]:
    """Return a row as words for a table; `measures` are those that get a cell with intervals."""
    times = sum(each["times"] for each in row["interventions"].values())
    changed = sum(each["changed"] for each in row["interventions"].values())
    return {
        "name": row["name"],
        "figures": [_figure(row, measure) for measure in measures],
        "trades": f"{row['trades']:,}",
        "costs": f"{100 * row['costs']:.1f} %",
        "interventions": f"{times:,}",
        "changed": f"{changed:,}",
        "last_word": ", ".join(f"{name} {each['times']:,}" for name, each in row["interventions"].items()),
    }


def _figure(row: Mapping[str, Any], measure: str) -> dict[str, str]:
    figure, spread = row[measure], row["spread"][measure]["value"]
    against, value = figure["against"], figure["value"]
    same = row["name"] == NO_GUARD
    return {
        "value": _shown(value, measure),
        "interval": _range(figure["low"], figure["high"], measure),
        "against": ""
        if same
        else f"{_shown(against['value'], measure, sign=True)} ({_range(against['low'], against['high'], measure)})",
        "seeds": _range(spread["lowest"], spread["highest"], measure),
        "reason": figure.get("reason", ""),
    }


def _range(low: float | None, high: float | None, measure: str) -> str:
    return "–" if low is None or high is None else f"{_shown(low, measure)} to {_shown(high, measure)}"


def _shown(value: float | None, measure: str, *, sign: bool = False) -> str:
    if value is None:
        return "–"
    plus = "+" if sign and value >= 0.0 else ""
    return plus + (f"{100 * value:.1f} %".replace("-", "−") if measure in SHARES else number(value))


def settings_told(guard: Mapping[str, Any]) -> dict[str, str]:
    """Return a guard's name, and its settings and origin in words."""
    settings = ", ".join(f"{key} {value}" for key, value in guard["settings"].items())
    origin = "of the recipe" if guard["in_recipe"] else "added for the ablation; the policy was trained without it"
    exits = "may hold an exit back" if guard["may_block_exit"] else "never holds an exit back"
    return {"name": guard["name"], "words": "; ".join(part for part in (settings, origin, exits) if part)}
