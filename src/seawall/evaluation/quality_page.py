"""The page of a quality check: one HTML file that needs no network, for one series or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from seawall import __version__
from seawall.core.errors import ConfigError
from seawall.core.files import refuse_replacing_file, write_text
from seawall.core.timeframe import iso_ms
from seawall.evaluation.page import number, render
from seawall.evaluation.quality_figures import Checked, correlation_figure, coverage_figure, series_figure, volume_figure
from seawall.market.checks.outliers import DEVIATIONS
from seawall.market.checks.panel_facts import PanelFacts
from seawall.market.checks.report import QualityReport, iso

DETAILED = 12
_PLACES = 15
_FAULTS = 50
_LARGEST_SHARE = 1e4
# From the 5th to the 95th percentile of 64 real series: crypto, currencies, metals and indices, bars of 1 minute to 1 hour.
_USUAL: dict[str, tuple[float, float]] = {
    "excess_kurtosis": (13.0, 165.0),
    "autocorrelation_1": (-0.053, 0.008),
    "absolute_autocorrelation_1": (0.22, 0.39),
    "absolute_autocorrelation_10": (0.087, 0.26),
    "absolute_autocorrelation_50": (0.034, 0.19),
}


@dataclass(frozen=True)
class SeriesCheck:
    """A series that was checked, or could not be.

    Attributes:
        name: What the page calls it.
        report: What `check_bars` found in these bars, or None where they could not be read.
        bars: The bars as they came, or None.
        error: Why it could not be read, or empty.
        hours: What its calendar was told by, or why it has none, in words; or empty.
    """

    name: str
    report: QualityReport | None = None
    bars: pd.DataFrame | None = None
    error: str = ""
    hours: str = ""


def write_quality_page(path: Path, entries: Sequence[SeriesCheck], panel: PanelFacts | None = None) -> None:
    """Write the page, whole or not at all.

    Args:
        path: The HTML file.
        entries: The checked series, in the order to show them; the first twelve that could be read are shown in detail.
        panel: What the series have in common, or None.

    Raises:
        ConfigError: There is no entry.
        DataError: The disk is full, the path may not be written, or a folder or a device is there.
    """
    refuse_replacing_file(path, force=True)
    write_text(path, quality_html(entries, panel))


def quality_html(entries: Sequence[SeriesCheck], panel: PanelFacts | None = None) -> str:
    """Return the page as text; arguments as for `write_quality_page`. Everything that is not ours is escaped."""
    if not entries:
        raise ConfigError("a quality page of no series; allowed: at least one")
    readable = _readable(entries)
    detailed = readable[:DETAILED]
    figures = {"coverage": coverage_figure(readable)} if readable else {}
    if panel is not None:
        figures["correlation"] = correlation_figure(panel)
    for place, checked in enumerate(detailed):
        figures[f"series-{place}"] = series_figure(checked)
        figures[f"volume-{place}"] = volume_figure(checked)
    return render(
        "quality.html.j2",
        figures,
        headline=_headline(entries),
        tone=_tone(entries),
        rows=_rows(entries, [name for name, _, _ in detailed]),
        with_calendar=any(report.calendar is not None for _, report, _ in readable),
        panel=None if panel is None else _panel_words(panel),
        details=[_details(checked, hours) for checked, hours in zip(detailed, _hours(entries), strict=False)],
        left_out=len(readable) - len(detailed),
        deviations=DEVIATIONS,
        version=__version__,
    )


def _readable(entries: Sequence[SeriesCheck]) -> list[Checked]:
    return [(entry.name, entry.report, entry.bars) for entry in entries if entry.report is not None and entry.bars is not None]


def _tone(entries: Sequence[SeriesCheck]) -> str:
    """Return the class of the page's stamp."""
    reports = [entry.report for entry in entries]
    if any(report is None or report.bad for report in reports):
        return "bad"
    return "none" if any(report is not None and _holes(report) for report in reports) else "evidence"


def _holes(report: QualityReport) -> int:
    """Return the gaps that nothing explains."""
    return report.gaps if report.unexpected_gaps is None else report.unexpected_gaps


