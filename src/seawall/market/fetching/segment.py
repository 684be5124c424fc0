"""One stretch of history from the first page to the last, kept on disk as it arrives."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from seawall.core.files import digest
from seawall.core.timeframe import iso_ms
from seawall.market.fetching.ask import Questions
from seawall.market.fetching.page import between, no_bars
from seawall.market.fetching.partial import Partial
from seawall.market.fetching.retries import Asker
from seawall.market.fetching.rules import FetchProgress, FetchRules, SeriesName
from seawall.market.fetching.walk import Stretch, Walk
from seawall.market.sources.protocol import BarSource


@dataclass(frozen=True)
class SegmentFetch:
    """Fetches stretches of one series.

    Attributes:
        source: The venue.
        ask: How it is asked.
        rules: What a fetch may do.
        series: What is fetched.
        keep_until: Moment after which nothing is kept on disk before the stretch is whole: what is there may be open still.
        settled_ms: Moment before which nothing is open, nor will be added.
        on_progress: Told after every page.
    """

    source: BarSource
    ask: Asker
    rules: FetchRules
    series: SeriesName
    keep_until: int
    settled_ms: int
    on_progress: Callable[[FetchProgress], None]

    def fetch(self, folder: Path, start_ms: int | None, stop_ms: int) -> pd.DataFrame:
        """Fetch the bars that open in ``start_ms <= t < stop_ms``; go on from what an earlier run left in the folder.

        Returns:
            Bars, sorted and unique; there may be none.

        Raises:
            DataError: The venue contradicts itself, or the disk is full. What was fetched is kept.
            TransientError: The venue failed for now. What was fetched is kept.
        """
        walk = Walk(
            Questions(self.source, self.ask, self.series.symbol, self.series.timeframe, self.rules.answers, self.settled_ms)
        )
        partial = Partial(folder, self._identity(), start_ms)
        # Told, but not stored: a fetch that was stopped and gone on with leaves the same as one that was not.
        if partial.damage:
            self.on_progress(FetchProgress(0, 0, "", partial.damage))
        if partial.cursor is not None:
            taken_up = f"an earlier fetch had got to {iso_ms(partial.cursor)}: its {partial.rows} bars were taken up"
            self.on_progress(FetchProgress(partial.rows, 0, "", taken_up))
        cursor = partial.cursor if partial.cursor is not None else start_ms
        if cursor is None:
            cursor = walk.earliest(stop_ms)
        if cursor is None:
            return no_bars()
        rest = self._walk(walk, partial, cursor, stop_ms)
        bars = _joined([partial.bars() if partial.rows else no_bars(), rest])
        return between(bars, -(2**62) if start_ms is None else start_ms, stop_ms)

    def _walk(self, walk: Walk, partial: Partial, cursor: int, stop_ms: int) -> pd.DataFrame:
        """Walk to the end; return the bars that were not kept on disk."""
        expected = partial.rows + max(0, -((cursor - stop_ms) // self.series.timeframe.milliseconds))
        last, done = partial.last, partial.rows
        waiting: list[Stretch] = []
        kept_at = -float("inf")
        try:
            while cursor < stop_ms:
                found = walk.step(cursor, stop_ms, last)
                waiting.append(found)
                cursor = found.cursor
                done += len(found.bars)
                last = found.bars.tail(1) if len(found.bars) else last
                self.on_progress(FetchProgress(done, expected, iso_ms(cursor)))
                if len(waiting) >= self.rules.part_pages or time.monotonic() - kept_at > self.rules.part_seconds:
                    self._keep(partial, waiting)
                    kept_at = time.monotonic()
        finally:
            self._keep(partial, waiting)
        return _joined([stretch.bars for stretch in waiting])

    def _keep(self, partial: Partial, waiting: list[Stretch]) -> None:
        """Keep the stretches that end early enough, and leave the others waiting."""
        settled = [stretch for stretch in waiting if stretch.cursor <= self.keep_until]
        if settled:
            partial.keep(_joined([stretch.bars for stretch in settled]), settled[-1].cursor)
            del waiting[: len(settled)]

    def _identity(self) -> dict[str, str]:
        # Another version of the client is the same venue.
        told = {name: value for name, value in self.source.provenance(self.series.symbol).items() if name != "client"}
        return {
            "source": self.source.name,
            "provenance": digest(told),
            "symbol": self.series.stored,
            "timeframe": self.series.timeframe.label,
        }


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [bars for bars in parts if len(bars)]
    return pd.concat(filled, ignore_index=True) if filled else no_bars()
