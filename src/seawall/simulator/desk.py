"""The decision desk: actions to intents to allowed exposures. Training, backtest, paper and live all decide here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from seawall.core.errors import DataError
from seawall.core.past import PastBars
from seawall.core.protocols import ActionScheme, GuardContext, Intent, OrderTerms
from seawall.simulator.accounts import AccountView
from seawall.simulator.actions.lookup import Lookup


class RuledProposal(Protocol):
    """What a chain of guards answers."""

    @property
    def allowed(self) -> np.ndarray:
        """Exposure that may be taken, float64, shape (N,)."""
        ...

    @property
    def guard_code(self) -> np.ndarray:
        """0 where no guard intervened, else 1 + index of the last one that did; int8, shape (N,)."""
        ...

    @property
    def reason(self) -> np.ndarray:
        """That guard's reason code, int8, shape (N,); 0 where no guard intervened."""
        ...

    @property
    def state(self) -> np.ndarray:
        """The guards' next state, float64, shape (N, K)."""
        ...


class Guards(Protocol):
    """A chain of guards, as the desk knows it."""

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the K state columns."""
        ...

    @property
    def shown_names(self) -> tuple[str, ...]:
        """Names of the state columns that a policy may see, in the order of `state_names`."""
        ...

    @property
    def reads_votes(self) -> bool:
        """Whether a guard reads the votes of an ensemble's members."""
        ...

    def initial_state(self, n: int) -> np.ndarray:
        """Return the state at the start of an episode, float64, shape (n, K)."""
        ...

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> RuledProposal:
        """Judge the proposals of N accounts."""
        ...

    def reason_text(self, guard_code: int, reason: int) -> str:
        """Return which guard intervened and why, in plain words."""
        ...


@dataclass(frozen=True)
class Decision:
    """One decision for each of N accounts, taken at the close of a bar and filled at the next open.

    Attributes:
        intent: What the policy asked for.
        allowed: Exposure to hold after the guards, float64, shape (N,).
        guard_code: 0 where no guard intervened, else 1 + index of the last one that did; int8, shape (N,).
        reason: That guard's reason code, int8, shape (N,); `Desk.reason_text` puts it into words.
        signal: What is done after the guards, −1 sell, 0 hold, +1 buy; int8, shape (N,).
        terms: What the orders carry; None for plain market orders. Where a guard intervened, the order trades at the open: what
            protects an account does not wait for a better price.
    """

    intent: Intent
    allowed: np.ndarray
    guard_code: np.ndarray
    reason: np.ndarray
    signal: np.ndarray
    terms: OrderTerms | None = None


