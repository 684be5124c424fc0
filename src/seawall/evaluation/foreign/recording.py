"""What another program recorded, in one form: fills, the round trips that it tells of, or only its equity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

_DUST = 1e-9
"""A position below this share of the largest fill is what rounding left of none."""


@dataclass(frozen=True)
class Fills:
    """Fills in the order of their times; all arrays of shape (K,).

    Attributes:
        time_ms: When, in milliseconds UTC; int64.
        quantity: Units, positive when bought; float64.
        price: Quote units for one unit; float64.
        fee: Paid, in quote units; negative for a rebate; float64.
        carry: What holding earned, booked with this fill, in quote units; negative where it cost; float64.
    """

    time_ms: np.ndarray
    quantity: np.ndarray
    price: np.ndarray
    fee: np.ndarray
    carry: np.ndarray

    def __len__(self) -> int:
        """Return the number of fills."""
        return len(self.time_ms)

    def ordered(self, rank: np.ndarray | None = None) -> Fills:
        """Return the fills by time; of those of one time in the order of `rank`, else as they stand."""
        order = np.lexsort((np.arange(len(self)), np.zeros(len(self)) if rank is None else rank, self.time_ms))
        return Fills(*(getattr(self, name)[order] for name in ("time_ms", "quantity", "price", "fee", "carry")))


@dataclass(frozen=True)
class RoundTrips:
    """Round trips; all arrays of shape (K,).

    Attributes:
        side: +1 long, −1 short; int8.
        units: Held at the end, with their sign, where it is open; else 0; float64.
        opened_ms: int64.
        closed_ms: int64; of no meaning where it is open.
        profit: After costs, in quote units; where it is open, less what `units` are worth at the end; float64.
    """

    side: np.ndarray
    units: np.ndarray
    opened_ms: np.ndarray
    closed_ms: np.ndarray
    profit: np.ndarray

    @property
    def open_at_end(self) -> np.ndarray:
        """Whether each was never closed, bool, shape (K,)."""
        return self.units != 0.0

    def marked(self, price: float) -> np.ndarray:
        """Return the profits with what is still held at a price, float64, shape (K,)."""
        return self.profit + self.units * price

    def __len__(self) -> int:
        """Return the number of round trips."""
        return len(self.side)


@dataclass(frozen=True)
class Recording:
    """The content of a file.

    Attributes:
        kind: ``trades``, ``fills``, ``tradingview`` or ``equity``.
        origin: Name of the file.
        fills: None where only an equity curve is told.
        trips: The round trips that the file tells of; None where it does not, and they follow from the fills.
        equity: Times in milliseconds UTC and equity, both of shape (K,); None where fills are told.
        currency: What money is in, as far as the file says.
        symbol: What was traded, as far as the file says.
        initial_equity: As the file says it; None where it does not.
        costs_told: Whether the file says what was paid for trading.
        findings: What was odd on the way; each with ``what``, ``count`` and ``words``.
        notes: How the file was read, in plain words.
    """

    kind: str
    origin: str
    fills: Fills | None = None
    trips: RoundTrips | None = None
    equity: tuple[np.ndarray, np.ndarray] | None = None
    currency: str = ""
    symbol: str = ""
    initial_equity: float | None = None
    costs_told: bool = False
    findings: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = field(default_factory=tuple)


def positions_after(quantity: np.ndarray) -> np.ndarray:
    """Return the units held after each fill, float64, shape (K,); what rounding leaves of none is 0.

    Args:
        quantity: Units of each fill in order, with their sign.
    """
    held = np.cumsum(quantity)
    largest = np.maximum.accumulate(np.abs(quantity)) if len(quantity) else quantity
    return np.where(np.abs(held) <= _DUST * largest, 0.0, held)


def trips_of(fills: Fills) -> RoundTrips:
    """Split fills into round trips: from flat until flat again, or until the side changes.

    A fill that reverses the position is shared between the old and the new trip by units, and so are its costs. Whatever is
    added to or taken from a position on the way belongs to its trip.

    Args:
        fills: In order.
    """
    held = 0.0
    rows: list[list[float]] = []
    after = positions_after(fills.quantity).tolist()
    for number, (units, then) in enumerate(zip(fills.quantity.tolist(), after, strict=True)):
        price, paid = float(fills.price[number]), float(fills.fee[number] - fills.carry[number])
        reduces = held * units < 0.0
        ends = reduces and held * then <= 0.0
        closing = -held if ends else units if reduces else 0.0
        opening = 0.0 if closing and not (ends and then) else units - closing
        share = abs(closing) / (abs(closing) + abs(opening))
        if closing:
            rows[-1][3] -= closing * price + paid * share
            rows[-1][2] = float(fills.time_ms[number])
        if opening and (held == 0.0 or ends):
            rows.append([np.sign(opening), float(fills.time_ms[number]), float(fills.time_ms[number]), 0.0])
        if opening:
            rows[-1][3] -= opening * price + paid * (1.0 - share)
        held = then
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    units = np.zeros(len(table))
    units[-1:] = held
    return RoundTrips(table[:, 0].astype(np.int8), units, table[:, 1].astype(np.int64), table[:, 2].astype(np.int64), table[:, 3])
