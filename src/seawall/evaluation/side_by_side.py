"""Many policies that do not look at their account, walked over the same bars at once: one account each, in one simulator.

Each ledger is that of a backtest of its own, bit for bit: accounts do not know of each other. Without guards the whole walk is one
compiled call; with guards the desk is asked at every bar.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from seawall.core.bars import CLOSE
from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import ActionTable, Observation, OrderTerms, Policy
from seawall.engine.decision import DecisionRecords
from seawall.evaluation.backtest import reasons_in_words
from seawall.evaluation.ledger import Ledger, ledger_of
from seawall.simulator.compiled import heed_sources, ready_call
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Decision, Desk
from seawall.simulator.kernel import book, events, layout, prefetch, step
from seawall.simulator.kernel.layout import Accounts, Bars, Flags, Orders, Rules
from seawall.simulator.observe import AccountObserver
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

_LOOK_AROUND = 64
"""Bars from one look at whether every account has ended to the next; an account that has ended stands still."""
_CHUNK = 4_096
"""Rows that a policy decides for at once, ahead of the walk."""
_MONEY = {
    "quantity": layout.QUANTITY, "equity": layout.EQUITY, "price_pnl": layout.PRICE_PNL, "fee": layout.FEE, "spread": layout.SPREAD,
    "slippage": layout.SLIPPAGE, "financing": layout.FINANCING, "funding": layout.FUNDING, "fill_price": layout.FILL_PRICE,
    "traded_notional": layout.TRADED_NOTIONAL, "order_price": layout.ORDER_PRICE, "write_off": layout.WRITE_OFF,
}  # fmt: skip
"""Columns of a ledger that stand in the simulator's accounts, and their rows there."""
_FORCE = len(_MONEY)
_ROWS = np.array([*_MONEY.values(), layout.TARGET])


class _Walk(NamedTuple):
    """What was decided, and what came of it: arrays of shape (bars, N), bars first.

    Attributes:
        money: Rows of the accounts after each bar, as `_ROWS` has them, float64, shape (bars, rows, N).
        exits: Why a rule closed the position, int64.
        done: Whether the episode is over, bool.
        decided: ``action``, ``signal``, ``proposed``, ``allowed``, ``guard_code``, ``reason``, ``illegal`` and the orders' terms.
    """

    money: np.ndarray
    exits: np.ndarray
    done: np.ndarray
    decided: dict[str, np.ndarray]


def backtest_together(
    policies: Mapping[str, Policy], market: Market, rows: RowRange, desk: Desk, costs: CostParams, params: SimulatorParams
) -> dict[str, Ledger]:
    """Let policies that see no account trade over some rows, each from flat.

    Args:
        policies: By name; their actions follow from the market and the row alone.
        market: Prices and features.
        rows: T rows of one series; a decision is taken at the close of each but the last.
        desk: Action scheme and guards, for as many accounts as there are policies.
        costs: Costs of a fill.
        params: Settings of the accounts.

    Returns:
        The ledger of each, as `backtest` would return it.

    Raises:
        ConfigError: Fewer than two rows, or rows of more than one series.
        InvariantError: An exposure asked for is not allowed.
    """
    simulator = _opened(Ground(market, rows, desk, costs, params), len(policies))
    actions = np.stack([_decided(policy, market, rows) for policy in policies.values()], axis=1)
    table = desk.scheme.table()
    compiled = table is not None and not desk.guarded and params.orders.latency_bars == 0 and actions.dtype.kind == "i"
    if compiled and table is not None:
        walk = _run(simulator, table, actions)
    else:
        walk = _stepped(simulator, desk, actions.__getitem__, len(actions))
    return _ledgers(walk, tuple(policies), Ground(market, rows, desk, costs, params))


class Ground(NamedTuple):
    """Where accounts are walked.

    Attributes:
        market: Prices and features.
        rows: T rows of one series.
        desk: Action scheme and guards, for as many accounts as are walked.
        costs: Costs of a fill.
        params: Settings of the accounts.
    """

    market: Market
    rows: RowRange
    desk: Desk
    costs: CostParams
    params: SimulatorParams


def backtest_accounts(names: Sequence[str], policy: Policy, ground: Ground, account_columns: tuple[str, ...]) -> dict[str, Ledger]:
    """Let one policy decide for several accounts over the same rows, each from flat, seeing each account's row.

    Args:
        names: A name for each account.
        policy: Decides for all of them; what it decides for one must not hang on the others.
        ground: Where.
        account_columns: Account features that the policy sees, in order.

    Returns:
        The ledger of each, as `backtest` would return it, were its account alone.

    Raises:
        ConfigError: Fewer than two rows, or rows of more than one series.
    """
    simulator = _opened(ground, len(names))
    observer = AccountObserver(account_columns, ground.desk)

    def ask(_bar: int) -> np.ndarray:
        return policy.act(Observation(ground.market, simulator.row.copy(), observer.rows(simulator)))[0]

    return _ledgers(_stepped(simulator, ground.desk, ask, len(ground.rows) - 1), names, ground)


