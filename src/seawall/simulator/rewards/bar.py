"""The bar just marked, as a reward term of a user's own sees it: arrays over N accounts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seawall.core.market import Market
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Accounts
from seawall.simulator.rewards import layout as of
from seawall.simulator.rewards.layout import Judging


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
    horizon. Arrays are of shape (N,); they must not be changed, and are written over at the next bar.

    Attributes:
        market: What the rows refer to.
        n: Number of accounts, N.
        before: The accounts at the decision.
        signal: What was asked for: −1 sell, 0 hold, +1 buy; int8.
    """

    def __init__(self, market: Market, accounts: Accounts, judging: Judging, n: int) -> None:
        """Take the accounts just marked.

        Args:
            market: What the rows refer to.
            accounts: The blocks of the kernel.
            judging: What the compiled pass was given, with every fact filled.
            n: Number of accounts, N.
        """
        self.market, self.n, self.signal = market, n, judging.signal
        self._facts: np.ndarray = judging.facts[:, :n]
        self.before = Before(*self._facts[: of.BAR_RETURN])
        self._money, self._counts = accounts.money, accounts.counts

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

    @property
    def simple_return(self) -> np.ndarray:
        """Change of equity over equity one bar ago; −1 at ruin."""
        return self._facts[of.BAR_RETURN]

    @property
    def costs(self) -> np.ndarray:
        """All costs of the bar: commission, half-spread, slippage, financing and funding."""
        return self._facts[of.BAR_COSTS]

    @property
    def exposure(self) -> np.ndarray:
        """Value of the position over equity at this close, signed; 0 at ruin."""
        return self._facts[of.EXPOSURE]

    @property
    def drawdown(self) -> np.ndarray:
        """1 − equity / highest equity of the episode."""
        return self._facts[of.FALL]

    @property
    def close(self) -> np.ndarray:
        """Price at this close."""
        return self._facts[of.PRICE]

    @property
    def close_before(self) -> np.ndarray:
        """Price at the close at which the decision was taken."""
        return self._facts[of.PRICE_BEFORE]

    @property
    def asset_return(self) -> np.ndarray:
        """Change of the price over the bar, from close to close."""
        return self._facts[of.ASSET_RETURN]

    @cached_property
    def entered(self) -> np.ndarray:
        """Whether a position was opened, enlarged or reversed in the bar and is held at its close, bool."""
        grown = np.abs(self.quantity) > np.abs(self.before.quantity)
        return (self.quantity != 0.0) & (grown | (self.quantity * self.before.quantity < 0.0))

    @cached_property
    def idle(self) -> np.ndarray:
        """Whether nothing was held and nothing traded in the bar, bool."""
        return (self.quantity == 0.0) & (self.traded_notional == 0.0)
