"""The page of a calibration: how often the verdict was wrong, in one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from seawall import __version__
from seawall.core.files import refuse_replacing_file, write_text
from seawall.evaluation.figures import GAIN, LOSS, QUIET, VETO, laid_out
from seawall.evaluation.page import number, render
from seawall.evaluation.phrases import share
from seawall.evaluation.verdict import LEVEL_TITLES

_KIND_TITLES = {"noise": "random walks", "planted": "planted edges"}
_LEVEL_COLOURS = {"evidence": GAIN, "weak": VETO, "none": QUIET, "suspicious": LOSS, "not judged": "#9a5fc4"}
_BINS = {"start": 0.0, "end": 1.0001, "size": 0.1}
_UNKNOWN = "–"


def write_calibration_page(path: Path, document: Mapping[str, Any]) -> None:
    """Write the page, whole or not at all.

    Args:
        path: The HTML file.
        document: A calibration's result, as `recipes.calibration.grade` gives it.

    Raises:
        DataError: The disk is full, or the path may not be written.
    """
    refuse_replacing_file(path, force=True)
    write_text(path, calibration_html(document))


def calibration_html(document: Mapping[str, Any]) -> str:
    """Return the page as text; arguments as for `write_calibration_page`."""
    return render(
        "calibration.html.j2",
        {"growth": growth_figure(document["markets"]), "choice": choice_figure(document["markets"])},
        finding=document["finding"],
        tone="evidence" if document["passed"] else "suspicious",
        criteria=[_criterion(row) for row in document["criteria"]],
        level_titles=list(LEVEL_TITLES.values()),
        kinds=[_kind(name, document[name]) for name in _KIND_TITLES],
        configurations=[_configuration(row) for row in document["configurations"]],
        pipeline_words=pipeline_words(document),
        version=__version__,
    )


def pipeline_words(document: Mapping[str, Any]) -> str:
    """Return what was run on each market, in a few sentences.

    Args:
        document: As for `write_calibration_page`.
    """
    facts = document["pipeline"]
    seconds = [document[kind]["training_seconds"] for kind in _KIND_TITLES]
    judging = [document[kind]["judging_seconds"] for kind in _KIND_TITLES]
    return (
        f"On each market agent {facts['agent']} was trained with {len(facts['configurations'])} configurations of "
        f"{facts['seeds']} seeds, {number(sum(seconds) / 2, 2)} CPU seconds a training; the best on validation rows was judged on "
        f"{document['markets'][0]['test_bars']:,} unseen bars of {facts['timeframe']} with {facts['resamples']} resamples, "
        f"{number(sum(judging) / 2, 2)} CPU seconds. A unit traded costs {number(facts['cost_bps'])} bps. The planted edge is at "
        f"most {number(facts['edge_bps'])} bps a bar beside a volatility of {number(facts['volatility_bps'])}; who sees its "
        f"signal can earn {number(facts['attainable_bps'])} bps a bar after costs, a Sharpe ratio of "
        f"{number(facts['attainable_sharpe_per_bar'])} a bar."
    )


def growth_figure(markets: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Draw each market's net growth out of sample, in two rows by kind, coloured by the verdict.

    Args:
        markets: Results, as `recipes.calibration.market.run_market` gives them.
    """
    figure = go.Figure()
    for level, colour in _LEVEL_COLOURS.items():
        found = [each for each in markets if each["level"] == level]
        if not found:
            continue
        trace = go.Scatter(
            x=[1e4 * each["growth"] for each in found],
            y=[_height(each) for each in found],
            text=[f"{each['kind']} {each['number']}: {each['chosen']}" for each in found],
            name=LEVEL_TITLES[level],
            mode="markers",
            marker={"color": colour, "size": 9, "opacity": 0.75},
            hovertemplate="%{text}, %{x:.2f} bps a bar<extra></extra>",
        )
        figure.add_trace(trace)
    figure.add_vline(x=0.0, line={"color": QUIET, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="basis points a bar")
    figure.update_yaxes(tickvals=[0.0, 1.0], ticktext=list(reversed(_KIND_TITLES.values())), range=[-0.5, 1.5])
    return laid_out(figure, 280, dates=False)


def choice_figure(markets: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Draw how the probability of overfitting is spread over the markets of each kind.

    Args:
        markets: As for `growth_figure`.
    """
    titles = tuple(_KIND_TITLES.values())
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.06)
    for column, kind in enumerate(_KIND_TITLES, start=1):
        values = [each["pbo"]["probability"] for each in markets if each["kind"] == kind]
        trace = go.Histogram(x=[value for value in values if value is not None], xbins=_BINS, marker={"color": QUIET})
        figure.add_trace(trace, row=1, col=column)
        figure.update_xaxes(title_text="probability of overfitting", range=[0.0, 1.0], row=1, col=column)
    figure.update_yaxes(title_text="markets", row=1, col=1)
    laid_out(figure, 260, dates=False, legend=False)
    return figure.update_layout(margin_t=36)


def _height(market: Mapping[str, Any]) -> float:
    """Return where a market is drawn: noise above, and markets of one kind a little apart."""
    return float(market["kind"] == "noise") + 0.06 * (market["number"] % 9 - 4)


def _criterion(row: Mapping[str, Any]) -> dict[str, Any]:
    counted = row["count"] is not None
    show = share if counted else number
    found = f"{row['count']} of {row['n']}, {share(row['value'])}" if counted else show(row["value"])
    return {
        "name": row["name"],
        "words": row["words"],
        "n": row["n"],
        "found": found,
        "interval": _UNKNOWN if row["low"] is None else f"{show(row['low'])} to {show(row['high'])}",
        "p": number(row["p_value"]),
        "met": "yes" if row["passed"] else "MISSED",
        "tone": "good" if row["passed"] else "strong",
    }


def _kind(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    captured = found.get("captured", {}).get("mean")
    numbers = [
        *(str(count) for count in found["levels"].values()),
        str(found["made_money"]),
        str(found["leak_checks"]),
        number(found["sharpe"]["mean"]),
        _UNKNOWN if captured is None else share(captured),
    ]
    return {"name": _KIND_TITLES[name], "numbers": numbers}


def _configuration(row: Mapping[str, Any]) -> dict[str, Any]:
    numbers = [
        value
        for kind in _KIND_TITLES
        for value in (str(row[kind]["chosen"]), number(row[kind]["validation_bps"]), number(row[kind]["test_bps"]))
    ]
    return {"name": row["name"], "words": row["words"], "numbers": numbers}
