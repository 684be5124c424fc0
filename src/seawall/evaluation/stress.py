"""Stress: the very decisions of a ledger, filled again under other costs and one bar later."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from seawall.core.market import Market, RowRange
from seawall.core.params import Params
from seawall.core.protocols import OrderTerms
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.metrics import sharpe
from seawall.simulator.costs.params import CostParams
from seawall.simulator.kernel.layout import RUIN_RATIO
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import replay as replay_paths

_GRID = 33
_ROUNDS = 3
_ROOM = 0.99


class StressParams(Params):
    """Settings of the cost stress."""

    cost_multiples: tuple[Annotated[float, Field(ge=0.0, le=1_000.0)], ...] = Field(
        default=(0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0),
        min_length=1,
        description="Multiples of the costs under which the result is told",
    )
    max_multiple: float = Field(
        default=10.0, gt=1.0, le=1_000.0, description="Largest multiple at which the break-even is looked for"
    )


@dataclass(frozen=True)
class BreakEven:
    """The multiple of the costs at which the net result is nil.

    Attributes:
        multiple: None where there is none within reach, or no trade.
        words: The finding in words.
        above_one: Whether the result survives more than the costs that were charged; None where the question is void.
        searched_to: Largest multiple looked at.
    """

    multiple: float | None
    words: str
    above_one: bool | None
    searched_to: float

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Replay:
    """Fills decisions of a span again.

    Attributes:
        market: Prices.
        rows: The span.
        costs: Costs at multiple 1.
        params: Settings of the account.
    """

    market: Market
    rows: RowRange
    costs: CostParams
    params: SimulatorParams = field(default_factory=SimulatorParams)

    def equity(self, targets: np.ndarray, multiples: np.ndarray, terms: OrderTerms | None = None) -> np.ndarray:
        """Return the equity of one path of exposures under several costs.

        Args:
            targets: Exposure at each decision, float64, shape (T − 1,).
            multiples: Factors on the costs, float64, shape (K,).
            terms: What the orders carried, shape (T − 1,) each; None for nothing.

        Returns:
            Equity at each close over the initial equity, float64, shape (T, K).
        """
        paths = np.repeat(targets[:, None], len(multiples), axis=1)
        carried = None
        if terms is not None:
            carried = OrderTerms(*(np.repeat(part[:, None], len(multiples), axis=1) for part in terms))
        equity = replay_paths(self.market, self.rows, paths, self.costs, multiples, self.params, carried)
        return equity / self.params.initial_equity

    def largest_multiple(self, wanted: float) -> float:
        """Return the largest multiple not above the wanted one at which a trade can still be sized."""
        rate = self.costs.highest_rate * self.params.max_exposure
        return wanted if rate <= 0.0 else min(wanted, _ROOM / rate)


def delayed(targets: np.ndarray) -> np.ndarray:
    """Return exposures taken one bar later, starting flat, float64, shape (T − 1,)."""
    return np.concatenate([[0.0], targets[:-1]])


def stress(ledger: Ledger, replay: Replay, params: StressParams) -> dict[str, Any]:
    """Return the result under multiples of the costs, the break-even multiple, and the result of acting one bar late.

    Args:
        ledger: The judged decisions; their allowed exposures are kept as they are.
        replay: Where they are filled again.
        params: Settings.

    Returns:
        ``cost_multiples`` (list of multiple and total_return), ``break_even`` and ``delay``; JSON.
    """
    targets = ledger.targets()
    multiples = np.array(sorted({min(m, replay.largest_multiple(m)) for m in params.cost_multiples}))
    terms = ledger.terms()
    later = None if terms is None else OrderTerms(*(delayed(part) for part in terms))
    ends = replay.equity(targets, multiples, terms)[-1]
    late = replay.equity(delayed(targets), np.ones(1), later)[:, 0]
    on_time = replay.equity(targets, np.ones(1), terms)[:, 0]
    ppy = ledger.periods_per_year
    return {
        "cost_multiples": [
            {"multiple": float(m), "total_return": float(end - 1.0)} for m, end in zip(multiples, ends, strict=True)
        ],
        "break_even": break_even(targets, replay, params.max_multiple, terms).to_dict(),
        "delay": {
            "bars": 1,
            "total_return": float(late[-1] - 1.0),
            "sharpe": sharpe(_returns(late), ppy).value,
            "on_time_total_return": float(on_time[-1] - 1.0),
            "on_time_sharpe": sharpe(_returns(on_time), ppy).value,
        },
    }


def break_even(targets: np.ndarray, replay: Replay, max_multiple: float, terms: OrderTerms | None = None) -> BreakEven:
    """Search for the cost multiple at which the path ends where it began.

    The net result falls as costs rise, so each round brackets the root in a grid of one compiled replay.

    Args:
        targets: Exposure at each decision, float64, shape (T − 1,).
        replay: Where they are filled.
        max_multiple: Largest multiple looked at.
        terms: What the orders carried, shape (T − 1,) each; None for nothing.
    """
    low, high = 0.0, replay.largest_multiple(max_multiple)
    if not np.any(targets != 0.0):
        return BreakEven(None, "it never traded, so costs do not matter", None, high)
    if replay.costs.highest_rate == 0.0:
        return BreakEven(None, "the costs are zero, so no multiple of them can be told", None, high)

    def gain(multiples: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(replay.equity(targets, multiples, terms)[-1], RUIN_RATIO))

    reach = high
    at_low, at_high = gain(np.array([low, high])).tolist()
    if at_low <= 0.0:
        return BreakEven(None, "never profitable, not even without costs", False, reach)
    if at_high > 0.0:
        return BreakEven(None, f"still profitable at {high:g} times the costs", high > 1.0, reach)
    for _ in range(_ROUNDS):
        grid = np.linspace(low, high, _GRID)
        gains = gain(grid)
        last = int(np.flatnonzero(gains > 0.0)[-1])
        low, high, at_low, at_high = (float(value) for value in (grid[last], grid[last + 1], gains[last], gains[last + 1]))
    root = low + (high - low) * at_low / (at_low - at_high)
    return BreakEven(root, f"breaks even at {root:.2f} times the costs", root > 1.0, reach)


def _returns(equity: np.ndarray) -> np.ndarray:
    return np.divide(np.diff(equity), equity[:-1], out=np.zeros(len(equity) - 1), where=equity[:-1] > 0.0)
