"""One decision: observe, act, guard, intend, record.

Backtest and paper drive this same loop, and it knows nothing of what comes after the bar that has just closed: a
decision is complete before its fill exists, so that a live driver may wait for the next bar between the two halves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from seawall.core.bars import CLOSE
from seawall.core.errors import ConfigError, InvariantError
from seawall.core.protocols import VOTES, Observation, OrderTerms, Policy
from seawall.simulator.desk import Decision, Desk
from seawall.simulator.observe import AccountObserver
from seawall.simulator.simulator import Simulator, StepResult


@dataclass(frozen=True)
class DecisionRecords:
    """What was decided for N accounts at the close of a bar, and what the next bar made of it; all of shape (N,).

    Attributes:
        row: Row at whose close the decision was taken, int64.
        timestamp_ms: Opening time of that row in milliseconds UTC, int64.
        next_timestamp_ms: Opening time of the row in which the decision was filled and marked, int64.
        close: Close of `row`, float64.
        action: The policy's output in the numbering of its scheme.
        signal: −1 sell, 0 hold, +1 buy, as asked by the policy; int8.
        proposed: Exposure that the policy asked for, float64.
        allowed: Exposure after the guards, float64.
        guard_code: 0 where no guard intervened, else 1 + index of the last one that did; int8.
        reason: That guard's reason code, int8.
        illegal: Whether the action made no sense in the position held and did nothing, bool.
        limit: How far from the last close the order rests, as a share of it, float64; 0 for a market order.
        take_profit: Distance of the order's take-profit from the entry, as a share of it, float64; 0 for none of its own.
        stop_loss: Distance of the order's stop-loss from the entry, likewise.
        order_price: Price before costs at which an order was filled, float64; NaN where none was.
        exit_code: Why a rule closed the position, a place in `EXIT_NAMES`, int64; 0 where none did.
        fill_price: Price of the last fill before costs, float64; NaN where nothing was traded.
        traded_notional: Value of what was traded, float64.
        quantity: Units held after the fill, negative when short, float64.
        fee: Commission paid, float64.
        spread: Half-spread paid, float64.
        slippage: Slippage paid, float64.
        financing: Interest paid on the position, negative where earned, float64.
        funding: Funding paid, likewise.
        price_pnl: Profit from prices over the bar, float64.
        write_off: Debt forgiven at a liquidation, float64.
        liquidated: Whether the position was liquidated, bool.
        equity: At the close of the next bar, float64.
        exposure: Value of the position over equity at that close, signed, float64; 0 at ruin.
        done: Whether the episode is over, by ruin or by the end of its rows, bool.
    """

    row: np.ndarray
    timestamp_ms: np.ndarray
    next_timestamp_ms: np.ndarray
    close: np.ndarray
    action: np.ndarray
    signal: np.ndarray
    proposed: np.ndarray
    allowed: np.ndarray
    guard_code: np.ndarray
    reason: np.ndarray
    illegal: np.ndarray
    limit: np.ndarray
    take_profit: np.ndarray
    stop_loss: np.ndarray
    order_price: np.ndarray
    exit_code: np.ndarray
    fill_price: np.ndarray
    traded_notional: np.ndarray
    quantity: np.ndarray
    fee: np.ndarray
    spread: np.ndarray
    slippage: np.ndarray
    financing: np.ndarray
    funding: np.ndarray
    price_pnl: np.ndarray
    write_off: np.ndarray
    liquidated: np.ndarray
    equity: np.ndarray
    exposure: np.ndarray
    done: np.ndarray


class _Pending(NamedTuple):
    """A decision that waits for its fill."""

    row: np.ndarray
    actions: np.ndarray
    decision: Decision


class Execution(Protocol):
    """Where decisions go, and what comes back of them. Row numbers must stay what they are from a decision to its settlement."""

    @property
    def simulator(self) -> Simulator:
        """The accounts as they stand at the newest close, over a market that holds all bars closed so far."""
        ...

    def submit(self, decision: Decision) -> None:
        """Send the orders of a decision; nothing of their fills is known yet."""
        ...

    def settled(self) -> StepResult:
        """Return what the bar after the decision made of it; asked once, when that bar has closed."""
        ...


class _Simulated:
    """Fills decisions in a simulator that knows the bar after them."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._decision: Decision | None = None

    def submit(self, decision: Decision) -> None:
        self._decision = decision

    def settled(self) -> StepResult:
        decision, self._decision = self._decision, None
        if decision is None:
            raise InvariantError("no decision waits to be settled; decide first")
        return self.simulator.step(decision.allowed, decision.terms, decision.signal)


