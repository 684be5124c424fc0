"""One bar for N accounts, compiled.

A decision taken at the close of row t is filled at the open of row t + 1 and marked at the close of t + 1. In the bar between:

1. *Carry.* The position held until now pays financing and funding for the time since the row before.
2. *Gap.* A position whose equity at the open is no more than the maintenance margin is liquidated there.
3. *Orders at the open.* Where the wanted target exposure e differs from the one in force, x units of money are traded. With E the
   equity before the trade, cur the value of the position and c the cost rate, the exposure after costs is exactly e when
   cur + x = e (E − c|x|), so x = (e E − cur) / (1 + e c sign(x)). An unchanged target trades nothing.
4. *Resting orders that add, stops, liquidation at the worst price, take-profits, resting orders that reduce*: in this order, the
   least favourable one, since a bar does not tell its path. Where it does, the path decides: an order beyond which the bar opens
   fills at the open, a stop on the way to an order that adds is met before it, and of two prices that take a profit the nearer.
5. *Mark.* Equity is marked at the close; there a drawdown, the end of an episode or of a session may close the position.

In every bar: change of equity = price profit − fee − half-spread − slippage − financing − funding + write-off. What a closed
account cannot pay is written off, so that equity never ends below zero. The serial and the parallel form run the same function for
each account, hence give the same bits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange

from seawall.core.bars import CLOSE, HIGH, LOW, OPEN, VOLUME
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.book import Book, Costs, below_margin, filled, rebalanced, with_impact
from seawall.simulator.kernel.events import Bar, Order, exit_before, exit_of, limit_price, limit_reached
from seawall.simulator.kernel.layout import PADDING, Accounts, Bars, Flags, Orders, Rules
from seawall.simulator.kernel.prefetch import prefetch_row

_LEAST_EQUITY = 1e-300
_LOG_RUIN = math.log(at.RUIN_RATIO)
CHUNK = 256
"""Accounts that a thread takes at a time."""
AHEAD = PADDING
"""Accounts by which rows of the market are asked for before they are read."""


class Within(NamedTuple):
    """What the inside of a bar did.

    Attributes:
        book: The account, with its position if it has one.
        left: Whether a part of the order is left.
        order_price: Where the order was filled; NaN where it was not.
        exit_price: Where a rule closes the position that the book still holds.
        code: Which rule does.
    """

    book: Book
    left: bool
    order_price: float
    exit_price: float
    code: int


@njit(cache=True, error_model="numpy")
def _stand_still(money: np.ndarray, counts: np.ndarray, i: int) -> None:
    """Empty the ledger of an account whose episode has ended."""
    money[at.STATE : at.STATE + at.LEDGER, i] = 0.0
    money[at.FILL_PRICE, i] = money[at.ORDER_PRICE, i] = math.nan
    counts[at.EXIT, i] = 0


@njit(cache=True, error_model="numpy", forceinline=True)
def _costs(money: np.ndarray, i: int, slippage: float, rules: Rules, flags: Flags) -> tuple[Costs, Costs]:
    """Return what a unit of notional costs an account at this bar: of a market order, and of one that rests."""
    fee = spread = sliding = money[at.COST_MULTIPLE, i]
    if flags.factors is not None:
        fee *= money[at.COMMISSION_FACTOR, i]
        spread *= money[at.SPREAD_FACTOR, i]
        sliding *= money[at.SLIPPAGE_FACTOR, i]
    taker = Costs(rules.taker * fee, rules.half_spread * spread, slippage * sliding, rules.size_impact * sliding)
    return taker, Costs(rules.maker * fee, 0.0, 0.0, 0.0)


@njit(cache=True, error_model="numpy", forceinline=True)
def _order(  # noqa: PLR0913 (the arrays apart: taken from a tuple here, each is counted in and out, and threads wait for each other)
    money: np.ndarray, counts: np.ndarray, orders: Orders, i: int, may_order: bool, book: Book, rules: Rules, flags: Flags
) -> Order:
    """Return what an account wants at this bar: a new order, or what is left of the one before."""
    wanted, target = orders.target[i], money[at.TARGET, i]
    new = may_order and wanted != target and not math.isnan(wanted)
    works = new
    if flags.lots is not None or flags.terms is not None:
        # Without a branch, which could not be foreseen: one costs five times what all else does here.
        works = new | (may_order & (counts[at.WORKING, i] != 0))
    if flags.rebalance is not None and may_order and not works:
        value = book.quantity * book.last
        works = abs(value / (book.cash + value) - target) > rules.band
    limit, take, stop, best = 0.0, rules.take_profit, rules.stop_loss, 0.0
    if flags.terms is not None:
        limit, take, stop = money[at.LIMIT_PRICE, i], money[at.TAKE_PROFIT, i], money[at.STOP_LOSS, i]
        if new:
            take, stop = orders.take_profit[i], orders.stop_loss[i]
            limit = limit_price(book, wanted, book.last, orders.limit[i], rules.tick) if orders.limit[i] > 0.0 else 0.0
    if flags.exits is not None:
        best = money[at.BEST_PRICE, i]
    return Order(wanted if new else target, limit, works, take, stop, best)


@njit(cache=True, error_model="numpy", forceinline=True)
def _within(book: Book, order: Order, bar: Bar, costs: tuple[Costs, Costs], rules: Rules, flags: Flags) -> Within:
    """Take one account through a bar's open and its inside, up to where a rule closes its position."""
    price, code, left, order_price = 0.0, at.NO_EXIT, order.works, math.nan
    if book.quantity != 0.0 and below_margin(book.quantity, book.cash, bar.open, rules.margin):
        price, code = bar.open, at.MARGIN_EXIT
    trade_price, inside, paid = bar.open if order.works else 0.0, False, costs[0]
    if flags.terms is not None and order.works and order.limit != 0.0 and code == at.NO_EXIT:
        trade_price, late = limit_reached(book, order, bar, rules)
        paid = costs[1]
        if late:
            price, code = exit_before(book, order, bar, trade_price, rules, flags)
    if trade_price > 0.0 and code == at.NO_EXIT:
        if flags.sized is not None:
            value = book.quantity * trade_price
            paid = with_impact(paid, order.target - value / (book.cash + value), rules.most_slippage)
        trade = rebalanced(book, trade_price, order.target, paid.fee + paid.spread + paid.slippage, bar.room, rules, flags)
        left = trade.partial
        if trade.ruined:
            price, code = trade_price, at.MARGIN_EXIT
        elif trade.notional > 0.0:
            order_price, held = trade_price, book.quantity
            book = filled(book, trade.quantity, trade.cash, trade_price, paid)
            inside = trade_price == abs(order.limit) and (held * book.quantity <= 0.0 or abs(book.quantity) > abs(held))
            if flags.exits is not None and held * book.quantity <= 0.0:
                # A position that is new has no better price behind it than its entry.
                order = Order(order.target, order.limit, order.works, order.take_profit, order.stop_loss, book.entry)
    if book.quantity != 0.0 and code == at.NO_EXIT:
        price, code = exit_of(book, order, bar, rules, flags, inside)
    return Within(book, left, order_price, price, code)


