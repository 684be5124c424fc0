"""Longer bars from shorter ones: open of the first, highest high, lowest low, close of the last, amounts summed.

Longer bars open at whole multiples of their length after 1970-01-01 00:00 UTC; weeks open on Mondays at 00:00 UTC. A longer bar is
known at its opening time plus its own length, when the last of its shorter bars has closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS, from_milliseconds, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe, iso_ms

_LISTED = 100
_WEEK_MS = 604_800_000
# 1970-01-01 was a Thursday: the first Monday came four days later.
_FIRST_MONDAY_MS = 4 * 86_400_000


def resample(
    bars: pd.DataFrame, timeframe: Timeframe, to: Timeframe, *, partial: Literal["keep", "drop"] = "keep"
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Make longer bars out of shorter ones.

    The first longer bar is left out where the data starts within it, the last where its last shorter bar is not there: an
    unfinished bar is never made. Resampling in steps (5m to 15m to 1h) gives the same bars as at once (5m to 1h); only where bars
    are missing beside an end that was left out, the later step leaves out one more there.

    Args:
        bars: A bar frame of T rows, sorted and unique, as `seawall.market.checks.quality.apply_quality` passed it; gaps are
            allowed.
        timeframe: Length of its bars.
        to: Length of the bars to make: a whole multiple, at least two.
        partial: What to do with a longer bar of which shorter ones are missing inside. keep: make it of those that are there, and
            count it; drop: leave it out.

    Returns:
        The longer bars with the columns of the shorter ones, known at open + `to`. Volume, quote volume, trades and taker volumes
        are summed, ``trends`` is the last value. And the facts: ``from``, ``to``, ``rows_in``, ``rows_out``, ``dropped_first`` and
        ``dropped_last`` (opening time of the longer bar left out at that end, or None), ``partial`` (the setting),
        ``partial_bars`` (longer bars with shorter ones missing), ``partial_places`` (the first hundred of them) and ``known``.

    Raises:
        ConfigError: `to` is no whole multiple of `timeframe` above one.
        DataError: Bars are unsorted, repeated or off the grid, or there is not one finished longer bar.
    """
    times = timestamps_ms(bars)
    cut = longer_bars(times, timeframe, to)
    full = cut.counts == to.milliseconds // timeframe.milliseconds
    kept = cut.whole if partial == "keep" else cut.whole & full
    if not kept.any():
        raise DataError(f"{len(times)} bars of {timeframe.label} hold no finished bar of {to.label}; more bars are needed")
    facts: dict[str, Any] = {
        "from": timeframe.label,
        "to": to.label,
        "rows_in": len(times),
        "rows_out": int(kept.sum()),
        "dropped_first": iso_ms(int(cut.opens[0])) if cut.first_cut else None,
        "dropped_last": iso_ms(int(cut.opens[-1])) if cut.last_cut else None,
        "partial": partial,
        **_partial_facts(cut.opens[cut.whole & ~full], cut.counts[cut.whole & ~full], to.milliseconds // timeframe.milliseconds),
        "known": f"open + {to.label}",
    }
    columns = {name: bars[name].to_numpy(np.float64) for name in (*BAR_COLUMNS, *OPTIONAL_COLUMNS) if name in bars.columns}
    made = {name: values[kept] for name, values in aggregated(columns, cut).items()}
    return pd.DataFrame({"timestamp": from_milliseconds(cut.opens[kept]), **made}), facts


@dataclass(frozen=True)
class LongerBars:
    """How bars fall into longer ones; arrays have one entry for each longer bar that they touch.

    Attributes:
        opens: Opening times in milliseconds since 1970, int64.
        starts: Row of the first bar in each, int64.
        counts: Bars in each, int64.
        first_cut: Whether the first bar is not the one that opens its longer bar.
        last_cut: Whether the last bar is not the one that closes its longer bar.
    """

    opens: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    first_cut: bool
    last_cut: bool

    @property
    def ends(self) -> np.ndarray:
        """Row of the last bar in each, int64."""
        return self.starts + self.counts - 1

    @property
    def whole(self) -> np.ndarray:
        """Which lie between the ends of the bars, bool; bars may be missing inside."""
        inner = np.ones(len(self.opens), dtype=bool)
        inner[:1] &= not self.first_cut
        inner[-1:] &= not self.last_cut
        return inner


def longer_bars(times: np.ndarray, timeframe: Timeframe, to: Timeframe) -> LongerBars:
    """Find how bars fall into longer ones.

    Args:
        times: Opening times in milliseconds since 1970, int64, shape (T,), at least one.
        timeframe: Length of the bars.
        to: Length of the longer bars.

    Raises:
        ConfigError, DataError: As `resample`.
    """
    _refuse_lengths(timeframe, to)
    _refuse_times(times, timeframe)
    opens = times - (times - grid_phase(to)) % to.milliseconds
    starts = np.flatnonzero(np.concatenate(([True], opens[1:] != opens[:-1])))
    counts = np.diff(np.append(starts, len(times)))
    last_cut = bool(times[-1] != opens[-1] + to.milliseconds - timeframe.milliseconds)
    return LongerBars(opens[starts], starts, counts, bool(times[0] != opens[0]), last_cut)


def aggregated(columns: Mapping[str, np.ndarray], cut: LongerBars) -> dict[str, np.ndarray]:
    """Return raw columns of the longer bars: of open, high, low, close, the amounts, which are summed, and trends, the last value.

    Args:
        columns: Raw columns of the bars, float64, shape (T,) each.
        cut: How the bars fall into longer ones.
    """
    made = {
        "open": columns["open"][cut.starts],
        "high": np.maximum.reduceat(columns["high"], cut.starts),
        "low": np.minimum.reduceat(columns["low"], cut.starts),
        "close": columns["close"][cut.ends],
    }
    for name in ("volume", *OPTIONAL_COLUMNS):
        if name in columns:
            # Search interest is a level, the others are amounts.
            made[name] = columns[name][cut.ends] if name == "trends" else np.add.reduceat(columns[name], cut.starts)
    return made


def grid_phase(timeframe: Timeframe) -> int:
    """Return how many milliseconds after 1970-01-01 00:00 UTC the grid of a bar length starts: weeks start on Monday."""
    return _FIRST_MONDAY_MS if timeframe.milliseconds % _WEEK_MS == 0 else 0


def _partial_facts(opens: np.ndarray, counts: np.ndarray, whole: int) -> dict[str, Any]:
    places = [
        {"open": iso_ms(int(open_ms)), "bars": int(count), "of": whole}
        for open_ms, count in zip(opens[:_LISTED], counts[:_LISTED], strict=True)
    ]
    return {"partial_bars": len(opens), "partial_places": places}


def _refuse_lengths(timeframe: Timeframe, to: Timeframe) -> None:
    step, length = timeframe.milliseconds, to.milliseconds
    if length <= step or length % step:
        raise ConfigError(
            f"bars of {timeframe.label} cannot make bars of {to.label}; allowed: a whole multiple of {timeframe.label} above it"
        )
    if (grid_phase(to) - grid_phase(timeframe)) % step:
        raise ConfigError(
            f"bars of {timeframe.label} do not meet the Monday on which bars of {to.label} open; allowed: bars that divide a day"
        )


def _refuse_times(times: np.ndarray, timeframe: Timeframe) -> None:
    if not times.size:
        raise DataError(f"there are no bars of {timeframe.label} to resample")
    wrong = np.flatnonzero(np.diff(times) <= 0)
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"row {row + 1} at {iso_ms(int(times[row + 1]))} does not come after row {row} at {iso_ms(int(times[row]))} "
            f"({wrong.size} such rows); allowed: sorted bars, each time once"
        )
    off = np.flatnonzero((times - grid_phase(timeframe)) % timeframe.milliseconds)
    if off.size:
        raise DataError(
            f"row {off[0]} at {iso_ms(int(times[off[0]]))} is off the grid of {timeframe.label} ({off.size} of {len(times)} rows); "
            f"allowed: opening times at whole multiples of {timeframe.label} in UTC, weeks on Monday"
        )
