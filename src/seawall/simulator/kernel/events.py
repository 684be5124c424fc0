"""What may happen within a bar: orders that rest, stops, take-profits and liquidation. Compiled, scalars only."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from seawall.simulator.kernel.book import Book, below_margin
from seawall.simulator.kernel.layout import (
    MARGIN_EXIT,
    NO_EXIT,
    PROFIT_EXIT,
    STOP_EXIT,
    TRAILING_EXIT,
    Flags,
    Rules,
)

_NEVER = 1e-300
"""Where an order to buy rests that would be below the first tick: no price is as low."""


class Bar(NamedTuple):
    """The bar that is simulated.

    Attributes:
        open: Its first price.
        high: Its highest price.
        low: Its lowest price.
        close: Its last price.
        room: Most units that an order may take of it.
    """

    open: float
    high: float
    low: float
    close: float
    room: float


class Order(NamedTuple):
    """What an account wants.

    Attributes:
        target: Exposure in force.
        limit: Price of a resting order, negative for one that sells; 0 where there is none.
        works: Whether something is left to be filled.
        take_profit: Distance of the take-profit from the entry, as a share of it; 0 for none.
        stop_loss: Distance of the stop-loss from the entry, likewise.
        best: Best price since the entry, for the trailing stop.
    """

    target: float
    limit: float
    works: bool
    take_profit: float
    stop_loss: float
    best: float


@njit(cache=True, error_model="numpy", inline="always")
def on_tick(price: float, tick: float, up: bool) -> float:
    """Return the next price that orders may have, above or below."""
    if tick <= 0.0:
        return price
    steps = price / tick
    return tick * (math.ceil(steps - 1e-9) if up else math.floor(steps + 1e-9))


@njit(cache=True, error_model="numpy", inline="always")
def stop_level(book: Book, order: Order, rules: Rules) -> tuple[float, int]:
    """Return the price of the nearer stop and its code; 0 and no code where there is none."""
    side = 1.0 if book.quantity > 0.0 else -1.0
    level, code = 0.0, NO_EXIT
    if order.stop_loss > 0.0:
        level, code = on_tick(book.entry * (1.0 - side * order.stop_loss), rules.tick, side > 0.0), STOP_EXIT
    if rules.trailing_stop > 0.0:
        trail = on_tick(order.best * (1.0 - side * rules.trailing_stop), rules.tick, side > 0.0)
        if code == NO_EXIT or side * (trail - level) > 0.0:
            level, code = trail, TRAILING_EXIT
    return level, code


@njit(cache=True, error_model="numpy", inline="always")
def limit_price(book: Book, order_target: float, price: float, offset: float, tick: float) -> float:
    """Return where a limit order rests: below the last close to buy, above it, and negative, to sell; 0 where nothing is traded."""
    value = book.quantity * price
    wanted = order_target * (book.cash + value) - value
    if wanted == 0.0:
        return 0.0
    return (
        max(on_tick(price * (1.0 - offset), tick, False), _NEVER) if wanted > 0.0 else -on_tick(price * (1.0 + offset), tick, True)
    )


@njit(cache=True, error_model="numpy", inline="always")
def limit_reached(book: Book, order: Order, bar: Bar, rules: Rules) -> tuple[float, bool]:
    """Say where a resting order fills in a bar, 0 where it does not, and whether what may end the position comes before it.

    A bar that opens beyond the limit fills it at the open. A bar that only touches it leaves it resting, and so does a price at
    which the target asks for the other side: an order to buy never sells. What reduces a position comes after its stops, save at
    the open; what adds to it comes after a stop that the price meets on its way there.
    """
    buys, limit = order.limit > 0.0, abs(order.limit)
    if (bar.low >= limit) if buys else (bar.high <= limit):
        return 0.0, False
    price = min(bar.open, limit) if buys else max(bar.open, limit)
    value = book.quantity * price
    wanted = order.target * (book.cash + value) - value
    if wanted == 0.0 or (wanted > 0.0) != buys:
        return 0.0, False
    if wanted * book.quantity < 0.0:
        return price, price == limit
    stop, kind = stop_level(book, order, rules)
    return price, book.quantity != 0.0 and kind != NO_EXIT and ((stop >= price) if buys else (stop <= price))


@njit(cache=True, error_model="numpy", inline="always")
def exit_of(book: Book, order: Order, bar: Bar, rules: Rules, flags: Flags, inside: bool) -> tuple[float, int]:
    """Say where a stop, the margin or a take-profit ends a position, in this order: price and code; 0 and none where it lives on.

    Args:
        book: The account, with a position.
        order: Its take-profit, its stop-loss and its best price.
        bar: The bar; one that opens beyond a level fills it at the open. A margin is met at the bar's worst price.
        rules: The trailing stop, tick and margin.
        flags: Which rules hold.
        inside: Whether the position was entered within the bar: then its better end may lie before the entry.
    """
    long = book.quantity > 0.0
    worst = bar.low if long else bar.high
    dies = below_margin(book.quantity, book.cash, worst, rules.margin)
    price, code = (worst, MARGIN_EXIT) if dies else (0.0, NO_EXIT)
    if flags.exits is not None:
        stop, kind = stop_level(book, order, rules)
        if kind != NO_EXIT and (bar.low <= stop if long else bar.high >= stop):
            at = min(bar.open, stop) if long else max(bar.open, stop)
            # A margin that is gone at the stop was gone before it.
            if not below_margin(book.quantity, book.cash, at, rules.margin):
                price, code = at, kind
        if code == NO_EXIT and order.take_profit > 0.0 and not inside:
            goal = on_tick(book.entry * (1.0 + order.take_profit if long else 1.0 - order.take_profit), rules.tick, long)
            if bar.high > goal if long else bar.low < goal:
                price, code = max(bar.open, goal) if long else min(bar.open, goal), PROFIT_EXIT
    return price, code


@njit(cache=True, error_model="numpy", inline="always")
def exit_before(book: Book, order: Order, bar: Bar, limit: float, rules: Rules, flags: Flags) -> tuple[float, int]:
    """Say what ends a position before a resting order fills at its limit: as `exit_of`, but for a take-profit beyond the limit."""
    price, code = exit_of(book, order, bar, rules, flags, False)
    if code == PROFIT_EXIT and ((price > limit) if book.quantity > 0.0 else (price < limit)):
        price, code = 0.0, NO_EXIT
    return price, code