@njit(cache=True, error_model="numpy", inline="always")
def _lost_too_much(money: np.ndarray, i: int, equity: float, rules: Rules) -> bool:
    """Say whether an account has reached its largest loss."""
    reference = max(money[at.PEAK_EQUITY, i], equity) if rules.from_peak else money[at.START_EQUITY, i]
    return equity <= (1.0 - rules.max_drawdown) * reference


@njit(cache=True, error_model="numpy", forceinline=True)
def _at_close(money: np.ndarray, i: int, equity: float, last: bool, session: int, rules: Rules) -> int:
    """Say why an account is left flat at this close, if it is."""
    if _lost_too_much(money, i, equity, rules):
        return at.DRAWDOWN_EXIT
    if last and rules.close_at_end:
        return at.END_EXIT
    return at.SESSION_EXIT if session & at.FLAT_AT_CLOSE else at.NO_EXIT


@njit(cache=True, error_model="numpy", forceinline=True)
def _keep_order(money: np.ndarray, counts: np.ndarray, i: int, order: Order, left: bool, gone: bool, flags: Flags) -> None:
    """Carry what is wanted to the next bar; a rule that closed the position takes it back."""
    money[at.TARGET, i] = 0.0 if gone else order.target
    if flags.lots is not None or flags.terms is not None:
        counts[at.WORKING, i] = 1 if left and not gone else 0
    if flags.terms is not None:
        money[at.LIMIT_PRICE, i] = order.limit if left and not gone else 0.0
        money[at.TAKE_PROFIT, i], money[at.STOP_LOSS, i] = order.take_profit, order.stop_loss


