"""When markets are open, so that a bar that is missing by plan is told from one that is lost.

==============  ==========================================================================================================
name            open
==============  ==========================================================================================================
24/7            always
fx              Sunday 17:00 to Friday 17:00; not for Christmas and New Year's Day
metals          Sunday 18:00 to Friday 17:00 with a break from 17:00 to 18:00; not on New Year, Good Friday and Christmas; until
                14:30 on other US holidays (13:00 before 2022), until 13:45 on Christmas Eve and after Thanksgiving
us_indices      as metals, but until 13:00 on US holidays and until 13:15 on the eves on which stock exchanges close early
cfd_indices     as us_indices, but until 16:00 on Fridays, as several brokers quote them
another name    regular hours, early closes and holidays as exchange_calendars has them: XNYS, XNAS, XLON, CMES, …
==============  ==========================================================================================================

The hours of the named ones are New York's. A session belongs to the day on which it ends, from the evening before. Closures that no
rule foresees (mourning, storms, faults) are not in the named ones. What a calendar says of a date is known beforehand.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError
from seawall.core.timeframe import Timeframe
from seawall.market.hours import holidays

Spans = tuple[np.ndarray, np.ndarray]
_DAY_MS = 86_400_000
_NEW_YORK = "America/New_York"
# The longest closure of a named calendar is shorter.
_PAD_DAYS = 7


@dataclass(frozen=True)
class Calendar:
    """When one market is open.

    Attributes:
        name: As in the table of the module, or a name of exchange_calendars.
        sessions: Gives the sessions that meet a range of milliseconds: starts and ends, int64, ascending.
    """

    name: str
    sessions: Callable[[int, int], Spans]

    def spans(self, first_ms: int, last_ms: int) -> Spans:
        """Return the times at which the market is open, half-open, touching sessions joined.

        Args:
            first_ms: Start of the range, milliseconds since 1970.
            last_ms: End of the range; a span that reaches over an end of it is given whole, or cut there.

        Returns:
            Starts and ends in milliseconds, int64, ascending and apart from each other.
        """
        starts, ends = self.sessions(first_ms, last_ms)
        apart = starts[1:] > ends[:-1]
        return starts[np.append(True, apart)[: len(starts)]], ends[np.append(apart, True)[: len(ends)]]

    def open_mask(self, times_ms: np.ndarray, timeframe: Timeframe) -> np.ndarray:
        """Say during which bars the market is open, for the whole bar or a part of it.

        Args:
            times_ms: Opening times of bars in milliseconds, int64, shape (T,), in any order.
            timeframe: Length of a bar.

        Returns:
            bool, shape (T,).
        """
        return self._meets(np.asarray(times_ms, dtype=np.int64), timeframe.milliseconds)

    def is_open(self, times_ms: np.ndarray) -> np.ndarray:
        """Say at which moments the market is open: milliseconds, int64, shape (T,); bool, shape (T,)."""
        return self._meets(np.asarray(times_ms, dtype=np.int64), 1)

    def _meets(self, times: np.ndarray, length: int) -> np.ndarray:
        if not times.size:
            return np.zeros(0, dtype=bool)
        starts, ends = self.spans(int(times.min()), int(times.max()) + length)
        if not starts.size:
            return np.zeros(len(times), dtype=bool)
        following = np.searchsorted(ends, times, side="right")
        return (following < len(ends)) & (starts[np.minimum(following, len(starts) - 1)] < times + length)

    def expected(self, first_ms: int, last_ms: int, timeframe: Timeframe) -> np.ndarray:
        """Return the opening times of the bars that the market should have.

        Args:
            first_ms: Opening time of a bar, on whose grid the others lie.
            last_ms: Latest opening time to return.
            timeframe: Length of a bar.

        Returns:
            Opening times in milliseconds, int64, ascending, from `first_ms` to `last_ms`: those of `open_mask`.
        """
        lows, highs = self._open_bars(first_ms, last_ms + timeframe.milliseconds, timeframe, first_ms)
        count = max((last_ms - first_ms) // timeframe.milliseconds + 1, 0)
        lows, highs = np.clip(lows, 0, count), np.clip(highs, 0, count)
        lengths = highs - lows
        within = np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return first_ms + (np.repeat(lows, lengths) + within) * timeframe.milliseconds

    def count_open(self, first_ms: np.ndarray, n_bars: np.ndarray, timeframe: Timeframe) -> np.ndarray:
        """Count, in runs of consecutive bars, those during which the market is open.

        Args:
            first_ms: Opening time of the first bar of each run, int64, shape (N,), all on one grid.
            n_bars: Bars of each run, int64, shape (N,).
            timeframe: Length of a bar.

        Returns:
            Open bars of each run, int64, shape (N,).
        """
        if not len(first_ms):
            return np.zeros(0, dtype=np.int64)
        origin, length = int(first_ms[0]), timeframe.milliseconds
        lows, highs = self._open_bars(int(first_ms.min()), int((first_ms + n_bars * length).max()), timeframe, origin)
        until = np.concatenate(([0], np.cumsum(highs - lows)))

        def before(bar: np.ndarray) -> np.ndarray:
            run = np.searchsorted(lows, bar, side="right")
            inside = np.minimum(bar, np.append(highs, 0)[run - 1]) - np.append(lows, 0)[run - 1]
            return np.where(run > 0, until[np.maximum(run - 1, 0)] + inside, 0)

        start = (first_ms - origin) // length
        return before(start + n_bars) - before(start)

    def _open_bars(self, first_ms: int, last_ms: int, timeframe: Timeframe, origin: int) -> Spans:
        """Runs of bars, counted from `origin`, that meet an open span: first and one past the last; no bar is in two runs."""
        starts, ends = self.spans(first_ms, last_ms)
        length = timeframe.milliseconds
        lows, highs = (starts - origin) // length, -((origin - ends) // length)
        if len(lows):
            lows[1:] = np.maximum(lows[1:], highs[:-1])
        return lows, highs


def calendar(name: str) -> Calendar:
    """Return the calendar of a name.

    Raises:
        ConfigError: Neither Seawall nor exchange_calendars has it.
    """
    if name in _NAMED:
        return Calendar(name, _NAMED[name])
    known = _exchange_names()
    if name in known:
        return Calendar(name, lambda first, last: _exchange_sessions(name, first, last))
    near = difflib.get_close_matches(name, (*_NAMED, *known), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ";"
    raise ConfigError(f"calendar {name!r} is unknown{hint} allowed: {', '.join(_NAMED)}, or an exchange as in XNYS, XLON, CMES")


def classify_gaps(gap_places: pd.DataFrame, timeframe: Timeframe, market: Calendar) -> pd.DataFrame:
    """Tell the missing bars of each gap apart: the market was closed, or bars are lost.

    Args:
        gap_places: Columns ``after`` and ``missing``, as `seawall.market.checks.quality.QualityReport` has them.
        timeframe: Length of a bar.
        market: When the market is open.

    Returns:
        The gaps with the columns ``expected`` (bars missing while the market was closed) and ``unexpected`` (bars missing although
        it was open), int64; their sum is ``missing``.
    """
    missing = gap_places["missing"].to_numpy(np.int64)
    lost = market.count_open(
        timestamps_ms(gap_places.rename(columns={"after": "timestamp"})) + timeframe.milliseconds, missing, timeframe
    )
    return gap_places.assign(expected=missing - lost, unexpected=lost)


def gap_facts(gap_places: pd.DataFrame, times_ms: np.ndarray, timeframe: Timeframe, market: Calendar) -> dict[str, Any]:
    """Sum up how well a calendar explains a series.

    Args:
        gap_places: Gaps as the quality report has them.
        times_ms: Opening times of the bars that are there, int64, shape (T,).
        timeframe: Length of a bar.
        market: When the market is open.

    Returns:
        ``calendar``, ``gaps``, ``explained_gaps`` (none of their bars is lost), ``explained_share`` (of the gaps; 1 without gaps),
        ``missing_closed``, ``missing_open`` (bars) and ``bars_while_closed`` (bars that are there although the market is closed).
    """
    table = classify_gaps(gap_places, timeframe, market)
    explained = int((table["unexpected"] == 0).sum())
    return {
        "calendar": market.name,
        "gaps": len(table),
        "explained_gaps": explained,
        "explained_share": explained / len(table) if len(table) else 1.0,
        "missing_closed": int(table["expected"].sum()),
        "missing_open": int(table["unexpected"].sum()),
        "bars_while_closed": int((~market.open_mask(times_ms, timeframe)).sum()),
    }


def _always(first_ms: int, last_ms: int) -> Spans:
    return np.array([first_ms], dtype=np.int64), np.array([max(last_ms, first_ms + 1)], dtype=np.int64)


def _currencies(first_ms: int, last_ms: int) -> Spans:
    days = _trading_days(first_ms, last_ms, holidays.CLOSED_CURRENCIES)
    return _utc(days, np.full(len(days), -7 * 60)), _utc(days, np.full(len(days), 17 * 60))


def _metals(first_ms: int, last_ms: int) -> Spans:
    days = _trading_days(first_ms, last_ms, holidays.CLOSED)
    closes = np.full(len(days), 17 * 60)
    midday = np.where(days < np.datetime64("2022-01-01"), 13 * 60, 14 * 60 + 30)
    closes = np.where(_falls(days, holidays.MIDDAY), midday, closes)
    closes = np.where(_falls(days, holidays.EVES), 13 * 60 + 45, closes)
    return _utc(days, np.full(len(days), -6 * 60)), _utc(days, closes)


def _us_indices(first_ms: int, last_ms: int, friday_close: int = 17 * 60) -> Spans:
    days = _trading_days(first_ms, last_ms, holidays.CLOSED)
    closes = np.where(_weekday(days) == 4, friday_close, 17 * 60)
    closes = np.where(_falls(days, holidays.STOCK_EVES), 13 * 60 + 15, closes)
    closes = np.where(_falls(days, holidays.MIDDAY), 13 * 60, closes)
    return _utc(days, np.full(len(days), -6 * 60)), _utc(days, closes)


def _cfd_indices(first_ms: int, last_ms: int) -> Spans:
    return _us_indices(first_ms, last_ms, friday_close=16 * 60)


_NAMED: dict[str, Callable[[int, int], Spans]] = {
    "24/7": _always,
    "fx": _currencies,
    "metals": _metals,
    "us_indices": _us_indices,
    "cfd_indices": _cfd_indices,
}


def _trading_days(first_ms: int, last_ms: int, closed: Any) -> np.ndarray:
    """Mondays to Fridays around a range that are not closed, ``datetime64[D]``."""
    days = np.arange(first_ms // _DAY_MS - _PAD_DAYS, last_ms // _DAY_MS + _PAD_DAYS + 1).astype("datetime64[D]")
    return days[(_weekday(days) < 5) & ~_falls(days, closed)]


def _weekday(days: np.ndarray) -> np.ndarray:
    # 1970-01-01 was a Thursday.
    return (days.astype(np.int64) + 3) % 7


def _falls(days: np.ndarray, rules: Any) -> np.ndarray:
    return np.isin(days, holidays.dates(rules, days[0], days[-1]))


def _utc(days: np.ndarray, minutes: np.ndarray) -> np.ndarray:
    """UTC milliseconds of New York times: minutes after (or before) a day's midnight. No clock changes at these hours."""
    local = days.astype("datetime64[m]") + minutes.astype("timedelta64[m]")
    moments = pd.DatetimeIndex(local.astype("datetime64[ms]")).tz_localize(_NEW_YORK)
    return moments.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)


