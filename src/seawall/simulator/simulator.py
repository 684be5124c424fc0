"""N accounts over one market, stepped one bar at a time in a compiled call."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from pydantic import Field, model_validator

from seawall.core.bars import CLOSE
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.market import Market, RowRange
from seawall.core.params import Params
from seawall.simulator import kernel
from seawall.simulator.accounts import AccountView, feature_codes, fill_account_rows
from seawall.simulator.costs.params import CostParams
from seawall.simulator.rewards.terms import RewardParams, weighted_reward

PARALLEL_FROM = 2_048
"""Accounts from which threads share a step, where more than one is set: below it, waking them costs more than it saves."""
_PADDING = 8
"""Unused columns of the blocks, without which all rows of a large batch would compete for the same cache lines."""
_LEAST_RATE = 1e-300


class SimulatorParams(Params):
    """Settings of the accounts."""

    initial_equity: float = Field(
        default=10_000.0, gt=0.0, le=1e15, description="Equity at the start of an episode, in quote units"
    )
    maintenance_margin: float = Field(
        default=0.05, ge=0.0, lt=1.0, description="A position is liquidated once equity is no more than this share of its value"
    )
    max_exposure: float = Field(
        default=1.0, gt=0.0, le=100.0, description="Largest absolute target exposure, as a fraction of equity"
    )
    reward: RewardParams = Field(default=RewardParams(), description="Weights of the terms of the per-bar reward")
    threads: int = Field(
        default=1,
        ge=1,
        le=1_024,
        description="Threads that share a step of 2,048 accounts or more, with the same result; they pay on idle cores only, "
        "since each step waits for the slowest",
    )

    @model_validator(mode="after")
    def _exposure_leaves_margin(self) -> SimulatorParams:
        if self.max_exposure * self.maintenance_margin >= 1.0:
            raise ValueError(
                f"max_exposure {self.max_exposure} is liquidated at once by maintenance_margin {self.maintenance_margin}; "
                "allowed: a product below 1"
            )
        return self


class StepResult(NamedTuple):
    """What one bar brought; all arrays are new.

    Attributes:
        reward: Weighted sum of the reward terms, float64, shape (N,).
        terminated: Whether the account was liquidated, bool, shape (N,).
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
        price_pnl: Profit from prices: change of equity + fee + spread − write_off.
        fee: Commission paid.
        spread: Half-spread paid.
        traded_notional: Value of what was traded.
        fill_price: Price before costs of the last fill; NaN where nothing was traded.
        write_off: Debt forgiven at liquidation.
    """

    def __init__(self, market: Market, n: int, costs: CostParams, params: SimulatorParams | None = None) -> None:
        """Allocate the accounts; call `reset` before the first `step`.

        Args:
            market: Prices; its other blocks are not read, save the timestamps.
            n: Number of accounts, N.
            costs: Costs of a fill, before `cost_multiple`.
            params: Settings of the accounts.

        Raises:
            ConfigError: `n` is below 1.
            DataError: A price is not a positive number.
        """
        if n < 1:
            raise ConfigError(f"a simulator of {n} accounts was asked for; allowed: at least 1")
        self.market = market
        self.n = n
        self.costs = costs
        self.params = params if params is not None else SimulatorParams()
        self._threads = min(self.params.threads, numba.get_num_threads()) if n >= PARALLEL_FROM else 1
        self._prices = _checked_prices(market)
        self._bounds = np.array(market.starts, dtype=np.int64)
        self._dearest = 1.0 / max(costs.rate * self.params.max_exposure, _LEAST_RATE)
        self._rates = kernel.Rates(costs.taker_rate, costs.half_spread_rate, self.params.maintenance_margin)
        self._money = np.zeros((kernel.STATE + kernel.LEDGER, n + _PADDING))
        self._counts = np.zeros((kernel.COUNTS, n + _PADDING), dtype=np.int64)
        self._name_arrays()
        self.episode[:] = -1
        self.cost_multiple[:] = 1.0

    def _name_arrays(self) -> None:
        """Give each row of the blocks its public name."""
        money, counts = self._money[:, : self.n], self._counts[:, : self.n]
        self._ledger = money[kernel.STATE :]
        self.target, self.quantity, self.cash, self.equity = money[:4]
        self.peak_equity, self.entry_price, self.cost_multiple = money[4 : kernel.STATE]
        self.log_return, self.price_pnl, self.fee, self.spread, self.traded_notional, self.fill_price, self.write_off = self._ledger
        self.row, self.stop, self.held_bars, self.episode, self._terminated, self._truncated, self._liquidated = counts

    @property
    def liquidated(self) -> np.ndarray:
        """Whether the last bar liquidated the position, bool, shape (N,); a new array."""
        return self._liquidated != 0

    def reset(
        self, indices: np.ndarray, start_rows: np.ndarray, stop_rows: np.ndarray, start_target: np.ndarray | None = None
    ) -> None:
        """Start a new episode in some accounts.

        Args:
            indices: The accounts, whole numbers, shape (K,), each once.
            start_rows: Row at whose close the first decision is taken, shape (K,).
            stop_rows: One past the last row of the episode, shape (K,), at least `start_rows` + 2.
            start_target: Exposure held from the start, shape (K,). A position other than 0 appears at the close of
                the start row without cost: for exploration in training only. None starts flat.

        Raises:
            ConfigError: An episode has no decision or crosses the bounds of a series.
            InvariantError: A start target exceeds the largest exposure.
        """
        accounts = np.asarray(indices, dtype=np.int64)
        rows = np.empty((2, len(accounts)), dtype=np.int64)
        rows[0], rows[1] = start_rows, stop_rows
        targets = np.zeros(len(accounts)) if start_target is None else np.asarray(start_target, dtype=np.float64)
        series = self._series_after(rows[0])
        inside = (series >= 1) & (series < len(self._bounds)) & (rows[1] >= rows[0] + 2)
        if not (inside.all() and (rows[1] <= self._bounds[series]).all()):
            self._refuse_rows(rows)
        limit = self.params.max_exposure
        if not (np.abs(targets) <= limit).all():
            raise InvariantError(f"start targets {targets.tolist()} are not all allowed; allowed: {-limit} to {limit}")
        start = np.empty((2, len(accounts)))
        start[0], start[1] = targets, self.params.initial_equity
        kernel.open_episodes(self._prices, self._money, self._counts, accounts, rows, start)

    def _series_after(self, rows: np.ndarray) -> np.ndarray:
        """Return, for each row, the number of series that start at it or before."""
        return np.searchsorted(self._bounds, rows, side="right")

    def _refuse_rows(self, rows: np.ndarray) -> None:
        """Name the first episode that does not fit into one series."""
        for start, stop in rows.T:
            series = int(self._series_after(np.array([start]))[0])
            if not 1 <= series < len(self._bounds) or stop > self._bounds[series] or stop < start + 2:
                raise ConfigError(
                    f"episode of rows {start}..{stop - 1} cannot be simulated; allowed: at least two rows, all within one of the "
                    f"series that start at rows {self._bounds[:-1].tolist()} and end before row {self._bounds[-1]}"
                )

    def _check(self, targets: np.ndarray) -> None:
        """Refuse exposures that are not numbers or too large, costs for which no trade can be sized, and unset accounts."""
        limit, dearest = self.params.max_exposure, self._dearest
        code, account = kernel.refusal(self._money, self._counts, targets, limit, dearest)
        if code == kernel.BAD_TARGET:
            raise InvariantError(
                f"target exposure {targets[account]} of account {account} is not allowed; allowed: {-limit} to {limit}"
            )
        if code == kernel.BAD_COSTS:
            raise InvariantError(
                f"cost multiple {self.cost_multiple[account]} of account {account} is not allowed; allowed: at least 0 and below "
                f"{dearest}, where costs of {self.costs.rate} a unit would eat a whole trade"
            )
        if code == kernel.NEVER_RESET:
            raise InvariantError(f"account {account} was stepped before it was reset")

    def step(self, targets: np.ndarray) -> StepResult:
        """Fill the wanted exposures at the next open and mark every account at the next close.

        An account whose episode has ended stands still, earns 0, and keeps its flags until it is reset.

        Args:
            targets: Wanted exposure as a fraction of equity, float64, shape (N,), decided at the close of `row`.

        Raises:
            InvariantError: A target, a cost multiple or the shape is not allowed, or an account was never reset.
        """
        wanted = np.ascontiguousarray(targets, dtype=np.float64)
        if wanted.shape != (self.n,):
            raise InvariantError(f"targets have shape {wanted.shape}; allowed: ({self.n},)")
        self._check(wanted)
        if self._threads > 1:
            numba.set_num_threads(self._threads)
            kernel.step_parallel(self._prices, self._money, self._counts, wanted, self._rates)
        else:
            kernel.step_serial(self._prices, self._money, self._counts, wanted, self._rates)
        reward = weighted_reward(self._ledger, self.params.reward.weights)
        return StepResult(reward, self._terminated != 0, self._truncated != 0)

    def view(self) -> AccountView:
        """Return what the decision desk reads, without copying the accounts."""
        return AccountView(self.target, self.equity, self.peak_equity, self.market.timestamps[self.row])

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
        fill_account_rows(self._prices, self._money, self._counts, codes, out)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of every block, from which `load_state_dict` goes on exactly."""
        return {"money": self._money.copy(), "counts": self._counts.copy()}

    def load_state_dict(self, saved: dict[str, np.ndarray]) -> None:
        """Take back what `state_dict` returned.

        Raises:
            DataError: A block is missing or has another shape.
        """
        for name, block in {"money": self._money, "counts": self._counts}.items():
            if name not in saved or saved[name].shape != block.shape:
                found = saved[name].shape if name in saved else "none"
                raise DataError(f"saved accounts: block {name!r} has shape {found}; {block.shape} is needed")
            block[:] = saved[name]

    def run(self, targets: np.ndarray) -> np.ndarray:
        """Step through a whole path in one compiled call.

        Args:
            targets: Wanted exposure at each decision, float64, shape (bars, N).

        Returns:
            Equity at each close, float64, shape (bars + 1, N); row 0 is the equity before the first decision.

        Raises:
            InvariantError: As in `step`.
        """
        wanted = np.ascontiguousarray(targets, dtype=np.float64)
        if wanted.ndim != 2 or wanted.shape[1] != self.n:
            raise InvariantError(f"target paths have shape {wanted.shape}; allowed: (bars, {self.n})")
        for bar in wanted:
            self._check(bar)
        equity = np.empty((len(wanted) + 1, self.n))
        kernel.run_path(self._prices, self._money, self._counts, wanted, self._rates, equity)
        return equity


