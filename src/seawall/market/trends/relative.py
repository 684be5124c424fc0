"""Search interest as a raw column of bars: only what was known at a bar's close, and only relative to its own past.

The site scales a download so that its highest value is 100. The level of a value therefore depends on values that came later, and
is never offered. A ratio to, a deviation from, or a change since earlier values of the same download does not depend on that scale.
None of them can repair a seam, where downloads of different scales were laid end to end, as year by year: at a seam each form
jumps, and for `lookback` periods after it compares values of two scales.

============  ====================================================================================================
form          newest known value, against the `lookback` newest known values including itself
============  ====================================================================================================
ratio         divided by their mean; *0 where all are 0: the mean's floor is 0.5, half of the site's smallest unit*
zscore        less their mean, divided by their standard deviation; *0 where all are equal*
change        log ratio to the value known before; *a 0 counts as half of their smallest value above 0; 0 where none is*
============  ====================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.params import Params
from seawall.core.timeframe import Timeframe
from seawall.market.joins import newest_known

TrendsForm = Literal["ratio", "zscore", "change"]
MONTH = "1mo"
MEAN_FLOOR = 0.5
SEAMS_NOTE = "where the download was laid together of pieces of different scales, every form jumps and cannot tell"


class TrendsParams(Params):
    """How search interest becomes a column of bars."""

    form: TrendsForm = Field(default="ratio", description="Past-relative form: ratio, zscore or change; the level is never used")
    lookback: int = Field(default=8, ge=2, le=10_000, description="Known values that the newest is compared with, itself included")


@dataclass(frozen=True, eq=False)
class TrendsSeries:
    """Search interest of one keyword, N values in order of time.

    Attributes:
        keyword: What was searched for.
        period: Usual length of a period, as 1h, 1d, 1w, or 1mo for calendar months.
        starts_ms: Start of each period, milliseconds UTC, int64, shape (N,).
        known_ms: Its end, at which the value is known; ascending, int64, shape (N,).
        values: Interest on the download's own scale, float64, shape (N,); at least 0.
        facts: Where it came from and what was left out; JSON.
    """

    keyword: str
    period: str
    starts_ms: np.ndarray
    known_ms: np.ndarray
    values: np.ndarray
    facts: dict[str, Any]

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self.values)


def attach_trends(
    bars: pd.DataFrame, timeframe: Timeframe, trends: TrendsSeries, form: TrendsForm, lookback: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Give each bar the newest search interest known at its close, in a past-relative form.

    Args:
        bars: A bar frame of T rows, sorted.
        timeframe: Length of a bar.
        trends: Search interest.
        form: What the newest value is turned into.
        lookback: Known values that it is compared with, itself included, at least 2.

    Returns:
        The bars from the first at which the form can be computed, with a float64 column ``trends`` that is known at the bar's
        close; and facts: what was attached, ``cut_bars`` left out at the start, ``stale_bars`` whose newest value was known more
        than two periods before their close, ``possible_seams``, and ``notes`` in plain words on both.

    Raises:
        ConfigError: The bars have a column ``trends`` already, or `lookback` is below 2.
        DataError: No bar has `lookback` values known before its close.
    """
    if "trends" in bars.columns:
        raise ConfigError("the bars have a column trends already; allowed: bars without one")
    if lookback < 2:
        raise ConfigError(f"lookback is {lookback}; allowed: 2 or more")
    closes = timestamps_ms(bars) + timeframe.milliseconds
    newest = newest_known(closes, trends.known_ms)
    ready = newest >= lookback - 1
    if not ready.any():
        raise DataError(
            f"no bar has {lookback} values of {trends.keyword!r} known at its close: {len(trends)} values are known from "
            f"{_iso(trends.known_ms[:1])} to {_iso(trends.known_ms[-1:])}, "
            f"bars close from {_iso(closes[:1])} to {_iso(closes[-1:])}"
        )
    first = int(np.argmax(ready))
    rows = newest[first:]
    kept = bars.iloc[first:].reset_index(drop=True)
    kept["trends"] = past_relative(trends.values, form, lookback)[rows - (lookback - 1)]
    age = closes[first:] - trends.known_ms[rows]
    facts: dict[str, Any] = {
        "keyword": trends.keyword,
        "period": trends.period,
        "form": form,
        "lookback": lookback,
        "cut_bars": first,
        "stale_bars": int((age > 2 * _usual_ms(trends)).sum()),
        "possible_seams": trends.facts.get("possible_seams", []),
        "seams": SEAMS_NOTE,
        "known": "end of its period",
        "last_known": _iso(trends.known_ms[-1:]),
    }
    return kept, {**facts, "notes": _notes(facts, kept, bool(closes[-1] > trends.known_ms[-1] + 2 * _usual_ms(trends)))}


def _notes(facts: dict[str, Any], kept: pd.DataFrame, outlived: bool) -> list[str]:
    """Say where what bars are given is old, or compares values of two scales."""
    named, stale = f"search interest in {facts['keyword']!r}", facts["stale_bars"]
    notes: list[str] = []
    if stale:
        why = f"it ends long before the bars, known at {facts['last_known']}" if outlived else "it has holes"
        notes.append(
            f"{named} is stale in {stale:,} of {len(kept):,} bars, which close more than two periods of {facts['period']} after "
            f"the newest value was known: {why}"
        )
    first, last = (kept["timestamp"].iloc[row].strftime("%Y-%m-%d") for row in (0, -1))
    seams = [day for day in facts["possible_seams"] if first <= day <= last]
    if seams:
        notes.append(
            f"{named} seems laid together of downloads of different scales, at {', '.join(seams)}: from there on, "
            f"{facts['lookback']} values are compared across two scales; allowed instead: one download of the whole time"
        )
    return notes


def past_relative(values: np.ndarray, form: TrendsForm, lookback: int) -> np.ndarray:
    """Compare each value with the values before it; scaling all of them by a constant changes nothing.

    Args:
        values: Search interest in the order in which it became known, float64, shape (N,), at least 0.
        form: As in the module's table.
        lookback: Values compared, L, the newest included; 2..N.

    Returns:
        float64, shape (N − L + 1,): entry i is of value i + L − 1, and depends on values i .. i + L − 1 alone.
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, lookback)
    newest, previous, mean = windows[:, -1], windows[:, -2], windows.mean(axis=1)
    if form == "ratio":
        return newest / np.where(mean > 0.0, mean, MEAN_FLOOR)
    if form == "zscore":
        flat = windows.min(axis=1) == windows.max(axis=1)
        return np.where(flat, 0.0, (newest - mean) / np.where(flat, 1.0, windows.std(axis=1)))
    smallest = np.where(windows > 0.0, windows, np.inf).min(axis=1)
    none = np.isinf(smallest)
    floor = np.where(none, 1.0, smallest / 2.0)
    return np.log(np.where(newest > 0.0, newest, floor) / np.where(previous > 0.0, previous, floor))


def _usual_ms(trends: TrendsSeries) -> int:
    return 31 * 86_400_000 if trends.period == MONTH else Timeframe.parse(trends.period).milliseconds


def _iso(milliseconds: np.ndarray) -> str:
    return "never" if not milliseconds.size else pd.Timestamp(int(milliseconds[0]), unit="ms", tz="UTC").isoformat()