def _exchange_names() -> list[str]:
    import exchange_calendars  # pyright: ignore[reportMissingTypeStubs]

    return list(exchange_calendars.get_calendar_names())


def _exchange_sessions(name: str, first_ms: int, last_ms: int) -> Spans:
    first, last = (np.datetime64(moment, "ms").astype("datetime64[Y]").astype(int) + 1970 for moment in (first_ms, last_ms))
    starts, ends = _exchange_years(name, int(first), int(last))
    low, high = np.searchsorted(ends, first_ms, side="right"), np.searchsorted(starts, last_ms, side="left")
    return starts[low:high], ends[low:high]


@lru_cache(maxsize=16)
def _exchange_years(name: str, first: int, last: int) -> Spans:
    try:
        # Sessions may begin the evening before; where the calendar ends with a year, it is taken as far as it goes.
        known = _schedule(name, f"{first - 1}-12-01", f"{last + 1}-01-31")
    except ValueError:
        try:
            known = _schedule(name, f"{first}-01-01", f"{last}-12-31")
        except ValueError as error:
            said = " ".join(str(error).split())
            raise ConfigError(f"calendar {name!r} does not reach from {first} to {last}: {said}; allowed: another") from error
    table = known.schedule
    times = {column: _nat_safe(table[column]) for column in ("open", "break_start", "break_end", "close")}
    paused = times["break_start"] != np.iinfo(np.int64).min
    starts = np.concatenate((times["open"], times["break_end"][paused]))
    ends = np.concatenate((np.where(paused, times["break_start"], times["close"]), times["close"][paused]))
    return np.sort(starts), np.sort(ends)


def _schedule(name: str, start: str, end: str) -> Any:
    import exchange_calendars  # pyright: ignore[reportMissingTypeStubs]

    try:
        return exchange_calendars.get_calendar(name, start=start, end=end)
    except NotImplementedError as error:
        raise ConfigError(f"calendar {name!r} cannot be computed by the installed exchange_calendars; allowed: another") from error


def _nat_safe(column: Any) -> np.ndarray:
    return pd.DatetimeIndex(column).tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
