"""The page of a comparison: equity curves over each other, differences with intervals, figures, and the settings that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from seawall import __version__
from seawall.core.files import refuse_replacing_file, write_text
from seawall.evaluation.compare import ABSENT, Contender
from seawall.evaluation.compare_words import difference_cells, figure_lines, numbers_of, setting_words
from seawall.evaluation.figures import GAIN, LOSS, QUIET, laid_out
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.page import number, render
from seawall.evaluation.thinning import kept_points
from seawall.evaluation.verdict import LEVEL_TITLES

_COLOURS = ("#3b7ddd", "#dd7f2b", "#2a9d6f", "#9a5fc4", "#e0a100", "#d1495b", "#5f9ac4", "#c45f9a", "#7a8f3b", "#8a8f98")
_DASHES = ("solid", "dash", "dot")
_BPS = 1e4


def render_comparison(document: Mapping[str, Any], contenders: Sequence[Contender], page: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        document: As `compare.compared` makes it.
        contenders: What was compared.
        page: The HTML file.

    Raises:
        ConfigError: The place is a folder.
        DataError: The disk is full, or the path may not be written.
    """
    refuse_replacing_file(page, force=True)
    rows, confidence = document["runs"], document["confidence"]
    short = numbers_of(rows)
    kept = {f"{short[each.name]}: {each.name}": each.ledger for each in contenders if each.ledger is not None}
    figures = {"equity": curves_figure(kept)} if kept else {}
    tested = [row for row in document["differences"] if row["low"] is not None]
    if tested:
        figures["differences"] = differences_figure(tested, short)
    lines = figure_lines(rows)
    text = render(
        "compare.html.j2",
        figures,
        names=[row["run"] for row in rows],
        paths=[row["path"] for row in rows],
        lines=lines,
        verdicts=[(short[row["run"]], row["run"], LEVEL_TITLES.get(row["verdict"], row["verdict"]), row["stamp"]) for row in rows],
        marked=not all(row["comparable"] for row in rows),
        differences=[difference_cells(row, short) for row in document["differences"]],
        settings=[
            {"setting": row["setting"], "cells": [value if value == ABSENT else setting_words(value) for value in row["values"]]}
            for row in document["settings"]
        ],
        without_ledger=[each.name for each in contenders if each.ledger is None],
        confidence=number(100 * confidence),
        version=__version__,
    )
    write_text(page, text)
    return page


def curves_figure(ledgers: Mapping[str, Ledger]) -> go.Figure:
    """Draw the net return of every run over its own test span.

    Args:
        ledgers: Of the ensembles, by the names of their runs.
    """
    figure = go.Figure()
    for place, (name, ledger) in enumerate(ledgers.items()):
        shown = 100.0 * (ledger.equity_curve() / ledger.initial_equity - 1.0)
        kept = kept_points(shown)
        style = {"color": _COLOURS[place % len(_COLOURS)], "width": 1.8, "dash": _DASHES[place // len(_COLOURS) % len(_DASHES)]}
        times, values = ledger.timestamps_ms[kept].astype(np.float64), shown[kept].astype(np.float32)
        trace = go.Scatter(x=times, y=values, name=escape(name), mode="lines", line=style)
        figure.add_trace(trace.update(hovertemplate=f"{escape(name)}: %{{y:,.1f}} %<extra></extra>"))
    figure.update_yaxes(title_text="net return, %")
    return laid_out(figure, 440)


def differences_figure(rows: Sequence[Mapping[str, Any]], short: Mapping[str, str]) -> go.Figure:
    """Draw each difference with its interval, in basis points a bar.

    Args:
        rows: Those of ``differences`` that have an interval.
        short: Names of the runs.
    """
    names = [f"{short[row['first']]} less {short[row['second']]}" for row in rows]
    values = [[_BPS * row[key] for row in rows] for key in ("mean", "low", "high")]
    colours = [GAIN if row["low"] > 0.0 else LOSS if row["high"] < 0.0 else QUIET for row in rows]
    mean, low, high = (np.array(each) for each in values)
    error = {"array": (high - mean).tolist(), "arrayminus": (mean - low).tolist(), "thickness": 2.2, "color": QUIET}
    trace = go.Scatter(x=values[0], y=names, mode="markers", error_x=error, marker={"color": colours, "size": 10})
    bounds = np.stack([low, high], axis=1).tolist()
    trace.update(
        customdata=bounds, hovertemplate="%{x:+.3f} bps (%{customdata[0]:+.3f} to %{customdata[1]:+.3f})<extra>%{y}</extra>"
    )
    figure = go.Figure(trace)
    figure.add_vline(x=0.0, line={"color": QUIET, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="mean log return per bar, basis points")
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True)
    return laid_out(figure, 110 + 34 * max(len(rows), 2), dates=False, legend=False)
