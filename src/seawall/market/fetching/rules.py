"""How a fetch behaves: how patient it is, how sure it wants to be, and what it tells while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from seawall.core.interrupts import pause
from seawall.core.timeframe import Timeframe


@dataclass(frozen=True)
class FetchProgress:
    """How far a fetch is.

    Attributes:
        done_bars: Bars held so far, those of an earlier run that ended early too.
        expected_bars: Bars that the whole range would hold without a hole; 0 while that is unknown.
        at: Opening time of the next bar to ask for, ISO 8601 UTC; empty where there is none yet.
        note: A remark in plain words, as on a wait; empty for a page that arrived.
        waiting: Whether the note is on a wait, and of no interest when that is over.
    """

    done_bars: int
    expected_bars: int
    at: str
    note: str = ""
    waiting: bool = False


@dataclass(frozen=True)
class SeriesName:
    """A series in the venue's words and in the store's.

    Attributes:
        symbol: In the venue's words, as in ``BTC/USDT``.
        stored: In the store's, as in ``BTCUSDT``.
        timeframe: Length of a bar.
    """

    symbol: str
    stored: str
    timeframe: Timeframe


@dataclass(frozen=True)
class Patience:
    """How often and how slowly a failed question is asked again.

    Attributes:
        tries: Questions in a row that may fail before the fetch stops.
        first_wait: Seconds before the second try; each further wait is twice as long.
        longest_wait: Most seconds between two tries, where the venue names none.
        longest_ban: Most seconds that a venue may ask to be left alone; the fetch stops at a longer wish.
        seed: Seed of the random part of each wait, which keeps many clients from asking at once.
        sleep: What waits.
    """

    tries: int = 8
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_ban: float = 900.0
    seed: int = 0
    sleep: Callable[[float], None] = pause


def machine_now_ms() -> int:
    """Return this machine's clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class FetchRules:
    """What a fetch may do.

    Attributes:
        overwrite: Fetch anew and replace what is stored, instead of adding to it.
        bad_bars: refuse: a bad bar stops the fetch before anything is stored; drop: bad bars are set aside.
        across_gap: Add bars although the venue no longer reaches back to those that are stored; the gap between is kept.
        answers: Answers in a row that must agree before a hole in the venue's history, or two values of one bar, are believed.
        overlap_bars: Stored bars that are read again where new bars join them.
        part_pages: Pages that are held in memory before they are kept on disk.
        part_seconds: Most seconds that pages are held in memory.
        patience: How a failed question is asked again.
        now_ms: This machine's clock, in milliseconds since 1970.
    """

    overwrite: bool = False
    bad_bars: Literal["refuse", "drop"] = "refuse"
    across_gap: bool = False
    answers: int = 3
    overlap_bars: int = 10
    part_pages: int = 20
    part_seconds: float = 1.0
    patience: Patience = field(default_factory=Patience)
    now_ms: Callable[[], int] = machine_now_ms
