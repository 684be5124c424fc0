"""The score that chooses checkpoints: growth on validation rows, cheap enough to ask for often."""

from __future__ import annotations

import numpy as np

from seawall.core.market import Market, RowRange
from seawall.core.protocols import Policy
from seawall.engine.decision import DecisionLoop
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

SEGMENTS = 16
_LEAST_DECISIONS = 64


def segment_growth(
    policy: Policy,
    market: Market,
    rows: RowRange,
    desk: Desk,
    costs: CostParams,
    simulator_params: SimulatorParams,
    account_columns: tuple[str, ...],
) -> float:
    """Return the mean net log growth per bar over segments of some rows, walked side by side.

    Each segment starts flat, so that one step decides for all of them at once.

    Args:
        policy: Whose likeliest actions are taken.
        market: Prices and features.
        rows: The validation rows; never the test rows.
        desk: Action scheme and guards for `segments_of(rows)` accounts.
        costs: Costs of a fill.
        simulator_params: Settings of the accounts.
        account_columns: Account features that the policy sees, in order.

    Returns:
        Log growth per decision; the floor of the logarithm where an account was ruined.
    """
    n = segments_of(rows)
    edges = np.linspace(rows.start, rows.stop - 1, n + 1).astype(np.int64)
    simulator = Simulator(market, n, costs, simulator_params, terms=desk.scheme.carries_terms)
    simulator.reset(np.arange(n), edges[:-1], edges[1:] + 1)
    desk.reset(np.arange(n))
    loop = DecisionLoop(policy, desk, simulator, account_columns)
    growth = 0.0
    active = np.ones(n, dtype=bool)
    while active.any():
        records = loop.step()
        growth += float(simulator.log_return[active].sum())
        active &= ~records.done
    return growth / (len(rows) - 1)


def segments_of(rows: RowRange) -> int:
    """Return into how many segments some rows are cut: at most `SEGMENTS`, and no shorter than 64 decisions."""
    return max(1, min(SEGMENTS, (len(rows) - 1) // _LEAST_DECISIONS))
