"""How much of what perfect foresight could have earned on the same bars a foreign ledger earned."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from seawall.core.market import RowRange
from seawall.evaluation.foreign.placing import BarsOf
from seawall.evaluation.foreign.rivals import largest_exposure, market_of
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.metrics import Measured
from seawall.evaluation.oracle.oracle import captured, oracle
from seawall.evaluation.oracle.problem import Exposures
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams

YARDSTICK = "perfect foresight could earn at opens"
"""What a ledger is held against."""
ABOVE = "it earned more than that: it was filled within bars, or held more between closes than at them"
"""Why there is no share where a ledger is above the yardstick, which no fill at opens could be."""


def foresight(ledger: Ledger, bars: BarsOf, costs: CostParams, *, traded: bool) -> dict[str, Any]:
    """Return what could have been earned on the sides that the ledger took, each trade filled at an open, after its costs.

    Exposures go up to 1, or to the ledger's largest where that is more. A yardstick and no bound for the ledger: its fills may lie
    anywhere within bars.

    Args:
        ledger: The judged ledger.
        bars: Its bars.
        costs: What its fills cost.
        traded: Whether the ledger tells what was held.

    Returns:
        ``growth``, ``kind`` and ``words`` as those of `Oracle.to_dict`, and ``captured``: ``value`` and ``reason``.
    """
    if not traded:
        return _unknown("the file tells equity alone: what could be held is not known")
    held = ledger.exposures()
    most = largest_exposure(costs)
    low, high = float(held.min()), float(held.max())
    sides = {max(min(low, -1.0), -most)} if low < 0.0 else set[float]()
    sides |= {min(max(high, 1.0), most)} if high > 0.0 else set[float]()
    levels = tuple(sorted({0.0} | sides))
    if not sides:
        return _unknown("it never held anything at a close")
    params = SimulatorParams(
        initial_equity=ledger.initial_equity, maintenance_margin=0.0, max_exposure=max(float(np.abs(levels).max()), 1.0)
    )
    market = market_of(bars)
    found = oracle(market, RowRange(0, len(market)), costs, params, Exposures(levels, between=True))
    last = float(ledger.equity_curve()[-1])
    growth = math.log(last / ledger.initial_equity) if last > 0.0 else None
    above = growth is not None and found.growth is not None and growth > found.growth
    share = Measured(None, ABOVE) if above else captured(growth, found)
    words = f"Of exposures from {levels[0]:.3g} to {levels[-1]:.3g}, filled at opens. {found.words}"
    return {**found.to_dict(), "words": words, "captured": {"value": share.value, "reason": share.reason}}


def _unknown(reason: str) -> dict[str, Any]:
    return {"growth": None, "kind": "none", "words": reason, "captured": {"value": None, "reason": reason}}
