"""What a check of bars found: counts, places, and the facts that tell a real market from a broken file."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import numpy as np
import pandas as pd

from seawall.core.bars import PRICE_COLUMNS, from_milliseconds, timestamps_ms
from seawall.core.timeframe import Timeframe, iso_ms
from seawall.market.checks.clocks import EVEN, usual_clock, usual_phase, wall_times
from seawall.market.checks.faults import KINDS, NO_TIME, UNPLACED_KINDS, find_faults
from seawall.market.checks.outliers import find_outliers, find_runs

_LISTED = 100
_MS_PER_DAY = 86_400_000
_LEAST_FOR_FACTS = 100


@dataclass(frozen=True)
class QualityReport:
    """What a check found, and what was done about it.

    Attributes:
        rows: Bars of the frame that the report is about (after repair, where there was any).
        first: Opening time of the earliest bar, ISO 8601 UTC.
        last: Opening time of the latest bar.
        timeframe: Label of the bar length.
        bad_bars: One line per fault found, columns ``row``, ``timestamp``, ``kind``, ``column`` and ``value``.
        gap_places: One line per gap, columns ``after`` (opening time of the last bar before it), ``missing`` (bars) and, where a
            calendar was given, ``expected`` (those of them during which the market was closed) and ``unexpected`` (the others).
        zero_volume: Bars without volume.
        flat: Bars whose four prices are equal.
        max_move: Largest absolute change from one close to the next that is there, as a share; over a gap too.
        policy: The settings applied, or empty where the frame was only checked.
        filled: Bars inserted.
        dropped: Bars set aside.
        quarantined: The bars set aside with the columns ``row`` and ``kind``, as they came.
        notes: Remarks in plain words, as on time zones.
        outliers: Moves beyond twelve local deviations, columns ``timestamp``, ``move`` and ``deviations``.
        zero_volume_runs: Runs of bars without volume, columns ``start`` and ``bars``.
        flat_runs: Runs of flat bars, the same columns.
        stylised: `synthetic.facts.stylised_facts` of the bars that have no fault; empty for fewer than a hundred of them.
        calendar: Name of the calendar that gaps were compared with, or None.
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
    outliers: pd.DataFrame = field(default_factory=pd.DataFrame)
    zero_volume_runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    flat_runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    stylised: dict[str, Any] = field(default_factory=dict[str, Any])
    calendar: str | None = None

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
    def missing_unexpected(self) -> int | None:
        """Bars missing while the market was open, or None without a calendar."""
        return None if self.calendar is None else int(self.gap_places["unexpected"].sum())

    @property
    def unexpected_gaps(self) -> int | None:
        """Gaps in which at least one bar is missing while the market was open, or None without a calendar."""
        return None if self.calendar is None else int((self.gap_places["unexpected"] > 0).sum())

    @property
    def longest_gap_bars(self) -> int:
        """Bars missing in the longest gap."""
        return int(self.gap_places["missing"].max()) if self.gaps else 0

    @property
    def bad(self) -> int:
        """Bars with at least one fault, of any kind."""
        return int(self.bad_bars["row"].nunique())

    def named_faults(self, most: int | None) -> list[dict[str, Any]]:
        """Return the first faults, or all for None, one a line: row, time, kind, column and value."""
        listed = self.bad_bars.iloc[:most]
        columns = [listed[name] for name in ("row", "timestamp", "kind", "column", "value")]
        return [
            {"row": int(row), "timestamp": iso(time), "kind": str(kind), "column": str(column), "value": str(value)}
            for row, time, kind, column, value in zip(*columns, strict=True)
        ]

    def to_dict(self, listed: int | None = _LISTED) -> dict[str, Any]:
        """Return the report as plain values for JSON.

        Args:
            listed: Most gaps, faults, outliers and runs to list; None lists them all.
        """
        counts = self.counts()
        return {
            "rows": self.rows, "first": self.first, "last": self.last, "timeframe": self.timeframe,
            "gaps": self.gaps, "missing": self.missing, "longest_gap_bars": self.longest_gap_bars,
            "calendar": self.calendar, "unexpected_gaps": self.unexpected_gaps, "missing_unexpected": self.missing_unexpected,
            "duplicates": counts.get("duplicate", 0), "disorder": counts.get("disorder", 0),
            "bad": self.bad, "bad_by_kind": counts, "bad_bars": self.named_faults(listed),
            "zero_volume": self.zero_volume, "zero_volume_share": self.zero_volume / self.rows, "flat": self.flat,
            "max_move": self.max_move, "outliers": len(self.outliers), "stylised": dict(self.stylised),
            "policy": dict(self.policy), "filled": self.filled, "dropped": self.dropped, "notes": list(self.notes),
            "gap_places": _listed(self.gap_places, listed), "outlier_places": _listed(self.outliers, listed),
            "zero_volume_places": _listed(self.zero_volume_runs, listed), "flat_places": _listed(self.flat_runs, listed),
        }  # fmt: skip


