"""Orders that arrive late: a queue of as many bars as the latency has."""

from __future__ import annotations

import numpy as np

from seawall.simulator.kernel.layout import Orders


class DelayedOrders:
    """The orders of N accounts that are on their way.

    A decision that asks for the target decided before sends no order. What a rule closes is flat; orders that were sent before
    arrive all the same, as they would, so the last of them is then the target decided.

    Attributes:
        target: Target decided last, float64, shape (N,): what HOLD keeps.
    """

    def __init__(self, bars: int, n: int, *, terms: bool) -> None:
        """Start with nothing on its way.

        Args:
            bars: Latency, at least 1.
            n: Number of accounts, N.
            terms: Whether orders carry terms of their own.
        """
        self.target = np.zeros(n)
        self._queue = np.full((bars, 4 if terms else 1, n), np.nan)
        self._next = np.zeros(1, dtype=np.int64)

    def passed(self, orders: Orders) -> Orders:
        """Send orders; return those that arrive now, with NaN as target where none does."""
        place = int(self._next[0])
        arriving = self._queue[place].copy()
        self._next[0] = (place + 1) % len(self._queue)
        sent = self._queue[place]
        sent[0] = np.where(orders.target == self.target, np.nan, orders.target)
        for row in range(1, len(sent)):
            sent[row] = orders[row]
        self.target[:] = orders.target
        none = orders[1:]
        return Orders(arriving[0], *(arriving[1:] if len(arriving) > 1 else none))

    def forget(self, closed: np.ndarray) -> None:
        """Take accounts whose position a rule closed as flat, or as at the last order on its way to them; bool, shape (N,)."""
        if not closed.any():
            return
        self.target[closed] = 0.0
        for waited in range(len(self._queue)):
            sent = self._queue[(int(self._next[0]) + waited) % len(self._queue)][0]
            np.copyto(self.target, sent, where=closed & ~np.isnan(sent))

    def reset(self, accounts: np.ndarray, targets: np.ndarray) -> None:
        """Empty the queue of some accounts, which start at targets."""
        self._queue[:, :, accounts] = np.nan
        self.target[accounts] = targets

    def blocks(self) -> dict[str, np.ndarray]:
        """Return the arrays that a saved state consists of."""
        return {"orders_on_their_way": self._queue, "next_order": self._next, "target_decided": self.target}
