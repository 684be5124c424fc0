"""The best attainable log growth of one account, and the share of it that a policy captured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seawall.core.errors import InvariantError
from seawall.core.market import Market, RowRange
from seawall.evaluation.metrics import Measured
from seawall.evaluation.oracle.bound import upper_bound
from seawall.evaluation.oracle.problem import Exposures, Problem, problem_of
from seawall.evaluation.oracle.renewal import best_plan, unanswered
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams

Kind = Literal["exact", "bound", "none"]
_ROUNDING = 1e-9
"""How far above the attainable a growth may lie by rounding, for each log unit and beside it."""


@dataclass(frozen=True)
class Oracle:
    """The best that was attainable with hindsight, all costs paid.

    Attributes:
        growth: Log of the last equity over the first; None where nothing is known.
        kind: ``exact``: attained by a path; ``bound``: no policy can have more, perhaps none has as much; ``none``: not known.
        path: Exposures, or weights of cash and the assets, that attain it, one for each decision; None where it is no exact one.
        words: What it is, in a sentence or two.
    """

    growth: float | None
    kind: Kind
    path: np.ndarray | None
    words: str

    def to_dict(self) -> dict[str, Any]:
        """Return the oracle as plain values, without its path."""
        return {"growth": self.growth, "kind": self.kind, "words": self.words}


def oracle(
    market: Market, rows: RowRange, costs: CostParams, params: SimulatorParams | None, exposures: Exposures, *, exact: bool = True
) -> Oracle:
    """Return the best attainable log growth of an account that starts flat, with all costs that the simulator charges.

    Args:
        market: Prices.
        rows: T rows of one series; a decision is taken at the close of each but the last.
        costs: Costs of a fill and of holding.
        params: Settings of the account; the defaults where None.
        exposures: What may be asked for.
        exact: Whether to look for the exact answer first; a bound alone is found in less time.

    Raises:
        ConfigError: The rows or the exposures cannot be simulated.
        DataError: A price is not a positive number.
    """
    problem = problem_of(market, rows, costs, params if params is not None else SimulatorParams(), exposures)
    problem = _vertices(problem)
    reason = unanswered(problem)
    if exact and not reason:
        found = best_plan(problem)
        if found is not None:
            words = f"The best of all sequences of the exposures {_listed(problem.levels)}, found exactly, after all costs."
            return Oracle(found[0], "exact", found[1], words)
        reason = "positions that drift, over so many bars"
    growth, missing = upper_bound(problem)
    if growth is None:
        return Oracle(None, "none", None, f"No bound is known for {missing}.")
    why = f" It is not exact because of {reason}." if reason else ""
    return Oracle(
        growth, "bound", None, f"An upper bound: no policy can have earned more after costs, and perhaps none as much.{why}"
    )


def chained(parts: Sequence[Oracle]) -> Oracle:
    """Return what was attainable over several spans, each of which begins flat with the equity that the one before it left.

    Growths in logarithms add up, and what is paid to close a position at the end of a span only takes from them. So their sum is
    a bound, for whatever was attainable in each.

    Args:
        parts: Of each span, at least one.
    """
    if len(parts) == 1:
        return parts[0]
    growths = [part.growth for part in parts if part.growth is not None]
    if len(growths) < len(parts):
        words = next(part.words for part in parts if part.growth is None)
        return Oracle(None, "none", None, words)
    how = "exactly" if all(part.kind == "exact" for part in parts) else "or bounded"
    words = f"An upper bound: what could be earned in each of {len(parts)} tests, found {how}; closing between them costs."
    return Oracle(math.fsum(growths), "bound", None, words)


def captured(growth: float | None, attainable: Oracle) -> Measured:
    """Return which share of the attainable log growth a policy earned; below 0 where it lost.

    Args:
        growth: Log of the policy's last equity over its first.
        attainable: Over the same rows, under the same costs.

    Returns:
        The share, at most 1, of a bound at least that; or why there is none.

    Raises:
        InvariantError: The policy earned more than was attainable: it was not judged on the same rows and costs.
    """
    if growth is None or not math.isfinite(growth):
        return Measured(None, "the policy has no finite growth")
    if attainable.growth is None:
        return Measured(None, attainable.words)
    if growth > attainable.growth + _ROUNDING * (1.0 + abs(attainable.growth)):
        raise InvariantError(f"a growth of {growth} is above the attainable {attainable.growth}; allowed: the same rows and costs")
    if attainable.growth <= 0.0:
        return Measured(None, "nothing could be earned after costs")
    return Measured(min(growth / attainable.growth, 1.0))


def _vertices(problem: Problem) -> Problem:
    """Leave flat and all in alone where every exposure allowed is a mixture of them, and no mixture can do better."""
    levels = problem.levels
    mixed = levels[0] == 0.0 and levels[-1] == 1.0
    linear = problem.flags.sized is None and not problem.span.long_carry.any()
    return problem._replace(levels=levels[[0, -1]], between=False) if mixed and linear else problem


def _listed(levels: np.ndarray) -> str:
    return ", ".join(f"{level:g}" for level in levels.tolist())
