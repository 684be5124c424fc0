"""A venue in memory, whose answers a test can bend one by one, and fetches from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import BAR_COLUMNS, from_milliseconds, timestamps_ms
from seawall.core.errors import ConfigError
from seawall.core.timeframe import Timeframe
from seawall.market.fetching.fetch import Fetch
from seawall.market.fetching.rules import FetchRules, Patience
from seawall.market.resample import resample

T0 = 1_704_067_200_000
HOUR = Timeframe.parse("1h")
STEP = HOUR.milliseconds
REFERENCE = "listed/AAA/1h"


def hourly(count: int, first: int = 0, absent: tuple[int, ...] = (), seed: int = 0) -> pd.DataFrame:
    """Return `count` hourly bars from the hour `first` after `T0` on, without those of the hours `absent`."""
    random = np.random.default_rng(seed)
    closes = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 1e-3, first + count + 1))), 2)
    opens, closes = closes[:-1], closes[1:]
    volumes = np.round(random.uniform(1.0, 9.0, len(closes)), 3)
    block = np.column_stack([opens, np.maximum(opens, closes) + 1, np.minimum(opens, closes) - 1, closes, volumes])
    bars = pd.DataFrame(block, columns=list(BAR_COLUMNS))
    bars.insert(0, "timestamp", from_milliseconds(T0 + STEP * np.arange(len(block))))
    hours = [hour for hour in range(first, first + count) if hour not in absent]
    return bars.iloc[hours].reset_index(drop=True)


class ListSource:
    """A `BarSource` of one symbol.

    Attributes:
        bars: What the venue has.
        now: Its clock in milliseconds, or None where it has none.
        bend: Takes a page and its number, from 1 on, and returns what is answered, or raises.
        looks_ahead: Whether a page begins at the first bar from its start on, however far; else it covers a page's length of time.
        daily: Whether it has daily bars too.
        by_length: Its bars of other lengths.
        asked: Start and stop of every page, in hours after `T0`.
    """

    name = "listed"

    def __init__(self, bars: pd.DataFrame, page_bars: int = 10, now: int | None = None, looks_ahead: bool = True) -> None:
        self.bars, self.page_bars, self.looks_ahead = bars, page_bars, looks_ahead
        self.now: int | None = int(timestamps_ms(bars)[-1]) + STEP if now is None else now
        self.bend: Callable[[pd.DataFrame, int], pd.DataFrame] = lambda page, number: page
        self.daily = False
        self.asked: list[tuple[float, float]] = []
        self.pause_seconds = 0.0
        self.place = "here"
        self.local_days = False
        self.by_length: dict[Timeframe, pd.DataFrame] = {}

    def provenance(self, symbol: str) -> dict[str, Any]:
        return {"source": "listed", "place": self.place}

    def stored_symbol(self, symbol: str, timeframe: Timeframe) -> str:
        return symbol.replace("/", "")

    def now_ms(self) -> int | None:
        return self.now

    def page(self, symbol: str, timeframe: Timeframe, start_ms: int, stop_ms: int) -> pd.DataFrame:
        self.asked.append(((start_ms - T0) / STEP, (stop_ms - T0) / STEP))
        bars = self.by_length.get(timeframe, self.bars) if timeframe in (HOUR, *self.by_length) else self._daily(timeframe)
        times = timestamps_ms(bars)
        stop = stop_ms if self.looks_ahead else min(stop_ms, start_ms + self.page_bars * timeframe.milliseconds)
        found = bars[(times >= start_ms) & (times < stop)].head(self.page_bars)
        return self.bend(found.reset_index(drop=True), len(self.asked))

    def _daily(self, timeframe: Timeframe) -> pd.DataFrame:
        if not self.daily:
            raise ConfigError(f"listed has no {timeframe.label} bars")
        return resample(self.bars, HOUR, timeframe)[0]


def at(hour: float) -> int:
    """Return the moment that many hours after `T0`, in milliseconds."""
    return int(T0 + hour * STEP)


def rules(source: ListSource, **changes: Any) -> FetchRules:
    """Return rules whose waits take no time; this machine's clock is the venue's unless a test says otherwise."""
    given: dict[str, Any] = {"now_ms": lambda: source.now, "patience": Patience(sleep=lambda _seconds: None)}
    return FetchRules(**{**given, **changes})


def fetched(store, source, start=None, stop=None, told=None, **changes):
    """Fetch the hours from `start` to `stop` after `T0`; `told` gets what the fetch tells."""
    work = Fetch(store, source, (told if told is not None else []).append, rules(source, **changes))
    return work.fetch("AAA", HOUR, None if start is None else at(start), None if stop is None else at(stop))


def updated(store, source, **changes):
    """Update the stored series."""
    return Fetch(store, source, lambda _progress: None, rules(source, **changes)).update(REFERENCE)


def hours(store):
    """Return the stored hours, counted from `T0`."""
    return ((timestamps_ms(store.load(REFERENCE)[0]) - at(0)) // STEP).tolist()


def interrupted(store, source, pages, **changes):
    """Fetch until Ctrl-C comes with a page."""

    def bend(page, number):
        if number > pages:
            raise KeyboardInterrupt
        return page

    source.bend = bend
    with pytest.raises(KeyboardInterrupt):
        fetched(store, source, start=0, **changes)
    source.bend = lambda page, number: page
    source.asked.clear()


def windows(count=400, absent=tuple(range(60, 180)), page_bars=10):
    """A venue that answers by windows, with a hole of many pages."""
    return ListSource(hourly(count, absent=absent), page_bars, looks_ahead=False)
