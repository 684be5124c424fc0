"""One decision over several assets: observe, act, trade, record.

Backtest and replay drive this same loop. A decision is complete before its fill exists: between the two halves the loop may be
put on a market and accounts that have grown by the bar in which the decision is filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seawall.core.errors import InvariantError
from seawall.core.market import Market
from seawall.core.protocols import Observation, Policy
from seawall.simulator.portfolio.accounts import account_layout
from seawall.simulator.portfolio.simulator import PortfolioSimulator


@dataclass(frozen=True)
class PortfolioRecords:
    """What was decided for N portfolios of A assets at the close of a bar, and what the next bar made of it; (N,) unless said.

    Attributes:
        row: Row at whose close the decision was taken, int64.
        timestamp_ms: Opening time of that row in milliseconds UTC, int64.
        next_timestamp_ms: Opening time of the row in which the decision was filled and marked, int64.
        targets: Weights of cash and the assets that the policy asked for, float64, shape (N, A + 1).
        hold: Whether the policy asked to leave everything as it is, bool.
        weights: Weights at the close of the next bar, float64, shape (N, A + 1).
        units: Units held then, float64, shape (N, A).
        traded_notional: Value of what was traded, float64.
        fee: Commission paid, float64.
        spread: Half-spread paid, float64.
        slippage: Slippage paid, float64.
        price_pnl: Profit from prices over the bar, float64.
        equity: At the close of the next bar, float64.
        benchmark: Of equal-weight buy-and-hold without costs, likewise.
        done: Whether the episode is over, by the stop at a loss or by the end of its rows, bool.
    """

    row: np.ndarray
    timestamp_ms: np.ndarray
    next_timestamp_ms: np.ndarray
    targets: np.ndarray
    hold: np.ndarray
    weights: np.ndarray
    units: np.ndarray
    traded_notional: np.ndarray
    fee: np.ndarray
    spread: np.ndarray
    slippage: np.ndarray
    price_pnl: np.ndarray
    equity: np.ndarray
    benchmark: np.ndarray
    done: np.ndarray


class _Pending(NamedTuple):
    """A decision that waits for its fill."""

    row: np.ndarray
    timestamp_ms: np.ndarray
    targets: np.ndarray
    hold: np.ndarray


class PortfolioLoop:
    """Takes decisions for N portfolios, one bar at a time.

    Attributes:
        simulator: The accounts; reset by whoever drives the loop.
        market: What the policy sees: the assets as series of one length.
        first_row: Row of the whole history at which accounts and market begin.
    """

    def __init__(
        self,
        policy: Policy,
        simulator: PortfolioSimulator,
        market: Market,
        account_columns: tuple[str, ...],
        *,
        deterministic: bool = True,
    ) -> None:
        """Take the parts.

        Args:
            policy: Returns weights of cash and the assets, shape (N, A + 1); where its details have ``hold``, bool, shape (N,),
                such portfolios are left as they are.
            simulator: The accounts.
            market: Of the same rows as the panel of the accounts.
            account_columns: Account features that the policy was trained with, in order.
            deterministic: Take the policy's mean weights rather than a draw.
        """
        self._policy, self._deterministic = policy, deterministic
        self._codes, names = account_layout(account_columns, simulator.panel.symbols)
        self._width = len(names)
        self.simulator, self.market, self.first_row = simulator, market, 0
        self._pending: _Pending | None = None

    def stand_on(self, simulator: PortfolioSimulator, market: Market, first_row: int) -> None:
        """Go on with accounts and a market that know one bar more; a decision that waits is settled there.

        Args:
            simulator: The accounts as they were.
            market: What the policy sees from now on.
            first_row: Row of the whole history at which both begin.
        """
        self.simulator, self.market, self.first_row = simulator, market, first_row

    def observe(self) -> Observation:
        """Return what is known at the close of each account's row."""
        account = np.empty((self.simulator.n, self._width), dtype=np.float32)
        self.simulator.fill_account_rows(self._codes, account)
        return Observation(self.market, self.simulator.row.copy(), account)

    def decide(self) -> np.ndarray:
        """Observe and act, at the close of the bar that the accounts stand at.

        Returns:
            Weights of cash and the assets, float64, shape (N, A + 1), to be traded at the next open by `settle`.

        Raises:
            InvariantError: The decision before this one is not settled.
        """
        if self._pending is not None:
            raise InvariantError(f"row {self._pending.row.tolist()} is decided but not settled; settle it before the next decision")
        observation = self.observe()
        weights, details = self._policy.act(observation, deterministic=self._deterministic)
        hold = np.asarray(details.get("hold", np.zeros(self.simulator.n)), dtype=np.bool_)
        times = self.simulator.panel.timestamps[observation.rows]
        self._pending = _Pending(observation.rows + self.first_row, times, np.array(weights, dtype=np.float64), hold)
        return self._pending.targets

    def settle(self) -> PortfolioRecords:
        """Trade the waiting decision at the open of the next bar, mark it at that bar's close, and record both.

        Raises:
            InvariantError: No decision waits.
        """
        if self._pending is None:
            raise InvariantError("no decision waits to be settled; decide first")
        waiting, self._pending = self._pending, None
        accounts = self.simulator
        result = accounts.step(waiting.targets, waiting.hold)
        return PortfolioRecords(
            row=waiting.row,
            timestamp_ms=waiting.timestamp_ms,
            next_timestamp_ms=accounts.panel.timestamps[accounts.row],
            targets=waiting.targets,
            hold=waiting.hold,
            weights=accounts.weights,
            units=accounts.units.copy(),
            traded_notional=accounts.traded_notional.copy(),
            fee=accounts.fee.copy(),
            spread=accounts.spread.copy(),
            slippage=accounts.slippage.copy(),
            price_pnl=accounts.price_pnl.copy(),
            equity=accounts.equity.copy(),
            benchmark=accounts.benchmark.copy(),
            done=result.terminated | result.truncated,
        )

    def step(self) -> PortfolioRecords:
        """Decide and settle."""
        self.decide()
        return self.settle()
