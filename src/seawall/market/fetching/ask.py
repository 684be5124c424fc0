"""Asking a venue for bars of one series: one page, a page until it is not silent, and whether the venue looks ahead."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import TransientError
from seawall.core.timeframe import Timeframe, iso_ms
from seawall.market.fetching.page import between, in_order, no_bars
from seawall.market.fetching.retries import Asker
from seawall.market.sources.protocol import BarSource

# 1990-01-01: before the first bar of any venue, and still a date that each of them takes.
BEGINNING_MS = 631_152_000_000
_HOUR_MS = 3_600_000
# Answers that leave out a bar known to be there, before the venue is given up.
_MOST_FAULTY = 12
# How much nearer each further start is to the end of a range whose own start a venue evades.
_NEARER = 4


def slack(source: BarSource, timeframe: Timeframe) -> int:
    """Return by how many milliseconds a bar may be longer or shorter than its length, as its venue's clock is changed."""
    return _HOUR_MS if source.local_days and timeframe.milliseconds > _HOUR_MS else 0


@dataclass
class Questions:
    """Questions for bars of one symbol and length.

    Attributes:
        source: The venue.
        ask: How it is asked.
        symbol: In the venue's words.
        timeframe: Length of a bar.
        answers: Answers in a row that must agree before silence is believed.
        settled_ms: Moment up to which the venue may be asked to see how it answers, whatever range is wanted.
        evaded: Whether the latest answer held bars, and none of those asked for: some venues give their newest bars to a start
            before their first.
    """

    source: BarSource
    ask: Asker
    symbol: str
    timeframe: Timeframe
    answers: int
    settled_ms: int
    evaded: bool = field(default=False, init=False)
    _looks_ahead: bool | None = field(default=None, init=False)

    @property
    def step_ms(self) -> int:
        """Length of a bar in milliseconds."""
        return self.timeframe.milliseconds

    @property
    def window(self) -> int:
        """Milliseconds that a page reaches over where no bar is missing."""
        return self.source.page_bars * self.step_ms

    @property
    def slack(self) -> int:
        """How much earlier than a bar's length after it the next one may open."""
        return slack(self.source, self.timeframe)

    def page(self, start_ms: int, stop_ms: int) -> pd.DataFrame:
        """Return the bars of one answer that open in ``start_ms <= t < stop_ms``, sorted and each of them once.

        Raises:
            Disagreement: The answer holds a bar twice, with different values.
            TransientError: The venue could not be asked, or keeps answering with bars from before the range.
        """

        def question() -> pd.DataFrame:
            answer = in_order(self.source.page(self.symbol, self.timeframe, start_ms, stop_ms))
            times = timestamps_ms(answer)
            if len(times) and times[-1] < start_ms:
                raise TransientError(
                    f"{self.source.name} answers a question for bars of {self.symbol} from {iso_ms(start_ms)} on with bars "
                    f"from {iso_ms(int(times[0]))} to {iso_ms(int(times[-1]))}",
                    kind="malformed",
                )
            asked_for = between(answer, start_ms, stop_ms)
            self.evaded = len(asked_for) == 0 < len(answer)
            return asked_for

        return self.ask(question)

    def heard(self, start_ms: int, stop_ms: int) -> pd.DataFrame:
        """Return the first answer with bars in it; an empty one after enough answers were empty.

        Where a venue evades the start, it is asked from nearer ones: the first bar of such an answer need not be the range's.
        """
        page = self.heard_from(start_ms, stop_ms)
        reach = stop_ms - start_ms
        while not len(page) and self.evaded and reach > self.step_ms:
            reach = max(self.step_ms, reach // _NEARER)
            page = self.page(stop_ms - reach, stop_ms)
        return page

    def heard_from(self, start_ms: int, stop_ms: int) -> pd.DataFrame:
        """Return the first answer with bars in it; an empty one after enough answers were empty, evaded if all were evasive."""
        page, evaded = no_bars(), True
        for _ in range(self.answers):
            page = self.page(start_ms, stop_ms)
            evaded = evaded and self.evaded
            if len(page):
                break
        self.evaded = evaded
        return page

    def known(self, start_ms: int, stop_ms: int) -> pd.DataFrame:
        """Return a page that is known to hold bars.

        Raises:
            TransientError: The venue keeps leaving them out.
        """
        for times in range(1, _MOST_FAULTY + 2):
            page = self.page(start_ms, stop_ms)
            if len(page):
                return page
            self.refuse_silence(times, start_ms)
        raise AssertionError("silence is refused before")

    def refuse_silence(self, times: int, left_out_ms: int) -> None:
        """Give the venue up where it has left out a bar that it gave before too often.

        Raises:
            TransientError: It has.
        """
        if times > _MOST_FAULTY:
            raise TransientError(
                f"{self.source.name} keeps leaving out the bar {iso_ms(left_out_ms)} of {self.symbol}, which it gave "
                f"before: a hole next to it cannot be told from a fault",
                kind="malformed",
            )

    def looks_ahead(self, stop_ms: int) -> bool:
        """Say whether an answer begins with the first bar from its start on, however far; else it covers a page's length of time.

        The venue is asked for bars from long before the first one, as often as answers must agree, and then for one before those
        that it gave. A venue that gives none, or its newest ones, is taken for one of windows, which costs time and never a bar.
        """
        if self._looks_ahead is None:
            stop = max(stop_ms, self.settled_ms)
            pages = [page for _ in range(self.answers) if len(page := self.page(BEGINNING_MS, stop))]
            self._looks_ahead = len(pages) == self.answers and not self._heard_before(pages)
        return self._looks_ahead

    def _heard_before(self, pages: list[pd.DataFrame]) -> bool:
        first = min(int(timestamps_ms(page)[0]) for page in pages)
        return len(self.heard(first - self.window, first)) > 0

    def answers_by_windows(self) -> None:
        """Note that the venue has been seen not to look ahead."""
        self._looks_ahead = False

    def silent_until(self, cursor: int, stop_ms: int) -> int:
        """Return how far silence from a moment on reaches.

        That is to the end only where the venue looks ahead and its newest page is silent too; else a page's length.
        """
        if self.looks_ahead(stop_ms):
            newest = max(cursor, stop_ms - self.window)
            if newest == cursor or not len(self.heard(newest, stop_ms)):
                return stop_ms
            self.answers_by_windows()
        return min(stop_ms, cursor + self.window)
