"""From another program's record to a `Ledger` over given bars, marked at their closes.

The ledger's first row is the moment before the first bar opens, at that bar's open, so that T bars give T returns and a fill in
the first bar has its place. What was bought in a bar is held at its close. Equity at a close is the initial equity, plus what the
position and the fills gained up to there, less what was paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import CLOSE, OPEN, from_milliseconds
from seawall.core.errors import DataError
from seawall.core.timeframe import iso_ms
from seawall.evaluation.foreign.placing import BarsOf, Placed
from seawall.evaluation.foreign.recording import RoundTrips, positions_after, trips_of
from seawall.evaluation.ledger import COLUMNS, Ledger

_MUCH = 1.05


@dataclass(frozen=True)
class Rebuilt:
    """A foreign ledger in our form.

    Attributes:
        ledger: One row for each bar.
        trips: Round trips; None where only equity is told.
        profits: Of each, what is held at the end at the last close; float64, shape (K,).
        placed: The fills in their bars; None where only equity is told, or the ledger is our own.
        findings: What is odd.
    """

    ledger: Ledger
    trips: RoundTrips | None
    profits: np.ndarray
    placed: Placed | None
    findings: tuple[dict[str, Any], ...]

    @property
    def tells_trades(self) -> bool:
        """Whether it is known what was held and traded."""
        return self.trips is not None


def rebuild(placed: Placed, trips: RoundTrips | None, bars: BarsOf, initial_equity: float) -> Rebuilt:
    """Lay fills out over bars.

    A ledger whose equity falls to nothing ends there: whatever was traded later could not have been.

    Args:
        placed: Fills in their bars.
        trips: Round trips that the file tells of; None to read them off the fills.
        bars: The bars.
        initial_equity: Equity before the first bar.
    """
    columns = _money(placed, bars)
    change = columns["price_pnl"] - columns["fee"] - columns["financing"]
    equity = initial_equity + np.cumsum(change)
    findings: list[dict[str, Any]] = list(placed.findings)
    ruined = np.flatnonzero(equity <= 0.0)
    rows = len(equity)
    columns["write_off"] = np.zeros(rows)
    columns["liquidated"] = np.zeros(rows, dtype=np.bool_)
    if ruined.size:
        rows = int(ruined[0]) + 1
        columns["write_off"][rows - 1], equity[rows - 1] = -equity[rows - 1], 0.0
        columns["liquidated"][rows - 1] = True
        columns["quantity"][rows - 1] = 0.0
        when = iso_ms(int(bars.times_ms[rows - 1]))
        words = f"the account was lost in the bar of {when}; what the file tells later is left out"
        findings.append({"what": "the account was lost", "count": 1, "words": words})
    worth = columns["quantity"] * bars.prices[:, CLOSE]
    columns["exposure"] = np.divide(worth, equity, out=np.zeros(len(equity)), where=equity > 0.0)
    columns["equity"] = equity
    ledger = _ledger(columns, bars, initial_equity, rows)
    findings += _large(ledger)
    told = trips if trips is not None else trips_of(placed.fills)
    return Rebuilt(ledger, told, told.marked(float(bars.prices[-1, CLOSE])), placed, tuple(findings))


def rebuild_equity(equity: tuple[np.ndarray, np.ndarray], bars: BarsOf) -> tuple[Rebuilt, BarsOf]:
    """Lay an equity curve out over the bars that it covers; what was held and traded is unknown, and stands as 0.

    A bar's equity is the last that is told up to its close; a value stamped with a bar's opening time is that bar's.

    Args:
        equity: Times in milliseconds UTC, rising, and values, shape (K,) each; the first value is above 0.
        bars: The bars.

    Returns:
        The ledger and the bars from its first value to its last.

    Raises:
        DataError: Fewer than two bars are covered.
    """
    times, values = equity
    # The last value before each bar closes.
    last = np.searchsorted(times, bars.times_ms + bars.timeframe.milliseconds, side="left") - 1
    covered = np.flatnonzero((last >= 0) & (bars.times_ms <= times[-1]))
    if covered.size < 2:
        raise DataError(
            f"{covered.size} bars of {bars.origin} ({iso_ms(int(bars.times_ms[0]))} to {iso_ms(bars.end_ms)}) are covered by the "
            f"equity, which goes from {iso_ms(int(times[0]))} to {iso_ms(int(times[-1]))}; needed: two at least, and times in UTC"
        )
    kept = BarsOf(bars.times_ms[covered], bars.prices[covered], bars.timeframe, bars.origin)
    curve, used = values[last[covered]], np.unique(last[covered])
    findings: list[dict[str, Any]] = []
    stale = int(np.count_nonzero(np.diff(last[covered]) == 0))
    if stale:
        words = f"{stale} of {len(curve)} bars have no value of their own and carry the one before"
        findings.append({"what": "bars without equity", "count": stale, "words": words})
    if len(values) > len(used):
        words = f"{len(values) - len(used)} of {len(values)} values of equity are not the last of a bar and are left out"
        findings.append({"what": "equity between bars", "count": len(values) - len(used), "words": words})
    if (curve <= 0.0).any():
        findings.append({"what": "the account was lost", "count": 1, "words": "equity falls to 0 or below; the ledger ends there"})
    return Rebuilt(_equity_ledger(curve, kept), None, np.zeros(0), None, tuple(findings)), kept


def _equity_ledger(curve: np.ndarray, bars: BarsOf) -> Ledger:
    ruined = np.flatnonzero(curve <= 0.0)
    rows = int(ruined[0]) + 1 if ruined.size else len(curve)
    shown = np.maximum(curve, 0.0)
    nothing = np.zeros(len(curve))
    columns = {name: nothing for name in ("quantity", "traded_notional", "fee", "financing", "write_off", "exposure", "target")}
    columns |= {
        "equity": shown,
        "price_pnl": np.diff(shown, prepend=float(curve[0])),
        "fill_price": np.full(len(curve), np.nan),
        "order_price": np.full(len(curve), np.nan),
        "liquidated": np.arange(len(curve)) == (int(ruined[0]) if ruined.size else -1),
    }
    return _ledger(columns, bars, float(curve[0]), rows)


def _money(placed: Placed, bars: BarsOf) -> dict[str, np.ndarray]:
    """Add fills up by bar: units held at the close, money made and paid, what was traded; shape (T,) each."""
    fills, rows = placed.fills, len(bars.times_ms)
    close = bars.prices[:, CLOSE]

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(placed.bar, weights=values, minlength=rows)

    after = positions_after(fills.quantity)
    held = np.zeros(rows)
    held[placed.bar] = after
    filled = np.bincount(placed.bar, minlength=rows) > 0
    held = held[np.maximum.accumulate(np.where(filled, np.arange(rows), 0))]
    before, start = np.concatenate([[0.0], held[:-1]]), np.concatenate([bars.prices[:1, OPEN], close[:-1]])
    notional = np.abs(fills.quantity) * fills.price
    traded, units = total(notional), total(np.abs(fills.quantity))
    last = np.full(rows, np.nan)
    last[placed.bar] = fills.price
    return {
        "quantity": held,
        "price_pnl": before * (close - start) + total(fills.quantity * (close[placed.bar] - fills.price)),
        "fee": total(fills.fee),
        "financing": -total(fills.carry),
        "traded_notional": traded,
        "fill_price": last,
        "order_price": np.divide(traded, units, out=np.full(rows, np.nan), where=units > 0.0),
    }


def _ledger(columns: dict[str, np.ndarray], bars: BarsOf, initial_equity: float, rows: int) -> Ledger:
    """Return the ledger of the first rows; the exposure asked for is that at the last close at which the position changed."""
    before = np.concatenate([[int(bars.times_ms[0]) - bars.timeframe.milliseconds], bars.times_ms])
    quantity = columns["quantity"]
    changed = np.diff(quantity, prepend=0.0) != 0.0
    asked = columns["exposure"][np.maximum.accumulate(np.where(changed, np.arange(len(quantity)), 0))]
    nothing, blank = np.zeros(len(quantity)), np.full(len(quantity), "", dtype=object)
    every: dict[str, Any] = {
        **dict.fromkeys(("limit", "take_profit", "stop_loss", "spread", "slippage", "funding"), nothing),
        **dict.fromkeys(("guard", "reason", "exit"), blank),
        **columns,
        "timestamp": from_milliseconds(before[:-1]),
        "next_timestamp": from_milliseconds(before[1:]),
        "row": np.arange(len(quantity)),
        "close": np.concatenate([bars.prices[:1, OPEN], bars.prices[:-1, CLOSE]]),
        "action": np.sign(asked),
        "signal": np.sign(asked),
        "proposed": asked,
        "allowed": asked,
        "illegal": np.zeros(len(quantity), dtype=np.bool_),
    }
    frame = pd.DataFrame({name: every[name] for name in COLUMNS}).iloc[:rows]
    return Ledger(frame, initial_equity, before)


def _large(ledger: Ledger) -> list[dict[str, Any]]:
    exposures = np.abs(ledger.exposures())
    largest = float(exposures.max())
    if largest <= _MUCH:
        return []
    words = (
        f"the position was worth up to {largest:,.3g} times the equity: it was held on credit, whose interest is in the figures "
        "only where the file tells it"
    )
    return [{"what": "leverage", "count": int(np.count_nonzero(exposures > _MUCH)), "words": words}]