def _checked_prices(market: Market) -> np.ndarray:
    """Return the price block as a plain read-only array, refusing prices that cannot be."""
    prices = np.ascontiguousarray(market.prices, dtype=np.float64).view(np.ndarray)
    money = prices[:, : CLOSE + 1]
    impossible = ~((money > 0.0) & (money < np.inf))
    if impossible.any():
        row = int(np.flatnonzero(impossible)[0]) // money.shape[1]
        raise DataError(f"row {row} of the market has prices {money[row].tolist()}; allowed: positive, finite numbers")
    prices = prices.view()
    prices.flags.writeable = False
    return prices


def replay(
    market: Market,
    rows: RowRange,
    targets: np.ndarray,
    costs: CostParams,
    multiples: np.ndarray,
    params: SimulatorParams | None = None,
) -> np.ndarray:
    """Return the equity of given exposure paths under given costs, through the same kernel as everything else.

    Args:
        market: The prices.
        rows: T rows of one series; decisions are taken at all but the last.
        targets: Wanted exposure at each decision, float64, shape (T − 1, N), within ±1.
        costs: Costs of a fill.
        multiples: Factor on the costs of each path, shape (N,).
        params: Settings of the accounts; the defaults with an equity of 1 where None.

    Returns:
        Equity at each close, starting from the initial equity, float64, shape (T, N).
    """
    paths = np.asarray(targets, dtype=np.float64)
    simulator = Simulator(market, paths.shape[1], costs, SimulatorParams(initial_equity=1.0) if params is None else params)
    simulator.cost_multiple[:] = multiples
    every = np.ones(simulator.n, dtype=np.int64)
    simulator.reset(np.arange(simulator.n), every * rows.start, every * rows.stop)
    return simulator.run(paths)
