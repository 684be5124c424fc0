"""The whole shield of a run: which choices of guards are compared, and what they did across several runs.

One guard may be there in several settings at once, each under a name of its own, so that a single walk tells what each costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.protocols import Guard, GuardContext, GuardVerdict
from seawall.evaluation.ablation import COMPARED, ROUND_TRIPS
from seawall.evaluation.ablation_walk import ALL_GUARDS, NO_GUARD, Variant
from seawall.guards.failure import declaration_of

AS_TRAINED = "as trained"


class Renamed:
    """A guard under another name, so that one chain may hold several settings of it."""

    def __init__(self, guard: Guard, name: str) -> None:
        """Take the guard, ready to judge, and its name in the chain."""
        self.name = name
        self.may_block_exit = guard.may_block_exit
        self.reasons = guard.reasons
        self.state_names = guard.state_names
        self.declares = declaration_of(guard)
        self._guard = guard

    def initial_state(self, n: int) -> np.ndarray:
        """Return the state at the start, float64, shape (n, K)."""
        return self._guard.initial_state(n)

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Judge; see `core.protocols.Guard`."""
        return self._guard.apply(current, proposed, context, state)


def shield_variants(names: Sequence[str], settings: Mapping[str, str], trained: Sequence[str]) -> tuple[Variant, ...]:
    """Return no guard, each guard alone, what the run was trained with, all, and both latter kinds with other settings.

    Args:
        names: The guards of the shield, in the order of the chain.
        settings: Names of other settings, and which of `names` each stands instead of.
        trained: Those of `names` that the run was trained behind; a choice that is made already is not made again.

    Raises:
        ConfigError: There is no guard.
    """
    if not names:
        raise ConfigError("a shield of 0 guards was asked for; at least 1 is needed")
    every = tuple(names)
    whole = ALL_GUARDS if len(every) > 1 else f"only {names[0]}"
    variants: list[Variant] = [Variant(NO_GUARD, ())]
    for name in every:
        variants.append(Variant(f"only {name}", (name,)))
        variants += [
            Variant(f"only {other}", (other,), instead_of=f"only {name}") for other, base in settings.items() if base == name
        ]
    if len(every) > 1:
        if 1 < len(trained) < len(every):
            variants.append(Variant(AS_TRAINED, tuple(trained)))
        variants.append(Variant(ALL_GUARDS, every))
        for other, base in settings.items():
            in_force = tuple(other if name == base else name for name in every)
            variants.append(Variant(f"all, {other}", in_force, instead_of=whole))
    return tuple(variants)