class DecisionLoop:
    """Takes decisions for N accounts, one bar at a time.

    A policy that remembers begins anew with the loop.

    Attributes:
        desk: Turns actions into allowed exposures; keeps the guards' state.
    """

    def __init__(
        self,
        policy: Policy,
        desk: Desk,
        accounts: Simulator | Execution,
        account_columns: tuple[str, ...],
        *,
        deterministic: bool = True,
    ) -> None:
        """Take the parts.

        Args:
            policy: Chooses the actions.
            desk: Action scheme and guards, for as many accounts as the simulator has.
            accounts: The accounts, reset by whoever drives the loop; or what sends decisions elsewhere and knows the accounts.
            account_columns: Account features that the policy was trained with, in order; the guards' state follows them.
            deterministic: Take the policy's likeliest action rather than a sample.
        """
        self._policy = policy
        self.desk = desk
        self._execution: Execution = _Simulated(accounts) if isinstance(accounts, Simulator) else accounts
        self._observer = AccountObserver(account_columns, desk)
        self._deterministic = deterministic
        self._pending: _Pending | None = None
        begin = getattr(policy, "begin", None)
        if begin is not None:
            begin(self.simulator.n)

    @property
    def simulator(self) -> Simulator:
        """The accounts."""
        return self._execution.simulator

    @property
    def memory(self) -> np.ndarray:
        """What the policy remembers of each account's bars, float32, shape (N, S); without columns where it remembers nothing."""
        memory = getattr(self._policy, "memory", None)
        return np.zeros((self.simulator.n, 0), np.float32) if memory is None else memory

    def resume(self, memory: np.ndarray) -> None:
        """Go on from what `memory` told, as after a restart.

        Raises:
            ConfigError: It is of another policy, or of another number of accounts.
        """
        if np.shape(memory) != self.memory.shape:
            raise ConfigError(f"a memory of shape {np.shape(memory)} is not this loop's; {self.memory.shape} is needed")
        take_back = getattr(self._policy, "resume", None)
        if take_back is not None:
            take_back(memory)

    def observe(self) -> Observation:
        """Return what is known at the close of each account's row."""
        simulator = self.simulator
        return Observation(simulator.market, simulator.row.copy(), self._observer.rows(simulator))

    def decide(self) -> Decision:
        """Observe, act and guard, at the close of the bar that the accounts stand at.

        Returns:
            The decision, submitted; it is filled at the next open, and `settle` tells how.

        Raises:
            InvariantError: The decision before this one is not settled.
        """
        if self._pending is not None:
            raise InvariantError(f"row {self._pending.row.tolist()} is decided but not settled; settle it before the next decision")
        observation = self.observe()
        chosen, told = self._policy.act(observation, deterministic=self._deterministic)
        actions = np.asarray(chosen)
        decision = self.desk.decide(actions, self.simulator.view(), told.get(VOTES))
        self._pending = _Pending(observation.rows, actions, decision)
        self._execution.submit(decision)
        return decision

    def settle(self) -> DecisionRecords:
        """Take what the next bar made of the waiting decision, marked at that bar's close, and record both.

        Raises:
            InvariantError: No decision waits.
        """
        if self._pending is None:
            raise InvariantError("no decision waits to be settled; decide first")
        row, actions, decision = self._pending
        self._pending = None
        result = self._execution.settled()
        return self._record(row, actions, decision, result.terminated | result.truncated)

    def step(self) -> DecisionRecords:
        """Decide and settle."""
        self.decide()
        return self.settle()

    def _record(self, row: np.ndarray, actions: np.ndarray, decision: Decision, done: np.ndarray) -> DecisionRecords:
        accounts = self.simulator
        market = accounts.market
        value = accounts.quantity * market.prices[accounts.row, CLOSE]
        equity, none = accounts.equity.copy(), np.zeros(accounts.n)
        terms = OrderTerms(none, none, none) if decision.terms is None else decision.terms
        return DecisionRecords(
            row=row,
            timestamp_ms=market.timestamps[row],
            next_timestamp_ms=market.timestamps[accounts.row],
            close=market.prices[row, CLOSE],
            action=actions,
            signal=decision.intent.signal,
            proposed=decision.intent.target,
            allowed=decision.allowed.copy(),
            guard_code=decision.guard_code,
            reason=decision.reason,
            illegal=none.astype(np.bool_) if decision.intent.illegal is None else decision.intent.illegal,
            limit=terms.limit,
            take_profit=terms.take_profit,
            stop_loss=terms.stop_loss,
            order_price=accounts.order_price.copy(),
            exit_code=accounts.exit_code.copy(),
            fill_price=accounts.fill_price.copy(),
            traded_notional=accounts.traded_notional.copy(),
            quantity=accounts.quantity.copy(),
            fee=accounts.fee.copy(),
            spread=accounts.spread.copy(),
            slippage=accounts.slippage.copy(),
            financing=accounts.financing.copy(),
            funding=accounts.funding.copy(),
            price_pnl=accounts.price_pnl.copy(),
            write_off=accounts.write_off.copy(),
            liquidated=accounts.liquidated.copy(),
            equity=equity,
            exposure=np.divide(value, equity, out=np.zeros_like(equity), where=equity > 0.0),
            done=done,
        )
