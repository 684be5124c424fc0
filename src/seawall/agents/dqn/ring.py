"""Rings of transitions, one for each environment, and the compiled code that writes and reads them.

An entry is what was seen (market row and account row), and the action and reward that followed. The next entry of the same
ring is what was seen next, so nothing is stored twice. Three marks keep this true where episodes end:

- a transition that ended in ruin is `RUINED`: nothing follows from it, and the next entry starts another episode;
- an episode cut by a limit leaves its last observation as an entry of its own, `FINAL`, that no action belongs to;
- the newest entry, `OPEN`, still waits for its action.

Rings advance at their own pace, by one entry a step and one more for every cut episode. Sums of rewards run forward from a
transition and stop at any of the three marks, so they never reach over an end, nor over the place being written.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from seawall.agents.dqn.sum_tree import set_leaf

EMPTY, GOING, RUINED, FINAL, OPEN = 0, 1, 2, 3, 4


class Ring(NamedTuple):
    """The entries of N rings of L places.

    Attributes:
        rows: Market row, int32, shape (N, L).
        account: Account row, float32, shape (N, L, A).
        actions: uint8, shape (N, L).
        rewards: As the environment gave them, float32, shape (N, L).
        kinds: What the entry is, uint8, shape (N, L); `GOING` and `RUINED` are transitions.
        heads: Place of the `OPEN` entry, int64, shape (N,).
    """

    rows: np.ndarray
    account: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    kinds: np.ndarray
    heads: np.ndarray


class Step(NamedTuple):
    """What one step of N environments brought.

    Attributes:
        actions: int64, shape (N,).
        rewards: float64, shape (N,).
        terminated: Ended in ruin, bool, shape (N,); it counts where a step is both.
        truncated: Cut by a limit of time or data, bool, shape (N,).
        rows: Market row seen next, where an episode ended that of the next one, int64, shape (N,).
        account: Account row seen next, float32, shape (N, A).
        final_rows: Last row of an episode, int64, shape (N,); read only where it was cut.
        final_account: Last account row of an episode, float32, shape (N, A).
    """

    actions: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    rows: np.ndarray
    account: np.ndarray
    final_rows: np.ndarray
    final_account: np.ndarray


class Batch(NamedTuple):
    """Replayed samples.

    Attributes:
        rows: Market row, int64, shape (B,).
        account: Account row, float32, shape (B, A).
        actions: int64, shape (B,).
        returns: Discounted sum of up to n rewards, as the environment gave them, float32, shape (B,).
        discounts: What a value seen next counts, gamma to the number of rewards or 0 after ruin, float32, shape (B,).
        next_rows: Market row from which values go on, int64, shape (B,).
        next_account: Account row from which values go on, float32, shape (B, A).
    """

    rows: np.ndarray
    account: np.ndarray
    actions: np.ndarray
    returns: np.ndarray
    discounts: np.ndarray
    next_rows: np.ndarray
    next_account: np.ndarray


@numba.njit(cache=True)
def append(ring: Ring, step: Step, tree: np.ndarray, priority: float) -> tuple[int, int]:  # pragma: no cover
    """Close the open entries with a step, and open the next ones over the oldest.

    Args:
        ring: Changed in place.
        step: What the actions taken on the open entries led to.
        tree: Priorities of all places, changed in place; of length 0 for none.
        priority: That of the new transitions.

    Returns:
        How many more transitions there are now, and how many places of a ring were reached.
    """
    n, length = ring.rows.shape
    more, reached = 0, 0
    for i in range(n):
        at = ring.heads[i]
        ring.actions[i, at] = step.actions[i]
        ring.rewards[i, at] = step.rewards[i]
        ring.kinds[i, at] = RUINED if step.terminated[i] else GOING
        more += 1
        if len(tree):
            set_leaf(tree, i * length + at, priority)
        if step.truncated[i] and not step.terminated[i]:
            at = (at + 1) % length
            more -= _see(ring, i, at, FINAL, step.final_rows[i], step.final_account[i], tree)
            reached = max(reached, at + 1)
        at = (at + 1) % length
        more -= _see(ring, i, at, OPEN, step.rows[i], step.account[i], tree)
        reached = max(reached, at + 1)
        ring.heads[i] = at
    return more, reached


@numba.njit(cache=True)
def _see(ring, i, at, kind, row, account, tree):  # pragma: no cover
    """Write an observation; return how many transitions it took the place of."""
    replaced = ring.kinds[i, at] == GOING or ring.kinds[i, at] == RUINED
    ring.rows[i, at] = row
    for column in range(len(account)):
        ring.account[i, at, column] = account[column]
    ring.kinds[i, at] = kind
    if len(tree):
        set_leaf(tree, i * ring.rows.shape[1] + at, 0.0)
    return int(replaced)


@numba.njit(cache=True)
def read(ring: Ring, places: np.ndarray, n_step: int, gamma: float) -> Batch:  # pragma: no cover
    """Read transitions, each with the rewards of up to n steps from it and what was seen after them.

    ``R = r_0 + gamma r_1 + ... + gamma^(m-1) r_(m-1)``, where m is n_step, or fewer where the episode or the record ends before.

    Args:
        ring: The entries.
        places: Of transitions, counted over all rings, int64, shape (B,).
        n_step: Most rewards to add up.
        gamma: Discount per step.
    """
    count, length, columns = len(places), ring.rows.shape[1], ring.account.shape[2]
    rows, next_rows, actions = (np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64))
    account, next_account = np.empty((count, columns), np.float32), np.empty((count, columns), np.float32)
    returns, discounts = np.empty(count, np.float32), np.empty(count, np.float32)
    for j in range(count):
        i, at = places[j] // length, places[j] % length
        rows[j], actions[j] = ring.rows[i, at], ring.actions[i, at]
        total, discount = 0.0, 1.0
        for _ in range(n_step):
            total += discount * ring.rewards[i, at]
            discount *= gamma
            ruined = ring.kinds[i, at] == RUINED
            at = (at + 1) % length
            if ruined:
                discount = 0.0
            if ruined or ring.kinds[i, at] == FINAL or ring.kinds[i, at] == OPEN:
                break
        returns[j], discounts[j], next_rows[j] = total, discount, ring.rows[i, at]
        first = places[j] % length
        for column in range(columns):
            account[j, column] = ring.account[i, first, column]
            next_account[j, column] = ring.account[i, at, column]
    return Batch(rows, account, actions, returns, discounts, next_rows, next_account)
