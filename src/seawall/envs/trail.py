"""What an account did lately: remembered for pictures, and told in lines of text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seawall.core.bars import CLOSE
from seawall.envs.vector import TradingVectorEnv

BARS = 120
"""Closes that are remembered, and bars that a picture shows."""
_SIGNALS = ("hold", "buy", "sell")


@dataclass(frozen=True)
class Record:
    """One account at the closes of the last bars of its episode, oldest first.

    Attributes:
        row: Rows of the market, int64, shape (K,).
        equity: Marked at those closes, float64, shape (K,).
        quantity: Units held, negative when short, float64, shape (K,).
        fill_price: Price of the last fill in the bar, float64, shape (K,); NaN where nothing was traded.
    """

    row: np.ndarray
    equity: np.ndarray
    quantity: np.ndarray
    fill_price: np.ndarray


class Trail:
    """Remembers the last bars of one account of a batch; call `begin` at a reset and `note` after each step."""

    def __init__(self, batch: TradingVectorEnv, number: int = 0, bars: int = BARS) -> None:
        """Start with nothing on record.

        Args:
            batch: The environment.
            number: Which account of it.
            bars: How many closes are remembered.
        """
        self._batch, self._number, self._bars = batch, number, bars
        self._rows: list[tuple[int, float, float, float]] = []

    def begin(self) -> None:
        """Forget the episode before, and note the close at which a new one starts."""
        self._rows.clear()
        self.note()

    def note(self) -> None:
        """Note the close at which the account is marked."""
        simulator, i = self._batch.simulator, self._number
        self._rows.append(
            (int(simulator.row[i]), float(simulator.equity[i]), float(simulator.quantity[i]), float(simulator.fill_price[i]))
        )
        del self._rows[: -self._bars]

    def __len__(self) -> int:
        """Return how many closes are remembered."""
        return len(self._rows)

    def record(self) -> Record:
        """Return what is remembered; K is 0 before the first reset."""
        row, equity, quantity, fill_price = np.array(self._rows, dtype=np.float64).reshape(-1, 4).T
        return Record(row.astype(np.int64), equity, quantity, fill_price)


def when(batch: TradingVectorEnv, row: int) -> str:
    """Return the time at which a row closes, to the minute."""
    market = batch.market
    closed = np.datetime64(int(market.timestamps[row]) + market.timeframe.seconds * 1_000, "ms")
    return f"{np.datetime_as_string(closed, unit='m').replace('T', ' ')} UTC"


def series_of(batch: TradingVectorEnv, row: int) -> int:
    """Return in which series of the market a row lies."""
    return int(np.searchsorted(np.asarray(batch.market.starts), row, side="right")) - 1


def describe(batch: TradingVectorEnv, number: int = 0, *, decided: bool = True) -> str:
    """Return an account as aligned lines: time, price, position, equity, drawdown, and the last decision with its reason.

    Args:
        batch: The environment.
        number: Which account of it.
        decided: Whether a decision was taken in this episode.
    """
    accounts, i = batch.simulator, number
    row, equity, units = int(accounts.row[i]), float(accounts.equity[i]), float(accounts.quantity[i])
    close, start = float(batch.market.prices[row, CLOSE]), batch.params.simulator.initial_equity
    position = "none"
    if units and equity > 0.0:
        bars = int(accounts.held_bars[i])
        position = f"{units * close / equity:+.2f} of equity, {units:,.6g} units at {accounts.entry_price[i]:,.6g}, {bars} bars"
    lines = {
        "time": f"{when(batch, row)}, row {row} of {batch.market.symbols[series_of(batch, row)]}",
        "price": f"{close:,.6g}",
        "position": position,
        "equity": f"{equity:,.2f}, {equity / start - 1.0:+.2%} in this episode",
        "drawdown": f"{1.0 - equity / float(accounts.peak_equity[i]):.2%}",
        "decision": _decision(batch, i) if decided else "none yet",
    }
    return "\n".join(f"{name:<9} {words}" for name, words in lines.items())


def _decision(batch: TradingVectorEnv, number: int) -> str:
    """Return what was asked for, what was allowed, and which guard intervened."""
    decision = batch.decision
    if decision is None:
        return "none yet"
    asked, allowed = decision.intent.target[number], decision.allowed[number]
    words = f"{_SIGNALS[int(decision.intent.signal[number])]}, exposure {asked:+.2f}"
    reason = batch.desk.reason_text(int(decision.guard_code[number]), int(decision.reason[number]))
    return f"{words}; allowed {allowed:+.2f}: {reason}" if reason else words
