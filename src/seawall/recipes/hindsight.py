"""Hindsight scores of trained runs and of files of bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seawall.core.bars import from_milliseconds, price_block, timestamps_ms
from seawall.core.errors import DataError
from seawall.core.market import Market, RowRange
from seawall.core.timeframe import moment_ms
from seawall.evaluation.ablation import ENSEMBLE
from seawall.evaluation.ablation_walk import ALL_GUARDS, NO_GUARD, Variant, variants_of, walk_ranges
from seawall.evaluation.hindsight import HindsightParams, scored_ranges
from seawall.evaluation.hindsight_accounts import costs_of
from seawall.evaluation.hindsight_table import Scored, score_table
from seawall.evaluation.ledger import Ledger
from seawall.recipes.ablation import course_of, policies_of
from seawall.recipes.dataset import checked
from seawall.recipes.judging import Case, OpenedCase, open_case
from seawall.recipes.schema import load_recipe
from seawall.simulator.settings import SimulatorParams

_NAMES = {NO_GUARD: "the policy without its guards", ALL_GUARDS: "the policy behind its guards"}
_ALONE = "the policy"
_READER = "tradernet"
"""Its recipe says how the files of bars are read: holes are bridged, as the design does it."""


@dataclass(frozen=True)
class Counting:
    """How scores are counted.

    Attributes:
        fees: Fees a side, one table each.
        params: The rest.
        until: Only decisions on bars that open before this day are scored; all where None.
    """

    fees: tuple[float, ...]
    params: HindsightParams
    until: str | None = None


def score_file(reference: str, data_root: Path, counting: Counting, tell: Callable[[str], Any]) -> dict[str, Any]:
    """Score policies without skill on a file of bars, or a stored series.

    Returns:
        The document: which bars, and ``tables`` as `hindsight_table.score_table` gives them, one for each fee.

    Raises:
        DataError: The bars are missing, bad or too few.
    """
    found = checked(load_recipe(_READER, [f"data={reference}"]), data_root)
    bars = found.bars
    times, none = timestamps_ms(bars), np.zeros((len(bars), 0), np.float32)
    market = Market((found.origin["symbol"],), (0, len(bars)), found.timeframe, times, price_block(bars), none, (), (0,))
    rows = _before(market, (RowRange(0, len(market)),), counting.until)
    scored = Scored(market, scored_ranges(market, rows, counting.params), SimulatorParams(), short=True)
    return _document(scored, {"run": None, "data": reference}, _tables(scored, counting, lambda _fee: {}, tell))


def score_run(case: Case, counting: Counting, tell: Callable[[str], Any]) -> dict[str, Any]:
    """Score a trained run's policies on its test rows, beside policies without skill; of a fold of cross-validation on all ranges.

    Args:
        case: The run, and other bars where it is to be scored on those.
        counting: How; never rows before those that the run may be judged on.
        tell: Called with what comes next.

    Returns:
        As `score_file`.

    Raises:
        DataError: The run is not trained, or too few of its test rows are left.
    """
    opened = open_case(case)
    market = opened.parts.dataset.market
    rows = _before(market, opened.ranges, counting.until)
    recipe = opened.recipe
    scored = Scored(market, scored_ranges(market, rows, counting.params), recipe.simulator, recipe.environment.short)

    def policies(fee: float) -> dict[str, dict[str, Ledger]]:
        return _policies(opened, scored, fee, tell)

    return _document(scored, {"run": str(case.run.path), "data": None}, _tables(scored, counting, policies, tell))


def _before(market: Market, ranges: Sequence[RowRange], until: str | None) -> Sequence[RowRange]:
    if until is None:
        return ranges
    stop = int(np.searchsorted(market.timestamps, moment_ms(until), side="left"))
    if stop <= ranges[0].start:
        first = from_milliseconds(market.timestamps[[ranges[0].start]])[0]
        raise DataError(f"no bar before {until} may be scored; the first that may opens at {first:%Y-%m-%d %H:%M}")
    return [RowRange(rows.start, min(rows.stop, stop)) for rows in ranges if rows.start < stop]


def _tables(
    scored: Scored,
    counting: Counting,
    policies: Callable[[float], Mapping[str, Mapping[str, Ledger]]],
    tell: Callable[[str], Any],
) -> list[dict[str, Any]]:
    tables = []
    for fee in counting.fees:
        walked = policies(fee)
        tell(f"policies without skill at {100 * fee:g} %")
        tables.append(score_table(scored, walked, counting.params.model_copy(update={"fee": fee})))
    return tables


def _policies(opened: OpenedCase, scored: Scored, fee: float, tell: Callable[[str], Any]) -> dict[str, dict[str, Ledger]]:
    """Return the ledgers of the ensemble and of every seed, with no guard and with all."""
    recipe, chain = opened.recipe, opened.parts.guards()
    guards = () if chain is None else chain.guards
    courses = [course_of(opened, guards, RowRange(rows.start, rows.stop + 1), costs_of(fee)) for rows in scored.ranges]
    every = [each for each in variants_of(tuple(recipe.guards)) if each.name in _NAMES] if guards else [Variant(NO_GUARD, ())]
    found: dict[str, dict[str, Ledger]] = {variant.name: {} for variant in every}
    tell(f"ensemble and seeds at {100 * fee:g} %")
    for name, ledgers in walk_ranges(policies_of(opened), courses, every).items():
        for variant, ledger in ledgers.items():
            found[variant][name] = ledger
    title = _NAMES if guards else {NO_GUARD: _ALONE}
    # A policy's own ledger stands under its own name; with one seed, that seed is the ensemble.
    kept = {variant: ledgers if len(opened.seeds) > 1 else {ENSEMBLE: ledgers[ENSEMBLE]} for variant, ledgers in found.items()}
    return {
        title[variant]: {title[variant] if name == ENSEMBLE else name: ledger for name, ledger in ledgers.items()}
        for variant, ledgers in kept.items()
    }


def _document(scored: Scored, origin: Mapping[str, Any], tables: list[dict[str, Any]]) -> dict[str, Any]:
    market, ranges = scored.market, scored.ranges
    first, last = from_milliseconds(market.timestamps[[ranges[0].start, ranges[-1].stop]])
    return {
        **origin,
        "symbol": market.symbols[0],
        "timeframe": market.timeframe.label,
        "first": f"{first:%Y-%m-%d %H:%M}",
        "last": f"{last:%Y-%m-%d %H:%M}",
        "ranges": len(ranges),
        "windows": scored.n_decisions + len(ranges),
        "decisions": scored.n_decisions,
        "tables": tables,
    }
