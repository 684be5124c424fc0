"""The figures of a quality page. Each takes checked series and returns a Plotly figure without a theme.

Colours of lines read on light and dark paper alike; the page sets paper, ink and grid. Prices are thinned for display and of very
many gaps the longest are drawn; tables and counts stay exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from seawall.core.bars import timestamps_ms
from seawall.core.timeframe import Timeframe
from seawall.evaluation.figures import ENSEMBLE, LOSS, QUIET, VETO, laid_out
from seawall.evaluation.page import shortened
from seawall.evaluation.thinning import kept_marks, kept_points
from seawall.market.checks.faults import UNPLACED_KINDS
from seawall.market.checks.outliers import DEVIATIONS
from seawall.market.checks.panel_facts import PanelFacts
from seawall.market.checks.report import QualityReport

_COLUMNS = 400
_LONGEST_LABEL = 32
_MOST_GAPS = 400
_MOST_MARKS = 400
_MOST_POINTS = 2_000
_PRICE_BINS = 40
_MS_PER_HOUR, _MS_PER_DAY = 3_600_000, 86_400_000
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EXPECTED = "rgba(138,143,152,0.45)"
_COVERED = [[0.0, "rgba(209,73,91,0.35)"], [0.9, "rgba(42,157,111,0.30)"], [1.0, "rgba(42,157,111,0.65)"]]

Checked = tuple[str, QualityReport, pd.DataFrame]
"""Name, report and bars of a series."""


def coverage_figure(series: Sequence[Checked]) -> go.Figure:
    """Draw, a row a series, the share of bars that are there, and a mark at each gap.

    Args:
        series: At least one checked series, whose times are those of its bars.
    """
    times = [timestamps_ms(_placed(checked)) for checked in series]
    steps = [Timeframe.parse(report.timeframe).milliseconds for _, report, _ in series]
    first = min(int(found.min()) for found in times)
    last = max(int(found.max()) + step for found, step in zip(times, steps, strict=True))
    edges = np.linspace(first, last, _COLUMNS + 1)
    names = _labels([name for name, _, _ in series])
    reports = [report for _, report, _ in series]
    shares = np.stack(
        [_coverage(found, step, edges, _closed(report)) for found, step, report in zip(times, steps, reports, strict=True)]
    )
    heat = go.Heatmap(x=_float(edges), y=names, z=shares.astype(np.float32), zmin=0.0, zmax=1.0, colorscale=_COVERED)
    heat.update(showscale=False, ygap=3, hoverongaps=False, hovertemplate="%{y}, %{x}: %{z:.2%} of bars<extra></extra>")
    figure = go.Figure(heat)
    missed = "unexpected gap" if any(report.calendar is not None for report in reports) else "gap"
    for expected, colour, words in ((True, QUIET, "expected gap"), (False, LOSS, missed)):
        marks = [_gap_marks(report, name, expected) for name, report in zip(names, reports, strict=True)]
        places = np.concatenate([at for at, _ in marks])
        if places.size:
            rows = [name for _, held in marks for name in held]
            trace = go.Scatter(x=_float(places), y=rows, mode="markers", name=words)
            marker = {"symbol": "line-ns-open", "size": 12, "color": colour, "line": {"width": 1.2}}
            figure.add_trace(trace.update(marker=marker, hovertemplate="%{y}: " + words + " after %{x}<extra></extra>"))
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True, showgrid=False)
    figure.update_yaxes(range=[-0.5, len(names) - 0.5])
    return laid_out(figure, 110 + 22 * max(len(names), 2), hover="closest")


def series_figure(checked: Checked) -> go.Figure:
    """Draw one series on a time line: its gaps, its closes with bad bars and outliers, and the outliers' size.

    Args:
        checked: Name, report and bars of the series.
    """
    report = checked[1]
    heights = [0.1, 0.6, 0.3] if len(report.outliers) else [0.14, 0.86]
    figure = make_subplots(rows=len(heights), cols=1, shared_xaxes=True, row_heights=heights, vertical_spacing=0.05)
    placed = timestamps_ms(_placed(checked))
    _add_gaps(figure, report, (int(placed.min()), int(placed.max())))
    times, closes = _sound_closes(_placed(checked))
    kept = kept_points(closes, _MOST_POINTS) if len(closes) else np.zeros(0, dtype=np.int64)
    line = go.Scatter(x=_float(times[kept]), y=_drawn(closes[kept]), mode="lines", name="close", showlegend=False)
    figure.add_trace(line.update(line={"color": QUIET, "width": 1.2}), row=2, col=1)
    _add_outliers(figure, report, times, closes)
    _add_bad(figure, report, times, closes)
    figure.update_yaxes(visible=False, range=[-1, 1], fixedrange=True, row=1, col=1)
    logarithmic = bool(len(closes)) and float(closes.max()) > 5.0 * float(closes.min())
    figure.update_yaxes(title_text="close, log scale" if logarithmic else "close", row=2, col=1)
    if logarithmic:
        figure.update_yaxes(type="log", row=2, col=1)
    if len(report.outliers):
        figure.update_yaxes(title_text="outliers, deviations", type="log", row=3, col=1)
    if times.size:
        figure.update_xaxes(range=[int(times[0]), int(times[-1])])
    return laid_out(figure, 520 if len(report.outliers) else 400, hover="closest")


def volume_figure(checked: Checked) -> go.Figure:
    """Draw where the volume lies: by hour of the day and by weekday (UTC), and by price.

    Args:
        checked: Name, report and bars of the series.
    """
    report = checked[1]
    titles = ("by hour, UTC", "by weekday, UTC", "by price")
    figure = make_subplots(rows=1, cols=3, subplot_titles=titles, column_widths=[0.4, 0.25, 0.35], horizontal_spacing=0.08)
    times, closes, volume = _sound_volume(_placed(checked))
    total = float(volume.sum())
    if total > 0.0:
        step = Timeframe.parse(report.timeframe).milliseconds
        hours = np.bincount(times // _MS_PER_HOUR % 24, volume, 24) / total
        # 1 January 1970 was a Thursday.
        days = np.bincount((times // _MS_PER_DAY + 3) % 7, volume, 7) / total
        if step < _MS_PER_DAY:
            figure.add_trace(_bars(np.arange(24), hours), row=1, col=1)
        figure.add_trace(_bars(_WEEKDAYS, days), row=1, col=2)
        figure.add_trace(_volume_by_price(closes, volume / total), row=1, col=3)
    figure.update_yaxes(title_text="share of volume, %", row=1, col=1)
    figure.update_yaxes(title_text="close", row=1, col=3)
    figure.update_xaxes(title_text="%", row=1, col=3)
    figure.update_annotations(font_size=12.5)
    figure.update_layout(bargap=0.08)
    return laid_out(figure, 280, dates=False)


def correlation_figure(panel: PanelFacts) -> go.Figure:
    """Draw how the returns of the series of a panel go together.

    Args:
        panel: Facts about the series.
    """
    names = _labels(panel.names)
    heat = go.Heatmap(x=names, y=names, z=panel.correlation.astype(np.float32), zmin=-1.0, zmax=1.0)
    heat.update(colorscale=[[0.0, LOSS], [0.5, "rgba(138,143,152,0.10)"], [1.0, ENSEMBLE]], colorbar={"thickness": 12})
    heat.update(hoverongaps=False, hovertemplate="%{y} with %{x}: %{z:.2f}<extra></extra>")
    figure = go.Figure(heat)
    figure.update_yaxes(autorange="reversed")
    return laid_out(figure, 150 + max(200, 22 * len(names)), dates=False)


def _coverage(times: np.ndarray, step_ms: int, edges: np.ndarray, closed: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the share of bars there are in each stretch; NaN outside the series, and where its market was closed."""
    counts = np.histogram(times, edges)[0]
    stop = int(times.max()) + step_ms
    inside = np.clip(np.minimum(edges[1:], stop) - np.maximum(edges[:-1], int(times.min())), 0.0, None)
    inside = np.clip(inside - np.diff(_time_within(closed, edges)), 0.0, None) / step_ms
    # Of a stretch shorter than a bar, half a bar says nothing.
    return np.where(inside >= 0.5, np.minimum(counts / np.maximum(np.floor(inside), 1.0), 1.0), np.nan)


