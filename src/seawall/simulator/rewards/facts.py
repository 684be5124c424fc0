"""What several reward terms are made of, compiled: each fact is computed once, and only where it is asked for."""

from __future__ import annotations

import numpy as np
from numba import njit

from seawall.core.bars import CLOSE
from seawall.simulator.kernel import layout as at
from seawall.simulator.rewards import layout as of

_LEAST_EQUITY = 1e-300


@njit(cache=True, error_model="numpy")
def note_before(money: np.ndarray, counts: np.ndarray, facts: np.ndarray, ended: np.ndarray, first: int, last: int) -> None:
    """Keep what the accounts first..last − 1 are when the decision is taken, with an equity of at least 1e-300."""
    for i in range(first, last):
        facts[of.QUANTITY_BEFORE, i] = money[at.QUANTITY, i]
        facts[of.ENTRY_BEFORE, i] = money[at.ENTRY_PRICE, i]
        facts[of.EQUITY_BEFORE, i] = max(money[at.EQUITY, i], _LEAST_EQUITY)
        facts[of.PEAK_BEFORE, i] = money[at.PEAK_EQUITY, i]
        ended[i] = counts[at.TERMINATED, i] + counts[at.TRUNCATED, i] > 0


@njit(cache=True, error_model="numpy")
def _fill_amounts(money: np.ndarray, facts: np.ndarray, needed: np.ndarray, first: int, last: int) -> None:
    if needed[of.BAR_RETURN]:
        for i in range(first, last):
            facts[of.BAR_RETURN, i] = money[at.EQUITY, i] / facts[of.EQUITY_BEFORE, i] - 1.0
    if needed[of.BAR_COSTS]:
        for i in range(first, last):
            paid = money[at.FEE, i] + money[at.SPREAD, i] + money[at.SLIPPAGE, i]
            facts[of.BAR_COSTS, i] = paid + money[at.FINANCING, i] + money[at.FUNDING, i]
    if needed[of.FALL]:
        for i in range(first, last):
            facts[of.FALL, i] = 1.0 - money[at.EQUITY, i] / money[at.PEAK_EQUITY, i]


@njit(cache=True, error_model="numpy")
def _fill_prices(prices: np.ndarray, counts: np.ndarray, facts: np.ndarray, before: bool, first: int, last: int) -> None:
    for i in range(first, last):
        facts[of.PRICE, i] = prices[counts[at.ROW, i], CLOSE]
    if before and prices.shape[1] == at.ROW_COLUMNS:
        for i in range(first, last):
            facts[of.PRICE_BEFORE, i] = prices[counts[at.ROW, i], at.BEFORE]
    elif before:
        for i in range(first, last):
            facts[of.PRICE_BEFORE, i] = prices[counts[at.ROW, i] - 1, CLOSE]


@njit(cache=True, error_model="numpy")
def fill_facts(
    prices: np.ndarray, money: np.ndarray, counts: np.ndarray, facts: np.ndarray, needed: np.ndarray, first: int, last: int
) -> None:
    """Fill the facts that are needed of the accounts first..last − 1, which have just been marked.

    Args:
        prices: As the kernel reads them.
        money: Of the accounts.
        counts: Of the accounts.
        facts: With what the accounts were before, float64, shape (FACTS, at least N).
        needed: Whether a fact is asked for, bool, shape (FACTS,); what it is made of must be too.
        first: The first account.
        last: One past the last account.
    """
    _fill_amounts(money, facts, needed, first, last)
    if needed[of.PRICE]:
        _fill_prices(prices, counts, facts, needed[of.PRICE_BEFORE], first, last)
    if needed[of.EXPOSURE]:
        for i in range(first, last):
            facts[of.EXPOSURE, i] = money[at.QUANTITY, i] * facts[of.PRICE, i] / max(money[at.EQUITY, i], _LEAST_EQUITY)
    if needed[of.ASSET_RETURN]:
        for i in range(first, last):
            facts[of.ASSET_RETURN, i] = facts[of.PRICE, i] / facts[of.PRICE_BEFORE, i] - 1.0
