"""The compiled start of an episode, and the compiled search for a reason not to step."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from seawall.core.bars import CLOSE
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Accounts

ALLOWED, BAD_TARGET, BAD_COSTS, NEVER_RESET = range(4)
OPENED, BAD_ROWS, BAD_EXPOSURE = range(3)


class Ground(NamedTuple):
    """Where episodes may be, and what is cleared for them beside the accounts.

    Attributes:
        prices: Open, high, low, close, volume; float64, shape (T, at least 5).
        bounds: First row of each series, and one past the last row of all, int64.
        limit: Largest absolute exposure.
        memory: What the reward keeps of each account, float64, shape (rows, N + PADDING).
        ages: What it counts of each account, int64, likewise.
    """

    prices: np.ndarray
    bounds: np.ndarray
    limit: float
    memory: np.ndarray
    ages: np.ndarray


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
def _fits(bounds: np.ndarray, first: int, end: int) -> bool:
    """Say whether the rows first..end − 1 hold a decision and lie in one series."""
    low, high = 0, len(bounds)
    while low < high:
        middle = (low + high) // 2
        if bounds[middle] <= first:
            low = middle + 1
        else:
            high = middle
    return 1 <= low < len(bounds) and first + 2 <= end <= bounds[low]


@njit(cache=True, error_model="numpy")
def open_episodes(ground: Ground, accounts: Accounts, indices: np.ndarray, rows: np.ndarray, start: np.ndarray) -> tuple[int, int]:
    """Start a new episode in some accounts: fresh equity, flat, or holding a target at the close of the start row.

    Args:
        ground: Where episodes may be, and what is cleared for them.
        accounts: The accounts.
        indices: Those to reset, int64, shape (K,).
        rows: First row and one past the last row of each episode, int64, shape (2, K).
        start: Exposure held from the start, which appears without cost, equity, and the factors on commission, spread and slippage;
            float64, shape (5, K).

    Returns:
        One of the codes above, and the first episode that it is about; where it is not `OPENED`, no account has changed.
    """
    for k in range(len(indices)):
        if not _fits(ground.bounds, rows[0, k], rows[1, k]):
            return BAD_ROWS, k
    for k in range(len(indices)):
        if not abs(start[0, k]) <= ground.limit:
            return BAD_EXPOSURE, k
    money, counts, memory, ages = accounts.money, accounts.counts, ground.memory, ground.ages
    for k in range(len(indices)):
        i = indices[k]
        price, target, equity = ground.prices[rows[0, k], CLOSE], start[0, k], start[1, k]
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
        memory[:, i] = 0.0
        ages[:, i] = 0
    return OPENED, -1
