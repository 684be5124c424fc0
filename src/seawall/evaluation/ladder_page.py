"""The page of a self-test: the ladder's table and the learning curves in one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from seawall import __version__
from seawall.core.errors import DataError
from seawall.core.files import refuse_replacing_file, write_text
from seawall.evaluation.figures import laid_out
from seawall.evaluation.page import render

_COLOURS = ("#3b7ddd", "#dd7f2b", "#2a9d6f", "#9a5fc4", "#d1495b", "#8a8f98")
_STRENGTHS = ("strong", "medium", "weak")
_ROW_HEIGHT, _MARGINS = 190, 90
_LOWEST_SHOWN = -0.25


def write_ladder_page(path: Path, document: Mapping[str, Any]) -> None:
    """Write the page, whole or not at all.

    Args:
        path: The HTML file.
        document: A self-test's result, as `recipes.selftest` gives it.

    Raises:
        DataError: There is no row, the disk is full, or the path may not be written.
    """
    refuse_replacing_file(path, force=True)
    write_text(path, ladder_html(document))


def ladder_html(document: Mapping[str, Any]) -> str:
    """Return the page as text; arguments as for `write_ladder_page`."""
    rows: Sequence[Mapping[str, Any]] = document["ladder"]
    if not rows:
        raise DataError("a self-test of no rows has no page; allowed: at least one cell of the ladder")
    drawn = [row for row in rows if row["mean_share"] is not None and not row["control"]]
    failed = [row for row in rows if row["passed"] is False]
    return render(
        "ladder.html.j2",
        {"curves": curves_figure(drawn)} if drawn else {},
        headline=f"{len(rows)} cells: " + (f"{len(failed)} failed." if failed else "all that is required was reached."),
        tone="none" if failed else "evidence",
        rows=[_cells(row) for row in rows],
        version=__version__,
    )


def curves_figure(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Draw what each seed had learned after each CPU second: a panel for every rung and strength, a colour for every agent.

    Args:
        rows: Cells with an edge, at least one, as `recipes.selftest_grade.ladder_table` gives them.
    """
    rungs = list(dict.fromkeys(row["rung"] for row in rows))
    strengths = [name for name in _STRENGTHS if any(row["strength"] == name for row in rows)]
    agents = list(dict.fromkeys(row["agent"] for row in rows))
    figure = make_subplots(
        rows=len(rungs),
        cols=len(strengths),
        shared_yaxes=True,
        subplot_titles=[f"{rung}, {strength}" for rung in rungs for strength in strengths],
        vertical_spacing=0.3 / max(len(rungs), 2),
        horizontal_spacing=0.04,
    )
    named: set[str] = set()
    for row in rows:
        agent, down, across = row["agent"], rungs.index(row["rung"]) + 1, strengths.index(row["strength"]) + 1
        colour = _COLOURS[agents.index(agent) % len(_COLOURS)]
        for seed, curve in zip(row["seeds"], row["curves"], strict=True):
            figure.add_trace(_curve(row, seed, curve, colour, first=agent not in named), row=down, col=across)
            named.add(agent)
        if row["required"] is not None:
            ends = {"x": [0.0, max(curve[-1][1] for curve in row["curves"])], "y": [row["required"]] * 2}
            line = {"color": colour, "width": 1, "dash": "dot"}
            figure.add_trace(go.Scatter(**ends, mode="lines", line=line, showlegend=False, hoverinfo="skip"), row=down, col=across)
    figure.update_yaxes(range=[_LOWEST_SHOWN, 1.1], tickformat=".0%")
    figure.update_xaxes(rangemode="tozero")
    for column in range(1, len(strengths) + 1):
        figure.update_xaxes(title_text="CPU seconds of training", row=len(rungs), col=column)
    for place in range(1, len(rungs) + 1):
        figure.update_yaxes(title_text="share", row=place, col=1)
    laid_out(figure, _ROW_HEIGHT * len(rungs) + _MARGINS, dates=False)
    # The panels have titles above them, which the legend must not cover.
    return figure.update_layout(legend_y=1.0 + 34.0 / (_ROW_HEIGHT * len(rungs)), margin_t=70)


def _curve(row: Mapping[str, Any], seed: int, curve: Sequence[Sequence[float]], colour: str, *, first: bool) -> go.Scatter:
    attainable = 1e-4 * row["attainable_bps"]
    seconds, shares = [0.0, *(point[1] for point in curve)], [0.0, *(point[2] / attainable for point in curve)]
    agent = row["agent"]
    return go.Scatter(
        x=seconds,
        y=shares,
        name=agent,
        legendgroup=agent,
        showlegend=first,
        mode="lines",
        line={"color": colour, "width": 1.4},
        opacity=0.75,
        hovertemplate=f"{agent} seed {seed}: %{{y:.0%}} after %{{x:.1f}} CPU s<extra></extra>",
    )


def _fixed(value: float | None, decimals: int = 2) -> str:
    """Return a number with as many decimals as the others of its column, or a dash."""
    return "–" if value is None else f"{value:.{decimals}f}".replace("-", "−")


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    shares = [row[name] for name in ("mean_share", "lowest_share", "highest_share")]
    return {
        "rung": f"{row['rung']} (control)" if row["control"] else row["rung"],
        "strength": "" if row["mean_share"] is None else row["strength"],
        "agent": row["agent"],
        "numbers": [
            *(_fixed(value) for value in shares),
            _fixed(row["required"]) if row["share_below"] is None else f"< {_fixed(row['share_below'])}",
            _fixed(row["fitted_share"]),
            _fixed(row["growth_bps"]),
            _fixed(row["attainable_bps"]),
            _fixed(row["seconds"], 1),
        ],
        "verdict": row["verdict"],
        "tone": {True: "good", False: "strong", None: ""}[row["passed"]],
        "seeds": len(row["seeds"]),
    }