def _opened(ground: Ground, n: int) -> Simulator:
    """Return n accounts at the first row, flat."""
    rows = ground.rows
    if len(rows) < 2:
        raise ConfigError(f"backtests over {len(rows)} row were asked for; at least 2 are needed, one to decide and one to mark")
    # What is earned in rewards stands in no ledger.
    settings = ground.params.model_copy(update={"reward": RewardParams()})
    simulator = Simulator(ground.market, n, ground.costs, settings, terms=ground.desk.scheme.carries_terms)
    every = np.ones(n, dtype=np.int64)
    simulator.reset(np.arange(n), every * rows.start, every * rows.stop)
    ground.desk.reset(np.arange(n))
    return simulator


def _ledgers(walk: _Walk, names: Sequence[str], ground: Ground) -> dict[str, Ledger]:
    """Return the ledger of each account."""
    rows, equity = ground.rows, ground.params.initial_equity
    times = np.asarray(ground.market.timestamps[rows.start : rows.stop])
    ledgers: dict[str, Ledger] = {}
    for account, name in enumerate(names):
        records = [_records(walk, account, ground.market, rows)]
        ledgers[name] = ledger_of(records, reasons_in_words(ground.desk, records), equity, times)
    return ledgers


def _decided(policy: Policy, market: Market, rows: RowRange) -> np.ndarray:
    """Return what a policy decides at each row but the last, shape (T − 1,)."""
    decisions = np.arange(rows.start, rows.stop - 1)
    parts = np.split(decisions, range(_CHUNK, len(decisions), _CHUNK))
    return np.concatenate([policy.act(Observation(market, part, np.zeros((len(part), 0), np.float32)))[0] for part in parts])


