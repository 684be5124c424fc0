"""Backtests: one policy through the decision loop, bar after bar."""

from __future__ import annotations

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import Policy
from seawall.engine.decision import DecisionLoop, DecisionRecords
from seawall.evaluation.ledger import Ledger, ledger_of, reason_pairs
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator


def backtest(
    policy: Policy,
    market: Market,
    rows: RowRange,
    desk: Desk,
    costs: CostParams,
    simulator_params: SimulatorParams | None = None,
    account_columns: tuple[str, ...] = (),
) -> Ledger:
    """Let a policy trade over some rows, starting flat.

    Args:
        policy: Whose likeliest actions are taken.
        market: Prices and features.
        rows: T rows of one series; a decision is taken at the close of each but the last.
        desk: Action scheme and guards for one account; its guards start afresh.
        costs: Costs of a fill.
        simulator_params: Settings of the account.
        account_columns: Account features that the policy sees, in order.

    Returns:
        The ledger, with T − 1 decisions, or fewer where the account was liquidated.

    Raises:
        ConfigError: Fewer than two rows, or rows of more than one series.
    """
    if len(rows) < 2:
        raise ConfigError(f"backtest over {len(rows)} row was asked for; at least 2 are needed, one to decide and one to mark")
    simulator = Simulator(market, 1, costs, simulator_params, terms=desk.scheme.carries_terms)
    simulator.reset(np.array([0]), np.array([rows.start]), np.array([rows.stop]))
    desk.reset(np.array([0]))
    initial_equity = float(simulator.equity[0])
    loop = DecisionLoop(policy, desk, simulator, account_columns)
    records: list[DecisionRecords] = []
    for _ in range(len(rows) - 1):
        record = loop.step()
        records.append(record)
        if record.done[0]:
            break
    times = np.asarray(market.timestamps[rows.start : rows.stop])
    return ledger_of(records, reasons_in_words(desk, records), initial_equity, times)


def reasons_in_words(desk: Desk, records: list[DecisionRecords]) -> dict[tuple[int, int], tuple[str, str]]:
    """Put every pair of guard and reason codes that occurred into words: the guard's name, and its reason."""
    codes, reasons = (np.concatenate([getattr(record, name) for record in records]) for name in ("guard_code", "reason"))
    words = {pair: desk.reason_text(*pair) for pair in reason_pairs(codes, reasons)[0]}
    return {code: (text.partition(": ")[0], text.partition(": ")[2] or text) for code, text in words.items()}