@njit(cache=True, error_model="numpy", forceinline=True)
def _keep_best(money: np.ndarray, i: int, book: Book, bar: Bar, inside: bool) -> None:
    """Carry the best price since the entry, of closed bars alone; what a bar did before an entry within it does not count."""
    kept = money[at.QUANTITY, i] * book.quantity > 0.0
    best = money[at.BEST_PRICE, i] if kept else book.entry
    extreme = bar.high if book.quantity > 0.0 else bar.low
    extreme = bar.close if inside and not kept else extreme
    money[at.BEST_PRICE, i] = max(best, extreme) if book.quantity > 0.0 else min(best, extreme)


@njit(cache=True, error_model="numpy", forceinline=True)
def _book_bar(money: np.ndarray, counts: np.ndarray, i: int, book: Book, row: int, ends: bool, flags: Flags) -> None:
    """Write the account at the close, and the parts of the bar."""
    cash, flat = book.cash, book.quantity == 0.0
    if flat and cash <= 0.0:
        money[at.WRITE_OFF, i], cash, ends = -cash, 0.0, True
    before, equity = money[at.EQUITY, i], cash + book.quantity * book.last
    ratio = equity / before
    money[at.EQUITY, i], money[at.PEAK_EQUITY, i] = equity, max(money[at.PEAK_EQUITY, i], equity)
    money[at.LOG_RETURN, i] = math.log(ratio) if ratio > at.RUIN_RATIO else _LOG_RUIN
    money[at.PRICE_PNL, i], money[at.TRADED_NOTIONAL, i] = book.pnl, book.notional
    money[at.FEE, i], money[at.SPREAD, i] = book.fee, book.spread
    if flags.slippage is not None:
        money[at.SLIPPAGE, i] = book.slippage
    money[at.CLOSED_PNL, i], money[at.CLOSED_VALUE, i] = book.closed_pnl, book.closed_value
    bars_held = counts[at.HELD_BARS, i] if money[at.QUANTITY, i] * book.quantity > 0.0 else 0
    counts[at.HELD_BARS, i] = 0 if flat else bars_held + 1
    money[at.QUANTITY, i], money[at.CASH, i], money[at.ENTRY_PRICE, i] = book.quantity, cash, book.entry
    counts[at.ROW, i] = row
    counts[at.TERMINATED, i] = 1 if ends else 0
    counts[at.TRUNCATED, i] = 1 if row == counts[at.STOP, i] - 1 and not ends else 0


@njit(cache=True, error_model="numpy", forceinline=True)
def _bar(prices: np.ndarray, row: int, rules: Rules, flags: Flags) -> Bar:
    """Return the bar of a row, and how much of it an order may take."""
    room = math.inf
    if flags.lots is not None and rules.participation <= 1.0:
        room = rules.participation * prices[row, VOLUME]
    return Bar(prices[row, OPEN], prices[row, HIGH], prices[row, LOW], prices[row, CLOSE], room)


@njit(cache=True, error_model="numpy", forceinline=True)
def _carried(bars: Bars, money: np.ndarray, i: int, row: int, value: float, rules: Rules, flags: Flags) -> float:
    """Book what a position, worth its value at the last close, has paid since the row before, and return it."""
    financing = funding = 0.0
    if flags.carry is not None:
        financing = abs(value) * (rules.long_apr if value > 0.0 else rules.short_apr) * bars.prices[row, at.YEARS]
        money[at.FINANCING, i] = financing
    if flags.funding is not None:
        funding = value * rules.funding * bars.funding[row]
        money[at.FUNDING, i] = funding
    return financing + funding


