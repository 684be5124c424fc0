"""The bar just marked, as a reward term sees it: arrays over N accounts, each computed once and only where a term asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seawall.core.bars import CLOSE
from seawall.core.market import Market
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Accounts

_LEAST_EQUITY = 1e-300


@dataclass(frozen=True)
class Before:
    """What accounts were when the decision was taken, float64, shape (N,) each.

    Attributes:
        quantity: Units held.
        entry_price: Average price of the position.
        equity: Marked at that close, at least 1e-300.
        peak_equity: Highest equity up to that close.
    """

    quantity: np.ndarray
    entry_price: np.ndarray
    equity: np.ndarray
    peak_equity: np.ndarray


class BarView:
    """One bar of N accounts, from the decision at the close of `row` − 1 to the mark at the close of `row`.

    Everything is known at the close of `row`. A term that reads `market` beyond that row must declare how far it looks, as its
    horizon. Arrays are of shape (N,), and must not be changed.
    """

    def __init__(self, market: Market, accounts: Accounts, n: int, before: Before, signal: np.ndarray) -> None:
        """Take the accounts just marked.

        Args:
            market: What the rows refer to.
            accounts: The blocks of the kernel.
            n: Number of accounts, N.
            before: The accounts at the decision.
            signal: What was asked for: −1 sell, 0 hold, +1 buy; int8, shape (N,).
        """
        self.market = market
        self.n = n
        self.before = before
        self.signal = signal
        self._money, self._counts = accounts.money[:, :n], accounts.counts[:, :n]

    @property
    def row(self) -> np.ndarray:
        """Row that has just closed, int64."""
        return self._counts[at.ROW]

    @property
    def log_return(self) -> np.ndarray:
        """log(equity now / equity one bar ago) after all costs, floored at ruin."""
        return self._money[at.LOG_RETURN]

    @property
    def equity(self) -> np.ndarray:
        """Equity at this close."""
        return self._money[at.EQUITY]

    @property
    def peak_equity(self) -> np.ndarray:
        """Highest equity of the episode, this close included."""
        return self._money[at.PEAK_EQUITY]

    @property
    def quantity(self) -> np.ndarray:
        """Units held at this close."""
        return self._money[at.QUANTITY]

    @property
    def fee(self) -> np.ndarray:
        """Commission paid in the bar."""
        return self._money[at.FEE]

    @property
    def closed_pnl(self) -> np.ndarray:
        """Profit of what was closed in the bar, after the costs of closing it."""
        return self._money[at.CLOSED_PNL]

    @property
    def closed_value(self) -> np.ndarray:
        """Value at its entry of what was closed in the bar."""
        return self._money[at.CLOSED_VALUE]

    @property
    def traded_notional(self) -> np.ndarray:
        """Value traded in the bar."""
        return self._money[at.TRADED_NOTIONAL]

    @property
    def terminated(self) -> np.ndarray:
        """Whether the bar ended the episode by ruin or by its largest loss, bool."""
        return self._counts[at.TERMINATED] != 0

    @cached_property
    def simple_return(self) -> np.ndarray:
        """Change of equity over equity one bar ago; −1 at ruin."""
        return self.equity / self.before.equity - 1.0

    @cached_property
    def costs(self) -> np.ndarray:
        """All costs of the bar: commission, half-spread, slippage, financing and funding."""
        money = self._money
        return money[at.FEE] + money[at.SPREAD] + money[at.SLIPPAGE] + money[at.FINANCING] + money[at.FUNDING]

    @cached_property
    def exposure(self) -> np.ndarray:
        """Value of the position over equity at this close, signed; 0 at ruin."""
        return self.quantity * self.close / np.maximum(self.equity, _LEAST_EQUITY)

    @cached_property
    def drawdown(self) -> np.ndarray:
        """1 − equity / highest equity of the episode."""
        return 1.0 - self.equity / self.peak_equity

    @cached_property
    def close(self) -> np.ndarray:
        """Price at this close."""
        return self.market.prices[self.row, CLOSE]

    @cached_property
    def close_before(self) -> np.ndarray:
        """Price at the close at which the decision was taken."""
        return self.market.prices[self.row - 1, CLOSE]

    @cached_property
    def asset_return(self) -> np.ndarray:
        """Change of the price over the bar, from close to close."""
        return self.close / self.close_before - 1.0

    @cached_property
    def entered(self) -> np.ndarray:
        """Whether a position was opened, enlarged or reversed in the bar and is held at its close, bool."""
        grown = np.abs(self.quantity) > np.abs(self.before.quantity)
        return (self.quantity != 0.0) & (grown | (self.quantity * self.before.quantity < 0.0))

    @cached_property
    def idle(self) -> np.ndarray:
        """Whether nothing was held and nothing traded in the bar, bool."""
        return (self.quantity == 0.0) & (self.traded_notional == 0.0)
