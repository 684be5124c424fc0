"""A self-test from its plan to its table: climb, judge, draw and save."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seawall.core.files import write_json
from seawall.core.run_folder import RunFolder
from seawall.evaluation.ladder_page import write_ladder_page
from seawall.recipes.selftest_grade import ladder_table
from seawall.recipes.selftest_plan import Plan
from seawall.recipes.selftest_run import OnUnit, climb, find_or_create

Candles = Callable[[], dict[str, Any]]
"""Climbs the rung of candles and returns its grade, as `recipes.selftest.grade` gives it."""


def run_selftest(plan: Plan, runs: Path, on_progress: OnUnit, candles: Candles | None = None) -> dict[str, Any]:
    """Run a self-test, or go on with the newest unfinished one of the same plan.

    Args:
        plan: What is run.
        runs: Folder of all runs.
        on_progress: As in `selftest_run.climb`.
        candles: Climbs the rung of candles, where the plan has it.

    Returns:
        The result, which is also saved: ``run``, ``page`` (None without a ladder), ``ladder`` (rows of `ladder_table`), ``bars``
        (the grade of the candles, or None) and ``passed``.

    Raises:
        Interrupted: Ctrl-C; the same call goes on.
    """
    run, _ = find_or_create(plan, runs)
    rows = ladder_table(run, plan.units, climb(run, plan.units, on_progress)) if plan.units else []
    bars = candles() if candles is not None and plan.bars else None
    return _save(run, rows, bars)


def _save(run: RunFolder, rows: Sequence[dict[str, Any]], bars: dict[str, Any] | None) -> dict[str, Any]:
    page = run.path / "ladder.html"
    document = {
        "run": str(run.path),
        "page": str(page) if rows else None,
        "ladder": list(rows),
        "bars": bars,
        "passed": all(row["passed"] is not False for row in rows) and (bars is None or bars["passed"]),
    }
    if rows:
        write_ladder_page(page, document)
    write_json(run.path / "selftest.json", document)
    return document