def across_runs(tables: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return what each choice of guards did in several runs, judged at one fee.

    Args:
        tables: Of each run the rows that `ablation.ablation_rows` gives.

    Returns:
        For each choice other than no guard: ``name``, ``runs`` that have it, in how many it ``acted``: changed a decision, in how
        many it left the ensemble ``idle``, without a trade, and of every figure of `COMPARED` the ``median``,
        ``lowest`` and ``highest`` difference of the ensembles from no guard, and in how many runs it was ``lower`` and ``higher``,
        and was so ``clearly``: beyond its interval. None where no run has the figure.
    """
    names = list(dict.fromkeys(row["name"] for rows in tables for row in rows if row["name"] != NO_GUARD))
    found = []
    for name in names:
        of_name = [row for rows in tables for row in rows if row["name"] == name]
        found.append(
            {
                "name": name,
                "runs": len(of_name),
                "acted": sum(bool(changed_decisions(row)) for row in of_name),
                "idle": sum(row[ROUND_TRIPS]["value"] == 0 for row in of_name),
                **{measure: _over_runs([row[measure]["against"] for row in of_name]) for measure in COMPARED},
            }
        )
    return found


def changed_decisions(row: Mapping[str, Any]) -> int:
    """Return how many decisions the guards of a row changed."""
    return sum(each["changed"] for each in row["interventions"].values())


def _over_runs(differences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    known = [each["value"] for each in differences if each["value"] is not None]
    sure = [each for each in differences if each["low"] is not None]
    return {
        "median": median(known) if known else None,
        "lowest": min(known, default=None),
        "highest": max(known, default=None),
        "lower": sum(value < 0.0 for value in known),
        "higher": sum(value > 0.0 for value in known),
        "clearly_lower": sum(each["high"] < 0.0 for each in sure),
        "clearly_higher": sum(each["low"] > 0.0 for each in sure),
        "values": [each["value"] for each in differences],
    }


def told_across_runs(summary: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in plain words what each choice did in several runs.

    Args:
        summary: From `across_runs`.
    """
    return [_told(row) for row in summary]


def _told(row: Mapping[str, Any]) -> str:
    runs, drawdown, earned, trips = row["runs"], row["max_drawdown"], row["total_return"], row["round_trips"]
    if not row["acted"]:
        return f"{row['name']}: changed no decision in any of {_runs(runs)}."
    return (
        f"{row['name']}: drawdown lower in {drawdown['lower']} of {_runs(runs)} ({drawdown['clearly_lower']} clearly), "
        f"{_points(drawdown)}; return lower in {earned['lower']} ({earned['clearly_lower']} clearly), higher in {earned['higher']} "
        f"({earned['clearly_higher']} clearly), {_points(earned)}; round trips {trips['median']:+,.0f} (median)."
        f"{_idle(row)}"
    )


def _points(figure: Mapping[str, Any]) -> str:
    middle, low, high = (round(100.0 * figure[key], 1) + 0.0 for key in ("median", "lowest", "highest"))
    if len(figure["values"]) == 1:
        return f"{middle:+.1f} points"
    return f"{middle:+.1f} points in the median ({low:+.1f} to {high:+.1f})"


def _runs(count: int) -> str:
    return f"{count} {'run' if count == 1 else 'runs'}"


def told_of_settings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what another setting of a guard costs against the one that the shield has, and whether chance alone could do it."""
    return [_told_setting(row) for row in rows if row["instead_of"] is not None]


def _told_setting(row: Mapping[str, Any]) -> str:
    other = row["instead_of"]
    if all(other[measure][key] == 0.0 for measure in ("max_drawdown", "total_return") for key in ("value", "low", "high")):
        return f"{row['name']} rather than {other['name']}: no difference."
    parts = []
    for measure, words in (("max_drawdown", "drawdown"), ("total_return", "return")):
        figure = other[measure]
        if figure["low"] is None:
            parts.append(f"{words} cannot be compared")
            continue
        value, low, high = (round(100.0 * figure[key], 1) + 0.0 for key in ("value", "low", "high"))
        sure = "clearly so" if figure["low"] > 0.0 or figure["high"] < 0.0 else "which chance alone could do"
        parts.append(f"{words} {value:+.1f} points ({low:+.1f} to {high:+.1f}), {sure}")
    return f"{row['name']} rather than {other['name']}: {'; '.join(parts)}."


def headline(summary: Sequence[Mapping[str, Any]], fee_bps: float) -> str:
    """Say in one sentence what the whole shield did at one fee; a shield of one guard is that guard.

    Args:
        summary: From `across_runs`, at least one row.
        fee_bps: Commission a side, in basis points.
    """
    whole = next((row for row in summary if row["name"] == ALL_GUARDS), summary[0])
    drawdown, earned, runs = whole["max_drawdown"], whole["total_return"], whole["runs"]
    if not whole["acted"]:
        return f"At {fee_bps:g} bps a side the whole shield changed no decision in {_runs(runs)}."
    return (
        f"At {fee_bps:g} bps a side the whole shield cut drawdown in {drawdown['lower']} of {_runs(runs)} "
        f"(clearly in {drawdown['clearly_lower']}): {_points(drawdown)}. Return was lower in {earned['lower']} "
        f"(clearly in {earned['clearly_lower']}) and higher in {earned['higher']} (clearly in {earned['clearly_higher']}): "
        f"{_points(earned)}.{_idle(whole)}"
    )


def _idle(row: Mapping[str, Any]) -> str:
    """Say where a drawdown is small because nothing was traded."""
    return f" It left no trade in {row['idle']} of {_runs(row['runs'])}: what does not trade loses nothing." if row["idle"] else ""