def _closed(report: QualityReport) -> tuple[np.ndarray, np.ndarray]:
    """Return when gaps begin and end that a calendar explains as a whole, in milliseconds; none without a calendar."""
    step = Timeframe.parse(report.timeframe).milliseconds
    places = report.gap_places[_expected(report)]
    starts = _ms(places["after"]) + step
    return starts, starts + places["missing"].to_numpy(np.int64) * step


def _time_within(spans: tuple[np.ndarray, np.ndarray], moments: np.ndarray) -> np.ndarray:
    """Return how much of the time before each moment lies in spans, which are apart and ascending; float64, milliseconds."""
    starts, ends = spans
    if not len(starts):
        return np.zeros(len(moments))
    until = np.concatenate(([0], np.cumsum(ends - starts))).astype(np.float64)
    begun = np.searchsorted(starts, moments, side="right")
    last = np.maximum(begun - 1, 0)
    return np.where(begun > 0, until[last] + np.minimum(moments, ends[last]) - starts[last], 0.0)


def _labels(names: Sequence[str]) -> list[str]:
    """Return names short enough to stand beside a figure, escaped, and no two alike."""
    labels: list[str] = []
    for name in names:
        label, again = escape(shortened(name, _LONGEST_LABEL)), 2
        while label in labels:
            label, again = f"{escape(shortened(name, _LONGEST_LABEL))} ({again})", again + 1
        labels.append(label)
    return labels


