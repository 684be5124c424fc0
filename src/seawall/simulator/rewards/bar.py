"""The bar just marked, as a reward term sees it: arrays over N accounts, each computed once and only where a term asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from seawall.core.bars import CLOSE
from seawall.core.market import Market
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Accounts

_LEAST_EQUITY = 1e-300
FACTS = 7
SIMPLE_RETURN, COSTS, EXPOSURE, DRAWDOWN, PRICE, PRICE_BEFORE, ASSET_RETURN = range(FACTS)


@njit(cache=True, error_model="numpy")
def _fill_facts(prices: np.ndarray, money: np.ndarray, counts: np.ndarray, before: np.ndarray, facts: np.ndarray) -> None:
    """Fill what several terms ask for, from the accounts just marked and their equity one bar ago."""
    for i in range(facts.shape[1]):
        row, equity = counts[at.ROW, i], money[at.EQUITY, i]
        price, earlier = prices[row, CLOSE], prices[row - 1, CLOSE]
        facts[SIMPLE_RETURN, i] = equity / before[i] - 1.0
        facts[COSTS, i] = (
            money[at.FEE, i] + money[at.SPREAD, i] + money[at.SLIPPAGE, i] + money[at.FINANCING, i] + money[at.FUNDING, i]
        )
        facts[EXPOSURE, i] = money[at.QUANTITY, i] * price / max(equity, _LEAST_EQUITY)
        facts[DRAWDOWN, i] = 1.0 - equity / money[at.PEAK_EQUITY, i]
        facts[PRICE, i], facts[PRICE_BEFORE, i], facts[ASSET_RETURN, i] = price, earlier, price / earlier - 1.0


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

    def __init__(self, market: Market, prices: np.ndarray, accounts: Accounts, before: Before, signal: np.ndarray) -> None:
        """Take the accounts just marked.

        Args:
            market: What the rows refer to.
            prices: Its prices as the kernel reads them.
            accounts: The blocks of the kernel.
            before: The accounts at the decision.
            signal: What was asked for: −1 sell, 0 hold, +1 buy; int8, shape (N,).
        """
        self.market = market
        self.n = len(signal)
        self.before = before
        self.signal = signal
        self._prices, self._money, self._counts = prices, accounts.money, accounts.counts

    @property
    def row(self) -> np.ndarray:
        """Row that has just closed, int64."""
        return self._counts[at.ROW, : self.n]

    @property
    def log_return(self) -> np.ndarray:
        """log(equity now / equity one bar ago) after all costs, floored at ruin."""
        return self._money[at.LOG_RETURN, : self.n]

    @property
    def equity(self) -> np.ndarray:
        """Equity at this close."""
        return self._money[at.EQUITY, : self.n]

    @property
    def peak_equity(self) -> np.ndarray:
        """Highest equity of the episode, this close included."""
        return self._money[at.PEAK_EQUITY, : self.n]

    @property
    def quantity(self) -> np.ndarray:
        """Units held at this close."""
        return self._money[at.QUANTITY, : self.n]

    @property
    def fee(self) -> np.ndarray:
        """Commission paid in the bar."""
        return self._money[at.FEE, : self.n]

    @property
    def closed_pnl(self) -> np.ndarray:
        """Profit of what was closed in the bar, after the costs of closing it."""
        return self._money[at.CLOSED_PNL, : self.n]

    @property
    def closed_value(self) -> np.ndarray:
        """Value at its entry of what was closed in the bar."""
        return self._money[at.CLOSED_VALUE, : self.n]

    @property
    def traded_notional(self) -> np.ndarray:
        """Value traded in the bar."""
        return self._money[at.TRADED_NOTIONAL, : self.n]

    @property
    def terminated(self) -> np.ndarray:
        """Whether the bar ended the episode by ruin or by its largest loss, bool."""
        return self._counts[at.TERMINATED, : self.n] != 0

    @cached_property
    def _facts(self) -> np.ndarray:
        """What several terms ask for, float64, shape (FACTS, N), computed in one compiled pass."""
        facts = np.empty((FACTS, self.n))
        _fill_facts(self._prices, self._money, self._counts, self.before.equity, facts)
        return facts

    @property
    def simple_return(self) -> np.ndarray:
        """Change of equity over equity one bar ago; −1 at ruin."""
        return self._facts[SIMPLE_RETURN]

    @property
    def costs(self) -> np.ndarray:
        """All costs of the bar: commission, half-spread, slippage, financing and funding."""
        return self._facts[COSTS]

    @property
    def exposure(self) -> np.ndarray:
        """Value of the position over equity at this close, signed; 0 at ruin."""
        return self._facts[EXPOSURE]

    @property
    def drawdown(self) -> np.ndarray:
        """1 − equity / highest equity of the episode."""
        return self._facts[DRAWDOWN]

    @property
    def close(self) -> np.ndarray:
        """Price at this close."""
        return self._facts[PRICE]

    @property
    def close_before(self) -> np.ndarray:
        """Price at the close at which the decision was taken."""
        return self._facts[PRICE_BEFORE]

    @property
    def asset_return(self) -> np.ndarray:
        """Change of the price over the bar, from close to close."""
        return self._facts[ASSET_RETURN]

    @cached_property
    def entered(self) -> np.ndarray:
        """Whether a position was opened, enlarged or reversed in the bar and is held at its close, bool."""
        grown = np.abs(self.quantity) > np.abs(self.before.quantity)
        return (self.quantity != 0.0) & (grown | (self.quantity * self.before.quantity < 0.0))

    @cached_property
    def idle(self) -> np.ndarray:
        """Whether nothing was held and nothing traded in the bar, bool."""
        return (self.quantity == 0.0) & (self.traded_notional == 0.0)
