"""The page of hindsight scores: the table, and where the scores lie among those of policies without skill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from seawall import __version__
from seawall.core.files import refuse_replacing_file, write_text
from seawall.evaluation.figures import ENSEMBLE, GAIN, LOSS, QUIET, VETO, laid_out
from seawall.evaluation.hindsight_table import BUY, COIN, LABEL, RANDOM, SELL
from seawall.evaluation.page import number, render

_NULLS = {RANDOM: QUIET, COIN: "#9a5fc4"}
_SHUFFLED_COLOUR = "#5f9ac4"
_LINES = {BUY: GAIN, SELL: LOSS}
_HEIGHT = 380
_SCORES = ("pnl", "losing_share", "sharpe", "sortino", "max_drawdown")


def render_hindsight(documents: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        documents: As `recipes.hindsight` makes them, at least one.
        path: The HTML file.

    Raises:
        DataError: The disk is full, or the path may not be written.
    """
    refuse_replacing_file(path, force=True)
    placed = [
        (f"{place}-{number_}", document, table)
        for place, document in enumerate(documents)
        for number_, table in enumerate(document["tables"])
    ]
    page = render(
        "hindsight.html.j2",
        {key: score_figure(table) for key, _, table in placed},
        label=LABEL,
        sections=[_section(key, document, table) for key, document, table in placed],
        version=__version__,
    )
    write_text(path, page)
    return path


def score_figure(table: Mapping[str, Any]) -> go.Figure:
    """Draw the scores of random policies with those of everybody else, above what the same actions return in accounts.

    Args:
        table: As `hindsight_table.score_table` gives it.
    """
    titles = ("hindsight score (sum of logs)", "return in an account, same actions and fee")
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.2, subplot_titles=titles)
    for place, key in ((1, "pnl"), (2, "total_return")):
        scale = 1.0 if key == "pnl" else 100.0
        for row in table["rows"]:
            if row["histograms"]:
                _add_histogram(figure, row, (key, scale, place))
            elif row[key]["mean"] is not None:
                _add_line(figure, row["name"], scale * row[key]["mean"], (_line_colour(row), place))
    for row in table["published"]:
        _add_line(figure, f"published {row['agent']}", row["pnl"], (VETO, 1))
    figure.update_yaxes(title_text="policies", rangemode="tozero")
    figure.update_xaxes(ticksuffix=" %", row=2, col=1)
    figure.update_layout(barmode="overlay", bargap=0.0)
    return laid_out(figure, _HEIGHT + 60, dates=False).update_layout(legend_y=1.08, margin_t=110)


def _add_histogram(figure: go.Figure, row: Mapping[str, Any], where: tuple[str, float, int]) -> None:
    key, scale, place = where
    counts, edges = row["histograms"][key]["counts"], [scale * edge for edge in row["histograms"][key]["edges"]]
    middles = [(low + high) / 2.0 for low, high in pairwise(edges)]
    name = escape(row["name"])
    bars = go.Bar(x=middles, y=counts, width=edges[1] - edges[0], name=name, legendgroup=name, showlegend=place == 1, opacity=0.6)
    bars.update(marker={"color": _NULLS.get(row["name"], _SHUFFLED_COLOUR), "line": {"width": 0}})
    figure.add_trace(bars.update(hovertemplate=f"{name}: %{{y}} around %{{x:.2f}}<extra></extra>"), row=place, col=1)


def _add_line(figure: go.Figure, name: str, value: float, where: tuple[str, int]) -> None:
    colour, place = where
    shown = escape(name)
    trace = go.Scatter(x=[value], y=[0.0], mode="markers", name=shown, legendgroup=shown, showlegend=place == 1, cliponaxis=False)
    trace.update(marker={"color": colour, "size": 13, "symbol": "triangle-up"})
    figure.add_trace(trace.update(hovertemplate=f"{shown}: %{{x:.2f}}<extra></extra>"), row=place, col=1)
    figure.add_vline(x=value, line={"color": colour, "width": 1.4, "dash": "dot"}, row=place, col=1)  # pyright: ignore[reportArgumentType]


def _line_colour(row: Mapping[str, Any]) -> str:
    return _LINES.get(row["name"], ENSEMBLE)


def _section(key: str, document: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    published = [
        {
            "name": f"published {row['agent']}",
            "cells": [*(number(row.get(score)) for score in _SCORES), "–", "–", "–"],
            "tone": "published",
        }
        for row in table["published"]
    ]
    span = f"{document['first']} to {document['last']}{_in_ranges(document)}"
    return {
        "key": key,
        "title": f"{document['symbol']} {document['timeframe']}, fee {100 * table['fee']:g} % a side",
        "span": f"{document['decisions']:,} decisions, {span}; {table['bars']} bars ahead, best "
        f"{table['price']}. The highest score that anybody can have: {number(table['highest_pnl'])}.",
        "words": table["words"],
        "rows": [*(_cells(row) for row in table["rows"]), *published],
    }


def _in_ranges(document: Mapping[str, Any]) -> str:
    return f" in {document['ranges']} ranges, accounts flat at the start of each" if document.get("ranges", 1) > 1 else ""


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = [_figure(row[score], 1.0, "") for score in (*_SCORES, "timed")]
    shares = [_figure(row[score], 100.0, " %") for score in ("total_return", "max_drawdown_of_equity")]
    return {"name": row["name"], "cells": [*plain, *shares], "tone": "ensemble" if row["kind"] == "policy" else ""}


def _figure(figure: Mapping[str, Any], scale: float, unit: str) -> str:
    if figure["mean"] is None:
        return "–"
    told = number(scale * figure["mean"]) + unit
    if figure["low"] is None:
        return told
    return f"{told} ({number(scale * figure['low'])} to {number(scale * figure['high'])})"
