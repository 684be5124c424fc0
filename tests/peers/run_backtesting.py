"""Run cases through backtesting.py: ``python run_backtesting.py FOLDER``.

It trades whole units, so each bar is priced in a ten-billionth of a unit, as its own FractionalBacktest does. Sizes are its own
all-in orders; reversals are its own exclusive orders, which close what is open first. Stops are placed with the order, at their
distance from the open at which it will fill, so that they are watched in the bar of the entry too. Lots are its own whole units, of
bars priced in lots. It fills at opens alone: where hours close positions at a bar's close, each bar is two, its open and its close.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from case_files import Answer, Case, Settings, answer_all, in_hours, sliding

UNIT = 1e-10


def unit_of(settings: Settings) -> float:
    """What the engine takes for one unit."""
    return settings.lot or UNIT


class Follow(Strategy):
    """Trades where the target changes; `case` is set before each run, and `bar` is the last that has closed."""

    case: Case
    bar = 0

    def init(self) -> None:
        self.in_force = 0.0

    def next(self) -> None:
        bar, targets = len(self.data) - 1, self.case.targets
        Follow.bar = bar
        if self.case.settings.trailing_stop:
            self._trail(bar)
        if not self.position and not self.orders:
            self.in_force = 0.0
        wanted = targets[bar]
        if bar + 1 == len(targets) or wanted == self.in_force:
            return
        self.in_force = wanted
        for order in list(self.orders):
            if not order.is_contingent:
                order.cancel()
        if wanted == 0.0:
            self.position.close()
        else:
            self._enter(wanted, bar)

    def _trail(self, bar: int) -> None:
        """Move the stop after the best price of the bars closed since the entry."""
        for trade in self.trades:
            since = slice(trade.entry_bar, bar + 1)
            best = max(self.data.High[since]) if trade.is_long else min(self.data.Low[since])
            trade.sl = best * (1.0 - math.copysign(self.case.settings.trailing_stop, trade.size))

    def _enter(self, side: float, bar: int) -> None:
        settings = self.case.settings
        limit = self.data.Close[-1] * (1.0 - side * settings.limit) if settings.limit else None
        entry = limit or self.case.prices[bar + 1, 0] * unit_of(settings)
        distance = settings.trailing_stop or settings.stop_loss
        stop = entry * (1.0 - side * distance) if distance else None
        take = entry * (1.0 + side * settings.take_profit) if settings.take_profit else None
        (self.buy if side > 0.0 else self.sell)(limit=limit, sl=stop, tp=take)


class FollowHours(Follow):
    """Sees the open and the close of each bar in turn: sends at a close what fills at the next open, and the other way round."""

    def next(self) -> None:
        bar, is_close = divmod(len(self.data) - 1, 2)
        inside, ends = in_hours(self.case)
        if not is_close:
            if ends[bar] and self.in_force != 0.0:
                self.in_force = 0.0
                self.position.close()
        elif bar + 1 < len(inside) and inside[bar + 1] and self.case.targets[bar] != self.in_force:
            self.in_force = self.case.targets[bar]
            if self.in_force == 0.0:
                self.position.close()
            else:
                self._enter(self.in_force, bar)


def commission_of(case: Case) -> float | Callable[[float, float], float]:
    """Return the commission, with the slippage of the bar that fills where it is not the same at each."""
    settings, rates = case.settings, sliding(case)
    if not rates.any():
        return settings.commission
    return lambda size, price: abs(size) * price * (settings.commission + rates[Follow.bar + 1])


def run(case: Case) -> Answer:
    settings, unit = case.settings, unit_of(case.settings)
    if (settings.limit or settings.take_profit) and settings.maker_commission != settings.commission:
        raise SystemExit("backtesting.py has one commission for every order")
    rows_a_bar, rows = 1, case.prices
    if settings.hours:
        rows_a_bar, rows = 2, np.repeat(case.prices[:, [0, 3]].reshape(-1, 1), 4, axis=1)
    index = pd.date_range("2020-01-01", periods=len(rows), freq="h")
    frame = pd.DataFrame(rows * unit, columns=["Open", "High", "Low", "Close"], index=index).assign(Volume=1.0)
    Follow.case = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backtest = Backtest(
            frame,
            FollowHours if settings.hours else Follow,
            cash=settings.initial_equity,
            commission=commission_of(case),
            spread=settings.slippage,
            trade_on_close=False,
            exclusive_orders=True,
            finalize_trades=False,
        )
        result = backtest.run()
    fills: list[tuple[int, float, float]] = []
    for trade in [*result["_trades"].itertuples(), *still_open(result)]:
        fills.append((int(trade.EntryBar) // rows_a_bar, trade.Size * unit, trade.EntryPrice / unit))
        if trade.ExitBar is not None:
            fills.append((int(trade.ExitBar) // rows_a_bar, -trade.Size * unit, trade.ExitPrice / unit))
    return Answer.of(fills, result["_equity_curve"]["Equity"].to_numpy()[rows_a_bar - 1 :: rows_a_bar])


class Open:
    """A trade that the last bar left open, in the columns of the closed ones."""

    def __init__(self, size: int, bar: int, price: float) -> None:
        self.Size, self.EntryBar, self.EntryPrice, self.ExitBar, self.ExitPrice = size, bar, price, None, np.nan


def still_open(result: pd.Series) -> list[Open]:
    return [Open(trade.size, trade.entry_bar, trade.entry_price) for trade in result["_strategy"].trades]


if __name__ == "__main__":
    answer_all(sys.argv[1], "backtesting", run)
