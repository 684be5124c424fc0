"""The chain of guards: applies them in order and holds them to the law.

The law: what a guard allows lies between the proposal and the exposure now in force (a veto) or between the proposal and
zero (a reduction); and only a guard that declares `may_block_exit` may keep risk that the policy wanted to cut. A guard
that breaks the law stops the run. A guard that raises fails safe: for that decision the account may cut risk but not add
any, or is made flat, and the failure is recorded as the guard's intervention; or the run stops, as the guard's settings say.
The law holds for the chain as a whole because each guard's answer is the next one's proposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.protocols import Guard, GuardContext, GuardVerdict
from seawall.guards.failure import Failures, declaration_of
from seawall.simulator import law

GUARD_FAILED = -1
"""Reason code recorded where a guard raised; the words are ``guard failed: `` and its message."""


@dataclass(frozen=True)
class ChainVerdict:
    """The chain's answer.

    Attributes:
        allowed: Exposure that may be taken, float64, shape (N,).
        guard_code: 0 where no guard intervened, else 1 + index of the last one that did; int8, shape (N,).
        reason: That guard's reason code (`GUARD_FAILED` where it raised); 0 where no guard intervened; int8, shape (N,).
        state: Next state of all guards side by side, float64, shape (N, K).
    """

    allowed: np.ndarray
    guard_code: np.ndarray
    reason: np.ndarray
    state: np.ndarray


class GuardChain:
    """Guards in the order in which they judge; the last has the last word.

    Attributes:
        guards: The guards.
        state_names: Names of the K state columns of all guards, each prefixed by its guard's name.
        shown_names: Those that a policy may see.
        reads_votes: Whether a guard reads the votes of an ensemble's members.
        commutes: Whether the guards may change places.
    """

    def __init__(self, guards: Sequence[Guard]) -> None:
        """Take the guards.

        Args:
            guards: At most 127, in the order in which they judge.

        Raises:
            ConfigError: Two guards share a name, there are more than 127, or one that may block an exit comes after one that may
                not.
        """
        names = [guard.name for guard in guards]
        if len(set(names)) != len(names) or len(names) > 127:
            raise ConfigError(f"guard chain {names} is not allowed; allowed: at most 127 guards with different names")
        _refuse_blocker_after_stop(guards)
        self.guards = tuple(guards)
        self.state_names = tuple(f"{guard.name}.{column}" for guard in guards for column in guard.state_names)
        edges = np.cumsum([0, *(len(guard.state_names) for guard in guards)])
        self._columns = [slice(int(start), int(stop)) for start, stop in pairwise(edges)]
        declared = [declaration_of(guard) for guard in guards]
        hidden = {f"{guard.name}.{column}" for guard, each in zip(guards, declared, strict=True) for column in each.hidden}
        self.shown_names = tuple(name for name in self.state_names if name not in hidden)
        self.reads_votes = any(each.reads_votes for each in declared)
        self.commutes = all(each.commutes for each in declared)
        self._failures = Failures()

    @property
    def may_block_exit(self) -> bool:
        """Whether any guard may keep risk that the policy wanted to cut."""
        return any(guard.may_block_exit for guard in self.guards)

    @property
    def lookback(self) -> int:
        """Rows of past bars that the guards read, the one just closed included."""
        return max((declaration_of(guard).lookback for guard in self.guards), default=0)

    def initial_state(self, n: int) -> np.ndarray:
        """Return the state at the start of an episode for n accounts, float64, shape (n, K)."""
        return np.concatenate([np.zeros((n, 0)), *(guard.initial_state(n) for guard in self.guards)], axis=1)

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> ChainVerdict:
        """Judge the proposals of N accounts.

        Args:
            current: Target exposure now in force, float64, shape (N,).
            proposed: Exposure that the policy asks for, float64, shape (N,).
            context: What else is known at this close.
            state: State as last returned, float64, shape (N, K).

        Raises:
            InvariantError: A guard breaks the law of the chain or answers in the wrong shape.
        """
        allowed = proposed
        code = np.zeros(len(proposed), dtype=np.int8)
        reason = np.zeros(len(proposed), dtype=np.int8)
        after = np.empty_like(state)
        for index, (guard, columns) in enumerate(zip(self.guards, self._columns, strict=True)):
            verdict = self._ask(guard, (current, allowed, context, state[:, columns]))
            law.take_down(_whole(verdict.reason), index + 1, code, reason)
            allowed = verdict.allowed
            after[:, columns] = verdict.state
        return ChainVerdict(allowed, code, reason, after)

    def _ask(self, guard: Guard, question: tuple[np.ndarray, np.ndarray, GuardContext, np.ndarray]) -> GuardVerdict:
        """Return a guard's lawful answer, or the fail-safe one where it raises."""
        current, proposed, context, state = question
        try:
            verdict = guard.apply(current, proposed, context, state)
        except Exception as error:  # a broken rule must not add risk, whatever its fault is
            reason = np.full(len(proposed), GUARD_FAILED, dtype=np.int8)
            return GuardVerdict(self._failures.allowed(guard, error, current, proposed), reason, state)
        check_law(guard, current, proposed, verdict)
        if verdict.state.shape != state.shape:
            raise InvariantError(f"guard {guard.name!r} returned a state of shape {verdict.state.shape}; allowed: {state.shape}")
        return verdict

    def reason_text(self, guard_code: int, reason: int) -> str:
        """Return which guard intervened and why, in plain words; empty where none did.

        Args:
            guard_code: As recorded in a verdict.
            reason: As recorded beside it.
        """
        if guard_code == 0:
            return ""
        guard = self.guards[guard_code - 1]
        if reason == GUARD_FAILED:
            return f"{guard.name}: guard failed: {self._failures.last(guard)}"
        return f"{guard.name}: {guard.reasons[reason - 1]}"


