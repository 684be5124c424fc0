"""How far ahead a column looks, and how near: by the single bars that change a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from seawall.evaluation.leaks.blocks import CallError
from seawall.evaluation.leaks.search import LOSS, Computed, Search, Witness, changed_rows
from seawall.evaluation.leaks.worlds import WORDS, World

_VALUES = ("another", "wild", "up", "down", "still", "busy")
_LEAST_SPAN = 20


@dataclass(frozen=True)
class Reach:
    """How far ahead a column was seen to look.

    Attributes:
        farthest: The farthest bar that matters to a row, in bars after it.
        nearest: The nearest bar that alone changes a row, or None where none does alone.
        to_the_end: Whether it looks as far as the data goes.
        values: Whether the values of later bars matter, rather than their number or times.
    """

    farthest: int
    nearest: int | None
    to_the_end: bool
    values: bool


def reach(compute: Computed, world: World, found: Search, column: str, allowed: int = 0) -> Reach:
    """Measure how far a column looks, at the row where it was caught and at some others."""
    caught = found.seen[column]
    rows = [caught.row, *(max(caught.row + 1, len(world) * part // 8) for part in (2, 4, 6))]
    offsets: list[int] = []
    alone: list[int] = []
    ends = values = False
    for row in dict.fromkeys(row for row in rows if row + allowed + 1 < len(world)):
        at = _Row(compute, world, found, column, row)
        for how in dict.fromkeys((caught.how, *_VALUES)):
            if not at.changes(row + allowed + 1, how):
                continue
            far = _last(partial(at.changes, how=how), row + allowed + 1, len(world) - 1) - row
            near = None
            if how in _VALUES:
                values = True
                stop = _first(partial(at.changes, row + 1, how), row + 2, len(world))
                near = None if stop is None else stop - 1 - row
            offsets.append(far)
            alone += [] if near is None else [near]
            ends |= _reaches_the_end(far, near, len(world) - 1 - row, len(world))
    return Reach(max([1, *offsets, *alone]), min(alone, default=None), ends, values)


@dataclass(frozen=True)
class _Row:
    compute: Computed
    world: World
    found: Search
    column: str
    row: int

    def changes(self, cut: int, how: str, stop: int | None = None) -> bool:
        """Say whether the row changes where bars from `cut` on, up to `stop`, are altered."""
        try:
            seen = self.compute(self.world.altered(cut, how, stop))
        except CallError:
            return False
        return self.column in changed_rows(self.found.full, seen, slice(self.row, self.row + 1), LOSS.get(how, 1.0))


def _reaches_the_end(far: int, near: int | None, left: int, rows: int) -> bool:
    # A quantile of the whole sample ignores the last bars, where they are few; a shift by many bars needs one of them alone.
    most = 2 * left >= rows - 2 and 2 * far >= left and (near is None or near < far)
    return (most or far >= left - 1) and far > _LEAST_SPAN


def _last(holds: Callable[[int], bool], first: int, last: int) -> int:
    """Return the last number at which something holds that holds at the first one and, once it ends, does not come back."""
    if holds(last):
        return last
    low, high = first, last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _first(holds: Callable[[int], bool], first: int, last: int) -> int | None:
    """Return the first number at which something holds that, once it does, goes on; None where it never does."""
    if not holds(last):
        return None
    low, high = first - 1, last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def told(column: str, caught: Witness, measured: Reach, world: World, allowed: int = 0) -> str:
    """Return what was seen of a column, in a sentence."""
    where = f"{column} at row {caught.row} ({world.time(caught.row)})"
    seen = f"{where} changes when the bars from row {caught.cut} on are {WORDS[caught.how]}"
    declared = f", {allowed} declared" if allowed else ""
    if not measured.values:
        return f"{seen}: it depends on where the data ends, how many bars there are, or when they open{declared}"
    if measured.to_the_end:
        return f"{seen}: it looks to the end of the data{declared}"
    bars = "bar" if measured.farthest == 1 else "bars"
    return f"{seen}: it looks {measured.farthest} {bars} ahead{declared}"
