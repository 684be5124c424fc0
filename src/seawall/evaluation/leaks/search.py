"""Truncate and poison the future, and compare the past: which columns change, and at which row first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from seawall.core.bars import timestamps_ms
from seawall.core.errors import DataError
from seawall.core.seeding import generator
from seawall.evaluation.leaks.blocks import Block, CallError, differing
from seawall.evaluation.leaks.worlds import HUGE, MISSING, World

Computed = Callable[[World], Block]
_FIRST_CUTS = 12
_DENSE_CUTS = 260
_DENSE_FROM = 100
_DRAWN_CUTS = 10
_EVEN_CUTS = 128
_ANCHOR_BARS = 4_096
# Sums over values a million times as large lose six digits.
LOSS = {HUGE: 1e3}
_SPARSE = ("removed", "another", "wild", "up", "down", "still", "busy", "later", HUGE, MISSING)
_DENSE = (("another", "up"), ("another", "down"), ("another", "still"), ("busy", "later"))


@dataclass(frozen=True)
class Witness:
    """A row that changed with its future.

    Attributes:
        row: The first row that changed.
        cut: The first bar that was altered, of those rows' future.
        how: How it was altered; a key of `worlds.WORDS`.
    """

    row: int
    cut: int
    how: str


@dataclass
class Search:
    """What a search has found.

    Attributes:
        full: The columns on unaltered bars.
        seen: The witness of each column that looks ahead.
        missing: Columns that changed where the future was set to NaN and nowhere else.
        failures: What the function said where it failed on an altered or shortened future.
        tried: How many futures were tried.
    """

    full: Block
    seen: dict[str, Witness] = field(default_factory=dict)
    missing: dict[str, Witness] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    tried: int = 0


def search(compute: Computed, world: World, warmup: int = 0, allowed: int = 0) -> Search:
    """Look for columns whose rows change with bars that come after them.

    Args:
        compute: The columns of a world's bars, as many rows as it has bars.
        world: What to judge on.
        warmup: First rows, which are not compared.
        allowed: Bars after its own that a row may use.

    Returns:
        What was found. It ends early where every column has been seen to look ahead.

    Raises:
        CallError: The function fails on the unaltered bars, or gives other numbers when it is called again.
        DataError: There are too few bars for the warm-up.
    """
    if len(world) < warmup + allowed + _DENSE_CUTS:
        raise DataError(f"{len(world)} bars are too few for a warm-up of {warmup}: {warmup + allowed + _DENSE_CUTS} are needed")
    full = compute(world)
    again = compute(world)
    if again.names != full.names or differing(full.values, again.values).any():
        raise CallError("gave other numbers when it was called again on the same bars; make it repeatable, with a fixed seed")
    found = Search(full)
    cuts = [cut for plan in (_early_cuts, _dense_cuts, _sparse_cuts, _even_cuts) for cut in plan(world, warmup, allowed)]
    heads: dict[int, Block] = {len(world): full}
    for head, cut, ways in cuts:
        part = world.head(head)
        if head not in heads:
            try:
                heads[head] = compute(part)
            except CallError as error:
                found.failures.append(str(error))
                continue
        for how in ways:
            _compare(found, compute, part, heads[head], (cut, how), (warmup, allowed))
        if len(found.seen) == len(full.names):
            break
    found.missing = {name: witness for name, witness in found.missing.items() if name not in found.seen}
    return found


def _compare(found: Search, compute: Computed, part: World, known: Block, future: tuple[int, str], limits: tuple[int, int]) -> None:
    cut, how = future
    warmup, allowed = limits
    found.tried += 1
    try:
        seen = compute(part.altered(cut, how))
    except CallError as error:
        found.failures.append(str(error))
        return
    into = found.missing if how == MISSING else found.seen
    for name, row in changed_rows(known, seen, slice(warmup, cut - allowed), LOSS.get(how, 1.0)).items():
        if name not in into or row < into[name].row:
            into[name] = Witness(row, cut, how)


def changed_rows(known: Block, seen: Block, rows: slice, loss: float = 1.0) -> dict[str, int]:
    """Return the first changed row of each column that changed within some rows; all columns, where they are no longer the same."""
    if known.names != seen.names:
        come_and_go = set(known.names) ^ set(seen.names) or set(known.names)
        return {name: int(rows.start) for name in known.names if name in come_and_go} or {known.names[0]: int(rows.start)}
    changed = differing(known.values, seen.values, loss)[rows]
    if not changed.any():
        return {}
    return {known.names[place]: int(rows.start + np.argmax(changed[:, place])) for place in np.flatnonzero(changed.any(axis=0))}


def _early_cuts(world: World, warmup: int, allowed: int) -> list[tuple[int, int, tuple[str, ...]]]:
    first = warmup + allowed + 1
    return [(len(world), cut, ("another",)) for cut in (*range(first, first + _FIRST_CUTS), first + 25, first + 50)]


def _dense_cuts(world: World, warmup: int, allowed: int) -> list[tuple[int, int, tuple[str, ...]]]:
    # Every row of a stretch, so that what looks ahead at some hours, days or rare rows only is met there.
    first = max(_DENSE_FROM, warmup + allowed + 20)
    last = min(first + _DENSE_CUTS, len(world))
    return [(last, cut, ("removed", *_DENSE[cut % len(_DENSE)])) for cut in range(first, last)]


def _sparse_cuts(world: World, warmup: int, allowed: int) -> list[tuple[int, int, tuple[str, ...]]]:
    # Shorter than some hundred bars, an honest function may do otherwise; nobody trades on so few.
    least = max(_DENSE_FROM, warmup + allowed + 1)
    rows = sorted({cut for cut in interesting_cuts(world) if least <= cut < len(world)})
    return [(len(world), cut, _SPARSE) for cut in rows]


def _even_cuts(world: World, warmup: int, allowed: int) -> list[tuple[int, int, tuple[str, ...]]]:
    first = max(_DENSE_FROM, warmup + allowed + 1)
    step = max(1, (len(world) - first) // _EVEN_CUTS)
    return [(len(world), cut, ("another",)) for cut in range(first, len(world), step)]


def interesting_cuts(world: World) -> Iterator[int]:
    """Yield numbers of bars to keep: at the ends, beside gaps, quiet and still bars, jumps, days, weeks, months and anchors."""
    rows = len(world)
    times = timestamps_ms(world.bars)
    close, volume = world.bars["close"].to_numpy(), world.bars["volume"].to_numpy()
    yield from (rows - 1, rows - 2, rows - 10, rows - 40)
    yield from (generator(world.seed, "cuts").integers(rows // 8, rows, _DRAWN_CUTS)).tolist()
    moves = np.diff(np.log(np.maximum(close, 1e-300)))
    stamps = world.bars["timestamp"].dt
    anchors = times // (_ANCHOR_BARS * max(world.step_ms, 1))
    places = {
        "gap": np.diff(times) > world.step_ms,
        "quiet": volume[:-1] == 0.0,
        "before quiet": volume[1:] == 0.0,
        "still": moves == 0.0,
        "week": np.diff(stamps.isocalendar().week.to_numpy(np.int64)) != 0,
        "month": np.diff(stamps.month.to_numpy()) != 0,
        "anchor": np.diff(anchors) != 0,
    }
    for mask in places.values():
        found = np.flatnonzero(mask) + 1
        if found.size:
            late = found[found > rows // 3]
            yield from {int(found[0]), int(late[0]) if late.size else int(found[-1]), int(found[-1])}
    for row in (np.argmax(moves) + 1, np.argmin(moves) + 1):
        yield from (int(row), int(row) + 1)
    yield from (int(found) + 2 for found in np.flatnonzero(places["anchor"])[:3])