def _empty(simulator: Simulator, bars: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = (bars, simulator.n)
    return np.empty((bars, len(_ROWS), simulator.n)), np.empty(shape, np.int64), np.zeros(shape, np.bool_)


def _stepped(simulator: Simulator, desk: Desk, ask: Callable[[int], np.ndarray], decisions: int) -> _Walk:
    """Ask for actions, shape (N,), and the desk at every bar."""
    money, exits, done = _empty(simulator, decisions)
    actions: list[np.ndarray] = []
    accounts, none = simulator.compiled_parts()[1], np.zeros(simulator.n)
    ended = accounts.counts[layout.TERMINATED : layout.TRUNCATED + 1, : simulator.n]
    ends = np.zeros((decisions, *ended.shape), dtype=np.int8)
    fill = _filling(simulator, desk)
    decided: dict[str, list[np.ndarray]] = {
        name: [] for name in ("signal", "proposed", "allowed", "guard_code", "reason", "illegal")
    }
    terms: list[OrderTerms] = []
    bar = 0
    for bar in range(decisions):
        asked = ask(bar)
        actions.append(asked)
        decision = desk.decide(asked, simulator.view())
        fill(decision)
        intent = decision.intent
        illegal = none if intent.illegal is None else intent.illegal
        # The account's own arrays change at the next step; the desk's are new each time, save for a target that is kept.
        parts = (intent.signal, intent.target, decision.allowed.copy(), decision.guard_code, decision.reason, illegal)
        for kept, part in zip(decided.values(), parts, strict=True):
            kept.append(part)
        if decision.terms is not None:
            terms.append(decision.terms)
        money[bar] = accounts.money[_ROWS, : simulator.n]
        exits[bar], ends[bar] = simulator.exit_code, ended
        if bar % _LOOK_AROUND == 0 and ended.any(axis=0).all():
            break
    bars = bar + 1
    done[:bars] = ends[:bars].any(axis=1)
    laid = {name: np.array(parts) for name, parts in decided.items()}
    _refuse_targets(laid["allowed"], simulator.params.max_exposure)
    laid["illegal"] = laid["illegal"].astype(np.bool_)
    laid |= {
        name: np.array([getattr(each, name) for each in terms]) if terms else np.zeros((bars, simulator.n))
        for name in OrderTerms._fields
    }
    return _Walk(money[:bars], exits[:bars], done[:bars], {"action": np.array(actions), **laid})


def _filling(simulator: Simulator, desk: Desk) -> Callable[[Decision], object]:
    """Return what fills a decision: the kernel itself where nothing delays orders, and they carry nothing beside their target."""
    if simulator.params.orders.latency_bars or desk.scheme.carries_terms:
        return lambda decision: simulator.step(decision.allowed, decision.terms, decision.signal)
    bars, accounts, rules, flags, _dearest = simulator.compiled_parts()
    none = np.empty(0)
    call = ready_call(step.step_serial, (bars, accounts, Orders(np.empty(simulator.n), none, none, none), rules, flags))

    def fill(decision: Decision) -> None:
        wanted = np.ascontiguousarray(decision.allowed, dtype=np.float64)
        call(bars, accounts, Orders(wanted, none, none, none), rules, flags)

    return fill


def _run(simulator: Simulator, table: ActionTable, actions: np.ndarray) -> _Walk:
    """Walk in one compiled call, where nothing but the scheme's table stands between actions and orders."""
    money, exits, done = _empty(simulator, len(actions))
    bars, accounts, rules, flags, _dearest = simulator.compiled_parts()
    asked = table.targets[:, actions].transpose(1, 0, 2).copy()
    _refuse_targets(asked[~np.isnan(asked)], simulator.params.max_exposure)
    allowed = np.empty(actions.shape)
    _walk(bars, accounts, asked, rules, flags, (allowed, money, exits, done))
    force = np.concatenate([np.zeros((1, simulator.n)), money[:-1, _FORCE]])
    held = (force != 0.0).astype(np.int64)
    said, change = table.signals[held, actions], np.sign(allowed - force).astype(np.int8)
    none = np.zeros(actions.shape, dtype=np.int8)
    decided = {
        "action": actions, "signal": np.where(said == table.by_change, change, said), "proposed": allowed, "allowed": allowed,
        "guard_code": none, "reason": none, "illegal": table.illegal[held, actions] != 0,
        **{name: np.zeros(actions.shape) for name in OrderTerms._fields},
    }  # fmt: skip
    return _Walk(money, exits, done, decided)


def _refuse_targets(targets: np.ndarray, limit: float) -> None:
    """Refuse exposures that no account may have."""
    if not (np.abs(targets) <= limit).all():
        raise InvariantError(f"targets {np.unique(targets).tolist()[:8]} are not all allowed; allowed: {-limit} to {limit}")


@njit(cache=True, error_model="numpy")
def _walk(
    bars: Bars,
    accounts: Accounts,
    asked: np.ndarray,
    rules: Rules,
    flags: Flags,
    out: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Step through whole paths and keep what each bar made of the accounts.

    Args:
        bars: The market.
        accounts: The accounts, reset.
        asked: Exposure asked for when flat and when in a position, NaN for the one in force, float64, shape (bars, 2, N).
        rules: What is charged and demanded.
        flags: Which rules hold.
        out: Filled: exposures asked for, rows of the accounts, exits and ends, as in `_Walk`.
    """
    allowed, money, exits, done = out
    n = asked.shape[2]
    for bar in range(len(asked)):
        wanted = allowed[bar]
        for i in range(n):
            force = accounts.money[layout.TARGET, i]
            target = asked[bar, 0 if force == 0.0 else 1, i]
            wanted[i] = force if np.isnan(target) else target
        step.step_serial(bars, accounts, Orders(wanted, wanted, wanted, wanted), rules, flags)
        for place in range(len(_ROWS)):
            money[bar, place] = accounts.money[_ROWS[place], :n]
        exits[bar] = accounts.counts[layout.EXIT, :n]
        for i in range(n):
            done[bar, i] = accounts.counts[layout.TERMINATED, i] + accounts.counts[layout.TRUNCATED, i] > 0


heed_sources(sys.modules[__name__], compiled_with=(layout, book, events, prefetch, step))


def _records(walk: _Walk, account: int, market: Market, rows: RowRange) -> DecisionRecords:
    """Return the records of one account, up to the one that ended its episode."""
    bars = int(walk.done[:, account].argmax()) + 1
    row = np.arange(rows.start, rows.start + bars)
    money = {name: walk.money[:bars, place, account] for place, name in enumerate(_MONEY)}
    value, equity = money["quantity"] * market.prices[row + 1, CLOSE], money["equity"]
    exits = walk.exits[:bars, account]
    facts: dict[str, Any] = {
        "row": row,
        "timestamp_ms": market.timestamps[row],
        "next_timestamp_ms": market.timestamps[row + 1],
        "close": market.prices[row, CLOSE],
        "exit_code": exits,
        "liquidated": exits == layout.MARGIN_EXIT,
        "exposure": np.divide(value, equity, out=np.zeros_like(equity), where=equity > 0.0),
        "done": walk.done[:bars, account],
    }
    return DecisionRecords(**facts, **money, **{name: block[:bars, account] for name, block in walk.decided.items()})
