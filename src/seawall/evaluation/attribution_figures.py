"""The figures of an attribution: bars of profit and loss by group, the way from price to net profit, and the guards' effect."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from seawall.evaluation.attribution import is_empty
from seawall.evaluation.figures import ENSEMBLE, GAIN, LOSS, QUIET, laid_out

_PERCENT = 100.0
_TITLES = {
    "by_side": "side",
    "by_hour": "hour, UTC",
    "by_weekday": "weekday, UTC",
    "by_session": "session",
    "by_regime": "regime",
    "by_asset": "asset",
}
_NAMES = ("asset", "side", "hour", "weekday", "session", "regime")


def side_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw what long and short trades made after costs; the argument is from `attribution.attribution`."""
    return _bars(document, "by_side")


def hour_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw the net profit by hour of the day in UTC; the argument is from `attribution.attribution`."""
    return _bars(document, "by_hour")


def weekday_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw the net profit by weekday in UTC; the argument is from `attribution.attribution`."""
    return _bars(document, "by_weekday")


def session_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw the net profit by combination of sessions; the argument is from `attribution.attribution`."""
    return _bars(document, "by_session")


def regime_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw the net profit by the regime known at the decision; the argument is from `attribution.attribution`."""
    return _bars(document, "by_regime")


def asset_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw the net profit by asset; the argument is from `portfolio_attribution.portfolio_attribution`."""
    return _bars(document, "by_asset")


def attribution_figures(document: Mapping[str, Any] | None) -> dict[str, go.Figure]:
    """Draw every grouping that an attribution has, by the names of the page's template; none where nothing was held or told."""
    if document is None or is_empty(document):
        return {}
    drawn = {name: _bars(document, f"by_{name}") for name in _NAMES if f"by_{name}" in document}
    return {**drawn, "cost_parts": cost_parts_figure(document)}


def cost_parts_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw the way from the move of prices to the net profit, cost by cost; parts of nothing are left out.

    Args:
        document: From `attribution.attribution`.
    """
    parts = [part for part in document["by_cost"] if part["net"] != 0.0 or part["name"] == "price"]
    names = [_words(part["name"]) for part in parts] + ["net"]
    trace = go.Waterfall(
        x=names,
        y=[_PERCENT * part["share"] for part in parts] + [_PERCENT * document["total"]["share"]],
        measure=["relative"] * len(parts) + ["total"],
        increasing={"marker": {"color": GAIN}},
        decreasing={"marker": {"color": LOSS}},
        totals={"marker": {"color": ENSEMBLE}},
        connector={"line": {"color": QUIET, "width": 1}},
        hovertemplate="%{x}: %{y:.2f} %<extra></extra>",
    )
    figure = go.Figure(trace)
    figure.update_yaxes(title_text="of the initial equity, %")
    figure.update_xaxes(type="category")
    return laid_out(figure, 300, dates=False, legend=False)


def guard_effect_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw what guards have saved or cost so far, as a share of equity.

    Args:
        document: From `attribution.attribution`, of a ledger in which guards intervened.
    """
    course = document["guards"]["course"]
    line = go.Scatter(
        x=np.array(course["timestamps_ms"], dtype=np.float64),
        y=_PERCENT * np.array(course["saved"], dtype=np.float32),
        mode="lines",
        line={"color": ENSEMBLE, "width": 1.6},
    )
    figure = go.Figure(line.update(hovertemplate="%{y:.2f} %<extra></extra>", name="saved so far"))
    figure.add_hline(y=0.0, line={"color": QUIET, "width": 1, "dash": "dot"})
    figure.update_yaxes(title_text="saved so far, % of equity")
    return laid_out(figure, 280, legend=False)


def _bars(document: Mapping[str, Any], key: str) -> go.Figure:
    groups = document[key]
    shares = [_PERCENT * group["share"] for group in groups]
    trace = go.Bar(
        x=[escape(_words(group["name"])) for group in groups],
        y=shares,
        marker={"color": [GAIN if share > 0.0 else LOSS for share in shares]},
        customdata=[_held(group) for group in groups],
        hovertemplate="%{x}: %{y:.2f} % of the initial equity%{customdata}<extra></extra>",
    )
    figure = go.Figure(trace)
    figure.add_hline(y=0.0, line={"color": QUIET, "width": 1})
    figure.update_xaxes(title_text=_TITLES[key], type="category")
    figure.update_yaxes(title_text="net, % of initial equity")
    return laid_out(figure, 280, dates=False, legend=False)


def _held(group: Mapping[str, Any]) -> str:
    """Return how often something was traded and held in a group, as far as it tells."""
    told = [f", {group['trades']:,} trades"] if "trades" in group else []
    return "".join([*told, f", held in {group['held_bars']:,} bars"])


def _words(name: str) -> str:
    return name.replace("_", " ")
