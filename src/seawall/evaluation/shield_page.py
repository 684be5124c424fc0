"""The page of a study of shields: what each guard alone and all of them did, in several runs and at several fees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from seawall.core.files import refuse_replacing_file, write_text
from seawall.evaluation.ablation import COMPARED
from seawall.evaluation.ablation_page import SHARES, TITLES, cells, settings_told
from seawall.evaluation.ablation_walk import ALL_GUARDS, NO_GUARD
from seawall.evaluation.figures import QUIET, laid_out, rival_styles
from seawall.evaluation.page import number, render

SHIELD_TITLES = {**TITLES, "round_trips": "round trips"}
"""Every figure of a table, in its order."""
_FORESTS = {"max_drawdown": "Change of maximum drawdown, points", "total_return": "Change of net return, points"}
_NAMED_IN_MAP = (NO_GUARD, ALL_GUARDS)


def render_shield(document: Mapping[str, Any], path: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        document: As `recipes.shield_study.run_study` makes it.
        path: The HTML file.

    Raises:
        DataError: The disk is full, or the path may not be written.
    """
    refuse_replacing_file(path, force=True)
    tables: Sequence[Mapping[str, Any]] = document["tables"]
    figures: dict[str, go.Figure] = {}
    fees = []
    for place, fee in enumerate(document["fees"]):
        of_fee = labelled([table for table in tables if table["fee_bps"] == fee["fee_bps"]])
        figures[f"map-{place}"] = map_figure(of_fee)
        figures |= {f"{measure}-{place}": forest_figure(of_fee, measure) for measure in _FORESTS}
        shown = {**fee, "place": place, "bps": f"{fee['fee_bps']:g}", "cells": [_summary_cells(row) for row in fee["summary"]]}
        fees.append({**shown, "tables": [_table(label, table) for label, table in of_fee.items()]})
    page = render(
        "shield.html.j2",
        figures,
        document=document,
        fees=fees,
        titles=SHIELD_TITLES,
        forests=_FORESTS,
        n_runs=len({table["run"] for table in tables}),
        confidence=tables[0]["confidence"],
        guards=_guards_of_runs(tables),
    )
    write_text(path, page)
    return path


