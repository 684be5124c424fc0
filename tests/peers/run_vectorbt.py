"""Run cases through vectorbt: ``python run_vectorbt.py FOLDER``.

All-in sizes are vectorbt's own (`size=inf`): what the cash buys after fees, and as much short as the free cash covers. A decision
at the close of t becomes an order of row t + 1 whose price is that row's open.

vectorbt fills at most one order a row and begins to watch a stop in the row after the entry. Where a case has stops, each bar is
therefore two rows: its open alone, where orders are filled, and the whole bar, where stops are watched. So it is where hours close
positions at a bar's close. Signals outside of the hours are taken away here; vectorbt knows no hours.

Slippage by volatility is an array of its `slippage` where no commission is charged, and else of its `fees`: there the two multiply.
"""

from __future__ import annotations

import sys

import numpy as np
import vectorbt as vbt
from case_files import Answer, Case, answer_all, in_hours, sliding
from vectorbt.portfolio.enums import SizeType


def run(case: Case) -> Answer:
    settings = case.settings
    if settings.hours:
        return with_hours(case)
    return with_stops(case) if settings.stop_loss or settings.take_profit or settings.trailing_stop else with_orders(case)


def with_orders(case: Case) -> Answer:
    settings, (opening, _, _, close) = case.settings, case.prices.T
    before, wanted = np.concatenate([[0.0, 0.0], case.targets[:-2]]), np.concatenate([[0.0], case.targets[:-1]])
    size = np.select([wanted > 0.0, wanted < 0.0], [np.inf, -np.inf], 0.0)
    kind = np.where(wanted == 0.0, SizeType.TargetAmount, SizeType.Amount)
    if settings.size != 1.0:
        size, kind = wanted * settings.size, np.full(len(wanted), SizeType.TargetPercent)
    rates = sliding(case)
    slips, fees = (
        (settings.slippage + rates, 0.0) if settings.commission == 0.0 else (settings.slippage, settings.commission + rates)
    )
    portfolio = vbt.Portfolio.from_orders(
        close=close,
        size=np.where(wanted == before, np.nan, size),
        size_type=kind,
        direction="both",
        price=opening,
        val_price=opening,
        fees=fees,
        slippage=slips,
        size_granularity=settings.lot or np.nan,
        init_cash=settings.initial_equity,
        freq="1h",
    )
    return answered(portfolio, 1, rates if settings.commission == 0.0 else np.zeros(len(rates)))


def with_hours(case: Case) -> Answer:
    """Two rows a bar: its open, for decisions within the hours, and its close, for the end of the hours."""
    (opening, _, _, close), (inside, ends), level = case.prices.T, in_hours(case), 0.0
    size, kind = np.full((len(close), 2), np.nan), np.full((len(close), 2), SizeType.Amount)
    for bar, wanted in enumerate(np.concatenate([[0.0], case.targets[:-1]])):
        if inside[bar] and wanted != level:
            size[bar, 0], level = (wanted * np.inf if wanted else 0.0), wanted
            kind[bar, 0] = SizeType.Amount if wanted else SizeType.TargetAmount
        if ends[bar] and level != 0.0:
            size[bar, 1], kind[bar, 1], level = 0.0, SizeType.TargetAmount, 0.0
    prices = np.stack([opening, close], axis=1).ravel()
    portfolio = vbt.Portfolio.from_orders(
        close=prices,
        size=size.ravel(),
        size_type=kind.ravel(),
        direction="both",
        price=prices,
        val_price=prices,
        fees=case.settings.commission,
        init_cash=case.settings.initial_equity,
        freq="30min",
    )
    return answered(portfolio, 2)


def with_stops(case: Case) -> Answer:
    settings, wanted = case.settings, np.concatenate([[0.0], case.targets[:-1]])
    opening, rows_a_bar = case.prices[:, 0], 1 if settings.plain else 2
    rows = np.repeat(case.prices, rows_a_bar, axis=0)
    if not settings.plain:
        rows[0::2] = opening[:, None]
    if settings.trailing_stop:
        # A trailing stop learns from closed bars alone: an open that is better than all of them must not move it.
        held = np.concatenate([[0.0], wanted[:-1]])
        rows[0::2, 1:3] = np.where(held < 0.0, np.inf, 0.0)[:, None]
    orders = np.zeros(len(rows), dtype=bool)
    orders[0::rows_a_bar] = True
    level = np.repeat(wanted, rows_a_bar)
    portfolio = vbt.Portfolio.from_signals(
        close=rows[:, 3],
        entries=orders & (level > 0.0),
        exits=orders & (level <= 0.0),
        short_entries=orders & (level < 0.0),
        short_exits=orders & (level >= 0.0),
        open=rows[:, 0],
        high=rows[:, 1],
        low=rows[:, 2],
        price=np.repeat(opening, rows_a_bar),
        val_price=np.repeat(opening, rows_a_bar),
        size=np.inf,
        fees=settings.commission,
        sl_stop=settings.trailing_stop or settings.stop_loss or np.nan,
        sl_trail=settings.trailing_stop > 0.0,
        tp_stop=settings.take_profit or np.nan,
        stop_entry_price="fillprice",
        stop_exit_price="stoplimit",
        upon_opposite_entry="reverse",
        init_cash=settings.initial_equity,
        freq="1h",
    )
    return answered(portfolio, rows_a_bar)


def answered(portfolio: vbt.Portfolio, rows_a_bar: int, slipped: np.ndarray | None = None) -> Answer:
    """Return the fills, at their prices before the slippage by row that is named, and the equity at each close."""
    records = portfolio.orders.values
    signs = np.where(records["side"] == 0, 1.0, -1.0)
    moved = 0.0 if slipped is None else slipped[records["idx"]]
    fills = zip(records["idx"] // rows_a_bar, records["size"] * signs, records["price"] / (1.0 + signs * moved), strict=True)
    equity = portfolio.value().to_numpy()[rows_a_bar - 1 :: rows_a_bar]
    return Answer.of([(int(bar), float(units), float(price)) for bar, units, price in fills], equity)


if __name__ == "__main__":
    answer_all(sys.argv[1], "vectorbt", run)