@njit(cache=True, error_model="numpy", forceinline=True)
def _one_bar(bars: Bars, money: np.ndarray, counts: np.ndarray, orders: Orders, rules: Rules, flags: Flags, i: int) -> None:
    """Take one account one bar on."""
    prices = bars.prices
    row = counts[at.ROW, i] + 1
    quantity, cash = money[at.QUANTITY, i], money[at.CASH, i]
    before = prices[row - 1, CLOSE] if flags.carry is None else prices[row, at.BEFORE]
    bar = _bar(prices, row, rules, flags)
    slippage, session, may_order = rules.slippage, 0, True
    if flags.carry is not None or flags.funding is not None:
        cash -= _carried(bars, money, i, row, quantity * before, rules, flags)
    if flags.carry is not None:
        slippage = prices[row, at.ROW_SLIPPAGE]
    if flags.session is not None:
        session = int(bars.session[row])
        may_order = session & at.OPEN_FOR_ORDERS != 0
    costs = _costs(money, i, slippage, rules, flags)
    book = Book(quantity, cash, money[at.ENTRY_PRICE, i], before, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    order = _order(money, counts, orders, i, may_order, book, rules, flags)
    book, left, order_price, exit_price, code = _within(book, order, bar, costs, rules, flags)
    if flags.closing is not None and code == at.NO_EXIT:
        last = row == counts[at.STOP, i] - 1
        code, exit_price = _at_close(money, i, book.cash + book.quantity * bar.close, last, session, rules), bar.close
    ends, gone, price = code in (at.MARGIN_EXIT, at.DRAWDOWN_EXIT), False, order_price
    if code != at.NO_EXIT and book.quantity != 0.0:
        paid, gone, price = costs[1] if code == at.PROFIT_EXIT else costs[0], True, exit_price
        value = book.quantity * exit_price
        if flags.sized is not None:
            paid = with_impact(paid, value / max(book.cash + value, _LEAST_EQUITY), rules.most_slippage)
        left_cash = book.cash + value - (paid.fee + paid.spread + paid.slippage) * abs(value)
        book = filled(book, 0.0, left_cash, exit_price, paid)
        ends = ends or (flags.closing is not None and _lost_too_much(money, i, left_cash, rules))
    counts[at.EXIT, i] = code if gone else at.NO_EXIT
    pnl = book.pnl + book.quantity * (bar.close - book.last)
    book = Book(book.quantity, book.cash, book.entry, bar.close, pnl, *book[5:])
    if flags.exits is not None:
        _keep_best(money, i, book, bar, order_price == abs(order.limit))
    _keep_order(money, counts, i, order, left if may_order else counts[at.WORKING, i] != 0, gone, flags)
    money[at.FILL_PRICE, i], money[at.ORDER_PRICE, i] = price, order_price
    _book_bar(money, counts, i, book, row, ends, flags)


@njit(cache=True, error_model="numpy")
def advance(bars: Bars, accounts: Accounts, orders: Orders, rules: Rules, flags: Flags, first: int, last: int) -> None:
    """Take the accounts first..last − 1 one bar on."""
    money, counts = accounts.money, accounts.counts
    for i in range(first, last):
        ahead = counts[at.ROW, i + AHEAD] + 1
        prefetch_row(bars.prices, ahead)
        if flags.funding is not None:
            prefetch_row(bars.funding, ahead)
        if counts[at.TERMINATED, i] + counts[at.TRUNCATED, i] > 0:
            _stand_still(money, counts, i)
        else:
            _one_bar(bars, money, counts, orders, rules, flags, i)


@njit(cache=True, error_model="numpy")
def step_serial(bars: Bars, accounts: Accounts, orders: Orders, rules: Rules, flags: Flags) -> None:
    """Take every account one bar on.

    Args:
        bars: The market.
        accounts: What is changed in place.
        orders: What is wanted at the open of the next row.
        rules: What is charged and demanded.
        flags: Which rules hold.
    """
    # A literal would be a type of its own, and the whole kernel compiled once more for it.
    first: Any = np.int64(0)
    advance(bars, accounts, orders, rules, flags, first, len(orders.target))


@njit(cache=True, error_model="numpy", parallel=True)
def step_parallel(bars: Bars, accounts: Accounts, orders: Orders, rules: Rules, flags: Flags) -> None:
    """Do what `step_serial` does, with accounts shared among threads; the same bits."""
    n = len(orders.target)
    chunks = (n + CHUNK - 1) // CHUNK
    for chunk in prange(chunks):
        advance(bars, accounts, orders, rules, flags, chunk * CHUNK, min(n, (chunk + 1) * CHUNK))


@njit(cache=True, error_model="numpy")
def run_path(bars: Bars, accounts: Accounts, targets: np.ndarray, rules: Rules, flags: Flags, equity: np.ndarray) -> None:
    """Step through whole paths of orders without terms of their own.

    Args:
        bars: As in `step_serial`.
        accounts: As in `step_serial`, already reset.
        targets: Wanted exposures, float64, shape (bars, N).
        rules: As in `step_serial`.
        flags: As in `step_serial`.
        equity: Filled with the equity at each close, float64, shape (bars + 1, N); row 0 is the equity at the start.
    """
    n = targets.shape[1]
    equity[0] = accounts.money[at.EQUITY, :n]
    for bar in range(len(targets)):
        step_serial(bars, accounts, Orders(targets[bar], targets[bar], targets[bar], targets[bar]), rules, flags)
        equity[bar + 1] = accounts.money[at.EQUITY, :n]
