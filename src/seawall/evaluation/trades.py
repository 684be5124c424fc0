"""Round-trip trades, read off a ledger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seawall.evaluation.ledger import Ledger


@dataclass(frozen=True)
class Trades:
    """Trades in the order in which they were opened; all arrays of shape (K,).

    A trade lasts from the bar that opens a position (from flat, or by reversal) to the bar that closes or reverses it.
    A position still open at the end counts as a trade, marked at the last close.

    Attributes:
        side: +1 long, −1 short; int8.
        opened: Decision, as an index into the ledger, whose fill opened the position; int64.
        closed: Decision whose fill closed it, or the last decision; int64.
        profit: After all costs, in quote units; float64. The profits of all trades add up to the change of equity.
        open_at_end: Whether the position was still held at the end, bool.
    """

    side: np.ndarray
    opened: np.ndarray
    closed: np.ndarray
    profit: np.ndarray
    open_at_end: np.ndarray

    def __len__(self) -> int:
        """Return the number of trades."""
        return len(self.side)


def round_trips(ledger: Ledger) -> Trades:
    """Split a ledger into trades.

    In the bar of a reversal the old position earns the gap up to the order's fill and pays for having been held, and the new one
    has the rest; costs of fills are shared by the notional of each leg. The side of a position opened and closed within one bar is
    told by what it earned.

    Args:
        ledger: One policy's decisions.
    """
    held = ledger.column("quantity")
    before = np.concatenate([[0.0], held[:-1]])
    asked = np.sign(ledger.column("allowed"))
    ordered = np.isfinite(ledger.column("order_price")) & (ledger.frame["exit"].to_numpy() != "") & (asked != 0.0)
    flash = (held == 0.0) & (ledger.column("traded_notional") > 0.0)
    flash &= (before == 0.0) | (ordered & (asked != np.sign(before)))
    side = np.where(flash, _side_within(ledger, before, asked), np.sign(held))
    previous = np.concatenate([[0.0], np.sign(held[:-1])])
    opens = (side != 0.0) & ((side != previous) | flash)
    if not opens.any():
        empty = np.zeros(0, dtype=np.int64)
        return Trades(empty.astype(np.int8), empty, empty, np.zeros(0), np.zeros(0, dtype=np.bool_))
    number = np.cumsum(opens) - 1
    to_old = _share_of_old(ledger, before, held, opens)
    profit = _profits(number, side, previous, to_old)
    opened = np.flatnonzero(opens)
    closes = (previous != 0.0) & (np.sign(held) != previous)
    closed = np.full(len(opened), len(held) - 1, dtype=np.int64)
    closed[number[closes] - opens[closes]] = np.flatnonzero(closes)
    closed[number[flash]] = np.flatnonzero(flash)
    open_at_end = np.zeros(len(opened), dtype=np.bool_)
    open_at_end[-1] = held[-1] != 0.0
    return Trades(side[opened].astype(np.int8), opened, closed, profit, open_at_end)


def _side_within(ledger: Ledger, before: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return the side of a position that lives within one bar, ±1: as what it earned tells, else what was asked for."""
    moved = ledger.column("fill_price") - ledger.column("order_price")
    earned = np.where(before == 0.0, np.sign(ledger.column("price_pnl") * np.nan_to_num(moved)), 0.0)
    told = np.where(earned != 0.0, earned, asked)
    return np.where(told != 0.0, told, 1.0)


def _share_of_old(ledger: Ledger, before: np.ndarray, held: np.ndarray, opens: np.ndarray) -> np.ndarray:
    """Return the net profit of each bar, split into that of the old and that of the new position, shape (2, T)."""
    price, close = ledger.column("order_price"), ledger.column("close")
    carried = ledger.column("financing") + ledger.column("funding")
    costs = ledger.costs() - carried
    profit = ledger.column("price_pnl") - carried
    reversal = opens & (before != 0.0)
    gap = np.where(reversal, before * (price - close) - carried, profit)
    share = np.divide(np.abs(before) * price, ledger.column("traded_notional"), out=np.ones_like(held), where=reversal)
    share = np.minimum(share, 1.0)
    old = gap - costs * share + ledger.column("write_off")
    new = np.where(reversal, profit - gap - costs * (1.0 - share), 0.0)
    fresh = opens & (before == 0.0)
    return np.where(fresh, np.stack([np.zeros_like(old), old]), np.stack([old, new]))


def _profits(number: np.ndarray, side: np.ndarray, previous: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Add the parts of every bar up by trade."""
    n_trades = int(number[-1]) + 1
    opens = np.diff(number, prepend=-1) > 0
    old_number = number - opens
    in_old = previous != 0.0
    in_new = opens & (side != 0.0)
    old = np.bincount(old_number[in_old], weights=parts[0][in_old], minlength=n_trades)
    return old + np.bincount(number[in_new], weights=parts[1][in_new], minlength=n_trades)
