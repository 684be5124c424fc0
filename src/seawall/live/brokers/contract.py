"""What a broker answers. Every answer is known or unknown: what a broker did not say is never read as flat, or as no order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from seawall.core.files import digest

T = TypeVar("T")


@dataclass(frozen=True)
class Known(Generic[T]):
    """What a broker said.

    Attributes:
        value: The answer.
    """

    value: T


@dataclass(frozen=True)
class Unknown:
    """A broker did not say, or could not be understood.

    Attributes:
        reason: Why, in plain words.
    """

    reason: str


Answer = Known[T] | Unknown


@dataclass(frozen=True)
class Order:
    """An order for an exposure, decided at the close of a bar.

    Attributes:
        client_order_id: From `client_order_id`: the same decision always has the same one, so that none is sent twice.
        symbol: What is traded.
        decided_ms: Opening time of the bar at whose close it was decided, milliseconds UTC.
        target: Exposure to hold, a fraction of equity, negative when short.
        limit: How far from the last close it rests, as a share of it; 0 trades at the open.
        take_profit: Distance of its take-profit from the entry, as a share of it; 0 for none.
        stop_loss: Distance of its stop-loss from the entry, likewise.
    """

    client_order_id: str
    symbol: str
    decided_ms: int
    target: float
    limit: float = 0.0
    take_profit: float = 0.0
    stop_loss: float = 0.0


@dataclass(frozen=True)
class Receipt:
    """What became of a request.

    Attributes:
        client_order_id: Of which order.
        accepted: Whether it stands: an order that was taken, now or before; or a cancellation that came in time.
        words: What happened, in plain words.
    """

    client_order_id: str
    accepted: bool
    words: str


@dataclass(frozen=True)
class Position:
    """What is held of one symbol.

    Attributes:
        quantity: Units, negative when short.
        entry_price: Average price at which they were entered.
    """

    quantity: float
    entry_price: float


@dataclass(frozen=True)
class Balance:
    """What an account is worth.

    Attributes:
        equity: Cash and positions, marked at the newest close.
        cash: Quote currency, including the proceeds of short sales.
    """

    equity: float
    cash: float


class Broker(Protocol):
    """Where orders go."""

    def submit(self, order: Order) -> Answer[Receipt]:
        """Send an order; the same one sent again is the same order still."""
        ...

    def cancel(self, client_order_id: str) -> Answer[Receipt]:
        """Take an order back, where it has not been filled."""
        ...

    def open_orders(self) -> Answer[tuple[Order, ...]]:
        """Return the orders that are not filled, oldest first."""
        ...

    def positions(self) -> Answer[Mapping[str, Position]]:
        """Return what is held, by symbol; a symbol that is not there is flat."""
        ...

    def balance(self) -> Answer[Balance]:
        """Return what the account is worth."""
        ...


def client_order_id(account: str, symbol: str, decided_ms: int) -> str:
    """Return the identifier of the order of one decision: 32 letters and digits, which every venue takes.

    Args:
        account: Which strategy on which account decides.
        symbol: What is traded.
        decided_ms: Opening time of the bar at whose close the decision is taken, milliseconds UTC.
    """
    return f"sw{digest([account, symbol, decided_ms])[:30]}"
