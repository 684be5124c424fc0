"""Judging what is fitted: scalers, encoders and choices of columns may learn from the training rows alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import DataError
from seawall.core.seeding import generator
from seawall.evaluation.leaks.blocks import Block, CallError, as_block, called, differing
from seawall.evaluation.leaks.candidates import ScalerCandidate, SelectionCandidate
from seawall.evaluation.leaks.findings import Finding, Judgement
from seawall.evaluation.leaks.worlds import World

_ROWS = 900
_PARTS = 20
_KINDS = 5
_TRAININGS = (range(540), range(100, 640), range(300))
Fitted = Callable[[np.ndarray, range], Block]


def judge_scaler(name: str, candidate: ScalerCandidate, world: World) -> Judgement:
    """Judge a scaler, encoder or reducer on columns made of bars."""
    block = example_block(world)
    index = pd.RangeIndex(_ROWS)

    def fitted(values: np.ndarray, train: range) -> Block:
        return as_block(called(candidate.function, values.copy(), train), index[: len(values)], "column")

    found: dict[str, Finding] = {}
    advice: list[str] = []
    try:
        for train in _TRAININGS:
            for finding in fitting_leaks(fitted, block, train, world, advice):
                found.setdefault(finding.column, finding)
    except DataError as error:
        return Judgement(name, "scaler", tuple(found.values()), problem=str(error))
    return Judgement(name, "scaler", tuple(found.values()), tuple(dict.fromkeys(advice)))


def example_block(world: World) -> np.ndarray:
    """Return 900 rows of six columns of different scale, with drift, outliers, and a last column of small whole numbers.

    The last of these numbers first stands after two thirds of the rows, as a kind that training has not seen.
    """
    bars = world.bars.iloc[: min(_ROWS, len(world))]
    repeat = np.resize(np.arange(len(bars)), _ROWS)
    close, volume = bars["close"].to_numpy()[repeat], bars["volume"].to_numpy()[repeat]
    random = generator(world.seed, "block to scale")
    drift = np.linspace(0.0, 2.0, _ROWS)
    kinds = random.integers(0, _KINDS - 1, _ROWS)
    kinds[2 * _ROWS // 3 :: 7] = _KINDS - 1
    change = np.diff(np.log(close), prepend=np.log(close[0]))
    columns = [close, np.log1p(volume), change, random.standard_t(3, _ROWS) + drift, random.normal(5.0, 1.0 + drift), kinds]
    return np.column_stack(columns).astype(np.float64)


def fitting_leaks(fitted: Fitted, block: np.ndarray, train: range, world: World, advice: list[str]) -> list[Finding]:
    """Find columns whose scaled training rows know of later rows, or whose later rows know of rows after them.

    Args:
        fitted: Scales a block by some training rows.
        block: Unscaled columns, shape (T, F).
        train: The training rows.
        world: Whose seed and times are used.
        advice: What is no leak is added here.

    Raises:
        CallError: It fails on the unaltered block, or gives other numbers when it is called again.
    """
    known = fitted(block, train)
    if differing(known.values, fitted(block, train).values).any():
        raise CallError("gave other numbers when it was called again on the same rows; make it repeatable, with a fixed seed")
    found: dict[str, Finding] = {}
    used: tuple[int, int] | None = None
    later = (train.stop + len(block)) // 2
    for first, rows in ((train.stop, slice(train.start, train.stop)), (later, slice(train.stop, later))):
        for how, altered in altered_rows(block, first, world.seed):
            try:
                seen = fitted(altered, train)
            except CallError as error:
                advice.append(f"it failed where the rows from {first} on are {how}: {error}")
                continue
            changed = _changed(known, seen, rows)
            if changed and not found:
                used = fitted_rows(fitted, block, train, world.seed)
            for column, row in changed.items():
                found.setdefault(
                    column, _finding(column, row, f"the rows from {first} on are {how}", (train, used, len(block), world))
                )
    earlier = block.copy()
    earlier[: train.start] += 100.0 * _spread(block)
    if train.start and not found and _changed(known, fitted(earlier, train), slice(train.start, train.stop)):
        advice.append(
            f"training rows from {train.start} on change with rows before them: it is fitted on more than the training rows"
        )
    return list(found.values())


def altered_rows(block: np.ndarray, first: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield blocks whose rows from `first` on are others, and how."""
    random = generator(seed, f"rows from {first}")
    later, spread = block[first:], _spread(block)
    whole = block == np.rint(block)
    # Kinds stay whole numbers; kinds that were never seen come too.
    kinds = whole.all(axis=0)
    shuffled = later[random.permutation(len(later))]
    noise = np.where(kinds, shuffled, later + spread * random.normal(0.0, 3.0, later.shape))
    # Above and below those that are known, so that the numbers of the known ones move too.
    beside = np.where(np.arange(len(later)) % 2, _KINDS, -_KINDS)[:, None]
    unseen = np.where(kinds, later + beside, later)
    changes = {
        "drawn anew": noise,
        "raised by a thousand deviations": np.where(kinds, later, later + 1_000.0 * spread),
        "lowered by a thousand deviations": np.where(kinds, later, later - 1_000.0 * spread),
        "spread a thousand times as wide": np.where(
            kinds, shuffled, later.mean(axis=0) + 1_000.0 * (shuffled - later.mean(axis=0))
        ),
        "of kinds that were not there": unseen,
        "all the same": np.broadcast_to(later[0], later.shape),
    }
    for how, rows in changes.items():
        yield how, np.vstack([block[:first], rows])
    yield "taken away", block[:first].copy()


