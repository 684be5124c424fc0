"""Policies before every choice of their guards at once: an account for each policy and choice, all in one walk over the same bars.

A guard judges all accounts in one call, which costs about as much for a hundred as for one.

A guard that is not in force goes on watching: its state moves on as if it judged, and changes nothing. A policy that was trained
with that state in its account row so sees the columns that it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from seawall.agents.ahead import Ahead, can_be_walked_ahead
from seawall.core.bars import CLOSE
from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import ActionScheme, Guard, GuardContext, GuardVerdict, Observation, Policy
from seawall.engine.decision import DecisionLoop, DecisionRecords
from seawall.evaluation.backtest import reasons_in_words
from seawall.evaluation.ledger import Ledger, Ledgers, ledger_of
from seawall.evaluation.stitching import Between, stitched
from seawall.guards.chain import GuardChain
from seawall.guards.failure import Failures, declaration_of
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

NO_GUARD, ALL_GUARDS = "no guard", "all guards"
_TOLD_EVERY = 256
_MOST_BARS = 2_000_000
"""Accounts times bars of one walk: about a gigabyte of records until the ledgers are made."""


@dataclass(frozen=True)
class Variant:
    """A choice of guards.

    Attributes:
        name: ``no guard``, ``only X``, ``all but X``, or ``all guards``.
        in_force: Names of the guards that judge.
        instead_of: Name of another choice that this one is a setting of, and is compared with too; empty where it is none.
    """

    name: str
    in_force: tuple[str, ...]
    instead_of: str = ""


def variants_of(names: Sequence[str]) -> tuple[Variant, ...]:
    """Return no guard, each guard alone, all but each, and all; a choice that is made already is not made again.

    Args:
        names: Guards in the order of their chain, at least one.

    Raises:
        ConfigError: There is no guard.
    """
    if not names:
        raise ConfigError("an ablation of 0 guards was asked for; at least 1 is needed")
    every = tuple(names)
    alone = [Variant(f"only {name}", (name,)) for name in every] if len(every) > 1 else []
    all_but = [Variant(f"all but {name}", tuple(each for each in every if each != name)) for name in every]
    return (Variant(NO_GUARD, ()), *alone, *(all_but if len(every) > 2 else ()), Variant(ALL_GUARDS, every))


class Masked:
    """A guard that judges some accounts and only watches the others.

    Where it raises, the accounts that it judges get what a chain would give them; the others are left alone.
    """

    def __init__(self, guard: Guard, in_force: np.ndarray) -> None:
        """Take the guard and the accounts that it judges, bool, shape (N,)."""
        self.name = guard.name
        self.may_block_exit = guard.may_block_exit
        self.reasons = (*guard.reasons, "guard failed")
        self.state_names = guard.state_names
        self.declares = declaration_of(guard)
        self._guard, self._in_force = guard, in_force
        self._failures = Failures()

    def initial_state(self, n: int) -> np.ndarray:
        """Return the state at the start, float64, shape (n, K)."""
        return self._guard.initial_state(n)

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Judge; see `core.protocols.Guard`. The chain holds the answer to its law."""
        try:
            verdict = self._guard.apply(current, proposed, context, state)
        except Exception as error:  # as in the chain: a broken rule must not add risk, whatever its fault is
            failed = np.full(len(proposed), len(self.reasons), dtype=np.int8)
            verdict = GuardVerdict(self._failures.allowed(self._guard, error, current, proposed), failed, state)
        if verdict.allowed.shape != proposed.shape or verdict.reason.shape != proposed.shape:
            return verdict
        allowed = np.where(self._in_force, verdict.allowed, proposed)
        return GuardVerdict(allowed, np.where(self._in_force, verdict.reason, 0).astype(np.int8), verdict.state)


