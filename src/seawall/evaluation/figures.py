"""The figures of a judged run. Each takes ledgers or a judgement and returns a Plotly figure without a theme.

Colours of lines read on light and dark paper alike; the page, the dashboard or a notebook sets paper, ink and grid.
Curves of more than about 4,000 points are thinned for display; their extremes stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from seawall.core.bars import timestamps_ms
from seawall.evaluation.baselines import UNGUARDED
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.phrases import rival_title
from seawall.evaluation.thinning import kept_marks, kept_points

ENSEMBLE, GAIN, LOSS, VETO, QUIET = "#3b7ddd", "#2a9d6f", "#d1495b", "#e0a100", "#8a8f98"
_RIVAL_COLOURS = ("#dd7f2b", "#9a5fc4", "#2a9d6f", "#d1495b", "#c79a00", "#00a3a3", "#c45f9a", "#a0674b")
_RIVAL_DASHES = ("solid", "dash", "dashdot", "longdash")
_FLAT = "flat"
_ALWAYS_SHOWN = (_FLAT, "buy_and_hold", "random")
_STRONGEST_SHOWN = 3
_PERCENT = 100.0
_BPS = 1e4
_LOG_FROM = 5.0


def price_figure(ledger: Ledger) -> go.Figure:
    """Draw the closes with every fill and every decision that a guard changed.

    Args:
        ledger: The judged policy's decisions.
    """
    close = ledger.column("close")
    kept = kept_points(close)
    figure = go.Figure()
    figure.add_trace(_line(_dates(timestamps_ms(ledger.frame))[kept], close[kept], "close", QUIET, width=1.2))
    before = np.concatenate([[0.0], ledger.column("quantity")[:-1]])
    change = ledger.column("quantity") - before
    filled = np.isfinite(ledger.column("fill_price"))
    liquidated = ledger.frame["liquidated"].to_numpy(np.bool_)
    _add_vetoes(figure, ledger)
    _add_fills(figure, ledger, filled & (change > 0.0) & ~liquidated, "buy", GAIN, "triangle-up")
    _add_fills(figure, ledger, filled & (change < 0.0) & ~liquidated, "sell", LOSS, "triangle-down")
    _add_fills(figure, ledger, liquidated, "liquidated", LOSS, "star")
    figure.update_yaxes(title_text="price")
    figure.update_xaxes(range=[int(time) for time in ledger.timestamps_ms[[0, -1]]])
    return laid_out(figure, 420)


def equity_figure(ledgers: Ledgers) -> go.Figure:
    """Draw the net return and the drawdown of the ensemble, the rivals and, faintly, every seed.

    Of many rivals the usual ones and those that end highest are shown at first; the others wait in the legend.
    """
    logarithmic = _spans_orders(ledgers)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.05)
    for number, (seed, ledger) in enumerate(ledgers.seeds.items()):
        style = {"legendgroup": "seeds", "showlegend": number == 0, "opacity": 0.35}
        _add_equity(figure, (ledger, logarithmic), ("each seed", f"seed {seed}"), ENSEMBLE, style)
    shown = _shown_first(ledgers)
    for name, (colour, dash) in rival_styles(list(ledgers.baselines)).items():
        title = escape(rival_title(name))
        style = {"line_dash": dash, "line_width": 1.2, "visible": True if name in shown else "legendonly"}
        _add_equity(figure, (ledgers.baselines[name], logarithmic), (title, title), colour, style)
    _add_equity(figure, (ledgers.ensemble, logarithmic), ("ensemble", "ensemble"), ENSEMBLE, {"line_width": 2.4})
    if logarithmic:
        figure.update_yaxes(title_text="equity, start = 1, log scale", type="log", row=1, col=1)
    else:
        figure.update_yaxes(title_text="net return, %", row=1, col=1)
    figure.update_yaxes(title_text="drawdown, %", row=2, col=1)
    return laid_out(figure, 520)


def rival_styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the colour and the dash of each rival: no two have both in common, and none has the ensemble's colour.

    A rival without guards has the colour of the same one behind them. Flat is grey.

    Args:
        names: The rivals, in the order of the report.
    """
    styles: dict[str, tuple[str, str]] = {}
    plain = [name for name in names if name != _FLAT and name.removesuffix(UNGUARDED) == name]
    for number, name in enumerate(plain):
        styles[name] = _RIVAL_COLOURS[number % len(_RIVAL_COLOURS)], _RIVAL_DASHES[number // len(_RIVAL_COLOURS) % 4]
    for name in names:
        if name not in styles:
            styles[name] = styles.get(name.removesuffix(UNGUARDED), (QUIET, ""))[0], "dot"
    return {name: styles[name] for name in names}


def _shown_first(ledgers: Ledgers) -> set[str]:
    """Return the rivals that are drawn before anybody asks for more."""
    ends = {name: float(ledger.column("equity")[-1]) for name, ledger in ledgers.baselines.items()}
    return {*_ALWAYS_SHOWN, *sorted(ends, key=lambda name: -ends[name])[:_STRONGEST_SHOWN]}


def exposure_figure(ledger: Ledger) -> go.Figure:
    """Draw the exposure held at the close of every bar."""
    exposure = ledger.exposures()
    kept = kept_points(exposure)
    figure = go.Figure(_line(_dates(ledger.timestamps_ms[1:])[kept], exposure[kept], "exposure", ENSEMBLE, width=1.0))
    figure.update_traces(line_shape="hv", fill="tozeroy", fillcolor="rgba(59,125,221,0.18)")
    figure.update_yaxes(title_text="share of equity")
    return laid_out(figure, 260, legend=False)


_ALWAYS = ("fee", "spread")
_COSTS = (
    ("fee", "commission", "#dd7f2b"),
    ("spread", "half-spread", "#9a5fc4"),
    ("slippage", "slippage", "#c4a15f"),
    ("financing", "financing", "#5f9ac4"),
    ("funding", "funding", "#5fc49a"),
)


def costs_figure(ledger: Ledger) -> go.Figure:
    """Draw the costs paid so far, by kind, one on the other."""
    figure = go.Figure()
    dates = _dates(timestamps_ms(ledger.frame))
    for name, words, colour in _COSTS:
        paid = np.cumsum(ledger.column(name))
        if name not in _ALWAYS and not paid.any():
            continue
        kept = kept_points(paid, 800)
        trace = _line(dates[kept], paid[kept], words, colour, width=1.2)
        # What was earned cannot be stacked on what was paid.
        trace.update(line_shape="hv", stackgroup="costs" if paid.min() >= 0.0 else None)
        figure.add_trace(trace)
    figure.update_yaxes(title_text="paid so far, quote units", rangemode="tozero")
    return laid_out(figure, 300)


def stress_figure(stress: Mapping[str, Any], charged_return: float) -> go.Figure:
    """Draw the net return of the same decisions against multiples of the costs, with the break-even.

    Args:
        stress: From `stress.stress`.
        charged_return: Total net return at the costs that were charged.
    """
    points = stress["cost_multiples"]
    multiples = [point["multiple"] for point in points]
    returns = [_PERCENT * point["total_return"] for point in points]
    figure = go.Figure()
    curve = go.Scatter(x=multiples, y=returns, mode="lines+markers", name="net return", line={"color": ENSEMBLE, "width": 2})
    figure.add_trace(curve.update(hovertemplate="%{x:g} × costs: %{y:.1f} %<extra></extra>"))
    charged = go.Scatter(x=[1.0], y=[_PERCENT * charged_return], mode="markers", name="as charged")
    figure.add_trace(charged.update(marker={"color": VETO, "size": 12, "symbol": "diamond"}))
    figure.add_hline(y=0.0, line={"color": QUIET, "width": 1, "dash": "dot"})
    multiple = stress["break_even"]["multiple"]
    if multiple is not None:
        figure.add_vline(x=multiple, line={"color": LOSS, "width": 1.5, "dash": "dash"})
        figure.add_annotation(
            x=multiple, y=1.0, yref="paper", text=f"break-even {multiple:.2f} ×", showarrow=False, xanchor="left", xshift=6
        )
    figure.update_xaxes(title_text="multiple of the costs charged")
    figure.update_yaxes(title_text="net return, %")
    return laid_out(figure, 340, dates=False)


def interval_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw mean net log returns per bar, and differences to rivals, with their bootstrap intervals.

    Args:
        document: A judgement's document.
    """
    rows = [("ensemble", document["ensemble"]["mean_log_return"], document["intervals"]["ensemble"]["mean_log_return"])]
    for seed, metrics in document["seeds"].items():
        rows.append((f"seed {seed}", metrics["mean_log_return"], document["intervals"]["seeds"][seed]["mean_log_return"]))
    for name, difference in document["differences"].items():
        rows.append((f"ensemble − {rival_title(name)}", difference["mean"], difference))
    known = [
        (name, _BPS * mean, _BPS * bounds["low"], _BPS * bounds["high"]) for name, mean, bounds in rows if bounds["low"] is not None
    ]
    figure = go.Figure()
    for words, colour, above in (("above zero", GAIN, True), ("not clearly above zero", QUIET, False)):
        chosen = [row for row in known if (row[2] > 0.0) == above]
        error = {"array": [row[3] - row[1] for row in chosen], "arrayminus": [row[1] - row[2] for row in chosen], "thickness": 2.5}
        trace = go.Scatter(
            x=[row[1] for row in chosen], y=[escape(row[0]) for row in chosen], mode="markers", name=words, error_x=error
        )
        trace.update(marker={"color": colour, "size": 10}, customdata=[row[2:] for row in chosen])
        template = "%{y}: %{x:.2f} bps (%{customdata[0]:.2f} to %{customdata[1]:.2f})<extra></extra>"
        figure.add_trace(trace.update(hovertemplate=template))
    figure.add_vline(x=0.0, line={"color": LOSS, "width": 1.2, "dash": "dot"})
    order = [escape(row[0]) for row in known]
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1], automargin=True)
    figure.update_xaxes(title_text="mean log return per bar, bps")
    return laid_out(figure, 90 + 34 * max(len(known), 3), dates=False, legend=False)


def _spans_orders(ledgers: Ledgers) -> bool:
    """Say whether equity moves by so large a factor that only a logarithmic axis shows all of it."""
    curves = [ledger.equity_curve() / ledger.initial_equity for ledger in ledgers.named().values()]
    lowest, highest = min(float(curve.min()) for curve in curves), max(float(curve.max()) for curve in curves)
    return lowest > 0.0 and highest / lowest > _LOG_FROM


def _add_equity(
    figure: go.Figure, drawn: tuple[Ledger, bool], names: tuple[str, str], colour: str, style: Mapping[str, Any]
) -> None:
    """Add one policy's equity (logarithmic or as net return) and drawdown, under its names for legend and pointer."""
    ledger, logarithmic = drawn
    equity = ledger.equity_curve() / ledger.initial_equity
    shown = equity if logarithmic else _PERCENT * (equity - 1.0)
    fallen = _PERCENT * (equity / np.maximum.accumulate(equity) - 1.0)
    dates = _dates(ledger.timestamps_ms)
    legend, pointer = names
    for row, values, unit in ((1, shown, "" if logarithmic else " %"), (2, fallen, " %")):
        kept = kept_points(values)
        trace = _line(dates[kept], values[kept], legend, colour, width=1.4)
        digits = 2 if not unit else 1
        trace.update(hovertemplate=f"{pointer}: %{{y:,.{digits}f}}{unit}<extra></extra>", legendgroup=legend)
        trace.update(**style)
        figure.add_trace(trace.update(showlegend=row == 1 and style.get("showlegend", True)), row=row, col=1)


def _add_fills(figure: go.Figure, ledger: Ledger, chosen: np.ndarray, name: str, colour: str, symbol: str) -> None:
    """Add marks where something was traded, at the fill's time and price."""
    found = np.flatnonzero(chosen)
    if not found.size:
        return
    kept = found[kept_marks(len(found))]
    dates = _dates(timestamps_ms(ledger.frame.assign(timestamp=ledger.frame["next_timestamp"])))
    trace = go.Scatter(x=dates[kept], y=_drawn(ledger.column("fill_price")[kept]), mode="markers", name=_counted(name, kept, found))
    trace.update(marker={"color": colour, "size": 9, "symbol": symbol}, customdata=np.round(ledger.column("allowed")[kept], 3))
    figure.add_trace(trace.update(hovertemplate=f"{name} at %{{y:,.6~g}}, to exposure %{{customdata}}<extra></extra>"))


def _add_vetoes(figure: go.Figure, ledger: Ledger) -> None:
    """Add marks at the closes at which a guard changed the proposal."""
    frame = ledger.frame
    found = np.flatnonzero(((frame["guard"] != "") & (frame["proposed"] != frame["allowed"])).to_numpy())
    if not found.size:
        return
    kept = found[kept_marks(len(found))]
    words = (ledger.frame["guard"] + ": " + ledger.frame["reason"]).to_numpy()[kept]
    trace = go.Scatter(x=_dates(timestamps_ms(ledger.frame))[kept], y=_drawn(ledger.column("close")[kept]), mode="markers")
    trace.update(name=_counted("held by a guard", kept, found), text=[escape(str(text)) for text in words])
    trace.update(marker={"color": VETO, "size": 6, "symbol": "x-thin", "line": {"color": VETO, "width": 1.4}})
    figure.add_trace(trace.update(hovertemplate="%{text}<extra></extra>"))


def _counted(name: str, kept: np.ndarray, found: np.ndarray) -> str:
    """Return a legend entry that says when not every mark is drawn."""
    return name if len(kept) == len(found) else f"{name} ({len(kept):,} of {len(found):,} shown)"


def _line(dates: np.ndarray, values: np.ndarray, name: str, colour: str, *, width: float) -> go.Scatter:
    return go.Scatter(x=dates, y=_drawn(values), name=name, mode="lines", line={"color": colour, "width": width})


def _dates(times_ms: np.ndarray) -> np.ndarray:
    """Return times as milliseconds in float64, which Plotly packs tightly and shows in UTC wherever the reader lives."""
    return times_ms.astype(np.float64)


def _drawn(values: np.ndarray) -> np.ndarray:
    """Return values as float32: more than seven digits cannot be seen, and they double the size of the page."""
    return values.astype(np.float32)


def laid_out(figure: go.Figure, height: int, *, dates: bool = True, legend: bool = True, hover: str | None = None) -> go.Figure:
    """Give every figure the same margins and legend; the theme is the page's.

    Args:
        figure: The figure, which is changed.
        height: In pixels.
        dates: Whether the x axis is one of time.
        legend: Whether there is a legend above.
        hover: Plotly's mode of hovering; all at one time on an axis of time, else the closest.
    """
    figure.update_layout(
        height=height,
        margin={"l": 56, "r": 16, "t": 36 if legend else 12, "b": 40},
        legend={"orientation": "h", "x": 0.0, "y": 1.0, "xanchor": "left", "yanchor": "bottom"},
        showlegend=legend,
        hovermode=hover or ("x unified" if dates else "closest"),
        template="none",
    )
    figure.update_xaxes(automargin=True, zeroline=False)
    if dates:
        figure.update_xaxes(type="date")
    figure.update_yaxes(automargin=True, zeroline=False)
    return figure