def measure(bars: pd.DataFrame, timeframe: Timeframe, now: datetime) -> QualityReport:
    """Check a frame that has the needed columns and at least one bar with a time; see `quality.check_bars`."""
    times = timestamps_ms(bars)
    found = find_faults(bars, times, timeframe, now)
    placed = np.ones(len(bars), dtype=bool)
    placed[found.loc[found["kind"].isin(UNPLACED_KINDS), "row"].to_numpy(np.int64)] = False
    on_grid, rows = _in_order(times, placed)
    closes = bars["close"].to_numpy(np.float64)
    without_volume = bars["volume"].to_numpy(np.float64) == 0.0
    flat = _flat(bars)
    timed = times[times != NO_TIME]
    return QualityReport(
        rows=len(bars),
        first=iso_ms(int(timed.min())),
        last=iso_ms(int(timed.max())),
        timeframe=timeframe.label,
        bad_bars=found,
        gap_places=_gaps(on_grid, timeframe),
        zero_volume=int(without_volume.sum()),
        flat=int(flat.sum()),
        max_move=_max_move(closes[rows]),
        notes=(
            *cast("list[str]", bars.attrs.get("notes", [])),
            *_clock_notes(timed, timeframe),
            *_open_notes(timed, timeframe, now),
        ),
        outliers=find_outliers(on_grid, closes[rows], timeframe.milliseconds),
        zero_volume_runs=find_runs(on_grid, without_volume[rows]),
        flat_runs=find_runs(on_grid, flat[rows]),
        stylised=_stylised(bars, found, rows),
    )


def iso(time: Any) -> str:
    """Return a timestamp as ISO 8601 UTC in whole seconds; a missing one in words."""
    return "no time" if pd.isna(time) else iso_ms(int(pd.Timestamp(time).to_datetime64().astype("datetime64[ms]").astype(np.int64)))


def _in_order(times: np.ndarray, placed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct times that have a place, ascending, and the first row of each."""
    if placed.all() and (np.diff(times) > 0).all():
        return times, np.arange(len(times))
    kept = np.flatnonzero(placed)
    distinct, first = np.unique(times[kept], return_index=True)
    return distinct, kept[first]


def _flat(bars: pd.DataFrame) -> np.ndarray:
    opens, *others = (bars[name].to_numpy(np.float64) for name in PRICE_COLUMNS)
    same = np.ones(len(opens), dtype=bool)
    for values in others:
        same &= values == opens
    return same


def _stylised(bars: pd.DataFrame, found: pd.DataFrame, rows: np.ndarray) -> dict[str, Any]:
    from seawall.market.synthetic.facts import stylised_facts

    faulty = np.zeros(len(bars), dtype=bool)
    faulty[found.loc[found["kind"] != "disorder", "row"].to_numpy(np.int64)] = True
    sound = rows[~faulty[rows]]
    if len(sound) < _LEAST_FOR_FACTS:
        return {}
    untouched = len(sound) == len(bars) and not len(found)
    return dict(stylised_facts(bars if untouched else bars.iloc[sound].reset_index(drop=True)))


def _clock_notes(times: np.ndarray, timeframe: Timeframe) -> list[str]:
    # Bars of a day or less start at midnight or a whole multiple after it; longer ones start on any day.
    clock = usual_clock(times, timeframe)
    if clock != EVEN:
        return [f"bars open by the clock of {clock}, so that they open at other hours of UTC in summer than in winter"]
    phase = usual_phase(times, min(timeframe.milliseconds, _MS_PER_DAY))
    if phase == 0:
        return []
    return [f"all bars open {phase / 60_000:g} minutes after a whole {timeframe.label} in UTC: the time zone may be wrong"]


def _open_notes(times: np.ndarray, timeframe: Timeframe, now: datetime) -> list[str]:
    # Made bars count as checked at the opening of their last one: of them, none is open.
    moment = now.timestamp() * 1_000
    begun = times[times <= moment]
    last = int(begun.max()) if begun.size else 0
    end = last + timeframe.milliseconds
    if not last < moment < end:
        return []
    return [f"the bar that opened at {iso_ms(last)} ends after now, at {iso_ms(end)}: it may still change"]


def _gaps(on_grid: np.ndarray, timeframe: Timeframe) -> pd.DataFrame:
    missing = np.diff(wall_times(on_grid, usual_clock(on_grid, timeframe))) // timeframe.milliseconds - 1
    places = np.flatnonzero(missing > 0)
    return pd.DataFrame({"after": from_milliseconds(on_grid[places]), "missing": missing[places].astype(np.int64)})


def _max_move(closes: np.ndarray) -> float:
    before, after = closes[:-1], closes[1:]
    usable = (before > 0.0) & np.isfinite(before) & np.isfinite(after)
    with np.errstate(over="ignore"):
        moves = np.abs(after[usable] / before[usable] - 1.0)
    return float(moves.max()) if moves.size else 0.0


def _listed(places: pd.DataFrame, most: int | None) -> list[dict[str, Any]]:
    """Return the first lines as plain values, times as ISO 8601."""
    lines = cast("list[dict[str, Any]]", places.iloc[:most].to_dict("records"))
    return [{name: iso(value) if isinstance(value, pd.Timestamp) else value for name, value in line.items()} for line in lines]
