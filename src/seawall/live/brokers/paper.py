"""The paper broker: one account in the simulator, which fills its orders at the open of the bar that closes next."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seawall.core.errors import InvariantError
from seawall.core.market import Market
from seawall.core.protocols import OrderTerms
from seawall.live.brokers.contract import Answer, Balance, Known, Order, Position, Receipt
from seawall.simulator.costs.params import CostParams
from seawall.simulator.kernel.layout import ROW, STOP
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator, StepResult

_WORKS = "a part of it works since an earlier bar; a new target replaces it, and it cannot be taken back alone"


class PaperBroker:
    """One account, filled by the kernel that training and backtest use.

    The market is given anew with each bar, so that nothing later than the newest close is there to be read, and only the last
    rows of it are needed.
    """

    def __init__(self, symbol: str, costs: CostParams, params: SimulatorParams, *, terms: bool) -> None:
        """Take the account's settings; `open` starts it.

        Args:
            symbol: What is traded.
            costs: Costs of a fill and of holding.
            params: Settings of the account. Its reward is not looked at: nobody learns here, and some rewards read ahead.
            terms: Whether orders carry their own limit, take-profit and stop-loss.
        """
        self.symbol = symbol
        self._costs = costs
        self._params = params.model_copy(update={"reward": RewardParams()})
        self._terms = terms
        self._account: Simulator | None = None
        self._waiting: Order | None = None
        self._working: Order | None = None
        self._taken: set[str] = set()
        self._newest_ms = -1

    @property
    def simulator(self) -> Simulator:
        """The account as it stands.

        Raises:
            InvariantError: It was not opened.
        """
        if self._account is None:
            raise InvariantError("the paper account is not open; open it at the close of a bar")
        return self._account

    def open(self, market: Market, bars_left: int) -> None:
        """Start the account flat, at the close of the newest bar.

        Args:
            market: The bars closed so far.
            bars_left: Bars that will follow, at least 1; the last of them is marked and ends the episode.

        Raises:
            ConfigError: No bar is to follow.
        """
        row = len(market) - 1
        # The bar that follows is not known. A copy of the newest stands in its place while the episode is opened.
        account = self._made(_with_a_row_more(market))
        account.reset(np.array([0]), np.array([row]), np.array([row + 2]))
        self._account = self._moved(account, market, 0)
        self._account.stop[0] = row + 1 + bars_left
        self._waiting = self._working = None
        self._newest_ms = int(market.timestamps[-1])

    def submit(self, order: Order) -> Answer[Receipt]:
        """Take an order, to be filled at the next open; the same one sent again changes nothing.

        Raises:
            InvariantError: It is of another symbol, of another bar than the newest, or another decision waits already.
        """
        if order.client_order_id in self._taken:
            return Known(Receipt(order.client_order_id, True, "taken before"))
        if order.symbol != self.symbol or order.decided_ms != self._newest_ms or self._waiting is not None:
            raise InvariantError(
                f"{order} cannot be taken; allowed: one order a bar for {self.symbol}, of the newest bar ({self._newest_ms})"
            )
        self._taken.add(order.client_order_id)
        self._waiting = order
        return Known(Receipt(order.client_order_id, True, "taken"))

    def cancel(self, client_order_id: str) -> Answer[Receipt]:
        """Take back an order that waits for the next open."""
        if self._waiting is not None and self._waiting.client_order_id == client_order_id:
            self._waiting = None
            return Known(Receipt(client_order_id, True, "taken back"))
        works = self._working is not None and self._working.client_order_id == client_order_id
        return Known(Receipt(client_order_id, False, _WORKS if works else "no such order waits"))

    def open_orders(self) -> Answer[tuple[Order, ...]]:
        """Return the order that works since an earlier bar, and the one that waits for the next open."""
        return Known(tuple(order for order in (self._working, self._waiting) if order is not None))

    def positions(self) -> Answer[Mapping[str, Position]]:
        """Return what is held at the newest close."""
        account = self.simulator
        quantity = float(account.quantity[0])
        return Known({self.symbol: Position(quantity, float(account.entry_price[0]))} if quantity else {})

    def balance(self) -> Answer[Balance]:
        """Return what the account is worth at the newest close."""
        account = self.simulator
        return Known(Balance(float(account.equity[0]), float(account.cash[0])))

    def bar_closed(self, market: Market) -> StepResult:
        """Fill the waiting order at the open of a bar that has closed since, and mark the account at its close.

        Args:
            market: The market as it was when the order was taken, with one row more.

        Raises:
            InvariantError: The market has not exactly one row more.
        """
        account = self.simulator
        if len(market) != int(account.row[0]) + 2:
            raise InvariantError(f"the market has {len(market)} rows; needed: {int(account.row[0]) + 2}, one more than before")
        account = self._moved(account, market, 0)
        order, self._waiting = self._waiting, None
        target = account.view().target.copy() if order is None else np.array([order.target])
        result = account.step(target, self._order_terms(order))
        self._working = (order or self._working) if account.order_is_working[0] else None
        self._account = account
        self._newest_ms = int(market.timestamps[-1])
        return result

    def trimmed(self, market: Market, dropped: int) -> None:
        """Go on with a market from which the first rows were dropped; the account stays as it is."""
        self._account = self._moved(self.simulator, market, dropped)

    def _order_terms(self, order: Order | None) -> OrderTerms | None:
        if not self._terms:
            return None
        carried = (0.0, 0.0, 0.0) if order is None else (order.limit, order.take_profit, order.stop_loss)
        return OrderTerms(*(np.array([part]) for part in carried))

    def _made(self, market: Market) -> Simulator:
        return Simulator(market, 1, self._costs, self._params, terms=self._terms)

    def _moved(self, account: Simulator, market: Market, dropped: int) -> Simulator:
        """Return the account in a simulator over another cut of the same bars."""
        state = account.state_dict()
        state["counts"][[ROW, STOP], 0] -= dropped
        moved = self._made(market)
        moved.load_state_dict(state)
        return moved


def _with_a_row_more(market: Market) -> Market:
    def longer(block: np.ndarray) -> np.ndarray:
        return np.concatenate([block, block[-1:]])

    times = longer(market.timestamps)
    times[-1] += market.timeframe.milliseconds
    rows = len(times)
    return Market(
        market.symbols, (0, rows), market.timeframe, times, longer(market.prices), longer(market.features),
        market.feature_names, market.ready,
    )  # fmt: skip
