"""The section of a page that shows where a result lies among those of the same pipeline on noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from seawall.evaluation.addenda import Addendum
from seawall.evaluation.figures import ENSEMBLE, LOSS, QUIET, laid_out
from seawall.evaluation.null_positions import KINDS, LEVEL, MEASURES
from seawall.evaluation.phrases import per_bar, share, two_digits
from seawall.evaluation.verdict import LEVEL_TITLES

_COLOURS = {"walk": QUIET, "shuffle": "#9a5fc4"}
_BPS = 1e4
_HEADINGS = {
    "outside": "It stands out from noise",
    "inside": "This is what noise gives",
    "too few": "Too few null markets to tell it from noise",
}


def nulls_section(document: Mapping[str, Any]) -> Addendum:
    """Return the section.

    Args:
        document: As `recipes.nulls` keeps it.
    """
    values = {
        "heading": _HEADINGS[document["found"]],
        "tone": "evidence" if document["found"] == "outside" else "none",
        "words": [words for told in document["kinds"].values() for words in _told_first(told)],
        "rows": [_row(kind, name, each) for kind, told in document["kinds"].items() for name, each in told["positions"].items()],
        "verdicts": [_verdicts(kind, told) for kind, told in document["kinds"].items()],
        "made": [told["made"] for told in document["kinds"].values()],
        "deviations": document["deviations"],
    }
    return Addendum("nulls.html.j2", values, {"nulls": nulls_figure(document)})


def _told_first(told: Mapping[str, Any]) -> list[str]:
    """Return the sentence of the Sharpe ratio, those of other measures that lie inside the noise, and remarks on the whole."""
    shown = [name == "sharpe" or each["p"] is None or each["p"] > LEVEL for name, each in told["positions"].items()]
    words = told["words"]
    return [*(sentence for sentence, chosen in zip(words, shown, strict=False) if chosen), *words[len(shown) :]]


def nulls_figure(document: Mapping[str, Any]) -> go.Figure:
    """Draw every null result by its kind, and the real one as a line through them; one strip for each measure.

    Args:
        document: As for `nulls_section`.
    """
    titles = ("net log return per bar, bps", "Sharpe, annualised", "lead over buy-and-hold per bar, bps")
    figure = make_subplots(rows=len(MEASURES), cols=1, vertical_spacing=0.16, subplot_titles=titles)
    for place, name in enumerate(MEASURES, start=1):
        scale = 1.0 if name == "sharpe" else _BPS
        for kind, told in document["kinds"].items():
            figure.add_trace(_strip(kind, [scale * (row[name] or 0.0) for row in told["rows"]], first=place == 1), row=place, col=1)
        if document["real"][name] is not None:
            real = scale * document["real"][name]
            figure.add_vline(x=real, line={"color": ENSEMBLE, "width": 2.4}, row=place, col=1)  # pyright: ignore[reportArgumentType]
            figure.add_trace(_run(real, [KINDS[kind][1] for kind in document["kinds"]], first=place == 1), row=place, col=1)
        figure.add_vline(x=0.0, line={"color": LOSS, "width": 1, "dash": "dot"}, row=place, col=1)  # pyright: ignore[reportArgumentType]
    figure.update_yaxes(showticklabels=False, showgrid=False)
    strips = len(document["kinds"])
    return laid_out(figure, 130 + len(MEASURES) * (70 + 45 * strips), dates=False).update_layout(legend_y=1.06, margin_t=90)


def _strip(kind: str, values: list[float], *, first: bool) -> go.Box:
    name = KINDS[kind][1]
    strip = go.Box(
        x=values, name=name, legendgroup=kind, showlegend=first, orientation="h", boxpoints="all", jitter=0.5, pointpos=0.0
    )
    strip.update(marker={"color": _COLOURS[kind], "size": 6, "opacity": 0.7}, line={"color": _COLOURS[kind], "width": 1})
    return strip.update(fillcolor="rgba(138,143,152,0.12)", hovertemplate=f"{name}: %{{x:.2f}}<extra></extra>")


def _run(value: float, strips: list[str], *, first: bool) -> go.Scatter:
    mark = go.Scatter(x=[value] * len(strips), y=strips, mode="markers", name="the run", legendgroup="run", showlegend=first)
    mark.update(marker={"color": ENSEMBLE, "size": 11, "symbol": "diamond"})
    return mark.update(hovertemplate="the run: %{x:.2f}<extra></extra>")


def _row(kind: str, measure: str, each: Mapping[str, Any]) -> dict[str, Any]:
    show = two_digits if measure == "sharpe" else per_bar
    among = "–" if each["as_good"] is None else f"{each['as_good']} of {each['of']}"
    between = "–" if each["low"] is None else f"{share(each['low'])} to {share(each['high'])}"
    return {
        "kind": KINDS[kind][1],
        "measure": MEASURES[measure],
        "cells": [
            show(each["real"]),
            show(each["median"]),
            f"{show(each['from_5'])} to {show(each['to_95'])}",
            among,
            "–" if each["p"] is None else f"{each['p']:.3f}",
            between,
        ],
    }


def _verdicts(kind: str, told: Mapping[str, Any]) -> str:
    counted = ", ".join(f"{LEVEL_TITLES[level].lower()} {number}" for level, number in told["levels"].items())
    return f"Verdicts of the {KINDS[kind][1]}: {counted}."
