"""Fetching a series: from a venue's pages to checked bars in the store, whole or not at all, and resumable at any moment."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError, TransientError, disk_errors
from seawall.core.timeframe import Timeframe, iso_ms
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.fetching.ask import slack
from seawall.market.fetching.clock import Clock, read_clock
from seawall.market.fetching.held import Held, bad_bars_policy, fetched_from, joined
from seawall.market.fetching.page import holes_of
from seawall.market.fetching.partial import remove_covered
from seawall.market.fetching.retries import Asker
from seawall.market.fetching.rules import FetchProgress, FetchRules, SeriesName
from seawall.market.fetching.segment import SegmentFetch
from seawall.market.sources.protocol import BarSource
from seawall.market.storage.store import Imported, Store

__all__ = ["Fetch", "FetchProgress", "FetchRules"]

# A year of minutes of a stock has tens of thousands; all of them can be told from the bars.
_MOST_HOLES = 100
# No market is closed for so long.
_LATE_MS = 7 * 86_400_000


@dataclass
class _Gathered:
    """All bars that a series will have, and how they were had."""

    bars: pd.DataFrame
    covered_from: int | None
    notes: list[str]


class Fetch:
    """Fetches series of one source into one store."""

    def __init__(
        self, store: Store, source: BarSource, on_progress: Callable[[FetchProgress], None], rules: FetchRules | None = None
    ) -> None:
        """Say from where to where, whom to tell of progress, and by which rules."""
        self._store = store
        self._source = source
        self._rules = rules or FetchRules()
        self._on_progress = on_progress
        self._shown = FetchProgress(0, 0, "")
        self._ask = Asker(self._rules.patience, source.pause_seconds, lambda note: self._tell(note, waiting=True))

    def fetch(self, symbol: str, timeframe: Timeframe, start_ms: int | None = None, stop_ms: int | None = None) -> Imported:
        """Fetch the closed bars that open in ``start_ms <= t < stop_ms``.

        What the store has already is not fetched again; the bars between what is stored and what is asked for are fetched too,
        so that a series has no hole of our own making. A fetch that ended early goes on where it ended.

        Args:
            symbol: In the venue's words, as in ``BTC/USDT``.
            timeframe: Length of a bar.
            start_ms: Milliseconds since 1970, or None for the earliest bar that the venue has.
            stop_ms: Milliseconds since 1970, or None for now.

        Raises:
            ConfigError: The venue knows no such symbol or bar length, the range is empty, or bars from files have that name.
            DataError: The venue has no bars there or contradicts itself, bars are bad, or the disk is full.
            TransientError: The venue failed for now, or another process writes the series; run again to go on.
        """
        stored = self._ask(lambda: self._source.stored_symbol(symbol, timeframe))
        series = SeriesName(symbol, stored, timeframe)
        with self._locked(series):
            held = None if self._rules.overwrite else Held.read(self._store, self._source.name, series)
            return self._fetch(series, held, start_ms, stop_ms)

    def update(self, reference: str) -> Imported:
        """Add the bars that have closed since a series was stored.

        The latest stored bars are read again and compared: where the venue has changed its mind, nothing is added.

        Args:
            reference: As in ``binance/BTCUSDT/1h``.

        Raises:
            ConfigError: The series was not fetched from this source.
            DataError: There is no such series, or the venue's bars differ from the stored ones.
            TransientError: The venue failed for now, or another process writes the series; run again to go on.
        """
        _, manifest = self._store.load(reference)
        symbol = str(fetched_from(manifest, reference)["symbol"])
        if manifest["source"] != self._source.name:
            raise ConfigError(f"{reference} is of source {manifest['source']}, not of {self._source.name}: update it from there")
        series = SeriesName(symbol, str(manifest["symbol"]), Timeframe.parse(str(manifest["timeframe"])))
        self._rules = replace(self._rules, overwrite=False, bad_bars=bad_bars_policy(manifest))
        with self._locked(series):
            held = Held.read(self._store, self._source.name, series)
            return self._fetch(series, held, None if held is None else held.start, None)

    @contextmanager
    def _locked(self, series: SeriesName) -> Generator[None]:
        names = (self._source.name, series.stored, series.timeframe.label)
        with self._store.lock(*names):
            try:
                yield
            except TransientError as error:
                kept = self._store.partial(*names).exists()
                hint = "what was fetched is kept, and the same command goes on from there" if kept else "run the same command again"
                raise TransientError(f"{error}; {hint}", kind=error.kind, retry_after=error.retry_after) from error

    def _fetch(self, series: SeriesName, held: Held | None, start_ms: int | None, stop_ms: int | None) -> Imported:
        clock = self._ask(lambda: read_clock(self._source, self._rules.now_ms))
        if clock.note:
            # Said first: where nothing seems to have closed, it says why.
            self._tell(clock.note)
        # Where days follow a local clock, one of them has 25 hours.
        closed = clock.closed_before(series.timeframe) - slack(self._source, series.timeframe)
        stop = closed if stop_ms is None else min(stop_ms, closed)
        if start_ms is not None and start_ms >= stop:
            raise ConfigError(
                f"no {series.timeframe.label} bar of {series.symbol} that opens from {iso_ms(start_ms)} on and before "
                f"{iso_ms(stop)} has closed; allowed: an earlier start, or a later end"
            )
        if held is not None and not _before(start_ms, held.start) and stop <= held.stop:
            remove_covered(self._partial(series), held.start, held.stop)
            return Imported(held.folder, "unchanged", held.manifest)
        gathered = self._gather(series, held, (start_ms, stop), clock)
        _note_late_first_bar(gathered, self._source.name, series)
        if clock.venue_ms is None and not clock.settled(stop):
            _drop_newest(gathered, held)
        for note in gathered.notes:
            self._tell(note)
        if clock.note:
            gathered.notes.append(clock.note)
        return self._import(series, gathered, clock, stop, replaces=held is not None or self._rules.overwrite)

    def _gather(self, series: SeriesName, held: Held | None, span: tuple[int | None, int], clock: Clock) -> _Gathered:
        start, stop = span
        settled = clock.settled_before
        keep_until = stop if clock.venue_ms is not None else settled
        segment = SegmentFetch(self._source, self._ask, self._rules, series, keep_until, settled, self._show)
        partial = self._partial(series)
        if held is None:
            found = segment.fetch(partial / "whole", start, stop)
            return _Gathered(found, start, [])
        count = self._rules.overlap_bars
        gathered = _Gathered(held.bars, held.start, [])
        if _before(start, held.start):
            first, last = int(timestamps_ms(held.bars)[0]), held.first_bars(count)
            found = segment.fetch(partial / "before", start, last + series.timeframe.milliseconds)
            with _not_taken_up_again(partial / "before"):
                gathered = _Gathered(joined(held, found, (first, last), series), start, [])
        if stop > held.stop:
            first, last = held.last_bars(count), int(timestamps_ms(held.bars)[-1])
            found = segment.fetch(partial / "after", first, stop)
            known, across = replace(held, bars=gathered.bars), self._rules.across_gap
            with _not_taken_up_again(partial / "after"):
                gathered.bars = joined(known, found, (first, last), series, across_gap=across)
        return gathered

    def _import(self, series: SeriesName, gathered: _Gathered, clock: Clock, stop: int, *, replaces: bool) -> Imported:
        partial, label = self._partial(series), series.timeframe.label
        if not len(gathered.bars):
            _remove(partial)
            raise DataError(
                f"{self._source.name} has no closed {label} bar of {series.symbol} before {iso_ms(stop)} in the range asked for; "
                "allowed: another range, or --start where the venue's history ended long ago"
            )
        policy = QualityParams(gaps="bridge", bad_bars=self._rules.bad_bars)
        now = datetime.fromtimestamp(clock.now_ms / 1_000, UTC)
        try:
            bars, report = apply_quality(gathered.bars, policy, series.timeframe, now=now)
        except DataError as error:
            raise DataError(
                f"{series.symbol} {label} of {self._source.name}: {error}; delete {partial} to ask for it anew"
            ) from error
        done = self._store.import_bars(
            bars, report, source=self._source.name, symbol=series.stored, origin=f"{self._source.name} {series.stored} {label}",
            provenance=self._provenance(series, gathered, clock, stop), overwrite=replaces,
        )  # fmt: skip
        _remove(partial)
        return done

    def _provenance(self, series: SeriesName, gathered: _Gathered, clock: Clock, stop: int) -> dict[str, Any]:
        begins = gathered.covered_from
        last = int(timestamps_ms(gathered.bars)[-1]) + series.timeframe.milliseconds
        # A bar that the venue has not published yet may come: what is recent is covered as far as there are bars.
        ends = max(last, stop) if clock.settled(stop) else last
        times = np.unique(timestamps_ms(gathered.bars))
        found = holes_of(times, int(times[0]), series.timeframe, slack(self._source, series.timeframe))
        longest = sorted(sorted(found, key=lambda hole: hole[0] - hole[1])[:_MOST_HOLES])
        return {
            **self._source.provenance(series.symbol),
            "symbol": series.symbol,
            "covered": {"from": None if begins is None else iso_ms(begins), "to": iso_ms(ends)},
            "fetched_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "confirmed_holes": len(found),
            "holes": [{"from": iso_ms(first), "to": iso_ms(end)} for first, end in longest],
            "notes": gathered.notes,
        }

    def _partial(self, series: SeriesName) -> Path:
        return self._store.partial(self._source.name, series.stored, series.timeframe.label)

    def _show(self, progress: FetchProgress) -> None:
        self._shown = replace(progress, note="", waiting=False)
        self._on_progress(progress)

    def _tell(self, note: str, *, waiting: bool = False) -> None:
        self._show(replace(self._shown, note=note, waiting=waiting))


def _before(start: int | None, other: int | None) -> bool:
    """Say whether a start lies before another; None is the venue's earliest bar."""
    return other is not None and (start is None or start < other)


