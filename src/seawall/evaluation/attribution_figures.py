"""The figures of an attribution: bars of profit and loss by group, the way from price to net profit, and the guards' effect."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from seawall.evaluation.figures import ENSEMBLE, GAIN, LOSS, QUIET, laid_out
from seawall.evaluation.guard_effects import effect_by_bar
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.thinning import kept_points

_PERCENT = 100.0
_TITLES = {"by_side": "side", "by_hour": "hour, UTC", "by_weekday": "weekday, UTC", "by_session": "session", "by_regime": "regime"}


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


def guard_effect_figure(ledger: Ledger, prices: np.ndarray) -> go.Figure:
    """Draw what guards have saved or cost so far, as a share of equity, with a mark where an exposure was changed.

    Args:
        ledger: One policy's decisions.
        prices: Open, high, low, close, … of all T rows of its span, shape (T, 4 or more).
    """
    total = _PERCENT * np.cumsum(effect_by_bar(ledger, prices))
    dates = ledger.timestamps_ms[1 : len(total) + 1].astype(np.float64)
    kept = kept_points(total)
    line = go.Scatter(x=dates[kept], y=total[kept].astype(np.float32), mode="lines", line={"color": ENSEMBLE, "width": 1.6})
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
        customdata=[[group["trades"], group["held_bars"]] for group in groups],
        hovertemplate="%{x}: %{y:.2f} % of the initial equity, %{customdata[0]:,} trades, "
        "held in %{customdata[1]:,} bars<extra></extra>",
    )
    figure = go.Figure(trace)
    figure.add_hline(y=0.0, line={"color": QUIET, "width": 1})
    figure.update_xaxes(title_text=_TITLES[key], type="category")
    figure.update_yaxes(title_text="net, % of initial equity")
    return laid_out(figure, 280, dates=False, legend=False)


def _words(name: str) -> str:
    return name.replace("_", " ")
