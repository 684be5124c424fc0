"""The check that every bar passes before anything uses it: bad bars are named, then refused or set aside by a stated policy.

`seawall.market.faults` lists what makes a bar bad. Gaps are places where the step to the next bar is longer than the timeframe.
Bars without volume and flat bars (open = high = low = close) are legal, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from pydantic import Field

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS, PRICE_COLUMNS, from_milliseconds, timestamps_ms
from seawall.core.errors import DataError
from seawall.core.params import Params
from seawall.core.timeframe import Timeframe
from seawall.market.faults import KINDS, NO_TIME, UNPLACED_KINDS, find_faults, usual_phase

_NAMED = 5
_LISTED_FAULTS = 100
_LISTED_GAPS = 100
_MS_PER_DAY = 86_400_000
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


@dataclass(frozen=True)
class QualityReport:
    """What a check found, and what was done about it.

    Attributes:
        rows: Bars of the frame that the report is about (after repair, where there was any).
        first: Opening time of the earliest bar, ISO 8601 UTC.
        last: Opening time of the latest bar.
        timeframe: Label of the bar length.
        bad_bars: One line per fault found, columns ``row``, ``timestamp``, ``kind``, ``column`` and ``value``.
        gap_places: One line per gap, columns ``after`` (opening time of the last bar before it) and ``missing`` (bars).
        zero_volume: Bars without volume.
        flat: Bars whose four prices are equal.
        max_move: Largest absolute change from one close to the next that is there, as a share; over a gap too.
        policy: The settings applied, or empty where the frame was only checked.
        filled: Bars inserted.
        dropped: Bars set aside.
        quarantined: The bars set aside with the columns ``row`` and ``kind``, as they came.
        notes: Remarks in plain words, as on time zones.
    """

    rows: int
    first: str
    last: str
    timeframe: str
    bad_bars: pd.DataFrame
    gap_places: pd.DataFrame
    zero_volume: int
    flat: int
    max_move: float
    policy: dict[str, str] = field(default_factory=dict[str, str])
    filled: int = 0
    dropped: int = 0
    quarantined: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return how many faults of each kind were found, without the kinds that were not."""
        seen = self.bad_bars["kind"].value_counts()
        return {kind: int(seen[kind]) for kind in KINDS if kind in seen.index}

    @property
    def gaps(self) -> int:
        """Places where bars are missing."""
        return len(self.gap_places)

    @property
    def missing(self) -> int:
        """Bars missing in all gaps."""
        return int(self.gap_places["missing"].sum())

    @property
    def longest_gap_bars(self) -> int:
        """Bars missing in the longest gap."""
        return int(self.gap_places["missing"].max()) if self.gaps else 0

    @property
    def bad(self) -> int:
        """Bars with at least one fault, of any kind."""
        return int(self.bad_bars["row"].nunique())

    def named_faults(self, most: int) -> list[dict[str, Any]]:
        """Return the first faults, one a line: row, time, kind, column and value."""
        listed = self.bad_bars.head(most)
        columns = [listed[name] for name in ("row", "timestamp", "kind", "column", "value")]
        return [
            {"row": int(row), "timestamp": _iso(time), "kind": str(kind), "column": str(column), "value": str(value)}
            for row, time, kind, column, value in zip(*columns, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON; gaps and faults beyond the first hundred are counted, not listed."""
        counts = self.counts()
        listed = self.gap_places.head(_LISTED_GAPS)
        return {
            "rows": self.rows, "first": self.first, "last": self.last, "timeframe": self.timeframe,
            "gaps": self.gaps, "missing": self.missing, "longest_gap_bars": self.longest_gap_bars,
            "duplicates": counts.get("duplicate", 0), "disorder": counts.get("disorder", 0),
            "bad": self.bad, "bad_by_kind": counts, "bad_bars": self.named_faults(_LISTED_FAULTS),
            "zero_volume": self.zero_volume, "flat": self.flat, "max_move": self.max_move,
            "policy": dict(self.policy), "filled": self.filled, "dropped": self.dropped, "notes": list(self.notes),
            "gap_places": [
                {"after": _iso(time), "missing": int(count)} for time, count in zip(listed["after"], listed["missing"], strict=True)
            ],
        }  # fmt: skip


def check_bars(bars: pd.DataFrame, timeframe: Timeframe | None = None, *, now: datetime | None = None) -> QualityReport:
    """Look for every fault, and change nothing.

    Args:
        bars: A bar frame of T rows in any order; T is at least 2, or 1 with a timeframe.
        timeframe: Bar length; taken from the usual step where None.
        now: The time after which no bar can have opened; the clock's where None.

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
    return _report(bars, usual, now or datetime.now(UTC))


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
    report = seen if refuses else _report(kept, step, now)
    refusals = [_refused_bars(seen)] if refuses else []
    if params.gaps == "refuse" and report.gaps:
        refusals.append(_refused_gaps(report))
    if refusals:
        raise DataError("; ".join(refusals))
    places, filled = report.gap_places, report.missing if params.gaps == "fill" else 0
    if filled:
        kept = _fill(kept, step, filled)
        report = _report(kept, step, now)
    kept.attrs = {}
    return kept, replace(
        report, bad_bars=seen.bad_bars, gap_places=places, policy=params.model_dump(), filled=filled,
        dropped=len(quarantined), quarantined=quarantined, notes=seen.notes,
    )  # fmt: skip


def _report(bars: pd.DataFrame, timeframe: Timeframe, now: datetime) -> QualityReport:
    times = timestamps_ms(bars)
    found = find_faults(bars, times, timeframe, now)
    placed = np.ones(len(bars), dtype=bool)
    placed[found.loc[found["kind"].isin(UNPLACED_KINDS), "row"].to_numpy(np.int64)] = False
    on_grid, rows = np.unique(times[placed], return_index=True)
    prices = bars[list(PRICE_COLUMNS)].to_numpy(np.float64)
    spanned = bars["timestamp"].dropna()
    return QualityReport(
        rows=len(bars),
        first=_iso(spanned.min()),
        last=_iso(spanned.max()),
        timeframe=timeframe.label,
        bad_bars=found,
        gap_places=_gaps(on_grid, timeframe),
        zero_volume=int((bars["volume"].to_numpy(np.float64) == 0.0).sum()),
        flat=int((prices[:, 1:] == prices[:, :1]).all(axis=1).sum()),
        max_move=_max_move(prices[placed, 3][rows]),
        notes=(*cast("list[str]", bars.attrs.get("notes", [])), *_clock_notes(times[times != NO_TIME], timeframe)),
    )


def _clock_notes(times: np.ndarray, timeframe: Timeframe) -> list[str]:
    # Bars of a day or less start at midnight or a whole multiple after it; longer ones start on any day.
    phase = usual_phase(times, min(timeframe.milliseconds, _MS_PER_DAY))
    if phase == 0:
        return []
    return [f"all bars open {phase / 60_000:g} minutes after a whole {timeframe.label} in UTC: the time zone may be wrong"]


def _gaps(on_grid: np.ndarray, timeframe: Timeframe) -> pd.DataFrame:
    missing = np.diff(on_grid) // timeframe.milliseconds - 1
    places = np.flatnonzero(missing > 0)
    return pd.DataFrame({"after": from_milliseconds(on_grid[places]), "missing": missing[places].astype(np.int64)})


def _max_move(closes: np.ndarray) -> float:
    before, after = closes[:-1], closes[1:]
    usable = (before > 0.0) & np.isfinite(before) & np.isfinite(after)
    moves = np.abs(after[usable] / before[usable] - 1.0)
    return float(moves.max()) if moves.size else 0.0


def _refused_bars(report: QualityReport) -> str:
    named = [
        f"row {line['row']} at {_iso(line['timestamp'])}: {line['kind']}"
        + ("" if line["column"] == "timestamp" else f" ({line['column']} is {line['value']:g})")
        for line in report.bad_bars.head(_NAMED).to_dict("records")
    ]
    return (
        f"{len(report.bad_bars)} faults in {report.rows} bars ({_totals(report)}): {_listed(named, len(report.bad_bars))}. "
        "Rows count from 0; quality.bad_bars=drop sets bad bars aside and sorts the rest"
    )


def _refused_gaps(report: QualityReport) -> str:
    named = [f"{line['missing']} after {_iso(line['after'])}" for line in report.gap_places.head(_NAMED).to_dict("records")]
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


def _iso(time: Any) -> str:
    return "no time" if pd.isna(time) else pd.Timestamp(time).strftime("%Y-%m-%dT%H:%M:%SZ")