class Desk:
    """Turns actions into allowed exposures and keeps the guards' state of each account.

    Attributes:
        scheme: The action scheme.
        state: The guards' state, float64, shape (N, K).
        state_names: Names of the columns of it that a policy sees in its account row; none where the state is not shown.
        illegal_moves: Actions of the episode that made no sense in the position held and did nothing, int64, shape (N,).
    """

    def __init__(self, scheme: ActionScheme, guards: Guards | None, n: int, *, show_guards: bool = True) -> None:
        """Start with the guards' initial state.

        Args:
            scheme: What the actions mean.
            guards: The chain of guards, or None for no guard.
            n: Number of accounts, N.
            show_guards: Whether a policy sees the guards' state.
        """
        self.scheme = scheme
        self._guards = guards
        self._n = n
        self.state_names: tuple[str, ...] = guards.shown_names if guards is not None and show_guards else ()
        self._shown = [] if guards is None else [guards.state_names.index(name) for name in self.state_names]
        self._clock: Callable[[], int] | None = None
        self._attended = False
        self.state = np.zeros((n, 0)) if guards is None else guards.initial_state(n)
        self.illegal_moves = np.zeros(n, dtype=np.int64)
        table = scheme.table()
        self._lookup = None if table is None else Lookup(table, n)

    def beside(self, n: int, scheme: ActionScheme | None = None, *, guarded: bool = True) -> Desk:
        """Return a fresh desk for n accounts, with another scheme where one is given, and the same guards or none."""
        kept = self._guards if guarded else None
        return Desk(self.scheme if scheme is None else scheme, kept, n, show_guards=bool(self.state_names))

    def attend(self, clock: Callable[[], int] | None = None) -> None:
        """Say that from now on decisions are those of paper or live, into which an operator may step.

        Args:
            clock: Returns the time of day in milliseconds UTC; None where recorded bars are told.
        """
        self._attended, self._clock = True, clock

    @property
    def shown_state(self) -> np.ndarray:
        """The columns of the state that a policy sees, float64, in the order of `state_names`."""
        return self.state if len(self._shown) == self.state.shape[1] else self.state[:, self._shown]

    @property
    def guarded(self) -> bool:
        """Whether guards judge the proposals."""
        return self._guards is not None

    @property
    def reads_votes(self) -> bool:
        """Whether a guard reads the votes of an ensemble's members."""
        return self._guards is not None and self._guards.reads_votes

    def decide(self, actions: np.ndarray, view: AccountView, votes: np.ndarray | None = None) -> Decision:
        """Decide for every account.

        Args:
            actions: The policy's output in the scheme's numbering, shape (N,).
            view: The accounts, marked at the close at which the decision is taken.
            votes: What each of M members of an ensemble would do, in the same numbering, shape (N, M); None of other policies.

        Raises:
            InvariantError: An action is not in the numbering, or a guard breaks the law of the chain.
        """
        intent = None if self._lookup is None else self._lookup.intent(actions, view.target)
        if intent is None:
            intent = self.scheme.intent(actions, view.target)
        if intent.illegal is not None:
            self.illegal_moves += intent.illegal
        if self._guards is None:
            none = np.zeros(self._n, dtype=np.int8)
            return Decision(intent, intent.target, none, none, intent.signal, intent.terms)
        ruled = self._guards.apply(view.target, intent.target, self._context(intent, view, votes), self.state)
        self.state = ruled.state
        done = np.sign(ruled.allowed - view.target).astype(np.int8)
        signal = np.where(ruled.guard_code == 0, intent.signal, done)
        terms = intent.terms
        if terms is not None:
            terms = terms._replace(limit=np.where(ruled.allowed == intent.target, terms.limit, 0.0))
        return Decision(intent, ruled.allowed, ruled.guard_code, ruled.reason, signal, terms)

    def _context(self, intent: Intent, view: AccountView, votes: np.ndarray | None) -> GuardContext:
        """Return what the guards may look at."""
        asked = None
        if votes is not None and self.reads_votes:
            asked = np.stack([self.scheme.intent(member, view.target).target for member in votes.T], axis=1)
        return GuardContext(
            signal=intent.signal,
            timestamp_ms=view.timestamp_ms,
            equity=view.equity,
            peak_equity=view.peak_equity,
            past=None if view.market is None else PastBars(view.market, view.row),
            holding=view.holding,
            votes=asked,
            wall_clock_ms=None if self._clock is None else self._clock(),
            attended=self._attended,
        )

    def reset(self, indices: np.ndarray) -> None:
        """Give some accounts the guards' initial state, at the start of an episode.

        Args:
            indices: The accounts, whole numbers or a mask.
        """
        self.illegal_moves[indices] = 0
        if self._guards is not None:
            self.state[indices] = self._guards.initial_state(self._n)[indices]

    def reason_text(self, guard_code: int, reason: int) -> str:
        """Return which guard intervened and why, in plain words; empty where none did."""
        return "" if self._guards is None or guard_code == 0 else self._guards.reason_text(guard_code, reason)

    def save(self) -> np.ndarray:
        """Return a copy of the guards' state, for checkpoints and the live journal."""
        return self.state.copy()

    def restore(self, state: np.ndarray) -> None:
        """Take back a saved state.

        Raises:
            DataError: The state has another shape, as with other guards or another number of accounts.
        """
        if np.shape(state) != self.state.shape:
            raise DataError(f"saved guard state has shape {np.shape(state)}; {self.state.shape} is needed")
        self.state = np.array(state, dtype=np.float64)