def labelled(tables: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return tables by the shortest name that tells their runs apart, and by their fee where there are several."""
    ways: list[Callable[[Mapping[str, Any]], str]] = [
        lambda table: table["symbol"],
        lambda table: f"{table['symbol']}, {table['recipe']}",
        lambda table: f"{table['symbol']}, {Path(table['run']).name}",
        lambda table: f"{table['symbol']}, {table['run']}",
    ]
    n_runs = len({table["run"] for table in tables})
    way = next(way for way in ways if len({way(table) for table in tables}) == n_runs)
    several = len({table["fee_bps"] for table in tables}) > 1
    return {f"{way(table)}, {table['fee_bps']:g} bps" if several else way(table): table for table in tables}


def _guards_of_runs(tables: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the guards of each run in words, once."""
    first = {table["run"]: table for table in reversed(tables)}
    seen = list(dict.fromkeys(table["run"] for table in tables))
    return [_guards(label, table) for label, table in labelled([{**first[run], "fee_bps": 0.0} for run in seen]).items()]


def map_figure(tables: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """Draw net return against maximum drawdown of every choice of guards, a colour for each run.

    Args:
        tables: By the label of their run, all at one fee.
    """
    figure = go.Figure()
    for label, (colour, _) in rival_styles(list(tables)).items():
        rows = [row for row in tables[label]["rows"] if row["total_return"]["value"] is not None]
        ends = {row["name"]: row for row in rows if row["name"] in _NAMED_IN_MAP}
        way = [tuple(100.0 * row[key]["value"] for key in ("max_drawdown", "total_return")) for row in ends.values()]
        line = go.Scatter(x=[x for x, _ in way], y=[y for _, y in way], mode="lines", showlegend=False, hoverinfo="skip")
        figure.add_trace(line.update(line={"color": colour, "dash": "dot", "width": 1}))
        points = go.Scatter(
            x=[100.0 * row["max_drawdown"]["value"] for row in rows],
            y=[100.0 * row["total_return"]["value"] for row in rows],
            mode="markers+text",
            name=escape(label),
            text=[row["name"] if row["name"] in _NAMED_IN_MAP else "" for row in rows],
            textposition="top center",
            customdata=[escape(row["name"]) for row in rows],
            hovertemplate="%{customdata}: return %{y:,.1f} %, drawdown %{x:,.1f} %<extra></extra>",
        )
        figure.add_trace(points.update(marker={"color": colour, "size": 9, "symbol": [_symbol(row["name"]) for row in rows]}))
    figure.update_xaxes(title_text=SHIELD_TITLES["max_drawdown"])
    figure.update_yaxes(title_text=SHIELD_TITLES["total_return"])
    return laid_out(figure, 460, dates=False, legend=len(tables) > 1)


def _symbol(name: str) -> str:
    if name == NO_GUARD:
        return "diamond"
    return "square" if name == ALL_GUARDS else "circle-open"


def forest_figure(tables: Mapping[str, Mapping[str, Any]], measure: str) -> go.Figure:
    """Draw what each choice of guards changed against no guard, with its interval: full where the interval leaves out nothing.

    Args:
        tables: By the label of their run, all at one fee.
        measure: One of `ablation.COMPARED`.
    """
    scale = 100.0 if measure in SHARES else 1.0
    names = list(dict.fromkeys(row["name"] for table in tables.values() for row in table["rows"] if row["name"] != NO_GUARD))
    figure = go.Figure()
    for number_of, (label, (colour, _)) in enumerate(rival_styles(list(tables)).items()):
        known = [row for row in tables[label]["rows"] if row["name"] != NO_GUARD and row[measure]["against"]["value"] is not None]
        bounds = [_bounds(row[measure]["against"], scale) for row in known]
        offset = 0.0 if len(tables) == 1 else 0.5 * (number_of / (len(tables) - 1) - 0.5)
        trace = go.Scatter(
            x=[value for value, _, _ in bounds],
            y=[names.index(row["name"]) + offset for row in known],
            mode="markers",
            name=escape(label),
            error_x={
                "array": [high - value for value, _, high in bounds],
                "arrayminus": [value - low for value, low, _ in bounds],
                "thickness": 1.4,
                "width": 0,
            },
            customdata=[(escape(row["name"]), low, high) for row, (_, low, high) in zip(known, bounds, strict=True)],
            hovertemplate="%{customdata[0]}: %{x:+,.2f} (%{customdata[1]:+,.2f} to %{customdata[2]:+,.2f})<extra></extra>",
        )
        symbols = ["circle" if low > 0.0 or high < 0.0 else "circle-open" for _, low, high in bounds]
        figure.add_trace(trace.update(marker={"color": colour, "size": 8, "symbol": symbols}))
    figure.add_vline(x=0.0, line={"color": QUIET, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text=_FORESTS.get(measure, SHIELD_TITLES[measure]))
    labels = [escape(name).replace(" (", "<br>(") for name in names]
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=labels, range=[len(names) - 0.4, -0.6], automargin=True)
    per_choice = max(34, 11 * len(tables) + 8)
    return laid_out(figure, 110 + per_choice * len(names), dates=False, legend=len(tables) > 1)


def _bounds(against: Mapping[str, Any], scale: float) -> tuple[float, float, float]:
    value = against["value"]
    low, high = (value if against[key] is None else against[key] for key in ("low", "high"))
    return scale * value, scale * low, scale * high


def _summary_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "runs": f"{row['acted']} of {row['runs']}",
        "figures": [_over_runs(row[measure], measure) for measure in COMPARED],
    }


def _over_runs(figure: Mapping[str, Any], measure: str) -> dict[str, str]:
    if figure["median"] is None:
        return {"median": "–", "range": "", "counts": ""}
    return {
        "median": _signed(figure["median"], measure),
        "range": f"{_signed(figure['lowest'], measure)} to {_signed(figure['highest'], measure)}",
        "counts": f"lower {figure['lower']} ({figure['clearly_lower']}), higher {figure['higher']} ({figure['clearly_higher']})",
    }


def _signed(value: float, measure: str) -> str:
    sign = "+" if value > 0.0 else ""
    return sign + (f"{round(100 * value, 1) + 0.0:.1f}".replace("-", "−") if measure in SHARES else number(value))


def _table(label: str, table: Mapping[str, Any]) -> dict[str, Any]:
    return {**table, "label": label, "cells": [cells(row, COMPARED) for row in table["rows"]]}


def _guards(label: str, table: Mapping[str, Any]) -> dict[str, Any]:
    shown = [settings_told(each) for each in table["guards"] if not each["only_watches"]]
    return {"label": label, "guards": shown, "left_out": table["left_out"]}
