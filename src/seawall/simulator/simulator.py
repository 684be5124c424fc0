"""N accounts over one market, stepped one bar at a time in a compiled call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from seawall.core.errors import DataError, InvariantError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import Holding, OrderTerms
from seawall.simulator import accounts, judged
from seawall.simulator.accounts import AccountView, feature_codes, fill_account_rows
from seawall.simulator.compiled import heed_sources, ready_call
from seawall.simulator.costs.params import CostParams
from seawall.simulator.kernel import book, episodes, events, layout, prefetch, step
from seawall.simulator.kernel.layout import Accounts, Bars, Flags, Orders, Rules
from seawall.simulator.latency import DelayedOrders
from seawall.simulator.rewards import amounts, facts, hindsight, judge, memory
from seawall.simulator.rewards import layout as reward_layout
from seawall.simulator.rewards.layout import Judging, Numbers
from seawall.simulator.rewards.reward import Reward
from seawall.simulator.rules import bars_of, flags_of, rules_of
from seawall.simulator.settings import SimulatorParams, checked_count
from seawall.simulator.starts import EpisodeStarts

PARALLEL_FROM = 2_048
"""Accounts from which threads share a step, where more than one is set: below it, waking them costs more than it saves."""
_LEAST_RATE = 1e-300
_NO_TERMS = np.zeros(0)
_KERNELS = ((step.step_serial, step.step_parallel), (judged.judged_serial, judged.judged_parallel))
"""Without and with a reward to judge, by one thread and by several."""
heed_sources(layout, book, events, prefetch, step, episodes, accounts)
heed_sources(reward_layout, facts, amounts, memory, hindsight, judge, judged, compiled_with=(layout, book, events, prefetch, step))


class StepResult(NamedTuple):
    """What one bar brought; all arrays are new.

    Attributes:
        reward: Weighted sum of the reward terms, float64, shape (N,).
        terminated: Whether the account was liquidated or reached its largest loss, bool, shape (N,).
        truncated: Whether the account reached the last row of its episode, bool, shape (N,).
    """

    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class Simulator:
    """N accounts over one market.

    Every attribute below is a live array of shape (N,), float64 unless said otherwise; treat them as read-only, except
    `cost_multiple`. After `step`, the account is marked at the close of `row`.

    Attributes:
        row: Row whose close the account is marked at, int64.
        stop: One past the last row of the episode, int64.
        episode: Episodes started so far, less one, int64; −1 before the first.
        held_bars: Bars marked since the position was opened, int64; 0 when flat.
        target: Target exposure in force.
        quantity: Units held, negative when short.
        cash: Quote currency, including the proceeds of short sales.
        equity: Cash plus the value of the position at the close of `row`.
        peak_equity: Highest equity of the episode so far.
        entry_price: Average price at which the position was entered.
        cost_multiple: Factor on the costs of each account; write to it freely, at any time.
        log_return: log(equity / equity one bar ago), floored at ruin; the parts from here on are those of the last bar.
        price_pnl: Profit from prices: change of equity + fee + spread + slippage + financing + funding − write_off.
        fee: Commission paid.
        spread: Half-spread paid.
        slippage: Slippage paid.
        financing: Interest paid, negative where earned.
        funding: Funding paid, likewise.
        traded_notional: Value of what was traded.
        fill_price: Price before costs of the last fill; NaN where nothing was traded.
        order_price: Price before costs at which an order was filled, in a bar in which a rule may have closed the position after
            it; NaN where none was.
        write_off: Debt forgiven where an account could not pay.
        closed_pnl: Profit of what was closed in the bar, after the costs of closing it.
        closed_value: Value at entry of what was closed in the bar.
        exit_code: Why a rule closed the position, a place in `EXIT_NAMES`, int64; 0 where none did.
        order_is_working: Whether an order, or a part of one, waits to be filled, int64.
        reward: The reward, whose terms of the last bar and sums over the episode may be read.
    """

    def __init__(
        self, market: Market, n: int, costs: CostParams, params: SimulatorParams | None = None, *, terms: bool = False
    ) -> None:
        """Allocate the accounts; call `reset` before the first `step`.

        Args:
            market: Prices; its other blocks are not read, save the timestamps.
            n: Number of accounts, N.
            costs: Costs of a fill and of holding, before `cost_multiple`.
            params: Settings of the accounts.
            terms: Whether orders carry their own limit, take-profit and stop-loss; those of `params` are not read then.

        Raises:
            ConfigError: `n` is no whole number, or below 1.
            DataError: A price is not a positive number, or a volume that is needed is none.
        """
        self.market = market
        self.n = n = checked_count(n, "simulator")
        self.costs = costs
        self.params = params if params is not None else SimulatorParams()
        self._threads = min(self.params.threads, numba.get_num_threads()) if n >= PARALLEL_FROM else 1
        self._terms = terms
        self._flags = flags_of(costs, self.params, terms=terms)
        self._bars = bars_of(market, costs, self.params, self._flags)
        self._rules = rules_of(costs, self.params)
        self._dearest = 1.0 / max(costs.highest_rate * self.params.max_exposure, _LEAST_RATE)
        self._money = np.zeros((layout.STATE + layout.LEDGER, n + layout.PADDING))
        self._counts = np.zeros((layout.COUNTS, n + layout.PADDING), dtype=np.int64)
        self._accounts = Accounts(self._money, self._counts)
        self._name_arrays()
        latency = self.params.orders.latency_bars
        self._delay = DelayedOrders(latency, n, terms=terms) if latency else None
        self.reward = Reward(self.params.reward, market, n, 2.0 * costs.rate)
        bounds, limit = np.array(market.starts, dtype=np.int64), self.params.max_exposure
        ground = episodes.Ground(self._bars.prices, bounds, limit, *self.reward.remembered)
        self._starts = EpisodeStarts(ground, self._accounts, self.params.initial_equity)
        self._call: Any = None
        self._refusal: Any = None
        self.episode[:] = -1
        self.cost_multiple[:] = 1.0

    def _name_arrays(self) -> None:
        """Give each row of the blocks its public name."""
        money, counts = self._money[:, : self.n], self._counts[:, : self.n]
        self._ledger = money[layout.STATE :]
        self.target, self.quantity, self.cash, self.equity = money[:4]
        self.peak_equity, self.entry_price, self.cost_multiple, self.start_equity = money[4:8]
        self.log_return, self.price_pnl, self.fee, self.spread, self.slippage, self.financing, self.funding = self._ledger[:7]
        self.traded_notional, self.fill_price, self.order_price, self.write_off = self._ledger[7:11]
        self.closed_pnl, self.closed_value = self._ledger[11:]
        self.row, self.stop, self.held_bars, self.episode, self.order_is_working = counts[:5]
        self._terminated, self._truncated, self.exit_code = counts[5:]

    def compiled_parts(self) -> tuple[Bars, Accounts, Rules, Flags, float]:
        """Return what the kernel is called with, and the least cost multiple that it cannot take."""
        return self._bars, self._accounts, self._rules, self._flags, self._dearest

    @property
    def liquidated(self) -> np.ndarray:
        """Whether the last bar liquidated the position, bool, shape (N,); a new array."""
        return self.exit_code == layout.MARGIN_EXIT

    def reset(
        self,
        indices: np.ndarray,
        start_rows: np.ndarray,
        stop_rows: np.ndarray,
        start_target: np.ndarray | None = None,
        factors: np.ndarray | None = None,
    ) -> None:
        """Start a new episode in some accounts.

        Args:
            indices: The accounts, whole numbers, shape (K,), each once.
            start_rows: Row at whose close the first decision is taken, shape (K,).
            stop_rows: One past the last row of the episode, shape (K,), at least `start_rows` + 2.
            start_target: Exposure held from the start, shape (K,). A position other than 0 appears at the close of
                the start row without cost: for exploration in training only. None starts flat.
            factors: Factors on commission, spread and slippage of the episode, float64, shape (3, K), heeded where the costs
                are drawn anew for each episode; None leaves them as they are.

        Raises:
            ConfigError: An episode has no decision or crosses the bounds of a series.
            InvariantError: A start target exceeds the largest exposure.
        """
        accounts, targets = self._starts.open(indices, start_rows, stop_rows, start_target, factors)
        if self._delay is not None:
            self._delay.reset(accounts, targets)
        self.reward.reset(accounts)

    def _check(self, targets: np.ndarray) -> None:
        """Refuse exposures that are not numbers or too large, costs for which no trade can be sized, and unset accounts."""
        limit, dearest = self.params.max_exposure, self._dearest
        parts = (self._accounts, targets, limit, dearest)
        if self._refusal is None:
            self._refusal = ready_call(episodes.refusal, parts)
        code, account = self._refusal(*parts)
        if code == episodes.BAD_TARGET:
            raise InvariantError(
                f"target exposure {targets[account]} of account {account} is not allowed; allowed: {-limit} to {limit}"
            )
        if code == episodes.BAD_COSTS:
            raise InvariantError(
                f"cost multiple {self.cost_multiple[account]} of account {account} is not allowed; allowed: at least 0 and below "
                f"{dearest}, where costs of {self.costs.highest_rate} a unit would eat a whole trade"
            )
        if code == episodes.NEVER_RESET:
            raise InvariantError(f"account {account} was stepped before it was reset")

    def step(self, targets: np.ndarray, terms: OrderTerms | None = None, signals: np.ndarray | None = None) -> StepResult:
        """Send orders for the wanted exposures, fill them at the next open, and mark every account at the next close.

        An account whose episode has ended stands still, earns 0, and keeps its flags until it is reset.

        Args:
            targets: Wanted exposure as a fraction of equity, float64, shape (N,), decided at the close of `row`.
            terms: What the orders carry, where the simulator was built for it.
            signals: −1 sell, 0 hold, +1 buy, for rewards that look at what was asked for; shape (N,). The sign of the change of the
                target where None.

        Raises:
            InvariantError: A target, a term, a cost multiple or the shape is not allowed, an account was never reset, or a reward
                is not a finite number.
        """
        wanted = np.ascontiguousarray(targets, dtype=np.float64)
        if wanted.shape != (self.n,):
            raise InvariantError(f"targets have shape {wanted.shape}; allowed: ({self.n},)")
        self._check(wanted)
        orders = Orders(wanted, *self._checked_terms(terms))
        if self.reward.plain:
            self._fill(orders)
            reward = self.reward.of_log_return(self.log_return)
        else:
            judging, total = self.reward.judging(self._asked(orders, signals)), np.empty(self.n)
            wrong = self._fill(orders, judging, self.reward.numbers, total)
            reward = self.reward.earned(total, wrong, self._accounts, judging)
        return StepResult(reward, self._terminated != 0, self._truncated != 0)

    def _fill(self, orders: Orders, *judging: Judging | Numbers | np.ndarray) -> int:
        """Take every account one bar on, and judge it where that is asked for; return how many rewards are no finite numbers."""
        arriving = orders if self._delay is None else self._delay.passed(orders)
        parts = (self._bars, self._accounts, arriving, self._rules, self._flags, *judging)
        if self._call is None:
            self._call = ready_call(_KERNELS[bool(judging)][self._threads > 1], parts)
        if self._threads > 1:
            numba.set_num_threads(self._threads)
        wrong = self._call(*parts)
        if self._delay is not None:
            self._delay.forget(self.exit_code != 0)
        return wrong or 0

    def _asked(self, orders: Orders, signals: np.ndarray | None) -> np.ndarray | None:
        """Return what was asked for, int8, shape (N,), where a term of the reward looks at it."""
        if not self.reward.reads_signals:
            return None
        if signals is None:
            decided = self.target if self._delay is None else self._delay.target
            return np.sign(orders.target - decided).astype(np.int8)
        asked = np.ascontiguousarray(signals, dtype=np.int8)
        if asked.shape != (self.n,):
            raise InvariantError(f"signals have shape {asked.shape}; allowed: ({self.n},)")
        return asked

    def _checked_terms(self, terms: OrderTerms | None) -> OrderTerms:
        if not self._terms:
            if terms is not None:
                raise InvariantError("orders carry terms, which this simulator was not built for; allowed: none, or terms=True")
            return OrderTerms(_NO_TERMS, _NO_TERMS, _NO_TERMS)
        if terms is None:
            raise InvariantError("orders carry no terms, which this simulator was built for; allowed: OrderTerms")
        given = OrderTerms(*(np.ascontiguousarray(part, dtype=np.float64) for part in terms))
        for name, part in zip(OrderTerms._fields, given, strict=True):
            wrong = ~((part >= 0.0) & (part < 1.0)) if part.shape == (self.n,) else np.ones(1, dtype=np.bool_)
            if wrong.any():
                raise InvariantError(
                    f"{name} of the orders is {part[np.argmax(wrong)] if part.size else part.tolist()} with shape {part.shape}; "
                    f"allowed: at least 0 and below 1, shape ({self.n},)"
                )
        return given

    def view(self) -> AccountView:
        """Return what the decision desk reads, without copying the accounts."""
        target = self.target if self._delay is None else self._delay.target
        holding = Holding(self.quantity, self.entry_price, self.held_bars)
        return AccountView(target, self.equity, self.peak_equity, self.market.timestamps, self.row, self.market, holding)

    def account_rows(self, columns: tuple[str, ...]) -> np.ndarray:
        """Return named account features, known at the close of `row`.

        Args:
            columns: Names out of `ACCOUNT_FEATURES`, in the order wanted.

        Returns:
            A new float32 array of shape (N, A); no NaN.
        """
        out = np.empty((self.n, len(columns)), dtype=np.float32)
        self.fill_account_rows(feature_codes(columns), out)
        return out

    def fill_account_rows(self, codes: np.ndarray, out: np.ndarray) -> None:
        """Write account features into the first columns of an array; see `accounts.fill_account_rows`."""
        fill_account_rows(self._bars.prices, self._money, self._counts, codes, out)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of every block, from which `load_state_dict` goes on exactly."""
        return {name: block.copy() for name, block in self._blocks().items()}

    def _blocks(self) -> dict[str, np.ndarray]:
        late = {} if self._delay is None else self._delay.blocks()
        return {"money": self._money, "counts": self._counts, **late, **self.reward.blocks()}

    def load_state_dict(self, saved: dict[str, np.ndarray]) -> None:
        """Take back what `state_dict` returned.

        Raises:
            DataError: A block is missing or has another shape.
        """
        for name, block in self._blocks().items():
            if name not in saved or saved[name].shape != block.shape:
                found = saved[name].shape if name in saved else "none"
                raise DataError(f"saved accounts: block {name!r} has shape {found}; {block.shape} is needed")
            block[:] = saved[name]

    def run(self, targets: np.ndarray, terms: OrderTerms | None = None) -> np.ndarray:
        """Step through a whole path, in one compiled call where orders carry no terms and arrive at once.

        Args:
            targets: Wanted exposure at each decision, float64, shape (bars, N).
            terms: What the orders carry, each of shape (bars, N), where the simulator was built for it.

        Returns:
            Equity at each close, float64, shape (bars + 1, N); row 0 is the equity before the first decision.

        Raises:
            InvariantError: As in `step`.
        """
        wanted = np.ascontiguousarray(targets, dtype=np.float64)
        if wanted.ndim != 2 or wanted.shape[1] != self.n:
            raise InvariantError(f"target paths have shape {wanted.shape}; allowed: (bars, {self.n})")
        equity = np.empty((len(wanted) + 1, self.n))
        if self._terms or self._delay is not None:
            equity[0] = self.equity
            for bar, asked in enumerate(wanted):
                self.step(asked, None if terms is None else OrderTerms(*(part[bar] for part in terms)))
                equity[bar + 1] = self.equity
            return equity
        for asked in wanted:
            self._check(asked)
        step.run_path(self._bars, self._accounts, wanted, self._rules, self._flags, equity)
        return equity


