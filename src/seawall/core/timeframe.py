"""Bar lengths and the clock: every timestamp is UTC, and a bar is named by its *opening* time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from seawall.core.errors import ConfigError, DataError

SECONDS_PER_YEAR = 365.25 * 86_400
_LONGEST_SECONDS = 3_650 * 86_400
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class Timeframe:
    """The length of a bar.

    Attributes:
        seconds: Length in seconds.
    """

    seconds: int

    @classmethod
    def parse(cls, text: str) -> Timeframe:
        """Read a label such as ``1m``, ``15m``, ``1h``, ``4h`` or ``1d``.

        Raises:
            ConfigError: The label is not a whole number followed by s, m, h, d or w, or is longer than ten years.
        """
        match = re.fullmatch(r"([1-9]\d{0,8})([smhdw])", text.strip())
        if match is None or int(match[1]) * _UNITS[match[2]] > _LONGEST_SECONDS:
            raise ConfigError(
                f"timeframe {text!r} is not understood; allowed: a whole number and s, m, h, d or w, as in 15m or 1h, "
                "ten years at most"
            )
        return cls(int(match[1]) * _UNITS[match[2]])

    @classmethod
    def infer(cls, timestamps_ms: np.ndarray) -> Timeframe:
        """Take the most frequent step between bars, which gaps do not disturb.

        Args:
            timestamps_ms: Sorted opening times in milliseconds, shape (T,), at least two.

        Raises:
            DataError: Fewer than two distinct times, or a step that is no whole second.
        """
        steps = np.diff(np.asarray(timestamps_ms, dtype=np.int64))
        steps = steps[steps > 0]
        if steps.size == 0:
            raise DataError(f"cannot tell the timeframe of {len(timestamps_ms)} bars; at least two different timestamps are needed")
        values, counts = np.unique(steps, return_counts=True)
        step = int(values[np.argmax(counts)])
        if step % 1_000:
            raise DataError(f"the usual step between bars is {step} ms; allowed: whole seconds")
        return cls(step // 1_000)

    @property
    def milliseconds(self) -> int:
        """Length in milliseconds."""
        return self.seconds * 1_000

    @property
    def label(self) -> str:
        """The shortest label, as in ``15m``."""
        for unit in ("w", "d", "h", "m"):
            if self.seconds % _UNITS[unit] == 0:
                return f"{self.seconds // _UNITS[unit]}{unit}"
        return f"{self.seconds}s"


def moment_ms(text: str) -> int:
    """Read a day or a moment; without a zone it is UTC.

    Args:
        text: ISO 8601, as in 2024-01-31, 2024-01-31T13:00 or 2024-01-31T13:00:00+01:00.

    Returns:
        Milliseconds since 1970.

    Raises:
        ConfigError: The text is no date.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigError(f"{text!r} is no day or time; allowed: ISO 8601 in UTC, as in 2024-01-31 or 2024-01-31T13:00") from error
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(aware.timestamp() * 1_000)


def iso_ms(milliseconds: int) -> str:
    """Return milliseconds since 1970 as ISO 8601 in UTC, to the second, as in 2024-01-31T13:00:00Z."""
    return f"{np.datetime64(milliseconds, 'ms').astype('datetime64[s]')}Z"


def periods_per_year(timestamps_ms: np.ndarray) -> float:
    """Return how many bars this market really has in a year, from its own timestamps.

    Markets with sessions have fewer bars than the calendar would hold, so the count is taken over the span.

    Args:
        timestamps_ms: Sorted opening times in milliseconds, shape (T,).

    Returns:
        Bars per year of 365.25 days, or NaN with fewer than two bars.
    """
    if len(timestamps_ms) < 2:
        return float("nan")
    span = (int(timestamps_ms[-1]) - int(timestamps_ms[0])) / 1_000
    return (len(timestamps_ms) - 1) * SECONDS_PER_YEAR / span
