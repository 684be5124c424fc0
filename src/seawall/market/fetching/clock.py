"""Which bars have closed: the venue's clock and this machine's are both asked, and the earlier one counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seawall.core.timeframe import Timeframe
from seawall.market.sources.protocol import BarSource

_TOLD_FROM_MS = 5_000
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Clock:
    """One look at both clocks.

    Attributes:
        venue_ms: The venue's, in milliseconds since 1970; None where it has none to ask.
        machine_ms: This machine's.
    """

    venue_ms: int | None
    machine_ms: int

    @property
    def now_ms(self) -> int:
        """The earlier of the two."""
        return self.machine_ms if self.venue_ms is None else min(self.venue_ms, self.machine_ms)

    @property
    def note(self) -> str:
        """One line where the clocks are more than five seconds apart, else empty."""
        ahead = 0 if self.venue_ms is None else self.machine_ms - self.venue_ms
        if abs(ahead) <= _TOLD_FROM_MS:
            return ""
        way = "ahead of" if ahead > 0 else "behind"
        return f"this machine's clock is {abs(ahead) / 1_000:.0f} s {way} the venue's: only bars closed by both were taken"

    def closed_before(self, timeframe: Timeframe) -> int:
        """Return the opening time, in milliseconds, before which every bar has closed."""
        return self.now_ms - timeframe.milliseconds + 1

    @property
    def settled_before(self) -> int:
        """The moment, a day ago, before which nothing will be added, nor can a wrong clock reach it."""
        return self.now_ms - _DAY_MS

    def settled(self, at_ms: int) -> bool:
        """Say whether a moment is a day ago or more."""
        return at_ms <= self.settled_before


def read_clock(source: BarSource, machine_now_ms: Callable[[], int]) -> Clock:
    """Look at both clocks.

    Raises:
        TransientError: The venue could not be asked.
    """
    # This machine's is read first: time that the answer takes must not make a bar look closed.
    machine = machine_now_ms()
    return Clock(source.now_ms(), machine)
