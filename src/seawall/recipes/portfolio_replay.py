"""Replaying recorded bars of a portfolio, one decision at a time: nothing that has not closed yet exists when a decision is taken.

At every close the features of the newest bar are computed from the bars so far, as live does; the market that the policy sees and
the panel that the account lives on end with that bar; and the decision of the bar before is filled only now.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seawall.core.market import Market, RowRange
from seawall.core.protocols import Policy
from seawall.engine.portfolio_decision import PortfolioLoop, PortfolioRecords
from seawall.envs.portfolio_market import panel_market
from seawall.evaluation.portfolio_ledger import PortfolioLedger, portfolio_ledger_of
from seawall.features.pipeline import live_row, rows_for_live
from seawall.features.registry import feature_set
from seawall.market.panel import Panel
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.simulator.portfolio import layout
from seawall.simulator.portfolio.simulator import PortfolioSimulator


@dataclass
class _Tail:
    """The newest rows of a panel, as they closed one after the other.

    Attributes:
        parts: What computes features, and how they are scaled.
        panel: The whole recording, of which nothing behind `last` is read.
        last: Newest row that has closed.
        features: Of each row so far that is still looked at, each float32 of shape (A, F).
    """

    parts: PortfolioParts
    panel: Panel
    last: int = -1
    features: list[np.ndarray] = field(default_factory=list[np.ndarray])

    def __post_init__(self) -> None:
        self._columns = feature_set(self.parts.recipe.features)
        self._frames = [self.panel.bars(symbol) for symbol in self.panel.symbols]
        self._needed = rows_for_live(self._columns, self.panel.timeframe)
        self._kept = self.parts.look.reach + 1

    def close(self, row: int) -> None:
        """Take in the next bar: compute its features from the bars up to it."""
        first = max(0, row + 1 - self._needed)
        rows = [live_row(bars.iloc[first : row + 1], self._columns, self.panel.timeframe, np.float32) for bars in self._frames]
        scaled = self.parts.data.dataset.scaler.transform(np.stack(rows), self._columns.columns)
        self.features = [*self.features, scaled][-self._kept :]
        self.last = row

    @property
    def first(self) -> int:
        """Oldest row that is still looked at."""
        return self.last + 1 - len(self.features)

    def seen(self, extra: int = 0) -> Panel:
        """Return the panel of the rows that are looked at; with `extra` its last bar is repeated so often."""
        rows = np.minimum(np.arange(self.first, self.last + 1 + extra), self.last)
        whole = self.panel
        return Panel(whole.symbols, whole.timeframe, whole.timestamps[rows], whole.prices[:, rows], whole.stale[:, rows])


def replay_portfolio(parts: PortfolioParts, policy: Policy, rows: RowRange) -> PortfolioLedger:
    """Walk recorded bars as if they came in one by one.

    Args:
        parts: A recipe's parts on the recorded bars; its scaler is used, its features are computed anew.
        policy: Decides.
        rows: A decision is taken at the close of each but the last.

    Returns:
        The ledger, equal to that of `portfolio_backtest` over the same rows.
    """
    tail = _Tail(parts, parts.data.panel)
    for row in range(rows.start - parts.look.reach + 1, rows.start + 1):
        tail.close(row)
    loop = PortfolioLoop(policy, _opened(tail, rows), _market(tail), parts.recipe.environment.account_columns)
    loop.first_row = tail.first
    records: list[PortfolioRecords] = []
    initial_equity = float(loop.simulator.equity[0])
    for row in range(rows.start + 1, rows.stop):
        loop.decide()
        state, before = loop.simulator.state_dict(), tail.first
        tail.close(row)
        state["counts"][[layout.ROW, layout.STOP]] += before - tail.first
        loop.stand_on(_restored(tail, state), _market(tail), tail.first)
        records.append(loop.settle())
        if records[-1].done[0]:
            break
    times = np.asarray(tail.panel.timestamps[rows.start : rows.stop])
    return portfolio_ledger_of(records, tail.panel.symbols, initial_equity, times)


def _accounts(tail: _Tail, extra: int = 0) -> PortfolioSimulator:
    return PortfolioSimulator(tail.seen(extra), 1, tail.parts.recipe.costs, tail.parts.recipe.simulator)


def _market(tail: _Tail) -> Market:
    columns = feature_set(tail.parts.recipe.features).columns
    return panel_market(tail.seen(), np.stack(tail.features, axis=1), columns, 0)


def _opened(tail: _Tail, rows: RowRange) -> PortfolioSimulator:
    """Return an account that starts in cash at the newest close."""
    account, at = _accounts(tail, extra=1), len(tail.features) - 1
    account.reset(np.array([0]), np.array([at]), np.array([at + 2]))
    state = account.state_dict()
    # The episode ends where that of a backtest does, beyond what is known of the bars by now.
    state["counts"][layout.STOP] = rows.stop - tail.first
    return _restored(tail, state)


def _restored(tail: _Tail, state: dict[str, np.ndarray]) -> PortfolioSimulator:
    """Return an account as it was, on what is known by now."""
    account = _accounts(tail)
    account.load_state_dict(state)
    return account
