"""The walk over a venue's history: what to ask for next, and when to believe that there is nothing.

Venues drop rows now and then, answer late, or repeat themselves. So an absent bar is asked for again, together with bars
that are known to be there: an answer without those proves nothing. Only when several answers in a row agree is the hole
taken for one of the venue's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import DataError
from seawall.market.fetching.ask import BEGINNING_MS, Questions
from seawall.market.fetching.page import Disagreement, Hole, between, holes_of, merged, no_bars
from seawall.market.fetching.search import first_bar

_Found = TypeVar("_Found")
Holes = list[Hole]


@dataclass(frozen=True)
class Stretch:
    """What one step of the walk found.

    Attributes:
        bars: The bars from the former cursor to the new one, sorted and unique; there may be none.
        cursor: Moment from which to ask on, in milliseconds; every bar before it is known.
    """

    bars: pd.DataFrame
    cursor: int


class Walk:
    """Walks over one series of one venue, forward in time."""

    def __init__(self, questions: Questions) -> None:
        """Say what is asked, and how many answers in a row must agree before a hole is believed."""
        self._questions = questions

    def earliest(self, stop_ms: int) -> int | None:
        """Return the opening time of the venue's earliest bar before a moment, or None where none was found.

        Raises:
            DataError: The venue keeps giving one bar with different values.
            TransientError: The venue could not be asked.
        """
        return self._agreed(lambda: first_bar(self._questions, BEGINNING_MS, stop_ms))

    def step(self, cursor: int, stop_ms: int, before: pd.DataFrame) -> Stretch:
        """Ask for the bars that open in ``cursor <= t < stop_ms``, as many as one page holds.

        Args:
            cursor: Moment from which bars are wanted.
            stop_ms: Moment that the walk ends before.
            before: The latest bar before the cursor, one row or none.

        Raises:
            DataError: The venue keeps giving one bar with different values.
            TransientError: The venue could not be asked, or keeps answering with other bars than those asked for.
        """
        return self._agreed(lambda: self._step(cursor, stop_ms, before))

    def _agreed(self, look: Callable[[], _Found]) -> _Found:
        asked = self._questions
        for left in reversed(range(asked.answers)):
            try:
                return look()
            except Disagreement as found:
                if not left:
                    raise DataError(
                        f"{asked.source.name} gives two different values of one {asked.timeframe.label} bar of {asked.symbol} "
                        f"when asked {asked.answers} times: {found}; nothing was stored; "
                        "try again later, or leave the bar out with --end"
                    ) from found
        raise AssertionError("a walk asks at least once")

    def _step(self, cursor: int, stop_ms: int, before: pd.DataFrame) -> Stretch:
        asked = self._questions
        page = asked.page(cursor, stop_ms)
        if not len(before) and (not len(page) or timestamps_ms(page)[0] > cursor):
            # Where the venue's history begins after the cursor, its answer may begin even later.
            first = first_bar(asked, cursor, stop_ms)
            if first != cursor:
                return Stretch(no_bars(), asked.silent_until(cursor, stop_ms) if first is None else first)
            page = asked.known(cursor, stop_ms)
        known = merged(before, page)
        if len(page):
            known = self._confirmed(known, self._holes(known, cursor, int(timestamps_ms(page)[-1])))
        else:
            end = asked.silent_until(cursor, stop_ms)
            known = self._confirmed(known, [(cursor, end)])
            if timestamps_ms(known)[-1] < cursor:
                return Stretch(no_bars(), end)
        last = int(timestamps_ms(known)[-1])
        return Stretch(between(known, cursor, last + 1), last + asked.step_ms - asked.slack)

    def _holes(self, known: pd.DataFrame, first: int, last: int) -> Holes:
        times = timestamps_ms(known)
        return holes_of(times[(times >= first) & (times <= last)], first, self._questions.timeframe, self._questions.slack)

    def _confirmed(self, known: pd.DataFrame, holes: Holes) -> pd.DataFrame:
        """Ask for what is absent until enough answers agree that it is; return what is known with what they brought."""
        pending = [holes]
        while pending:
            group = pending.pop()
            if group:
                known, rest = self._settled(known, group)
                pending.extend(rest)
        return known

    def _settled(self, known: pd.DataFrame, group: Holes) -> tuple[pd.DataFrame, list[Holes]]:
        """Ask about some holes; return what is known then, and the holes that are to be asked about still."""
        asked = self._questions
        start, end = self._around(known, group)
        if end - start > asked.window and not asked.looks_ahead(end):
            return (known, _halves(group)) if len(group) > 1 else self._by_windows(known, group[0])
        agreed = faulty = 0
        while agreed < asked.answers:
            answer = asked.page(start, end)
            grown = merged(known, answer)
            if len(grown) > len(known):
                return grown, [self._holes(grown, group[0][0], group[-1][1])]
            times = timestamps_ms(known)
            due = times[(times >= start) & (times < end)]
            left_out = due[~np.isin(due, timestamps_ms(answer))]
            if not len(left_out):
                agreed += 1
            elif len(group) > 1 and faulty:
                return known, _halves(group)
            else:
                faulty += 1
                asked.refuse_silence(faulty, int(left_out[0]))
        return known, []

    def _around(self, known: pd.DataFrame, group: Holes) -> tuple[int, int]:
        """Return the holes' stretch with the bars on either side, where those are known and near enough for one page."""
        first, last = group[0][0], group[-1][1]
        times = timestamps_ms(known)
        earlier = times[times < first]
        start = int(earlier[-1]) if len(earlier) and first - earlier[-1] < self._questions.window else first
        return start, last + 1 if last in times else last

    def _by_windows(self, known: pd.DataFrame, hole: Hole) -> tuple[pd.DataFrame, list[Holes]]:
        """Ask about a hole longer than a page, a page's length at a time."""
        for at in range(hole[0], hole[1], self._questions.window):
            page = self._questions.heard(at, min(at + self._questions.window, hole[1]))
            if len(page):
                grown = merged(known, page)
                return grown, [self._holes(grown, hole[0], hole[1])]
        return known, []


def _halves(group: Holes) -> list[Holes]:
    middle = len(group) // 2
    return [group[:middle], group[middle:]]
