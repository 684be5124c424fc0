"""The compiled start of an episode, and the compiled search for a reason not to step."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from seawall.core.bars import CLOSE
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Accounts

ALLOWED, BAD_TARGET, BAD_COSTS, NEVER_RESET = range(4)


@njit(cache=True, error_model="numpy")
def refusal(accounts: Accounts, targets: np.ndarray, limit: float, dearest: float) -> tuple[int, int]:
    """Look for a reason not to step.

    Args:
        accounts: The accounts.
        targets: Wanted exposures, float64, shape (N,).
        limit: Largest absolute exposure.
        dearest: Cost multiples must stay below it.

    Returns:
        One of the codes above, and the first account that it is about. NaN is never allowed.
    """
    money, counts = accounts.money, accounts.counts
    faults = 0
    for i in range(len(targets)):
        # Without a branch, so that several accounts are looked at in one instruction.
        multiple = money[at.COST_MULTIPLE, i]
        sound = (abs(targets[i]) <= limit) & (multiple >= 0.0) & (multiple < dearest) & (counts[at.STOP, i] != 0)
        faults += not sound
    if faults == 0:
        return ALLOWED, 0
    for i in range(len(targets)):
        if not abs(targets[i]) <= limit:
            return BAD_TARGET, i
        if not 0.0 <= money[at.COST_MULTIPLE, i] < dearest:
            return BAD_COSTS, i
        if counts[at.STOP, i] == 0:
            return NEVER_RESET, i
    return ALLOWED, 0


@njit(cache=True, error_model="numpy")
def open_episodes(prices: np.ndarray, accounts: Accounts, indices: np.ndarray, rows: np.ndarray, start: np.ndarray) -> None:
    """Start a new episode in some accounts: fresh equity, flat, or holding a target at the close of the start row.

    Args:
        prices: Open, high, low, close, volume; float64, shape (T, 5).
        accounts: The accounts.
        indices: Those to reset, int64, shape (K,).
        rows: First row and one past the last row of each episode, int64, shape (2, K).
        start: Exposure held from the start, which appears without cost, equity, and the factors on commission, spread and slippage;
            float64, shape (5, K).
    """
    money, counts = accounts.money, accounts.counts
    for k in range(len(indices)):
        i = indices[k]
        price, target, equity = prices[rows[0, k], CLOSE], start[0, k], start[1, k]
        money[at.STATE :, i] = 0.0
        money[at.FILL_PRICE, i] = money[at.ORDER_PRICE, i] = math.nan
        money[at.TARGET, i] = target
        money[at.QUANTITY, i] = target * equity / price
        money[at.CASH, i] = (1.0 - target) * equity
        money[at.EQUITY, i] = money[at.PEAK_EQUITY, i] = money[at.START_EQUITY, i] = equity
        money[at.ENTRY_PRICE, i] = money[at.BEST_PRICE, i] = price
        money[at.LIMIT_PRICE, i] = money[at.TAKE_PROFIT, i] = money[at.STOP_LOSS, i] = 0.0
        for place, row in enumerate((at.COMMISSION_FACTOR, at.SPREAD_FACTOR, at.SLIPPAGE_FACTOR)):
            money[row, i] = start[2 + place, k]
        counts[at.ROW, i] = rows[0, k]
        counts[at.STOP, i] = rows[1, k]
        counts[at.EPISODE, i] += 1
        counts[at.HELD_BARS, i] = counts[at.WORKING, i] = 0
        counts[at.TERMINATED :, i] = 0