def _drawn(values: np.ndarray) -> np.ndarray:
    """Return values to draw in half their size, where they have a place there."""
    sizes = np.abs(values[values != 0.0])
    small = not sizes.size or (sizes.max() < np.finfo(np.float32).max and sizes.min() > np.finfo(np.float32).tiny)
    return values.astype(np.float32) if small else values


def _gap_marks(report: QualityReport, name: str, expected: bool) -> tuple[np.ndarray, list[str]]:
    places, most = report.gap_places[_expected(report) == expected], _MOST_GAPS // 4
    # Closed weekends are alike: the longest few would crowd into the years in which they are a bar longer.
    chosen = places.iloc[kept_marks(len(places), most)] if expected else _longest(places, most)
    return _ms(chosen["after"]), [name] * len(chosen)


def _add_gaps(figure: go.Figure, report: QualityReport, ends: Sequence[int]) -> None:
    """Add the covered stretch, and the gaps on it as bars as long as they are."""
    step = Timeframe.parse(report.timeframe).milliseconds
    covered = go.Scatter(
        x=list(ends), y=[0, 0], mode="lines", line={"color": "rgba(42,157,111,0.55)", "width": 14}, hoverinfo="skip"
    )
    figure.add_trace(covered.update(showlegend=False), row=1, col=1)
    missed = "gap" if report.calendar is None else "unexpected gap"
    for expected, colour, words in ((True, "#c3c7cd", "expected gap"), (False, LOSS, missed)):
        places = report.gap_places[_expected(report) == expected]
        if not len(places):
            continue
        shown = _longest(places, _MOST_GAPS)
        start, missing = _ms(shown["after"]) + step, shown["missing"].to_numpy(np.int64)
        # Three points a gap: its two ends and a break in the line.
        x = np.stack([start, start + missing * step, np.full(len(start), np.nan)], axis=1).ravel()
        name = words if len(shown) == len(places) else f"{words} (longest {len(shown):,} of {len(places):,})"
        drawn = go.Scatter(x=x, y=np.where(np.isnan(x), np.nan, 0.0), mode="lines", name=name, line={"color": colour, "width": 14})
        text = np.repeat([f"{count:,} bars missing" for count in missing], 3)
        figure.add_trace(drawn.update(text=text, hovertemplate="%{text}<extra></extra>"), row=1, col=1)
        ticks = go.Scatter(x=_float(start), y=np.zeros(len(start)), mode="markers", showlegend=False, hoverinfo="skip")
        marker = {"symbol": "line-ns-open", "size": 16, "color": colour, "line": {"width": 1.2}}
        figure.add_trace(ticks.update(marker=marker), row=1, col=1)


def _add_outliers(figure: go.Figure, report: QualityReport, times: np.ndarray, closes: np.ndarray) -> None:
    """Add marks on the closes that outliers ended at, and each outlier's move below."""
    if not len(report.outliers):
        return
    largest = report.outliers["deviations"].abs().nlargest(_MOST_MARKS).index
    shown = report.outliers.loc[largest].sort_values("timestamp")
    at, moves = _ms(shown["timestamp"]), 100.0 * shown["move"].to_numpy(np.float64)
    name = _counted("outlier", len(shown), len(report.outliers))
    marker = {"color": VETO, "size": 7, "symbol": "circle-open", "line": {"width": 1.4}}
    text = [f"{move:+.2f} %, {deviation:+.1f} deviations" for move, deviation in zip(moves, shown["deviations"], strict=True)]
    heights = _heights(at, times, closes)
    marks = go.Scatter(x=_float(at), y=heights, mode="markers", name=name, marker=marker, text=text)
    figure.add_trace(marks.update(hovertemplate="outlier: %{text}<extra></extra>"), row=2, col=1)
    sizes = shown["deviations"].abs().to_numpy(np.float64)
    stems = np.stack([np.full(len(at), DEVIATIONS), sizes, np.full(len(at), np.nan)], axis=1).ravel()
    sticks = go.Scatter(x=np.repeat(_float(at), 3), y=stems.astype(np.float32), mode="lines", line={"color": VETO, "width": 1.6})
    figure.add_trace(sticks.update(showlegend=False, hoverinfo="skip"), row=3, col=1)
    symbols = np.where(moves > 0.0, "triangle-up", "triangle-down")
    heads = go.Scatter(x=_float(at), y=sizes.astype(np.float32), mode="markers", text=text, showlegend=False)
    heads.update(marker={"color": VETO, "size": 7, "symbol": symbols}, hovertemplate="%{text}<extra></extra>")
    figure.add_trace(heads, row=3, col=1)


