"""Judging splits: no sample of one part may share a bar with a sample of another."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.core.errors import DataError
from seawall.evaluation.leaks.blocks import CallError, called
from seawall.evaluation.leaks.candidates import SplitCandidate
from seawall.evaluation.leaks.findings import Finding, Judgement
from seawall.evaluation.leaks.worlds import World

# Rows, window, horizon.
_CASES = ((1_000, 12, 1), (1_000, 30, 5), (640, 1, 1), (997, 50, 10))


def judge_split(name: str, candidate: SplitCandidate, _world: World) -> Judgement:
    """Judge the folds of a splitter for several numbers of rows, windows and horizons."""
    try:
        for case in _CASES:
            folds = called(candidate.function, *case)
            for number, fold in enumerate(_read(folds, case[0])):
                finding = overlap(fold, case[1], case[2], None, f"fold {number} of {case[0]} rows")
                if finding is not None:
                    return Judgement(name, "split", (finding,))
    except DataError as error:
        return Judgement(name, "split", problem=str(error))
    return Judgement(name, "split")


def overlap(parts: list[np.ndarray], window: int, horizon: int, world: World | None, what: str) -> Finding | None:
    """Find samples of two parts that share a bar.

    Args:
        parts: Rows of training, perhaps validation, and test; each at least one.
        window: Bars that a sample sees, its own the last.
        horizon: Bars after its own that a sample's reward looks at.
        world: Whose times are told; None where the rows are of no bars.
        what: What was split, for the sentence.

    Returns:
        A finding for the first two parts that overlap, or None.
    """
    reach = window + horizon
    for place, early in enumerate(parts):
        for late in parts[place + 1 :]:
            left, right = np.unique(early), np.unique(late)
            near = np.searchsorted(left, right)
            before = np.abs(right - left[np.maximum(near - 1, 0)])
            after = np.abs(right - left[np.minimum(near, len(left) - 1)])
            distance = np.minimum(before, after)
            shared = distance < reach
            if shared.any():
                deepest, first = reach - int(distance.min()), int(right[np.argmax(shared)])
                words = (
                    f"{what}: {int(shared.sum())} of {len(right)} samples of one part share bars with a sample of another "
                    f"(window {window}, horizon {horizon}), by up to {deepest} bars; {reach - 1} unused rows between are needed"
                )
                return Finding(what, words, deepest, None, False, first, None if world is None else world.time(first))
    return None


def _read(folds: Any, rows: int) -> list[list[np.ndarray]]:
    read = [[np.asarray(part) for part in fold] for fold in folds]
    if not read:
        raise CallError("returned no folds; a list of (training rows, test rows) is needed")
    for fold in read:
        if len(fold) < 2 or any(part.ndim != 1 or not part.size or part.dtype.kind not in "iu" for part in fold):
            raise CallError("returned a fold that is not two or three parts of at least one row number each")
        if min(part.min() for part in fold) < 0 or max(part.max() for part in fold) >= rows:
            raise CallError(f"returned a row that is not within the {rows} rows")
    return read
