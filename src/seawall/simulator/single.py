"""One account, one compiled call a bar: decision, fill, mark and account row, for faces that step a single environment.

It does what desk and simulator do, by the same kernel, where nothing else has a say: no guard, no latency, orders without terms,
and a reward that is the log return alone.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from seawall.core.errors import InvariantError
from seawall.simulator import accounts
from seawall.simulator.accounts import feature_codes, fill_account_rows
from seawall.simulator.compiled import heed_sources, ready_call
from seawall.simulator.desk import Desk
from seawall.simulator.kernel import book, episodes, events, prefetch, step
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Accounts, Bars, Flags, Orders, Rules
from seawall.simulator.kernel.step import advance
from seawall.simulator.simulator import Simulator


class Choices(NamedTuple):
    """What the actions mean, and what limits them.

    Attributes:
        orders: Where the order is written.
        targets: Exposure that an action asks for, when flat and when in a position; NaN keeps the target; float64, shape (2, A).
        illegal: Whether it does nothing there, int64, shape (2, A).
        illegal_moves: Illegal actions of the episode so far, int64, shape (1,), counted in place.
        codes: Account features shown, int64.
        limit: Largest absolute exposure.
        dearest: Cost multiples must stay below it.
    """

    orders: Orders
    targets: np.ndarray
    illegal: np.ndarray
    illegal_moves: np.ndarray
    codes: np.ndarray
    limit: float
    dearest: float


@njit(cache=True, error_model="numpy")
def _decide_and_step(
    bars: Bars, accounts: Accounts, choices: Choices, rules: Rules, flags: Flags, action: int, out: np.ndarray
) -> tuple[int, float, bool, bool]:
    """Take one account one bar on; return a code of `episodes`, the log return, and whether the episode terminates or truncates."""
    money, counts = accounts.money, accounts.counts
    current = money[at.TARGET, 0]
    held = 0 if current == 0.0 else 1
    wanted = choices.targets[held, action]
    choices.orders.target[0] = current if math.isnan(wanted) else wanted
    code, _ = episodes.refusal(accounts, choices.orders.target, choices.limit, choices.dearest)
    if code != episodes.ALLOWED:
        return code, 0.0, False, False
    choices.illegal_moves[0] += choices.illegal[held, action]
    # Numbers of the type that other callers give: a literal would have all of it compiled once more for that literal.
    first: Any = np.int64(0)
    end: Any = np.int64(1)
    advance(bars, accounts, choices.orders, rules, flags, first, end)
    fill_account_rows(bars.prices, money, counts, choices.codes, out)
    return code, money[at.LOG_RETURN, 0], counts[at.TERMINATED, 0] != 0, counts[at.TRUNCATED, 0] != 0


class SingleStepper:
    """Steps the one account of a simulator.

    Attributes:
        n_actions: Actions that it understands, from 0 on.
    """

    def __init__(self, simulator: Simulator, desk: Desk, columns: tuple[str, ...]) -> None:
        """Take the parts, which must be such as `serves` asks for.

        Args:
            simulator: A simulator of one account.
            desk: Without guards.
            columns: Account features to show, in order.

        Raises:
            InvariantError: The actions of the scheme are no table.
        """
        table = desk.scheme.table()
        if table is None:
            raise InvariantError(f"scheme {desk.scheme.name!r} has no table of actions; allowed: one that has")
        self.n_actions = table.targets.shape[1]
        self._columns = len(columns)
        none = np.zeros(0)
        bars, accounts, rules, flags, dearest = simulator.compiled_parts()
        orders, limit = Orders(np.zeros(1), none, none, none), simulator.params.max_exposure
        codes = feature_codes(columns)
        choices = Choices(orders, table.targets, table.illegal, desk.illegal_moves, codes, limit, dearest)
        self._parts = (bars, accounts, choices, rules, flags)
        self._call: Any = ready_call(_decide_and_step, (*self._parts, 0, self._row()))
        self._sums, self._scale = simulator.reward.sums, simulator.reward.first_weight

    @staticmethod
    def serves(simulator: Simulator, desk: Desk) -> bool:
        """Say whether a simulator and a desk leave everything to the kernel."""
        params = simulator.params
        plain = simulator.reward.plain and params.reward.clip is None and params.orders.latency_bars == 0
        return simulator.n == 1 and plain and not desk.guarded and not desk.scheme.carries_terms and desk.scheme.table() is not None

    def _row(self) -> np.ndarray:
        return np.empty((1, self._columns), dtype=np.float32)

    def step(self, action: int) -> tuple[int, float, bool, bool, np.ndarray]:
        """Take the account one bar on.

        Args:
            action: From 0 to `n_actions` − 1; others are not looked for.

        Returns:
            A code of `episodes` (0 where the step was taken), reward, terminated, truncated, and the account row, a new float32
            array of shape (A,).
        """
        row = np.empty((1, self._columns), dtype=np.float32)
        code, earned, terminated, truncated = self._call(*self._parts, action, row)
        earned *= self._scale
        self._sums[0, 0] += earned
        return code, earned, terminated, truncated, row[0]


heed_sources(sys.modules[__name__], compiled_with=(at, book, events, prefetch, step, episodes, accounts))