def _add_bad(figure: go.Figure, report: QualityReport, times: np.ndarray, closes: np.ndarray) -> None:
    """Add a cross for each bad bar that has a time, at the close nearest in time."""
    found = report.bad_bars.dropna(subset="timestamp").drop_duplicates("row")
    if not len(found) or not len(closes):
        return
    shown = found.iloc[kept_marks(len(found), _MOST_MARKS)]
    at = _ms(shown["timestamp"])
    marks = go.Scatter(
        x=_float(at), y=_heights(at, times, closes), mode="markers", name=_counted("bad bar", len(shown), len(found))
    )
    marks.update(marker={"color": LOSS, "size": 9, "symbol": "x-thin", "line": {"color": LOSS, "width": 2}})
    text = [f"row {row}: {kind}" for row, kind in zip(shown["row"], shown["kind"], strict=True)]
    figure.add_trace(marks.update(text=text, hovertemplate="%{text}<extra></extra>"), row=2, col=1)


def _volume_by_price(closes: np.ndarray, shares: np.ndarray) -> go.Bar:
    """Return volume by price in bins of equal width."""
    edges = np.linspace(float(closes.min()), float(closes.max()), _PRICE_BINS + 1)
    held = np.histogram(closes, edges, weights=shares)[0]
    middle = (edges[1:] + edges[:-1]) / 2.0
    drawn = go.Bar(x=100.0 * held, y=middle, orientation="h", marker={"color": ENSEMBLE}, showlegend=False)
    return drawn.update(hovertemplate="near %{y:,.6~g}: %{x:.1f} %<extra></extra>")


def _bars(labels: Sequence[object] | np.ndarray, shares: np.ndarray) -> go.Bar:
    drawn = go.Bar(x=list(labels), y=100.0 * shares, marker={"color": ENSEMBLE}, showlegend=False)
    return drawn.update(hovertemplate="%{x}: %{y:.1f} %<extra></extra>")


def _expected(report: QualityReport) -> np.ndarray:
    """Say of each gap whether the market was closed all through it."""
    places = report.gap_places
    if report.calendar is None:
        return np.zeros(len(places), dtype=bool)
    return (places["unexpected"] == 0).to_numpy(np.bool_)


def _longest(places: pd.DataFrame, most: int) -> pd.DataFrame:
    return places.loc[places["missing"].nlargest(most).index].sort_values("after") if len(places) > most else places


def _sound_closes(bars: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the times and closes that can be drawn, in the order of time."""
    times, closes = timestamps_ms(bars), bars["close"].to_numpy(np.float64)
    usable = np.flatnonzero(np.isfinite(closes) & (closes > 0.0))
    order = usable[np.argsort(times[usable], kind="stable")]
    return times[order], closes[order]


def _sound_volume(bars: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    times, closes, volume = timestamps_ms(bars), bars["close"].to_numpy(np.float64), bars["volume"].to_numpy(np.float64)
    usable = np.isfinite(closes) & (closes > 0.0) & np.isfinite(volume) & (volume > 0.0)
    return times[usable], closes[usable], volume[usable]


def _heights(at: np.ndarray, times: np.ndarray, closes: np.ndarray) -> np.ndarray:
    """Return the close last known at each of some times, to draw marks at."""
    return _drawn(closes[np.clip(np.searchsorted(times, at, side="right") - 1, 0, None)])


def _placed(checked: Checked) -> pd.DataFrame:
    """Return the bars that have a place in time; one wrong year would else stretch every axis."""
    _, report, bars = checked
    unplaced = report.bad_bars.loc[report.bad_bars["kind"].isin(UNPLACED_KINDS), "row"].to_numpy(np.int64)
    return bars.drop(index=bars.index[unplaced]) if 0 < len(unplaced) < len(bars) else bars


def _ms(moments: pd.Series) -> np.ndarray:
    return timestamps_ms(pd.DataFrame({"timestamp": moments}))


def _float(times_ms: np.ndarray) -> np.ndarray:
    """Return times as float64, which Plotly packs tightly and shows in UTC wherever the reader lives."""
    return times_ms.astype(np.float64)


def _counted(name: str, shown: int, found: int) -> str:
    return name if shown == found else f"{name} ({shown:,} of {found:,} shown)"