def _note_late_first_bar(gathered: _Gathered, venue: str, series: SeriesName) -> None:
    """Note it where a venue's bars begin long after the start that was asked for: some venues keep their newest ones alone."""
    first, start = timestamps_ms(gathered.bars)[:1], gathered.covered_from
    if start is not None and len(first) and first[0] - start > _LATE_MS:
        gathered.notes.append(
            f"bars from {iso_ms(start)} on were asked for, but {venue} has none of {series.symbol} before {iso_ms(int(first[0]))}"
        )


def _drop_newest(gathered: _Gathered, held: Held | None) -> None:
    """Leave the newest bar out: no clock but this machine's says that it has closed."""
    newest = timestamps_ms(gathered.bars)[-1:]
    if len(newest) and (held is None or newest[0] > timestamps_ms(held.bars)[-1]):
        gathered.bars = gathered.bars.iloc[:-1]
        gathered.notes.append("the venue has no clock to ask: its newest bar was left out, since it may be open still")


@contextmanager
def _not_taken_up_again(pages: Path) -> Generator[None]:
    """Delete pages that do not join: the venue may have put its bars right by the next call."""
    try:
        yield
    except DataError:
        _remove(pages)
        raise


def _remove(partial: Path) -> None:
    import shutil

    with disk_errors(partial):
        if partial.exists():
            shutil.rmtree(partial)
