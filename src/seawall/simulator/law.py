"""The law of the chain of guards, compiled: how far a guard may change a proposal, and whose change stands.

A guard is asked at every bar, so its answer is held to the law at every bar, in one pass over the accounts.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LAWFUL = 0
TOO_FAR = 1
"""The answer lies outside of what is between the proposal and the exposure in force, and between the proposal and zero."""
EXIT_BLOCKED = 2
"""The answer keeps risk that was to be cut."""
UNEXPLAINED = 3
"""A proposal was changed without a reason, or the reason is none of the guard's."""


@njit(cache=True, error_model="numpy")
def _between(value: float, one: float, other: float) -> bool:
    """Say whether a value lies between two bounds, in either order; never where one of the three is NaN."""
    return one <= value <= other or other <= value <= one


@njit(cache=True, error_model="numpy")
def breach(
    current: np.ndarray, proposed: np.ndarray, allowed: np.ndarray, reason: np.ndarray, may_block_exit: bool, n_reasons: int
) -> tuple[int, int]:
    """Hold a guard's answer to the law.

    Args:
        current: Target exposure in force, float64, shape (N,).
        proposed: What the guard was asked about, float64, shape (N,).
        allowed: Its answer, float64, shape (N,).
        reason: Its reasons, whole numbers, shape (N,).
        may_block_exit: Whether it may keep risk that was to be cut.
        n_reasons: How many reasons it has.

    Returns:
        The first law in the order above that an account's answer breaks, and the first account whose answer does; `LAWFUL` and
        −1 where all are lawful.
    """
    broken, account = LAWFUL, -1
    for i in range(len(proposed)):
        answer, asked, held = allowed[i], proposed[i], current[i]
        if not (_between(answer, asked, held) or _between(answer, asked, 0.0)):
            law = TOO_FAR
        elif not may_block_exit and ((held > 0.0 and answer > max(asked, 0.0)) or (held < 0.0 and answer < min(asked, 0.0))):
            law = EXIT_BLOCKED
        elif reason[i] < 0 or reason[i] > n_reasons or (answer != asked and reason[i] == 0):
            law = UNEXPLAINED
        else:
            continue
        if broken == LAWFUL or law < broken:
            broken, account = law, i
    return broken, account


@njit(cache=True, error_model="numpy")
def take_down(reason: np.ndarray, number: int, last_guard: np.ndarray, last_reason: np.ndarray) -> None:
    """Write a guard that intervened over those before it.

    Args:
        reason: Its reasons, shape (N,); 0 where it did not intervene.
        number: 1 + its place in the chain.
        last_guard: Number of the last guard that intervened, int8, shape (N,); changed in place.
        last_reason: That guard's reason, likewise.
    """
    for i in range(len(reason)):
        if reason[i] != 0:
            last_guard[i] = number
            last_reason[i] = reason[i]