def _headline(entries: Sequence[SeriesCheck]) -> str:
    reports = [entry.report for entry in entries if entry.report is not None]
    unread = len(entries) - len(reports)
    bad, holed = sum(report.bad > 0 for report in reports), sum(_holes(report) > 0 for report in reports)
    bars = sum(report.rows for report in reports)
    found = [
        f"{unread} could not be read" if unread else "",
        f"{bad} with bad bars" if bad else "no bad bar",
        f"{holed} with {'unexpected ' if any(report.calendar for report in reports) else ''}gaps" if holed else "no gap",
    ]
    return f"{len(entries)} series, {bars:,} bars: {', '.join(filter(None, found))}."


def _rows(entries: Sequence[SeriesCheck], detailed: Sequence[str]) -> list[dict[str, Any]]:
    anchors = {name: f"series-{place}" for place, name in enumerate(detailed)}
    return [
        {
            "name": entry.name,
            "error": entry.error or "could not be read",
            "facts": None if entry.report is None else entry.report.to_dict(),
            "anchor": anchors.get(entry.name),
            "moved": "–" if entry.report is None else _percent(entry.report.max_move),
        }
        for entry in entries
    ]


def _percent(share: float) -> str:
    # A move of many digits would push the other columns off the page.
    return f"{100.0 * share:,.1f}" if share < _LARGEST_SHARE else f"{100.0 * share:.1e}"


def _panel_words(panel: PanelFacts) -> dict[str, Any]:
    absent = sorted(panel.absent.items(), key=lambda item: -item[1])
    return {
        "names": panel.names,
        "first": iso_ms(panel.start_ms),
        "last": iso_ms(panel.stop_ms),
        "overlap": panel.start_ms <= panel.stop_ms,
        "common": panel.common,
        "union": panel.union,
        "absent": [(name, count) for name, count in absent if count],
    }


def _hours(entries: Sequence[SeriesCheck]) -> list[str]:
    return [entry.hours for entry in entries if entry.report is not None and entry.bars is not None]


def _details(checked: Checked, hours: str) -> dict[str, Any]:
    """Return what is told of one series besides its figures."""
    name, report, _ = checked
    return {
        "name": name,
        "facts": report.to_dict(),
        "hours": hours,
        "gaps": _gap_lines(report),
        "outliers": _outlier_lines(report),
        "zero_volume": _run_lines(report.zero_volume_runs),
        "flat": _run_lines(report.flat_runs),
        "bad": report.named_faults(_FAULTS),
        "faults": len(report.bad_bars),
        "stylised": _stylised_lines(report),
    }


def _gap_lines(report: QualityReport) -> list[dict[str, Any]]:
    weighed = ["unexpected", "missing"] if report.calendar is not None else ["missing"]
    longest = report.gap_places.nlargest(_PLACES, weighed) if report.gaps else report.gap_places
    expected = longest["expected"] if report.calendar is not None else [None] * len(longest)
    return [
        {"after": iso(after), "missing": int(missing), "expected": None if known is None else int(known)}
        for after, missing, known in zip(longest["after"], longest["missing"], expected, strict=True)
    ]


def _outlier_lines(report: QualityReport) -> list[dict[str, Any]]:
    if not len(report.outliers):
        return []
    largest = report.outliers.loc[report.outliers["deviations"].abs().nlargest(_PLACES).index]
    columns = (largest["timestamp"], largest["move"], largest["deviations"])
    return [
        {"timestamp": iso(time), "move": f"{100.0 * move:+.2f}".replace("-", "−"), "deviations": number(deviation)}
        for time, move, deviation in zip(*columns, strict=True)
    ]


def _run_lines(runs: pd.DataFrame) -> list[dict[str, Any]]:
    if not len(runs):
        return []
    longest = runs.nlargest(_PLACES, "bars")
    return [{"start": iso(start), "bars": int(bars)} for start, bars in zip(longest["start"], longest["bars"], strict=True)]


def _stylised_lines(report: QualityReport) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for name, value in report.stylised.items():
        if not isinstance(value, (int, float)):
            continue
        low, high = _USUAL.get(name, (None, None))
        outside = low is not None and high is not None and not low <= value <= high
        usual = "–" if low is None else f"{number(low)} to {number(high)}"
        label = name.replace("absolute_autocorrelation", "autocorrelation of sizes, lag").replace(
            "autocorrelation_1", "autocorrelation, lag 1"
        )
        lines.append({"name": label, "value": number(float(value)), "usual": usual, "outside": outside})
    return lines
