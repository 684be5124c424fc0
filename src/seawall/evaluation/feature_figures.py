"""The figures of a page of features. Each returns a Plotly figure without a theme; data is thinned to bins and lags."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from seawall.evaluation.feature_facts import LAGS, autocorrelation, correlations, part_of
from seawall.evaluation.figures import ENSEMBLE, LOSS, QUIET, VETO, laid_out
from seawall.evaluation.page import shortened
from seawall.evaluation.thinning import kept_marks
from seawall.market.splits import Split

_BINS = 50
_FEW_VALUES = 30
# Beyond these the tails are drawn in the outermost bins.
_SHOWN = (0.001, 0.999)
_MOST_ROWS = 20_000
_MOST_NAMES = 60
_LONGEST_LABEL = 28


def column_figure(values: np.ndarray, split: Split, name: str) -> go.Figure:
    """Draw how a column is distributed in each part, and how it goes with its own past in the training rows.

    Args:
        values: The column, shape (T,).
        split: The parts, whose rows are finite.
        name: Its name, for refusals.
    """
    parts = {
        "training": part_of(values, split.train, name),
        "validation": part_of(values, split.validation, name),
        "test": part_of(values, split.test, name),
    }
    figure = make_subplots(rows=1, cols=2, column_widths=[0.62, 0.38], horizontal_spacing=0.09)
    edges = _edges(np.concatenate(list(parts.values())))
    middles = (edges[1:] + edges[:-1]) / 2.0
    for (part, held), colour in zip(parts.items(), (ENSEMBLE, VETO, LOSS), strict=True):
        counts = np.histogram(np.clip(held, edges[0], edges[-1]), edges)[0]
        shares = (100.0 * counts / len(held)).astype(np.float32)
        line = go.Scatter(x=middles.astype(np.float32), y=shares, name=part, mode="lines", line={"color": colour, "width": 1.6})
        line.update(line_shape="hvh", hovertemplate=f"{part}, near %{{x:.4~g}}: %{{y:.2f}} %<extra></extra>")
        if part == "training":
            line.update(fill="tozeroy", fillcolor="rgba(59,125,221,0.18)")
        figure.add_trace(line, row=1, col=1)
    known = autocorrelation(parts["training"])
    bars = go.Bar(x=np.arange(1, LAGS + 1, dtype=np.int16), y=known.astype(np.float32), marker={"color": QUIET}, showlegend=False)
    bars.update(hovertemplate="lag %{x}: %{y:.3f}<extra></extra>")
    figure.add_trace(bars, row=1, col=2)
    figure.update_yaxes(title_text="share of rows, %", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="autocorrelation", range=[min(-0.2, float(np.nanmin([*known, 0.0])) - 0.05), 1.05], row=1, col=2)
    figure.update_xaxes(title_text="value", row=1, col=1)
    figure.update_xaxes(title_text="lag, bars", row=1, col=2)
    return laid_out(figure, 250, dates=False)


def feature_correlation_figure(block: np.ndarray, columns: Sequence[str], split: Split) -> go.Figure:
    """Draw how columns go together in the training rows; of many rows, evenly spread ones are taken.

    Args:
        block: Unscaled features, shape (T, F).
        columns: Names of the F columns.
        split: The parts.
    """
    rows = split.train.start + kept_marks(len(split.train), _MOST_ROWS)
    found = np.round(correlations(block[rows]), 3).astype(np.float32)
    names = [escape(name) for name in columns]
    heat = go.Heatmap(x=names, y=names, z=found, zmin=-1.0, zmax=1.0, colorbar={"thickness": 12})
    heat.update(colorscale=[[0.0, LOSS], [0.5, "rgba(138,143,152,0.10)"], [1.0, ENSEMBLE]], hoverongaps=False)
    figure = go.Figure(heat.update(hovertemplate="%{y} with %{x}: %{z:.2f}<extra></extra>"))
    shown = kept_marks(len(names), _MOST_NAMES)
    labels = [escape(shortened(columns[int(place)], _LONGEST_LABEL)) for place in shown]
    ticks = {"type": "category", "tickmode": "array", "tickvals": [names[int(place)] for place in shown], "ticktext": labels}
    figure.update_xaxes(**ticks, tickfont={"size": 10}, tickangle=-60, showgrid=False)
    figure.update_yaxes(**ticks, tickfont={"size": 10}, autorange="reversed", showgrid=False)
    return laid_out(figure, 200 + max(220, min(900, 16 * len(names))), dates=False, legend=False)


def _edges(values: np.ndarray) -> np.ndarray:
    """Return ends of bins over nearly all values; of few different values, each has a bin of its own."""
    low, high = (float(end) for end in np.quantile(values, _SHOWN))
    different = np.unique(values[kept_marks(len(values), _MOST_ROWS)])
    if len(different) <= _FEW_VALUES:
        between = (different[1:] + different[:-1]) / 2.0
        step = float(np.diff(different).min()) if len(different) > 1 else max(abs(float(different[0])), 1.0)
        return np.concatenate([[different[0] - step / 2.0], between, [different[-1] + step / 2.0]])
    if low == high:
        low, high = float(values.min()), float(values.max())
    return np.linspace(low, high, _BINS + 1)
