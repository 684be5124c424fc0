"""The section of a run's page that says what its policies look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from seawall.evaluation.addenda import Addendum
from seawall.evaluation.explain_words import METHOD_TITLES
from seawall.evaluation.figures import ENSEMBLE, LOSS, QUIET, VETO, laid_out
from seawall.evaluation.page import number, shortened
from seawall.evaluation.phrases import share

EXPLANATION = "explain.json"
_COLOURS = {"ig": ENSEMBLE, "occlusion": VETO}
_ATTENTION_COLOUR = "#2a9d6f"
_PERCENT = 100.0
_MOST_BARS, _MOST_ROWS, _MOST_IN_TABLE, _MOST_OF_ACTIONS = 15, 24, 12, 10
_LONGEST = 26
_FROM_NONE = [[0.0, "rgba(59,125,221,0.03)"], [1.0, ENSEMBLE]]
_BOTH_WAYS = [[0.0, LOSS], [0.5, "rgba(138,143,152,0.10)"], [1.0, ENSEMBLE]]


def explanation_addendum(document: Mapping[str, Any], *, outdated: bool = False) -> Addendum:
    """Return the section.

    Args:
        document: What ``seawall explain`` found.
        outdated: Whether the run has other weights by now.
    """
    method, found = next(iter(document["methods"].items()))
    figures = {} if found["nothing"] else _figures(document, found)
    values = {
        "document": document,
        "outdated": outdated,
        "method": METHOD_TITLES[method],
        "methods": [METHOD_TITLES[name] for name in document["methods"]],
        "rows": [_row(row, document) for row in found["inputs"][:_MOST_IN_TABLE]],
        "n_inputs": len(found["inputs"]),
        "figures": list(figures),
        "attention": document["attention"],
    }
    return Addendum("explain.html.j2", values, figures)


def _figures(document: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, go.Figure]:
    figures = {"explain-inputs": inputs_figure(document)}
    attention = document["attention"]
    if len(found["lags"]) > 1:
        figures["explain-lags"] = lags_figure(document)
        if found["heat_map"] is not None:
            figures["explain-map"] = map_figure(found)
    if found["assets"] or (attention and attention["are_assets"]):
        figures["explain-assets"] = assets_figure(document)
    figures["explain-actions"] = actions_figure(found)
    if attention and len(attention["tokens"]) > 1:
        figures["explain-attention"] = attention_figure(attention)
    return figures


def inputs_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw the share of the first inputs by each method, from the lowest to the highest seed."""
    methods = document["methods"]
    first = next(iter(methods.values()))
    names = [row["name"] for row in first["inputs"][:_MOST_BARS]]
    figure = go.Figure()
    for method, found in methods.items():
        rows = {row["name"]: row for row in found["inputs"]}
        shown = [rows[name] for name in names if name in rows]
        shares = np.array([row["share"] for row in shown])
        above = np.array([row["highest"] for row in shown]) - shares
        below = shares - np.array([row["lowest"] for row in shown])
        trace = go.Bar(
            x=_PERCENT * shares, y=_labels([row["name"] for row in shown]), name=METHOD_TITLES[method], orientation="h",
            marker={"color": _COLOURS[method]},
            error_x={"array": _PERCENT * above, "arrayminus": _PERCENT * below, "color": QUIET, "thickness": 1.2, "width": 3},
        )  # fmt: skip
        figure.add_trace(trace.update(hovertemplate="%{y}: %{x:.1f} %<extra></extra>"))
    figure.update_xaxes(title_text="share, %", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_layout(barmode="group", bargap=0.25)
    return laid_out(figure, 110 + 26 * len(names), dates=False)


def lags_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw how far back each method finds the window to be looked at, and where transformers attend."""
    figure = go.Figure()
    for method, found in document["methods"].items():
        rows = found["lags"]
        shares = _PERCENT * np.array([row["share"] for row in rows])
        trace = go.Bar(x=[row["name"] for row in rows], y=shares, name=METHOD_TITLES[method], marker={"color": _COLOURS[method]})
        figure.add_trace(trace.update(hovertemplate="%{x} back: %{y:.1f} %<extra></extra>"))
    attention = document["attention"]
    if attention and not attention["are_assets"]:
        line = go.Scatter(
            x=attention["tokens"], y=_PERCENT * np.array(attention["rollout"]), mode="lines+markers", name="attention"
        )
        figure.add_trace(line.update(line={"color": _ATTENTION_COLOUR}, hovertemplate="%{x} back: %{y:.1f} %<extra></extra>"))
    figure.update_xaxes(title_text="bars back, 0 is the newest", type="category")
    figure.update_yaxes(title_text="share, %", rangemode="tozero")
    return laid_out(figure, 320, dates=False)


def map_figure(found: Mapping[str, Any]) -> go.Figure:
    """Draw the share of each feature at each bar of the window; of many features those with the most."""
    heat = found["heat_map"]
    shares = np.array(heat["shares"])
    largest = np.argsort(-shares.sum(1), kind="stable")[:_MOST_ROWS]
    names = _labels([heat["features"][place] for place in largest])
    trace = go.Heatmap(x=heat["lags"], y=names, z=(_PERCENT * shares[largest]).astype(np.float32), colorscale=_FROM_NONE)
    trace.update(colorbar={"thickness": 12, "ticksuffix": " %"}, hovertemplate="%{y}, %{x} back: %{z:.2f} %<extra></extra>")
    figure = go.Figure(trace)
    figure.update_xaxes(title_text="bars back, 0 is the newest", type="category")
    figure.update_yaxes(autorange="reversed", type="category")
    return laid_out(figure, 100 + 20 * max(len(names), 4), dates=False, legend=False)


def assets_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw the share of each asset by each method, and where transformers attend."""
    figure = go.Figure()
    for method, found in document["methods"].items():
        shares = _PERCENT * np.array([row["share"] for row in found["assets"]])
        names = _labels([row["name"] for row in found["assets"]])
        figure.add_trace(go.Bar(x=names, y=shares, name=METHOD_TITLES[method], marker={"color": _COLOURS[method]}))
    attention = document["attention"]
    if attention and attention["are_assets"]:
        rolled = _PERCENT * np.array(attention["rollout"])
        bars = go.Bar(x=_labels(attention["tokens"]), y=rolled, name="attention", marker={"color": _ATTENTION_COLOUR})
        figure.add_trace(bars)
    figure.update_traces(hovertemplate="%{x}: %{y:.1f} %<extra></extra>")
    figure.update_xaxes(type="category")
    figure.update_yaxes(title_text="share, %", rangemode="tozero")
    return laid_out(figure, 300, dates=False)


def actions_figure(found: Mapping[str, Any]) -> go.Figure:
    """Draw the mean signed attribution of the first inputs at the bars of each action."""
    names = [row["name"] for row in found["inputs"][:_MOST_OF_ACTIONS]]
    groups = found["by_action"]
    signed = np.array([[group["signed"][name] for group in groups] for name in names])
    most = float(np.abs(signed).max()) or 1.0
    titles = [f"{escape(shortened(group['action'], _LONGEST))} ({group['bars']:,})" for group in groups]
    trace = go.Heatmap(x=titles, y=_labels(names), z=signed.astype(np.float32), zmin=-most, zmax=most, colorscale=_BOTH_WAYS)
    trace.update(colorbar={"thickness": 12}, hovertemplate="%{y} at %{x}: %{z:.3g}<extra></extra>")
    figure = go.Figure(trace)
    figure.update_xaxes(type="category")
    figure.update_yaxes(autorange="reversed", type="category")
    return laid_out(figure, 110 + 22 * max(len(names), 4), dates=False, legend=False)


def attention_figure(attention: Mapping[str, Any]) -> go.Figure:
    """Draw how much each token takes from each other, mean over heads, blocks, bars and seeds."""
    names = _labels(attention["tokens"])
    shares = (_PERCENT * np.array(attention["map"])).astype(np.float32)
    trace = go.Heatmap(x=names, y=names, z=shares, colorscale=_FROM_NONE, colorbar={"thickness": 12, "ticksuffix": " %"})
    figure = go.Figure(trace.update(hovertemplate="%{y} takes from %{x}: %{z:.1f} %<extra></extra>"))
    figure.update_xaxes(title_text="is looked at", type="category")
    figure.update_yaxes(title_text="looks", autorange="reversed", type="category")
    return laid_out(figure, 380, dates=False, legend=False)


def _row(row: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, str]:
    """Return a line of the table: an input, its share by each method, its spread and its mean sign."""
    other = [
        next((share(each["share"]) for each in found["inputs"] if each["name"] == row["name"]), "–")
        for found in list(document["methods"].values())[1:]
    ]
    return {
        "name": row["name"],
        "kind": "own account" if row["kind"] == "account" else "feature",
        "share": share(row["share"]),
        "spread": f"{share(row['lowest'])} to {share(row['highest'])}",
        "signed": number(row["signed"], 2),
        "other": other[0] if other else "",
    }


def _labels(names: Sequence[str]) -> list[str]:
    return [escape(shortened(name, _LONGEST)) for name in names]
