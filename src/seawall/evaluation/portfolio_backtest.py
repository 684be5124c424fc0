"""Backtests of portfolios: one policy through the decision loop, bar after bar; and the score that chooses checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import Policy
from seawall.engine.portfolio_decision import PortfolioLoop, PortfolioRecords
from seawall.evaluation.portfolio_ledger import PortfolioLedger, portfolio_ledger_of
from seawall.evaluation.validation import segments_of
from seawall.market.panel import Panel
from seawall.simulator.costs.params import CostParams
from seawall.simulator.portfolio.simulator import PortfolioParams, PortfolioSimulator


@dataclass(frozen=True)
class PortfolioSetting:
    """Where policies of portfolios are judged; the same for the trained ones and their rivals.

    Attributes:
        panel: The assets.
        market: The same rows as policies see them.
        rows: A decision is taken at the close of each but the last.
        costs: Costs of a fill.
        accounts: Settings of the accounts.
        account_columns: Account features that the policies see, in order.
    """

    panel: Panel
    market: Market
    rows: RowRange
    costs: CostParams
    accounts: PortfolioParams = field(default_factory=PortfolioParams)
    account_columns: tuple[str, ...] = ()

    def over(self, rows: RowRange) -> PortfolioSetting:
        """Return the same setting over other rows."""
        return replace(self, rows=rows)


def portfolio_backtest(policy: Policy, setting: PortfolioSetting) -> PortfolioLedger:
    """Let a policy trade over some rows, starting in cash.

    Args:
        policy: Whose mean weights are taken.
        setting: Where.

    Returns:
        The ledger, with T − 1 decisions, or fewer where the account was stopped at a loss.

    Raises:
        ConfigError: Fewer than two rows.
    """
    rows = setting.rows
    if len(rows) < 2:
        raise ConfigError(f"backtest over {len(rows)} row was asked for; at least 2 are needed, one to decide and one to mark")
    simulator = PortfolioSimulator(setting.panel, 1, setting.costs, setting.accounts)
    simulator.reset(np.array([0]), np.array([rows.start]), np.array([rows.stop]))
    initial_equity = float(simulator.equity[0])
    loop = PortfolioLoop(policy, simulator, setting.market, setting.account_columns)
    records: list[PortfolioRecords] = []
    for _ in range(len(rows) - 1):
        records.append(loop.step())
        if records[-1].done[0]:
            break
    times = np.asarray(setting.panel.timestamps[rows.start : rows.stop])
    return portfolio_ledger_of(records, setting.panel.symbols, initial_equity, times)


def portfolio_growth(policy: Policy, setting: PortfolioSetting) -> float:
    """Return the mean net log growth per bar over segments of some rows, walked side by side.

    Each segment starts in cash, so that one step decides for all of them at once.

    Args:
        policy: Whose mean weights are taken.
        setting: Where; its rows are the validation rows, never the test rows.
    """
    rows = setting.rows
    n = segments_of(rows)
    edges = np.linspace(rows.start, rows.stop - 1, n + 1).astype(np.int64)
    simulator = PortfolioSimulator(setting.panel, n, setting.costs, setting.accounts)
    simulator.reset(np.arange(n), edges[:-1], edges[1:] + 1)
    loop = PortfolioLoop(policy, simulator, setting.market, setting.account_columns)
    growth, active = 0.0, np.ones(n, dtype=np.bool_)
    while active.any():
        records = loop.step()
        growth += float(simulator.log_return[active].sum())
        active &= ~records.done
    return growth / (len(rows) - 1)