class Shown:
    """A policy that sees some of the account's columns: those that it was trained with."""

    def __init__(self, policy: Policy, columns: Sequence[int]) -> None:
        """Take the policy and the places of its columns."""
        self._policy, self._columns = policy, list(columns)

    def begin(self, n: int) -> None:
        """Begin an episode of n accounts, where the policy remembers."""
        begin = getattr(self._policy, "begin", None)
        if begin is not None:
            begin(n)

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Act on the columns shown; see `core.protocols.Policy`."""
        seen = replace(observation, account=np.ascontiguousarray(observation.account[:, self._columns]))
        return self._policy.act(seen, deterministic=deterministic)


@dataclass(frozen=True)
class Course:
    """Where a policy walks.

    Attributes:
        market: Prices and features.
        rows: T rows of one series; a decision is taken at the close of each but the last.
        scheme: What the actions mean.
        guards: The guards, in the order in which they judge.
        account_columns: Account features that the policy sees.
        shown: Columns of the guards' state that it sees after them, as the chain names them.
        costs: Costs of a fill.
        simulator: Settings of the account.
    """

    market: Market
    rows: RowRange
    scheme: ActionScheme
    guards: tuple[Guard, ...]
    account_columns: tuple[str, ...]
    shown: tuple[str, ...]
    costs: CostParams
    simulator: SimulatorParams


def walk(
    policy: Policy, course: Course, variants: Sequence[Variant], on_progress: Callable[[int], Any] | None = None
) -> dict[str, Ledger]:
    """Let a policy trade from flat, once before each choice of guards.

    Args:
        policy: Whose likeliest actions are taken.
        course: Where.
        variants: The choices, V of them.
        on_progress: Told now and then how many bars were walked; what it raises ends the walk.

    Returns:
        The ledger of each choice by its name, as a backtest behind those guards gives it.

    Raises:
        ConfigError: Fewer than two rows, or the guards cannot stand in one chain.
        InvariantError: A guard breaks the law of the chain.
    """
    return _walked((policy,), course, variants, on_progress)[0]


def walk_policies(
    policies: Mapping[str, Policy], course: Course, variants: Sequence[Variant], on_progress: Callable[[int], Any] | None = None
) -> dict[str, dict[str, Ledger]]:
    """Let several policies trade, each as `walk` does: side by side where all of them can be walked ahead, else in turn.

    Args:
        policies: By name.
        course: Where.
        variants: The choices.
        on_progress: Told now and then how many bars were walked, of all policies.

    Returns:
        The ledger of each choice, by policy and choice.

    Raises:
        ConfigError: As `walk`.
        InvariantError: As `walk`.
    """
    named = list(policies.items())
    size = max(1, _MOST_BARS // (len(course.rows) * len(variants))) if walk_side_by_side(policies.values()) else 1
    found: dict[str, dict[str, Ledger]] = {}
    for first in range(0, len(named), size):
        group = dict(named[first : first + size])
        done = first * (len(course.rows) - 1)

        def tell(bars: int, done: int = done, many: int = len(group)) -> None:
            if on_progress is not None:
                on_progress(done + many * bars)

        found |= zip(group, _walked(tuple(group.values()), course, variants, tell), strict=True)
    return found


def walk_side_by_side(policies: Iterable[Policy]) -> bool:
    """Say whether `walk_policies` walks some policies side by side, and not in turn."""
    return all(can_be_walked_ahead(policy) for policy in policies)


def _walked(
    policies: Sequence[Policy], course: Course, variants: Sequence[Variant], on_progress: Callable[[int], Any] | None
) -> list[dict[str, Ledger]]:
    """Walk one policy, or several that can be walked ahead, before each choice of guards; return the ledgers of each."""
    rows, n = course.rows, len(variants) * len(policies)
    if len(rows) < 2:
        raise ConfigError(f"a walk over {len(rows)} row was asked for; at least 2 are needed, one to decide and one to mark")
    masks = [np.array([guard.name in variant.in_force for variant in variants]) for guard in course.guards]
    chain = GuardChain([Masked(guard, np.tile(mask, len(policies))) for guard, mask in zip(course.guards, masks, strict=True)])
    desk = Desk(course.scheme, chain, n)
    accounts = Simulator(course.market, n, course.costs, course.simulator, terms=course.scheme.carries_terms)
    every = np.ones(n, dtype=np.int64)
    accounts.reset(np.arange(n), every * rows.start, every * rows.stop)
    equity = float(accounts.equity[0])
    decider = policies[0]
    if len(policies) > 1:
        owners = [policy for policy in policies for _ in variants]
        decider = Ahead(owners, course.market, rows, votes=desk.reads_votes)
    seen, wanted = (*course.account_columns, *chain.shown_names), (*course.account_columns, *course.shown)
    walker = decider if seen == wanted else Shown(decider, [seen.index(name) for name in wanted])
    loop = DecisionLoop(walker, desk, accounts, course.account_columns)
    records: list[DecisionRecords] = []
    for bar in range(len(rows) - 1):
        if on_progress is not None and bar % _TOLD_EVERY == 0:
            on_progress(bar)
        records.append(loop.step())
        if records[-1].done.all():
            break
    times = np.asarray(course.market.timestamps[rows.start : rows.stop])
    parts = _by_account(records, n)
    laid = [ledger_of([part], reasons_in_words(desk, [part]), equity, times) for part in parts]
    names = [variant.name for variant in variants]
    return [dict(zip(names, laid[first : first + len(names)], strict=True)) for first in range(0, n, len(names))]


def walk_ranges(
    policies: Mapping[str, Policy],
    courses: Sequence[Course],
    variants: Sequence[Variant],
    on_progress: Callable[[int], Any] | None = None,
) -> dict[str, dict[str, Ledger]]:
    """Let policies trade over several ranges, once before each choice of guards, and chain what came of them.

    Args:
        policies: As for `walk_policies`.
        courses: The same but for their rows, in order of time; guards begin anew in each.
        variants: The choices.
        on_progress: Told now and then how many bars were walked in all, of all policies.

    Returns:
        The ledger of each choice, by policy and choice: of one range as `walk` gives it, of several chained as
        `stitching.stitched` does it.

    Raises:
        ConfigError: As `walk`.
        DataError: Two ranges share a row.
        InvariantError: As `walk`.
    """
    parts: list[tuple[RowRange, dict[str, dict[str, Ledger]]]] = []
    before = 0
    for course in courses:

        def tell(bars: int, before: int = before) -> None:
            if on_progress is not None:
                on_progress(before + bars)

        parts.append((course.rows, walk_policies(policies, course, variants, tell)))
        before += (len(course.rows) - 1) * len(policies)
    if len(parts) == 1:
        return parts[0][1]
    market, first = courses[0].market, variants[0].name
    between = Between(market.timestamps, market.prices[:, CLOSE], courses[0].costs)
    chained: dict[str, dict[str, Ledger]] = {}
    for name in policies:
        tests = [(rows, Ledgers(walked[name][first], {}, walked[name])) for rows, walked in parts]
        chained[name] = dict(stitched(tests, between).baselines)
    return chained


def _by_account(records: Sequence[DecisionRecords], n: int) -> list[DecisionRecords]:
    """Return the records of each account, up to the one that ended its episode; arrays of shape (bars,)."""
    blocks = {field.name: np.stack([getattr(record, field.name) for record in records]) for field in fields(DecisionRecords)}
    bars = blocks["done"].argmax(axis=0) + 1
    return [DecisionRecords(**{name: block[: bars[i], i] for name, block in blocks.items()}) for i in range(n)]
