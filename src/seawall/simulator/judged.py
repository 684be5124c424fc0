"""One bar for N accounts and what it earns them, in one compiled pass: what an account is stays near while it is judged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from seawall.simulator.kernel.layout import Accounts, Bars, Flags, Orders, Rules
from seawall.simulator.kernel.step import CHUNK, advance
from seawall.simulator.rewards.facts import note_before
from seawall.simulator.rewards.judge import judge
from seawall.simulator.rewards.layout import Judging, Numbers


@njit(cache=True, error_model="numpy")
def _judged_chunk(  # noqa: PLR0913 (what `advance` takes, and what judging takes)
    bars: Bars,
    accounts: Accounts,
    orders: Orders,
    rules: Rules,
    flags: Flags,
    judging: Judging,
    numbers: Numbers,
    total: np.ndarray,
    first: int,
    last: int,
) -> int:
    # Without a sign: where a place could be negative, no loop is turned into vector instructions.
    begin: Any = np.uint64(first)
    end: Any = np.uint64(last)
    note_before(accounts.money, accounts.counts, judging.facts, judging.ended, begin, end)
    advance(bars, accounts, orders, rules, flags, first, last)
    return judge(bars.prices, accounts, judging, numbers, total, begin, end)


@njit(cache=True, error_model="numpy")
def judged_serial(  # noqa: PLR0913 (what `advance` takes, and what judging takes)
    bars: Bars,
    accounts: Accounts,
    orders: Orders,
    rules: Rules,
    flags: Flags,
    judging: Judging,
    numbers: Numbers,
    total: np.ndarray,
) -> int:
    """Take every account one bar on and fill its reward; return how many rewards are no finite numbers.

    Args:
        bars: The market.
        accounts: What is changed in place.
        orders: What is wanted at the open of the next row.
        rules: What is charged and demanded.
        flags: Which rules hold.
        judging: The terms of the reward.
        numbers: Their settings.
        total: Filled with the rewards, float64, shape (N,).
    """
    n, wrong = len(orders.target), 0
    for first in range(0, n, CHUNK):
        wrong += _judged_chunk(bars, accounts, orders, rules, flags, judging, numbers, total, first, min(n, first + CHUNK))
    return wrong


@njit(cache=True, error_model="numpy", parallel=True)
def judged_parallel(  # noqa: PLR0913 (what `advance` takes, and what judging takes)
    bars: Bars,
    accounts: Accounts,
    orders: Orders,
    rules: Rules,
    flags: Flags,
    judging: Judging,
    numbers: Numbers,
    total: np.ndarray,
) -> int:
    """Do what `judged_serial` does, with accounts shared among threads; the same bits."""
    n, wrong = len(orders.target), 0
    chunks = (n + CHUNK - 1) // CHUNK
    for chunk in prange(chunks):
        wrong += _judged_chunk(
            bars, accounts, orders, rules, flags, judging, numbers, total, chunk * CHUNK, min(n, (chunk + 1) * CHUNK)
        )
    return wrong
