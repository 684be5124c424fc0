"""The ladder's table: what each agent reached on each rung, and whether that is what is required."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from seawall.core.run_folder import RunFolder
from seawall.evaluation.bootstrap import BootstrapParams, resample
from seawall.recipes.selftest_plan import WALK, Unit
from seawall.recipes.selftest_run import walk_file

_BARS_PER_YEAR = 365.25 * 24.0
CONTROL_SHARE = 0.1
"""A control's mean share must stay below this. Nothing in its rows tells of a move: who learned nothing stays flat and has 0, who
learned the luck of the rows pays costs on true rows and has less."""


def ladder_table(run: RunFolder, units: Sequence[Unit], results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Judge every cell.

    - With an edge: the mean share of the attainable over seeds is at least the required one.
    - Negative control: that mean stays below `CONTROL_SHARE`, as there is nothing to learn.
    - Random walk: no edge is claimed. One is where the lower end of the 95 % bootstrap interval of the mean net log growth, of
      equal parts in all seeds, on unseen bars, is above zero.

    Args:
        run: Where the realised growth of the walk lies.
        units: The trainings.
        results: Their results, in the same order.

    Returns:
        One row a cell, in the order of the units: the cell, shares and growths over seeds, seconds, what is required, ``verdict``
        in a word and ``passed``, None where nothing is required.
    """
    cells: dict[Unit, list[int]] = {}
    for place, unit in enumerate(units):
        cells.setdefault(unit.cell, []).append(place)
    return [_row(run, [units[place] for place in places], [results[place] for place in places]) for places in cells.values()]


def _row(run: RunFolder, units: Sequence[Unit], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    unit = units[0]
    shares = [result["share"] for result in results]
    known = None if unit.rung == WALK else shares
    judged = _judge_walk(run, units) if unit.rung == WALK else _judge_share(unit, float(np.mean(shares)))
    return {
        **{name: value for name, value in asdict(unit).items() if name != "seed"},
        "seeds": [each.seed for each in units],
        "mean_share": None if known is None else float(np.mean(known)),
        "lowest_share": None if known is None else min(known),
        "highest_share": None if known is None else max(known),
        "shares": known,
        "fitted_share": None if known is None else float(np.mean([result["fitted_share"] for result in results])),
        "share_below": CONTROL_SHARE if unit.control else None,
        "growth_bps": 1e4 * float(np.mean([result["growth"] for result in results])),
        "attainable_bps": 1e4 * results[0]["attainable"],
        "trades_per_bar": float(np.mean([result["trades_per_bar"] for result in results])),
        "seconds": float(np.mean([result["seconds"] for result in results])),
        "curves": [result["curve"] for result in results],
        "warnings": sorted({warning for result in results for warning in result["warnings"]}),
        **judged,
    }


def _judge_share(unit: Unit, share: float) -> dict[str, Any]:
    if unit.control:
        passed = share < CONTROL_SHARE
        return {"required": None, "verdict": "nothing learned" if passed else "LEARNED FROM NOISE", "passed": passed}
    if unit.required is None:
        return {"required": None, "verdict": "shown", "passed": None}
    passed = share >= unit.required
    return {"required": unit.required, "verdict": "reached" if passed else "MISSED", "passed": passed}


def _judge_walk(run: RunFolder, units: Sequence[Unit]) -> dict[str, Any]:
    growths = np.stack([np.load(walk_file(run, unit), allow_pickle=False) for unit in units])
    interval = resample({"seeds": growths.mean(axis=0)}, _BARS_PER_YEAR, BootstrapParams()).interval("mean_log_return", "seeds")
    claimed = interval.low is not None and interval.low > 0.0
    return {
        "required": None,
        "interval_bps": [None if end is None else 1e4 * end for end in (interval.low, interval.high)],
        "verdict": "CLAIMS AN EDGE" if claimed else "no claim",
        "passed": not claimed,
    }