def replay(
    market: Market,
    rows: RowRange,
    targets: np.ndarray,
    costs: CostParams,
    multiples: np.ndarray,
    params: SimulatorParams | None = None,
    terms: OrderTerms | None = None,
) -> np.ndarray:
    """Return the equity of given exposure paths under given costs, through the same kernel as everything else.

    Args:
        market: The prices.
        rows: T rows of one series; decisions are taken at all but the last.
        targets: Wanted exposure at each decision, float64, shape (T − 1, N), within ±1.
        costs: Costs of a fill.
        multiples: Factor on the costs of each path, shape (N,).
        params: Settings of the accounts; the defaults with an equity of 1 where None.
        terms: What the orders carry, each of shape (T − 1, N); None for plain market orders.

    Returns:
        Equity at each close, starting from the initial equity, float64, shape (T, N).
    """
    paths = np.asarray(targets, dtype=np.float64)
    settings = SimulatorParams(initial_equity=1.0) if params is None else params
    simulator = Simulator(market, paths.shape[1], costs, settings, terms=terms is not None)
    simulator.cost_multiple[:] = multiples
    every = np.ones(simulator.n, dtype=np.int64)
    simulator.reset(np.arange(simulator.n), every * rows.start, every * rows.stop)
    return simulator.run(paths, terms)
