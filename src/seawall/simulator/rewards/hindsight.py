"""Published rewards that no account earns, for comparison only: a table of actions, and exits at the best price to come."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view

from seawall.core.bars import CLOSE, HIGH, LOW
from seawall.core.market import Market
from seawall.simulator.kernel import layout as at
from seawall.simulator.rewards import layout as of
from seawall.simulator.rewards.layout import Span
from seawall.simulator.rewards.settings import TermSettings

_TABLE_IDLE = 1e-4
_TABLE_COST = 0.001


def exits_ahead(params: TermSettings, market: Market, *, limit: bool) -> np.ndarray:
    """Return what exits at the best price of the next bars will have earned, float64, shape (T, 2): of buying, and of selling.

    With φ = ln((1 − f) / (1 + f)): buying at the close of t earns ln(max(price of t + 1 … t + K) / close) + φ, selling
    ln(close / min(price of t + 1 … t + K)) + φ. Where fewer bars are left in the series, those count; where none is, nothing does.

    Args:
        params: K and the fee f.
        market: The prices.
        limit: Whether the price is the high or low of a bar; else its close.
    """
    costs = np.log((1.0 - params.hindsight_fee) / (1.0 + params.hindsight_fee))
    ahead = np.zeros((len(market), 2))
    for first, stop in zip(market.starts[:-1], market.starts[1:], strict=True):
        close = market.prices[first:stop, CLOSE]
        best = _best(market.prices[first:stop, HIGH if limit else CLOSE], params.hindsight_bars, largest=True)
        worst = _best(market.prices[first:stop, LOW if limit else CLOSE], params.hindsight_bars, largest=False)
        known = slice(first, stop - 1)
        ahead[known, 0] = np.log(best / close[:-1]) + costs
        ahead[known, 1] = np.log(close[:-1] / worst) + costs
    return ahead


def _best(values: np.ndarray, bars: int, *, largest: bool) -> np.ndarray:
    """Return the largest or smallest of the next values at each place but the last, shape (T − 1,)."""
    padded = np.concatenate([values[1:], np.full(bars, -np.inf if largest else np.inf)])
    windows = sliding_window_view(padded, bars)[:-1]
    return windows.max(axis=1) if largest else windows.min(axis=1)


@njit(cache=True, error_model="numpy")
def _exits(
    counts: np.ndarray, ahead: np.ndarray, signal: np.ndarray, column: int, hold: float, terms: np.ndarray, span: Span
) -> None:
    """Write the reward of the decision whose bar was just marked; a hold earns minus the better exit, at most 0, or a bonus."""
    for i in range(span.first, span.last):
        row = counts[at.ROW, i] - 1
        buy, sell = ahead[row, column], ahead[row, column + 1]
        held = min(-max(buy, sell), 0.0) if np.isnan(hold) else hold
        traded = buy if signal[i] > 0 else sell
        terms[span.place, i] = held if signal[i] == 0 else traded


@njit(cache=True, error_model="numpy")
def _table(
    prices: np.ndarray,
    counts: np.ndarray,
    facts: np.ndarray,
    starts: np.ndarray,
    signal: np.ndarray,
    terms: np.ndarray,
    span: Span,
) -> None:
    """Write the published table of the Ichimoku system, by what was asked for and what was held.

    Moves of the price are those into the close at which the decision was taken. A reversal is paid its whole profit once more,
    and a hold half of the move: no equity changes by these numbers.
    """
    for i in range(span.first, span.last):
        row, price, asked = counts[at.ROW, i] - 1, facts[of.PRICE_BEFORE, i], float(signal[i])
        begins = starts[np.searchsorted(starts, row, side="right") - 1] == row
        move = 0.0 if begins else price / prices[row - 1, CLOSE] - 1.0
        side = np.sign(facts[of.QUANTITY_BEFORE, i])
        if side == 0.0:
            terms[span.place, i] = -_TABLE_IDLE if asked == 0.0 else -_TABLE_COST
        elif asked == 0.0:
            terms[span.place, i] = 0.5 * side * move
        elif asked == side:
            terms[span.place, i] = side * move
        else:
            terms[span.place, i] = side * (price / facts[of.ENTRY_BEFORE, i] - 1.0) - 2.0 * _TABLE_COST


@njit(cache=True, error_model="numpy")
def fill_asked(  # noqa: PLR0913 (arrays apart: a tuple of many is copied at each call)
    code: int,
    column: int,
    prices: np.ndarray,
    counts: np.ndarray,
    facts: np.ndarray,
    asked: tuple[np.ndarray, np.ndarray, np.ndarray],
    hold: float,
    terms: np.ndarray,
    span: Span,
) -> None:
    """Write a term of what was asked for; those of hindsight find theirs from a column on."""
    starts, ahead, signal = asked
    if code == of.ACTION_TABLE:
        _table(prices, counts, facts, starts, signal, terms, span)
    else:
        _exits(counts, ahead, signal, column, hold, terms, span)
