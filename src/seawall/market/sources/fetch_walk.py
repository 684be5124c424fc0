"""The walk over a venue's history: what to ask for next, and when to believe that there is nothing.

Venues drop rows now and then, answer late, or repeat themselves. So an absent bar is asked for again, together with a bar
that is known to be there: an answer without that bar proves nothing. Only when several answers in a row agree is the hole
taken for one of the venue's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError, TransientError
from seawall.core.timeframe import Timeframe, iso_ms
from seawall.market.sources.fetch_page import Disagreement, Hole, between, holes_of, in_order, merged, no_bars
from seawall.market.sources.protocol import BarSource
from seawall.market.sources.retries import Asker

_Found = TypeVar("_Found")
# 1990-01-01: before the first bar of any venue, and still a date that each of them takes.
_BEGINNING_MS = 631_152_000_000
# Answers that leave out a bar known to be there, before the venue is given up.
_MOST_FAULTY = 12
_DAY = Timeframe.parse("1d")


@dataclass(frozen=True)
class Stretch:
    """What one step of the walk found.

    Attributes:
        bars: The bars from the former cursor to the new one, sorted and unique; there may be none.
        cursor: Opening time of the next bar to ask for, in milliseconds.
        holes: Stretches between bars in which the venue has none.
    """

    bars: pd.DataFrame
    cursor: int
    holes: list[Hole]


class Walk:
    """Walks over one symbol of one venue, forward in time."""

    def __init__(self, source: BarSource, ask: Asker, symbol: str, timeframe: Timeframe, answers: int) -> None:
        """Say what to walk over, and how many answers in a row must agree before a hole is believed."""
        self._source = source
        self._ask = ask
        self._symbol = symbol
        self._timeframe = timeframe
        self._answers = answers
        self._window = source.page_bars * timeframe.milliseconds
        # Whether the venue looks for the next bar beyond an empty stretch of a page's length; None while unknown.
        self._looks_ahead: bool | None = None

    def earliest(self, stop_ms: int, start_ms: int = _BEGINNING_MS) -> int | None:
        """Return the opening time of the venue's earliest bar in a range, or None where none was found.

        A venue that answers by windows of time is searched by halving, over its daily bars first where it has some: so only a
        hole longer than a page of those can hide what lies before it.

        Raises:
            DataError: The venue keeps giving one bar with different values.
            TransientError: The venue could not be asked.
        """
        return self._agreed(lambda: self._earliest(stop_ms, start_ms))

    def _earliest(self, stop_ms: int, start_ms: int) -> int | None:
        page = self._silent_or_not(start_ms, stop_ms)
        if len(page):
            # A bar within the first page's length is no sign: every venue would give it.
            self._looks_ahead = self._looks_ahead or bool(timestamps_ms(page)[0] >= start_ms + self._window) or None
            return self._first_of(page, start_ms)
        newest = max(start_ms, stop_ms - self._window)
        if not len(self._silent_or_not(newest, stop_ms)):
            return None
        self._looks_ahead = False
        low, high = self._near_first_day(start_ms, stop_ms)
        for at in range(low, high, self._window) if high < stop_ms else ():
            page = self._silent_or_not(at, min(at + self._window, high))
            if len(page):
                return self._first_of(page, at)
        return self._by_halving(start_ms, newest, stop_ms)

    def _near_first_day(self, start_ms: int, stop_ms: int) -> tuple[int, int]:
        """Return a stretch in which the first bar lies, as the venue's daily bars tell; the whole range where they do not."""
        if self._timeframe.milliseconds >= _DAY.milliseconds:
            return start_ms, stop_ms
        try:
            days = Walk(self._source, self._ask, self._symbol, _DAY, self._answers)
            first = days.earliest(stop_ms, start_ms - start_ms % _DAY.milliseconds)
        except ConfigError:
            # The venue has no daily bars.
            return start_ms, stop_ms
        if first is None:
            return start_ms, stop_ms
        # A venue's day may begin up to a day before or after the UTC day that its bar is named by.
        return max(start_ms, first - _DAY.milliseconds), min(stop_ms, first + 2 * _DAY.milliseconds)

    def _by_halving(self, silent: int, heard: int, stop_ms: int) -> int:
        """Search between a moment from which a page's length is silent and one from which it is not."""
        while heard - silent > self._window:
            middle = (silent + heard) // 2
            page = self._silent_or_not(middle, min(middle + self._window, stop_ms))
            silent, heard = (silent, middle) if len(page) else (middle, heard)
        page = self._silent_or_not(heard, min(heard + self._window, stop_ms))
        return self._first_of(page, heard) if len(page) else heard

    def _first_of(self, page: pd.DataFrame, start_ms: int) -> int:
        """Return the opening time of the first bar, once enough answers agree that none is before it."""
        first = int(timestamps_ms(page)[0])
        agreed, faulty = 1, 0
        while agreed < self._answers:
            times = timestamps_ms(self._page(start_ms, first + self._timeframe.milliseconds))
            if not len(times):
                faulty += 1
                self._refuse_silence(faulty, first)
            elif times[0] < first:
                first, agreed = int(times[0]), 1
            else:
                agreed += 1
        return first

    def step(self, cursor: int, stop_ms: int, before: pd.DataFrame) -> Stretch:
        """Ask for the bars that open in ``cursor <= t < stop_ms``, as many as one page holds.

        Args:
            cursor: Opening time of the first bar wanted.
            stop_ms: Opening time that the walk ends before.
            before: The latest bar before the cursor, one row or none.

        Raises:
            DataError: The venue keeps giving one bar with different values.
            TransientError: The venue could not be asked, or keeps answering with other bars than those asked for.
        """
        return self._agreed(lambda: self._step(cursor, stop_ms, before))

    def _agreed(self, look: Callable[[], _Found]) -> _Found:
        for left in reversed(range(self._answers)):
            try:
                return look()
            except Disagreement as found:
                if not left:
                    raise DataError(
                        f"{self._source.name} gives two different values of one {self._timeframe.label} bar of {self._symbol} "
                        f"when asked {self._answers} times: {found}; nothing was stored; "
                        "try again later, or leave the bar out with --end"
                    ) from found
        raise AssertionError("a walk asks at least once")

    def _step(self, cursor: int, stop_ms: int, before: pd.DataFrame) -> Stretch:
        page = self._page(cursor, stop_ms)
        if not len(page) and not len(before):
            first = self._earliest(stop_ms, cursor)
            if first != cursor:
                return Stretch(no_bars(), self._silent_until(cursor, stop_ms) if first is None else first, [])
            page = self._known_page(cursor, stop_ms)
        elif not len(page):
            end = self._silent_until(cursor, stop_ms)
            page = self._asked_again(page, before, cursor, (cursor, end))
            if not len(page):
                return Stretch(page, end, [])
        times = timestamps_ms(page)
        if times[0] >= cursor + self._window:
            self._looks_ahead = True
        found = holes_of(times, cursor, self._timeframe)
        if found:
            page = self._asked_again(page, before, cursor, (found[0][0], found[-1][1]))
            times = timestamps_ms(page)
        holes = holes_of(times, cursor, self._timeframe)
        # What lies before the first bar of all is no hole.
        kept = [hole for hole in holes if len(before) or hole[0] != cursor]
        return Stretch(page, int(times[-1]) + self._timeframe.milliseconds, kept)

    def _known_page(self, cursor: int, stop_ms: int) -> pd.DataFrame:
        """Return the page that begins with a bar that the venue gave before."""
        for times in range(1, _MOST_FAULTY + 1):
            page = self._page(cursor, stop_ms)
            if len(page):
                return page
            self._refuse_silence(times + 1, cursor)
        raise AssertionError("a page is asked for at least once")

    def _asked_again(self, page: pd.DataFrame, before: pd.DataFrame, cursor: int, silent: Hole) -> pd.DataFrame:
        """Ask for the silent stretch until enough answers agree; return the page with what they brought."""
        known = merged(before, page)
        times = timestamps_ms(known)
        earlier = times[times < silent[0]]
        ask_from = int(earlier[-1]) if len(earlier) and silent[0] - earlier[-1] < self._window else silent[0]
        agreed = faulty = 0
        while agreed < self._answers:
            answer = self._page(ask_from, silent[1])
            times = timestamps_ms(known)
            due = times[(times >= ask_from) & (times < min(silent[1], ask_from + self._window))]
            left_out = due[~np.isin(due, timestamps_ms(answer))]
            grown = merged(known, answer)
            agreed = 0 if len(grown) > len(known) else agreed + (not len(left_out))
            if len(left_out):
                faulty += 1
                self._refuse_silence(faulty, int(left_out[0]))
            known = grown
            times = timestamps_ms(known)
            if len(answer) and not holes_of(times[times >= cursor], cursor, self._timeframe) and len(times[times >= cursor]):
                break
        return between(known, cursor, int(timestamps_ms(known)[-1]) + 1) if len(known) else known

    def _refuse_silence(self, times: int, left_out_ms: int) -> None:
        if times > _MOST_FAULTY:
            raise TransientError(
                f"{self._source.name} keeps leaving out the bar {iso_ms(left_out_ms)} of {self._symbol}, which it gave "
                f"before: a hole next to it cannot be told from a fault",
                kind="malformed",
            )

    def _silent_until(self, cursor: int, stop_ms: int) -> int:
        """Return how far an empty answer reaches: to the end, where the venue looks for the next bar beyond a page's length."""
        if self._looks_ahead is None:
            self._looks_ahead = len(self._page(_BEGINNING_MS, stop_ms)) > 0
        return stop_ms if self._looks_ahead else min(stop_ms, cursor + self._window)

    def _silent_or_not(self, start_ms: int, stop_ms: int) -> pd.DataFrame:
        page = no_bars()
        for _ in range(self._answers):
            page = self._page(start_ms, stop_ms)
            if len(page):
                break
        return page

    def _page(self, start_ms: int, stop_ms: int) -> pd.DataFrame:
        def question() -> pd.DataFrame:
            answer = in_order(self._source.page(self._symbol, self._timeframe, start_ms, stop_ms))
            times = timestamps_ms(answer)
            if len(times) and times[-1] < start_ms:
                raise TransientError(
                    f"{self._source.name} answers a question for bars of {self._symbol} from {iso_ms(start_ms)} on with bars "
                    f"from {iso_ms(int(times[0]))} to {iso_ms(int(times[-1]))}",
                    kind="malformed",
                )
            return between(answer, start_ms, stop_ms)

        return self._ask(question)
