"""Judging features and labels: no row may use a bar that comes after it, or after what it declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import DataError
from seawall.evaluation.leaks.blocks import Block, CallError, as_block, called
from seawall.evaluation.leaks.candidates import FeatureCandidate, LabelCandidate
from seawall.evaluation.leaks.findings import Finding, Judgement
from seawall.evaluation.leaks.reach import reach, told
from seawall.evaluation.leaks.search import Computed, Search, search
from seawall.evaluation.leaks.shifted import correlation_advice
from seawall.evaluation.leaks.worlds import World

_MANY = 20


def judge_feature(name: str, candidate: FeatureCandidate, world: World) -> Judgement:
    """Judge the columns of a function of bars."""
    return judge_columns(name, "feature", candidate.function, world, warmup=candidate.warmup, with_trends=candidate.takes_trends)


def judge_label(name: str, candidate: LabelCandidate, world: World) -> Judgement:
    """Judge whether a label looks no farther than it declares."""
    if candidate.horizon < 0:
        raise DataError(f"label {name!r} declares a horizon of {candidate.horizon}; allowed: 0 or more")
    return judge_columns(name, "label", candidate.function, world, warmup=candidate.warmup, allowed=candidate.horizon)


def judge_columns(
    name: str,
    kind: str,
    function: Callable[..., Any],
    world: World,
    *,
    warmup: int = 0,
    allowed: int = 0,
    with_trends: bool = False,
) -> Judgement:
    """Judge the columns of a function of bars, of which row t may use bars up to t + `allowed`."""
    compute = _Computed(name, function, with_trends)
    try:
        found = search(compute, world, warmup, allowed)
    except DataError as error:
        return Judgement(name, kind, problem=str(error))
    findings = findings_of(compute, world, found, allowed)
    advice = [*compute.notes, *_advice(found)]
    if kind == "feature":
        advice += correlation_advice(found.full, world, warmup, leave_out=set(found.seen))
    return Judgement(name, kind, tuple(findings), tuple(advice), _problem(found))


def findings_of(compute: Computed, world: World, found: Search, allowed: int) -> list[Finding]:
    """Measure each column that was caught, at most some twenty of them."""
    findings: list[Finding] = []
    for number, column in enumerate(name for name in found.full.names if name in found.seen):
        caught = found.seen[column]
        place = {"row": caught.row, "time": world.time(caught.row)}
        if number >= _MANY:
            findings.append(Finding(column, f"{column} changes with its future, as those before it", None, **place))
            continue
        measured = reach(compute, world, found, column, allowed)
        words = told(column, caught, measured, world, allowed)
        findings.append(Finding(column, words, measured.farthest, measured.nearest, measured.to_the_end, **place))
    return findings


def _advice(found: Search) -> list[str]:
    said: list[str] = []
    for column, caught in found.missing.items():
        said.append(
            f"{column} becomes another number at row {caught.row} when the bars from row {caught.cut} on are set to NaN, and with "
            "no other future: it reads them, perhaps multiplied by zero; no leak was seen"
        )
    if found.failures:
        said.append(f"it failed on {len(found.failures)} of {found.tried} altered futures, first: {found.failures[0]}")
    return said


def _problem(found: Search) -> str | None:
    if found.failures and len(found.failures) > found.tried // 2:
        return f"it failed on {len(found.failures)} of {found.tried} altered futures: {found.failures[0]}"
    return None


class _Computed:
    """Calls a function with copies, and adds the input columns that it wrote over to those that it returns."""

    def __init__(self, name: str, function: Callable[..., Any], with_trends: bool) -> None:
        self._name = name
        self._function = function
        self._with_trends = with_trends
        self._written: tuple[str, ...] | None = None
        self.notes: list[str] = []

    def __call__(self, world: World) -> Block:
        given = world.bars.copy()
        returned = called(self._function, given, world.trends.copy()) if self._with_trends else called(self._function, given)
        block = as_block(returned, world.bars.index, self._name)
        if self._written is None:
            self._written = self._look(world.bars, given)
        if not self._written:
            return block
        if len(given) != len(world):
            raise CallError("takes rows out of the bars that it is given")
        written = [given[name].to_numpy(np.float64) for name in self._written]
        names = tuple(f"bars[{name}]" for name in self._written)
        return Block((*block.names, *names), np.column_stack([block.values, *written]))

    def _look(self, bars: pd.DataFrame, given: pd.DataFrame) -> tuple[str, ...]:
        if len(given) != len(bars):
            self.notes.append("it takes rows out of the bars that it is given; other columns would be computed on fewer")
            return ()
        numbers = [name for name in bars.columns if name != "timestamp"]
        written = tuple(name for name in numbers if name not in given.columns or not bars[name].equals(given[name]))
        if written:
            self.notes.append(f"it writes over {', '.join(written)} of the bars that it is given; other columns would read that")
        return tuple(name for name in written if name in given.columns and pd.api.types.is_numeric_dtype(given[name]))
