"""What every venue's answers have in common: their time, how long they ask to be left alone, and rows that become bars."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import from_milliseconds
from seawall.core.errors import TransientError

LONGEST_WAIT_SECONDS = 31 * 86_400.0


class VenueClock:
    """A venue's time, read off the ``Date`` of its answers, so that a wrong clock of this machine does no harm.

    The header has whole seconds and was written before the answer arrived: the time is never ahead of the venue's own.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        """Start without a time.

        Args:
            seconds: A clock that only runs forward.
        """
        self._seconds = seconds
        self._noted: tuple[int, float] | None = None

    def note(self, headers: Mapping[str, str]) -> None:
        """Take the time from an answer's headers; one without a date changes nothing."""
        moment = _http_date(headers.get("Date", ""))
        if moment is not None:
            self._noted = int(moment.timestamp() * 1_000), self._seconds()

    def now_ms(self) -> int | None:
        """Return the venue's time in milliseconds since 1970, or None before its first answer."""
        if self._noted is None:
            return None
        moment_ms, noted_at = self._noted
        return moment_ms + int((self._seconds() - noted_at) * 1_000)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds a venue asks to be left alone.

    Args:
        headers: Of the answer: ``Retry-After`` in seconds or as a date, or ``X-RateLimit-Reset`` in seconds since 1970. A date
            is compared with the answer's own ``Date``, not with this machine's clock.

    Returns:
        Seconds from 0 to a month; None where nothing, or nothing sensible, is asked for.
    """
    asked = headers.get("Retry-After", "").strip()
    sent = _http_date(headers.get("Date", "")) or datetime.now(UTC)
    until = _http_date(asked)
    if until is not None:
        return _sensible((until - sent).total_seconds())
    seconds = _sensible(_number(asked))
    return seconds if seconds is not None else _sensible(_number(headers.get("X-RateLimit-Reset", "")) - sent.timestamp())


def bars_of(venue: str, rows: Any, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a venue's rows as a bar frame, in the order in which they came.

    Args:
        venue: For the message.
        rows: One mapping a bar: numbers, and the time as ISO 8601 text or as milliseconds since 1970.
        names: Venue's name of each value, to the bar frame's; one of them is ``timestamp``. Other values are dropped.

    Raises:
        TransientError: A row is no mapping, or lacks a value, or a value is neither a number nor a time.
    """
    try:
        table = pd.DataFrame({new: pd.Series([row[old] for row in rows], dtype=object) for old, new in names.items()})
        frame = table.drop(columns="timestamp").astype(np.float64)
        frame.insert(0, "timestamp", _times(table["timestamp"]))
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise TransientError(
            f"{venue} sent a page of bars that cannot be read ({type(error).__name__})", kind="malformed"
        ) from None
    if bool(frame.isna().to_numpy().any()):
        raise TransientError(f"{venue} sent a page of bars with empty values", kind="malformed")
    return frame


def _times(column: Any) -> Any:
    if all(type(value) is int for value in column):
        return from_milliseconds(column.to_numpy(np.int64))
    if not all(isinstance(value, str) for value in column):
        raise TypeError("a time is neither text nor a whole number")
    parse: Any = pd.to_datetime
    return parse(column, utc=True, format="ISO8601").astype("datetime64[ms, UTC]")


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _sensible(seconds: float) -> float | None:
    return max(0.0, seconds) if seconds <= LONGEST_WAIT_SECONDS else None
