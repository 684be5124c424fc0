"""The Smurf: a second, more cautious agent that was trained beforehand. Where it would hold, the account holds.

Source: Kochliaridis, Kouloumpris, Vlahavas, "Combining deep reinforcement learning with technical analysis and trend
monitoring on cryptocurrency markets", Neural Computing & Applications 35 (2023), section on smurfing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.protocols import ActionScheme, GuardContext, GuardVerdict, Observation, Policy
from seawall.guards.risk import vetoed
from seawall.guards.rule import GuardParams, Rule
from seawall.simulator.accounts import ACCOUNT_FEATURES, feature_codes, fill_account_rows
from seawall.simulator.kernel import layout as at

UNKNOWN = ("working", "growth", "bars_left")
"""Account features that a guard is not told: a Smurf that was trained with one cannot supervise."""


class SmurfParams(GuardParams):
    """Settings of the Smurf."""

    bundle: str = Field(
        min_length=1, description="The supervisor's run (trained with role=smurf) by its path or name, or its bundle's folder"
    )
    exits_exempt: bool = Field(
        default=False, description="Whether what cuts risk passes although the Smurf holds; the published rule holds exits too"
    )


@dataclass(frozen=True)
class Supervisor:
    """The trained agent behind the guard.

    Attributes:
        policy: Its ensemble, which remembers nothing from bar to bar.
        scheme: What its actions mean.
        account_columns: Account features that it sees, in order.
        window: L, rows of features that it sees.
    """

    policy: Policy
    scheme: ActionScheme
    account_columns: tuple[str, ...]
    window: int

    def __post_init__(self) -> None:
        """Refuse what a guard is not told.

        Raises:
            ConfigError: It was trained with an account feature that guards do not know.
        """
        unknown = [name for name in self.account_columns if name in UNKNOWN or name not in ACCOUNT_FEATURES]
        if unknown:
            known = ", ".join(name for name in ACCOUNT_FEATURES if name not in UNKNOWN)
            raise ConfigError(f"the Smurf sees {', '.join(unknown)} of an account, which no guard is told; allowed: {known}")


class Smurf(Rule[SmurfParams]):
    """Forces HOLD (the exposure in force stays) where its supervisor would hold; passes the proposal elsewhere.

    What the supervisor would buy or sell does not matter: it has a veto and no vote. It sees the account as it is, whoever brought
    it there. Because its HOLD holds exits too, the guard declares that it may block them; with `exits_exempt` what cuts risk
    passes, a held reversal becomes flat, and it blocks no exit.
    """

    name = "smurf"
    commutes = False
    reasons = ("the Smurf would hold",)

    def __init__(self, params: SmurfParams, supervisor: Supervisor | None = None) -> None:
        """Take the settings, and the supervisor where it is loaded already."""
        super().__init__(params)
        self.may_block_exit = not params.exits_exempt
        self._supervisor = supervisor

    def listen_to(self, supervisor: Supervisor) -> None:
        """Take the supervisor; without one the guard fails at its first decision."""
        self._supervisor = supervisor

    @property
    def lookback(self) -> int:
        """Rows of past bars that the supervisor sees."""
        return 0 if self._supervisor is None else self._supervisor.window

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Hold where the supervisor would.

        Args:
            current: Target exposure now in force, float64, shape (N,).
            proposed: Exposure asked for, float64, shape (N,).
            context: Bars, features and position at the close.
            state: None is kept; shape (N, 0).

        Returns:
            The exposure allowed; reason 1 where an order was held, also where its exposure is in force already.

        Raises:
            InvariantError: The supervisor was never loaded.
        """
        supervisor = self._supervisor
        if supervisor is None:
            raise InvariantError(f"the supervisor {self.params.bundle} was not loaded; allowed: guards that a recipe's parts build")
        market, rows = context.bars.seen_by_policies()
        account = account_rows(supervisor.account_columns, current, context)
        actions = np.asarray(supervisor.policy.act(Observation(market, rows, account))[0])
        held = (supervisor.scheme.intent(actions, current).signal == 0) & (context.signal != 0)
        allowed = vetoed(current, proposed, held) if self.params.exits_exempt else np.where(held, current, proposed)
        return GuardVerdict(allowed, held.astype(np.int8), state)


def account_rows(columns: tuple[str, ...], current: np.ndarray, context: GuardContext) -> np.ndarray:
    """Return account features as the simulator computes them, float32, shape (N, A), from what a guard is told.

    Args:
        columns: Out of `ACCOUNT_FEATURES` without `UNKNOWN`, in the order wanted.
        current: Target exposure in force, float64, shape (N,).
        context: Equity, position and bars at the close.
    """
    n, held = len(current), context.position
    money = np.zeros((at.STATE + at.LEDGER, n))
    counts = np.zeros((at.COUNTS, n), dtype=np.int64)
    money[at.TARGET], money[at.QUANTITY], money[at.ENTRY_PRICE] = current, held.quantity[:n], held.entry_price[:n]
    money[at.EQUITY], money[at.PEAK_EQUITY] = context.equity, context.peak_equity
    counts[at.ROW], counts[at.HELD_BARS] = np.arange(n), held.held_bars[:n]
    out = np.empty((n, len(columns)), dtype=np.float32)
    fill_account_rows(np.ascontiguousarray(context.bars.prices(1)[:, 0]), money, counts, feature_codes(columns), out)
    return out
