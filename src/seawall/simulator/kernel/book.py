"""The compiled arithmetic of fills: what a trade does to quantity, cash and the parts of a bar.

Every function takes scalars and is inlined where it is called: a call would cost more than what it does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from seawall.simulator.kernel.layout import Flags, Rules

_ROUNDING = 1e-9
"""Share of a lot by which a quantity may miss the next whole lot and still be taken for it."""
SMALL_ORDER = 0.01
"""An order, or the rest of one, worth no more than this share of the equity fills whole, or some would be left for ever."""


class Book(NamedTuple):
    """One account within one bar.

    Attributes:
        quantity: Units held.
        cash: Quote currency.
        entry: Average price of the position.
        last: Price at which profit was last booked.
        pnl: Profit from prices so far in the bar.
        notional: Traded so far.
        fee: Commission so far.
        spread: Half-spread so far.
        slippage: Slippage so far.
        closed_pnl: Profit of what was closed, after the costs of closing it.
        closed_value: What was closed, at its entry price.
    """

    quantity: float
    cash: float
    entry: float
    last: float
    pnl: float
    notional: float
    fee: float
    spread: float
    slippage: float
    closed_pnl: float
    closed_value: float


class Costs(NamedTuple):
    """What a fill costs per unit of notional.

    Attributes:
        fee: Commission.
        spread: Half-spread.
        slippage: Slippage, but for that of the order's size.
        impact: Slippage per unit of traded exposure.
    """

    fee: float
    spread: float
    slippage: float
    impact: float


class Trade(NamedTuple):
    """What an order does.

    Attributes:
        quantity: Units held after it.
        cash: Quote currency after it.
        notional: What it trades; 0 where nothing is.
        partial: Whether a part of it is left for the next bar.
        ruined: Whether the account cannot pay for it; then nothing is traded.
    """

    quantity: float
    cash: float
    notional: float
    partial: bool
    ruined: bool


@njit(cache=True, error_model="numpy", inline="always")
def below_margin(quantity: float, cash: float, price: float, margin: float) -> bool:
    """Say whether the equity at a price is no more than the maintenance margin of the position."""
    value = quantity * price
    return cash + value <= margin * abs(value)


@njit(cache=True, error_model="numpy", inline="always")
def with_impact(costs: Costs, exposure: float, most: float) -> Costs:
    """Return the costs of a fill that trades an exposure; the slippage of its size adds up to no more than the most there is."""
    slippage = min(costs.slippage + costs.impact * abs(exposure), max(most, costs.slippage))
    return Costs(costs.fee, costs.spread, slippage, 0.0)


@njit(cache=True, error_model="numpy", inline="always")
def filled(book: Book, quantity: float, cash: float, price: float, costs: Costs) -> Book:
    """Return the book after a fill at a price that leaves a quantity and cash."""
    held = book.quantity
    change = quantity - held
    notional = abs(change) * price
    entry = book.entry
    if held * quantity <= 0.0:
        entry = price
    elif abs(quantity) > abs(held):
        entry += (price - entry) * (1.0 - held / quantity)
    closed_pnl, closed_value = book.closed_pnl, book.closed_value
    if held * change < 0.0:
        units = min(abs(held), abs(change))
        profit = units * (price - book.entry) * (1.0 if held > 0.0 else -1.0)
        closed_pnl += profit - units * price * (costs.fee + costs.spread + costs.slippage)
        closed_value += units * book.entry
    return Book(
        quantity,
        cash,
        entry,
        price,
        book.pnl + held * (price - book.last),
        book.notional + notional,
        book.fee + notional * costs.fee,
        book.spread + notional * costs.spread,
        book.slippage + notional * costs.slippage,
        closed_pnl,
        closed_value,
    )


@njit(cache=True, error_model="numpy", inline="always")
def whole_lots(units: float, lot: float) -> float:
    """Return a quantity without what is no whole lot."""
    return np.floor(units / lot + _ROUNDING) * lot if lot > 0.0 else units


@njit(cache=True, error_model="numpy", inline="always")
def _room_for(units: float, room: float, small: float, rules: Rules) -> float:
    """Return the most units of an order that fill at once, where those of a small one all do."""
    return min(room, max(rules.fill_ratio * units, rules.lot)) if rules.fill_ratio < 1.0 and units > small else room


@njit(cache=True, error_model="numpy", inline="always")
def rebalanced(book: Book, price: float, target: float, rate: float, room: float, rules: Rules, flags: Flags) -> Trade:
    """Return the trade that brings the exposure after costs to the target.

    Args:
        book: The account.
        price: Where the trade is made.
        target: Exposure wanted after the trade and its costs.
        rate: Costs per unit of notional.
        room: Most units that the bar has room for.
        rules: Lots and least notional.
        flags: Which rules hold.
    """
    value = book.quantity * price
    equity = book.cash + value
    wanted = target * equity - value
    side = 1.0 if wanted > 0.0 else -1.0
    notional = abs(wanted) / (1.0 + target * rate * side)
    left = equity - rate * notional
    quantity, cash, partial = target * left / price, (1.0 - target) * left, False
    if flags.lots is not None:
        # Leaving the market is never a matter of lots.
        units = abs(book.quantity) if target == 0.0 else whole_lots(notional / price, rules.lot)
        units = 0.0 if target != 0.0 and units * price < rules.min_notional else units
        room = _room_for(units, room, SMALL_ORDER * left / price, rules)
        partial = units > room
        units = whole_lots(room, rules.lot) if partial else units
        quantity = 0.0 if target == 0.0 and not partial else book.quantity + side * units
        cash = book.cash - (side + rate) * units * price
        notional = units * price
    return Trade(quantity, cash, notional, partial, left <= 0.0)
