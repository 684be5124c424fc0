"""The check that every bar passes before anything uses it: bad bars are named, then refused or set aside by a stated policy.

`seawall.market.checks.faults` lists what makes a bar bad. Gaps are places where the step to the next bar is longer than the
timeframe.
Bars without volume and flat bars (open = high = low = close) are legal, and counted.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS, from_milliseconds, timestamps_ms
from seawall.core.errors import DataError
from seawall.core.params import Params
from seawall.core.timeframe import Timeframe
from seawall.market.checks.clocks import EVEN, usual_clock
from seawall.market.checks.faults import NO_TIME
from seawall.market.checks.report import QualityReport, iso, measure
from seawall.market.hours.calendars import Calendar, classify_gaps

_NAMED = 5
_MOST_FILLED_PER_BAR = 10


class QualityParams(Params):
    """What to do with bars that are missing or bad. Nothing is repaired unless it is said here."""

    gaps: Literal["refuse", "bridge", "fill"] = Field(
        default="refuse",
        description="refuse: stop; bridge: bars around a gap are neighbours; fill: insert flat bars without volume at the close",
    )
    bad_bars: Literal["refuse", "drop"] = Field(
        default="refuse", description="refuse: stop; drop: set bad bars aside (a later duplicate too) and sort the rest by time"
    )


def check_bars(
    bars: pd.DataFrame, timeframe: Timeframe | None = None, *, now: datetime | None = None, market: Calendar | None = None
) -> QualityReport:
    """Look for every fault, and change nothing.

    Args:
        bars: A bar frame of T rows in any order; T is at least 2, or 1 with a timeframe.
        timeframe: Bar length; taken from the usual step where None.
        now: The time after which no bar can have opened; the clock's where None.
        market: When the market is open; gaps are then told apart into expected and unexpected ones.

    Raises:
        DataError: There is no bar, a column is missing, or the usual step is not the timeframe's.
    """
    absent = [name for name in ("timestamp", *BAR_COLUMNS) if name not in bars.columns]
    if absent:
        raise DataError(f"bars have no column {', '.join(absent)}; needed: timestamp, {', '.join(BAR_COLUMNS)}")
    if not len(bars):
        raise DataError("there are no bars: at least two are needed")
    times = timestamps_ms(bars)
    known = np.sort(times[times != NO_TIME])
    alone = known.size > 0 and known[0] == known[-1]
    usual = timeframe if timeframe is not None and alone else Timeframe.infer(known)
    if timeframe is not None and usual != timeframe:
        raise DataError(f"the bars are {usual.label} apart, not {timeframe.label}: name the right timeframe")
    report = measure(bars, usual, now or datetime.now(UTC))
    return report if market is None else with_calendar(report, market)


def with_calendar(report: QualityReport, market: Calendar) -> QualityReport:
    """Return a report whose gaps are told apart into those while the market was closed and the others; all else stays."""
    places = classify_gaps(report.gap_places, Timeframe.parse(report.timeframe), market)
    return replace(report, calendar=market.name, gap_places=places)


def apply_quality(
    bars: pd.DataFrame, params: QualityParams, timeframe: Timeframe | None = None, *, now: datetime | None = None
) -> tuple[pd.DataFrame, QualityReport]:
    """Check bars, then refuse or repair them as the settings say.

    Args:
        bars: A bar frame in any order.
        params: What to do with gaps and bad bars.
        timeframe: Bar length; taken from the usual step where None.
        now: The time after which no bar can have opened; the clock's where None.

    Returns:
        The bars to use, sorted and unique, with an index from 0; and the report on them. Its `bad_bars` are those of the frame
        given, and its `gap_places` those before any filling.

    Raises:
        DataError: Bars are bad or missing and the settings refuse that; the message names the first of them, how many there are of
            each kind, and the setting that would let them pass.
    """
    now = now or datetime.now(UTC)
    seen = check_bars(bars, timeframe, now=now)
    step = Timeframe.parse(seen.timeframe)
    refuses = params.bad_bars == "refuse" and len(seen.bad_bars) > 0
    kept, quarantined = _set_aside(bars, seen)
    if not refuses and not len(kept):
        raise DataError(f"all {len(bars)} bars are bad ({_totals(seen)}): nothing is left to use")
    report = seen if refuses or not len(seen.bad_bars) else measure(kept, step, now)
    refusals = [_refused_bars(seen)] if refuses else []
    if params.gaps == "refuse" and report.gaps:
        refusals.append(_refused_gaps(report))
    if refusals:
        raise DataError("; ".join(refusals))
    places, filled = report.gap_places, report.missing if params.gaps == "fill" else 0
    if filled:
        kept = _fill(kept, step, filled)
        report = measure(kept, step, now)
    kept.attrs = {}
    return kept, replace(
        report, bad_bars=seen.bad_bars, gap_places=places, policy=params.model_dump(), filled=filled,
        dropped=len(quarantined), quarantined=quarantined, notes=seen.notes,
    )  # fmt: skip


def _refused_bars(report: QualityReport) -> str:
    named = [
        f"row {line['row']} at {iso(line['timestamp'])}: {line['kind']}"
        + ("" if line["column"] == "timestamp" else f" ({line['column']} is {str(line['value']).removesuffix('.0')})")
        for line in report.bad_bars.head(_NAMED).to_dict("records")
    ]
    return (
        f"{len(report.bad_bars)} faults in {report.rows} bars ({_totals(report)}): {_listed(named, len(report.bad_bars))}. "
        "Rows count from 0; quality.bad_bars=drop sets bad bars aside and sorts the rest"
    )


def _refused_gaps(report: QualityReport) -> str:
    named = [f"{line['missing']} after {iso(line['after'])}" for line in report.gap_places.head(_NAMED).to_dict("records")]
    return (
        f"{report.missing} bars of {report.timeframe} are missing in {report.gaps} gaps: {_listed(named, report.gaps)}. "
        "quality.gaps=bridge treats the bars around a gap as neighbours, quality.gaps=fill inserts flat bars without volume"
    )


def _listed(named: list[str], total: int) -> str:
    more = total - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")


def _totals(report: QualityReport) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in report.counts().items())


def _set_aside(bars: pd.DataFrame, report: QualityReport) -> tuple[pd.DataFrame, pd.DataFrame]:
    if not len(report.bad_bars):
        return bars.reset_index(drop=True), pd.DataFrame()
    # Bars in disorder are sound: sorting is all they need.
    reasons = report.bad_bars[report.bad_bars["kind"] != "disorder"].groupby("row")["kind"].first()
    bad = np.zeros(len(bars), dtype=bool)
    bad[reasons.index.to_numpy(np.int64)] = True
    quarantined = bars[bad].reset_index(drop=True)
    quarantined.insert(0, "row", np.flatnonzero(bad))
    quarantined.insert(1, "kind", reasons.to_numpy())
    return bars[~bad].sort_values("timestamp", kind="stable", ignore_index=True), quarantined


def _fill(bars: pd.DataFrame, timeframe: Timeframe, missing: int) -> pd.DataFrame:
    if missing > _MOST_FILLED_PER_BAR * len(bars):
        raise DataError(
            f"{missing} bars are missing around {len(bars)}: quality.gaps=fill inserts at most {_MOST_FILLED_PER_BAR} for each bar "
            "that is there; use quality.gaps=bridge, or look for a wrong timestamp"
        )
    times = timestamps_ms(bars)
    if usual_clock(times, timeframe) != EVEN:
        raise DataError(
            f"bars of {timeframe.label} that open by a local clock have no even grid to fill; allowed: quality.gaps=bridge"
        )
    grid = np.arange(int(times[0]), int(times[-1]) + 1, timeframe.milliseconds, dtype=np.int64)
    source = np.searchsorted(times, grid, side="right") - 1
    made = times[source] != grid
    filled = bars.iloc[source].reset_index(drop=True)
    filled["timestamp"] = from_milliseconds(grid)
    for name in ("open", "high", "low"):
        filled.loc[made, name] = filled.loc[made, "close"]
    for name in ("volume", *OPTIONAL_COLUMNS):
        # Search interest is known through the gap; amounts traded in it are none.
        if name in filled.columns and name != "trends":
            filled.loc[made, name] = 0.0
    return filled