def _spread(block: np.ndarray) -> np.ndarray:
    # A warm-up is NaN.
    return np.nanstd(block, axis=0) + 1e-12


def _changed(known: Block, seen: Block, rows: slice) -> dict[str, int]:
    if known.names != seen.names:
        return {"the number of columns": int(rows.start)}
    changed = differing(known.values, seen.values)[rows]
    return {known.names[place]: int(rows.start + np.argmax(changed[:, place])) for place in np.flatnonzero(changed.any(axis=0))}


def _finding(column: str, row: int, future: str, fit: tuple[range, tuple[int, int] | None, int, World]) -> Finding:
    train, used, rows, world = fit
    span = "" if used is None else f"; rows {used[0]} to {used[1] - 1} were seen to matter"
    part = "training row" if row < train.stop else "row"
    words = f"{column} at {part} {row} changes when {future}, with training rows {train.start} to {train.stop - 1}{span}"
    last = train.stop + 1 if used is None else used[1]
    return Finding(column, words, max(1, last - 1 - row), None, last >= rows - _ROWS // _PARTS, row, world.time_if_any(row))


def fitted_rows(fitted: Fitted, block: np.ndarray, train: range, seed: int) -> tuple[int, int] | None:
    """Tell on which rows something was fitted: the span of those that change others.

    Returns:
        First row, and one past the last, in steps of a twentieth of the rows; None where no single part matters.
    """
    known = fitted(block, train).values
    random = generator(seed, "parts of rows")
    edges = np.linspace(0, len(block), _PARTS + 1).astype(int)
    used: list[tuple[int, int]] = []
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        others = np.r_[0:start, stop : len(block)]
        for size in (3.0, 1_000.0):
            altered = block.copy()
            altered[start:stop] += size * _spread(block) * random.normal(0.0, 1.0, (stop - start, block.shape[1]))
            try:
                seen = fitted(altered, train).values
            except CallError:
                continue
            if seen.shape != known.shape or differing(known, seen)[others].any():
                used.append((start, stop))
                break
    return (used[0][0], used[-1][1]) if used else None


def judge_selection(name: str, candidate: SelectionCandidate, world: World) -> Judgement:
    """Judge whether a choice of columns is made on the training rows alone."""
    random = generator(world.seed, "columns to choose from")
    target = random.normal(0.0, 1.0, _ROWS)
    block = random.normal(0.0, 1.0, (_ROWS, 12)) + target[:, None] * np.linspace(0.0, 0.6, 12)[random.permutation(12)]

    def chosen(values: np.ndarray, wanted: np.ndarray, train: range) -> tuple[int, ...]:
        return _as_columns(called(candidate.function, values.copy(), wanted.copy(), train), values.shape[1])

    try:
        for train in _TRAININGS:
            known = chosen(block, target, train)
            if known != chosen(block, target, train):
                raise CallError("chose other columns when it was called again; make it repeatable, with a fixed seed")
            for how, values, wanted in _other_tests(block, target, train, random):
                seen = chosen(values, wanted, train)
                if seen != known:
                    finding = _selection_finding(train, how, (known, seen))
                    return Judgement(name, "selection", (finding,))
    except DataError as error:
        return Judgement(name, "selection", problem=str(error))
    return Judgement(name, "selection")


def _selection_finding(train: range, how: str, choices: tuple[tuple[int, ...], tuple[int, ...]]) -> Finding:
    known, seen = choices
    words = (
        f"columns {list(known)} are chosen, and {list(seen)} when {how} after the training rows {train.start} to {train.stop - 1}: "
        "the choice knows of rows on which it is judged"
    )
    column = next(iter(sorted(set(seen) ^ set(known))), known[0] if known else 0)
    return Finding(f"column {column}", words, None, None, True, train.stop, None)


def _other_tests(
    block: np.ndarray, target: np.ndarray, train: range, random: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for column in range(block.shape[1]):
        for sign, words in ((10.0, "copies the target"), (-10.0, "is the target's opposite")):
            values = block.copy()
            values[train.stop :, column] = sign * target[train.stop :]
            yield f"column {column} {words}", values, target
    noise = block.copy()
    noise[train.stop :] = random.normal(0.0, 1.0, noise[train.stop :].shape)
    yield "all columns are noise", noise, target
    wide = block.copy()
    wide[train.stop :] *= np.linspace(1.0, 1_000.0, block.shape[1])
    yield "some columns are wider", wide, target
    other = target.copy()
    other[train.stop :] = random.normal(0.0, 5.0, len(target) - train.stop)
    yield "the target is another", block, other
    yield "no rows come", block[: train.stop].copy(), target[: train.stop].copy()


def _as_columns(returned: Any, width: int) -> tuple[int, ...]:
    array = np.asarray(returned)
    if array.dtype == bool and array.shape == (width,):
        array = np.flatnonzero(array)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise CallError(
            f"returned {type(returned).__name__} of shape {array.shape}; numbers of columns, or {width} truths, are needed"
        )
    return tuple(sorted(int(column) for column in array))