def _refuse_blocker_after_stop(guards: Sequence[Guard]) -> None:
    """A guard that may hold an exit back could undo a stop before it; stops, breakers and the kill switch come last."""
    for before, after in pairwise(guards):
        if after.may_block_exit and not before.may_block_exit:
            raise ConfigError(
                f"guard {after.name!r} may block an exit and comes after {before.name!r}, which may not; "
                f"put it before {before.name!r}"
            )


_LAWS = {
    law.TOO_FAR: "between the proposal and the current exposure, or the proposal and 0",
    law.EXIT_BLOCKED: "no more of the current risk than proposed, unless it may block exits",
    law.UNEXPLAINED: "a change only with a reason, in 1..{n_reasons}",
}


def _real(values: np.ndarray) -> np.ndarray:
    """Return values as compiled functions take them."""
    return np.ascontiguousarray(values, dtype=np.float64)


def _whole(reason: np.ndarray) -> np.ndarray:
    """Return reason codes as compiled functions take them."""
    return np.ascontiguousarray(reason, dtype=np.int8 if reason.dtype == np.int8 else np.int64)


def check_law(guard: Guard, current: np.ndarray, proposed: np.ndarray, verdict: GuardVerdict) -> None:
    """Hold one answer to the law of the chain.

    Args:
        guard: Who answered.
        current: Target exposure in force, float64, shape (N,).
        proposed: What the guard was asked about, float64, shape (N,).
        verdict: Its answer.

    Raises:
        InvariantError: The answer enlarges exposure, blocks an exit undeclared, changes a proposal without a known
            reason, or has the wrong shape.
    """
    allowed, reason = verdict.allowed, verdict.reason
    if allowed.shape != proposed.shape or reason.shape != proposed.shape:
        raise InvariantError(
            f"guard {guard.name!r} answered in shapes {allowed.shape} and {reason.shape}; allowed: {proposed.shape}"
        )
    may_block, n_reasons = guard.may_block_exit, len(guard.reasons)
    broken, i = law.breach(_real(current), _real(proposed), _real(allowed), _whole(reason), may_block, n_reasons)
    if broken != law.LAWFUL:
        raise InvariantError(
            f"guard {guard.name!r} turned proposal {proposed[i]} at current exposure {current[i]} into {allowed[i]} "
            f"(reason {reason[i]}) for account {i}; allowed: {_LAWS[broken].format(n_reasons=n_reasons)}"
        )
