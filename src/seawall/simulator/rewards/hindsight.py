"""Published rewards that no account earns, for comparison only: a table of actions, and exits at the best price to come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from seawall.core.bars import CLOSE, HIGH, LOW
from seawall.simulator.rewards.bar import BarView
from seawall.simulator.rewards.settings import TermSettings

if TYPE_CHECKING:
    from seawall.core.market import Market

_TABLE_IDLE = 1e-4


def action_table(bar: BarView, cost: float) -> np.ndarray:
    """Return the published table of the Ichimoku system, by what was asked for and what was held.

    Moves of the price are those into the close at which the decision was taken. A reversal is paid its whole profit once more,
    and a hold half of the move: no equity changes by these numbers.
    """
    rows, price = bar.row - 1, bar.close_before
    firsts = np.asarray(bar.market.starts)
    inside = ~np.isin(rows, firsts[:-1])
    earlier = bar.market.prices[np.where(inside, rows - 1, rows), CLOSE]
    move = price / earlier - 1.0
    side = np.sign(bar.before.quantity)
    with np.errstate(divide="ignore", invalid="ignore"):
        closed = np.where(side != 0.0, side * (price / bar.before.entry_price - 1.0), 0.0)
    signal = bar.signal
    held = np.where(side == 0.0, -_TABLE_IDLE, 0.5 * side * move)
    moved = np.where(side == 0.0, -cost, np.where(signal == side, side * move, closed - 2.0 * cost))
    return np.where(signal == 0, held, moved)


class HindsightExit:
    """The reward of an exit at the best price of the next bars, by what was asked for: buy, sell, or hold.

    With φ = ln((1 − f) / (1 + f)): buying at the close of t earns ln(max(price of t + 1 … t + K) / close) + φ, selling
    ln(close / min(price of t + 1 … t + K)) + φ, holding −max(both), at most 0, or a fixed bonus. Where fewer bars are left in the
    series, those count; where none is, nothing does.
    """

    def __init__(self, params: TermSettings, market: Market, _n: int, *, limit: bool) -> None:
        """Compute both exits at every row of a market, for closes or for highs and lows."""
        costs = np.log((1.0 - params.hindsight_fee) / (1.0 + params.hindsight_fee))
        self._bonus = params.hindsight_hold
        self._buy, self._sell = np.zeros(len(market)), np.zeros(len(market))
        for first, stop in zip(market.starts[:-1], market.starts[1:], strict=True):
            close = market.prices[first:stop, CLOSE]
            best = _ahead(market.prices[first:stop, HIGH if limit else CLOSE], params.hindsight_bars, largest=True)
            worst = _ahead(market.prices[first:stop, LOW if limit else CLOSE], params.hindsight_bars, largest=False)
            known = slice(first, stop - 1)
            self._buy[known] = np.log(best / close[:-1]) + costs
            self._sell[known] = np.log(close[:-1] / worst) + costs

    def __call__(self, bar: BarView) -> np.ndarray:
        """Return the reward of the decision whose bar was just marked, float64, shape (N,)."""
        rows = bar.row - 1
        buy, sell = self._buy[rows], self._sell[rows]
        hold = np.minimum(-np.maximum(buy, sell), 0.0) if self._bonus is None else np.full(bar.n, self._bonus)
        return np.where(bar.signal == 0, hold, np.where(bar.signal > 0, buy, sell))

    def reset(self, accounts: np.ndarray) -> None:
        """Nothing is remembered."""

    def blocks(self) -> Mapping[str, np.ndarray]:
        """Return nothing: the market tells all."""
        return {}


def _ahead(values: np.ndarray, bars: int, *, largest: bool) -> np.ndarray:
    """Return the largest or smallest of the next values at each place but the last, shape (T − 1,)."""
    padded = np.concatenate([values[1:], np.full(bars, -np.inf if largest else np.inf)])
    windows = sliding_window_view(padded, bars)[:-1]
    return windows.max(axis=1) if largest else windows.min(axis=1)
