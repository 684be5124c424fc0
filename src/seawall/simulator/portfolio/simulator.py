"""N accounts over A assets and cash, long only, stepped one bar at a time in a compiled call.

Weights are decided at the close of row t, traded at the open of row t + 1, and marked at the close of t + 1. Between trades
holdings drift with prices. Weights are shares of the equity *after* costs, so they are met exactly: see `portfolio_kernel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numba
import numpy as np
from pydantic import Field

from seawall.core.bars import CLOSE, OPEN
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.params import Params
from seawall.market.panel import Panel
from seawall.simulator.costs.params import CostParams
from seawall.simulator.portfolio import kernel

PARALLEL_FROM = 256
"""Accounts from which threads share a step, where more than one is set."""
_SUM_TOLERANCE = 1e-5


class PortfolioParams(Params):
    """Settings of the accounts."""

    initial_equity: float = Field(
        default=10_000.0, gt=0.0, le=1e15, description="Equity at the start of an episode, all of it cash"
    )
    rebalance_every: int = Field(default=1, ge=1, le=1_000_000, description="Bars from one rebalancing to the next")
    no_trade_band: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="An asset whose share is off by no more is left alone; 0 trades every difference"
    )
    stop_drawdown: float = Field(default=1.0, gt=0.0, le=1.0, description="Loss that ends an episode; 1 never does")
    drawdown_reference: Literal["peak", "start"] = Field(
        default="peak", description="What the loss is measured from: the highest equity, or that at the start"
    )
    excess_weight: float = Field(
        default=0.0, ge=0.0, le=100.0, description="Weight in the reward of the log return above equal-weight buy-and-hold"
    )
    threads: int = Field(
        default=1, ge=1, le=1_024, description="Threads that share a step of 256 accounts or more, with the same result"
    )


class PortfolioStep(NamedTuple):
    """What one bar brought; all arrays are new.

    Attributes:
        reward: log(equity / equity one bar ago) after all costs, and the weighted excess; float64, shape (N,).
        terminated: Whether the loss reached the stop, bool, shape (N,).
        truncated: Whether the account reached the last row of its episode, bool, shape (N,).
    """

    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


def transaction_remainder(drifted: np.ndarray, wanted: np.ndarray, rates: np.ndarray | float) -> float:
    """Return the share of the equity that a trade from drifted to wanted weights leaves after costs.

    Args:
        drifted: Weights of cash and the assets before the trade, shape (A + 1,), adding up to 1.
        wanted: Weights after it, shape (A + 1,), adding up to 1.
        rates: Cost per unit of traded notional, of every asset or shape (A,); cash is free.
    """
    before, after = np.asarray(drifted, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    keep = 1.0 - np.broadcast_to(np.asarray(rates, dtype=np.float64), (len(before) - 1,))
    return float(kernel.left_after_costs(before[0], before[1:], after[1:], keep, 1.0 / keep))


class PortfolioSimulator:
    """N accounts over the assets of a panel.

    Attributes below are live; treat them as read-only. After `step`, the account is marked at the close of `row`.

    Attributes:
        row: Row whose close the account is marked at, int64, shape (N,).
        units: Units held of each asset, float64, shape (N, A).
        cash: Quote currency, float64, shape (N,).
        equity: Cash plus the value of the units at the close of `row`, float64, shape (N,).
        peak_equity: Highest equity of the episode so far, float64, shape (N,).
        benchmark: Equity of equal-weight buy-and-hold from the start of the episode, without costs, float64, shape (N,).
        log_return: log(equity / equity one bar ago); the parts from here on are those of the last bar, float64, shape (N,).
        price_pnl: Profit from prices: change of equity + fee + spread.
        fee: Commission paid.
        spread: Half-spread paid.
        traded_notional: Value of what was bought, costs included, and sold.
    """

    def __init__(
        self, panel: Panel, n: int, costs: CostParams | Mapping[str, CostParams], params: PortfolioParams | None = None
    ) -> None:
        """Allocate the accounts; call `reset` before the first `step`.

        Args:
            panel: The assets. One without a bar of its own (``stale``) cannot be traded at that bar.
            n: Number of accounts, N.
            costs: Costs of a fill, of all assets or by symbol.
            params: Settings of the accounts.

        Raises:
            ConfigError: `n` is below 1, or an asset has no costs.
            DataError: A price is not a positive number.
        """
        if n < 1:
            raise ConfigError(f"a portfolio simulator of {n} accounts was asked for; allowed: at least 1")
        self.panel, self.n, self.assets = panel, n, len(panel.symbols)
        self.params = params if params is not None else PortfolioParams()
        self._bars = kernel.Bars(*_checked_prices(panel), np.ascontiguousarray(~panel.stale.T), _rates(panel, costs))
        self._threads = min(self.params.threads, numba.get_num_threads()) if n >= PARALLEL_FROM else 1
        chosen = self.params
        self._rules = kernel.Rules(
            chosen.rebalance_every, chosen.no_trade_band, chosen.stop_drawdown, chosen.drawdown_reference == "peak"
        )
        self._money = np.zeros((kernel.MONEY, n))
        self._counts = np.zeros((kernel.COUNTS, n), dtype=np.int64)
        self._counts[kernel.EPISODE] = -1
        self.units = np.zeros((n, self.assets))
        self._accounts = kernel.Accounts(self._money, self.units, np.zeros((n, self.assets)), self._counts)
        self.cash, self.equity, self.peak_equity, _start, self.benchmark = self._money[: kernel.LOG_RETURN]
        self.log_return, self.price_pnl, self.fee, self.spread, self.traded_notional = self._money[kernel.LOG_RETURN :]
        self.row, self.stop, self.episode = self._counts[:3]

    @property
    def weights(self) -> np.ndarray:
        """Shares of cash and the assets at the close of `row`, drifted since the last trade; a new float64 array, (N, A + 1)."""
        values = self.units * self._bars.closes[self.row]
        return np.column_stack([self.cash, values]) / self.equity[:, None]

    def reset(self, indices: np.ndarray, start_rows: np.ndarray, stop_rows: np.ndarray) -> None:
        """Start a new episode in some accounts, all in cash.

        Args:
            indices: The accounts, whole numbers, shape (K,), each once.
            start_rows: Row at whose close the first decision is taken, shape (K,).
            stop_rows: One past the last row of the episode, shape (K,), at least `start_rows` + 2.

        Raises:
            ConfigError: An episode has no decision or leaves the panel.
        """
        accounts = np.asarray(indices, dtype=np.int64)
        starts, stops = (np.broadcast_to(np.asarray(rows, dtype=np.int64), accounts.shape) for rows in (start_rows, stop_rows))
        wrong = np.flatnonzero((starts < 0) | (stops < starts + 2) | (stops > len(self.panel)))
        if wrong.size:
            place = int(wrong[0])
            raise ConfigError(
                f"episode of rows {starts[place]}..{stops[place] - 1} cannot be simulated; allowed: at least two rows within the "
                f"{len(self.panel)} of the panel"
            )
        self.units[accounts] = 0.0
        self._money[:, accounts] = 0.0
        for part in (kernel.CASH, kernel.EQUITY, kernel.PEAK_EQUITY, kernel.START_EQUITY, kernel.BENCHMARK):
            self._money[part, accounts] = self.params.initial_equity
        start_prices = self._bars.closes[starts]
        self._accounts.bench_units[accounts] = self.params.initial_equity / self.assets / start_prices
        self._counts[kernel.ROW, accounts], self._counts[kernel.STOP, accounts] = starts, stops
        self._counts[kernel.EPISODE, accounts] += 1
        self._counts[kernel.AGE :, accounts] = 0

    def step(self, weights: np.ndarray, hold: np.ndarray | None = None) -> PortfolioStep:
        """Trade to the wanted weights at the next open and mark every account at the next close.

        An asset that cannot be traded (no bar of its own, or within the no-trade band) keeps its units; the others and the cash
        share the rest in the proportions that were asked for. An account whose episode has ended stands still and earns 0.

        Args:
            weights: Shares of cash and the assets, at least 0 and adding up to 1, float64, shape (N, A + 1), decided at the close
                of `row`.
            hold: Accounts that trade nothing at this bar, bool, shape (N,); none where None.

        Raises:
            InvariantError: Weights of another shape, below 0, not numbers or not adding up to 1, or an account was never reset.
        """
        wanted = self._checked(weights)
        kept = np.zeros(self.n, dtype=np.bool_) if hold is None else np.asarray(hold, dtype=np.bool_)
        if kept.shape != (self.n,):
            raise InvariantError(f"hold has shape {kept.shape}; allowed: ({self.n},)")
        weight = self.params.excess_weight
        before = self.benchmark.copy() if weight else None
        if self._threads > 1:
            numba.set_num_threads(self._threads)
            kernel.step_parallel(self._bars, self._accounts, wanted, kept, self._rules)
        else:
            kernel.step_serial(self._bars, self._accounts, wanted, kept, self._rules)
        reward = self.log_return.copy()
        if before is not None:
            reward += weight * (self.log_return - np.log(self.benchmark / before))
        return PortfolioStep(reward, self._counts[kernel.TERMINATED] != 0, self._counts[kernel.TRUNCATED] != 0)

    def _checked(self, weights: np.ndarray) -> np.ndarray:
        wanted = np.ascontiguousarray(weights, dtype=np.float64)
        if wanted.shape != (self.n, self.assets + 1):
            raise InvariantError(f"weights have shape {wanted.shape}; allowed: {(self.n, self.assets + 1)}, cash first")
        if not (self.stop > 0).all():
            raise InvariantError(f"account {int(np.argmin(self.stop > 0))} was stepped before it was reset")
        totals = wanted.sum(axis=1)
        good = (wanted >= 0.0).all(axis=1) & (np.abs(totals - 1.0) <= _SUM_TOLERANCE)
        if not good.all():
            account = int(np.argmin(good))
            given = wanted[account].tolist()
            raise InvariantError(f"weights {given} of account {account} are not allowed; allowed: at least 0, adding up to 1")
        return wanted / totals[:, None]


def _checked_prices(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    money = panel.prices[..., : CLOSE + 1]
    impossible = np.argwhere(~((money > 0.0) & (money < np.inf)))
    if impossible.size:
        asset, row = (int(place) for place in impossible[0][:2])
        raise DataError(
            f"row {row} of {panel.symbols[asset]} has prices {money[asset, row].tolist()}; allowed: positive, finite numbers"
        )
    opens, closes = (np.ascontiguousarray(panel.prices[..., place].T, dtype=np.float64) for place in (OPEN, CLOSE))
    return opens, closes


def _rates(panel: Panel, costs: CostParams | Mapping[str, CostParams]) -> np.ndarray:
    each = {symbol: costs for symbol in panel.symbols} if isinstance(costs, CostParams) else dict(costs)
    missing = [symbol for symbol in panel.symbols if symbol not in each]
    if missing:
        raise ConfigError(f"costs have no entry for {', '.join(missing)}; allowed: one for each of {', '.join(panel.symbols)}")
    fees, spreads = (
        np.array([getattr(each[symbol], name) for symbol in panel.symbols]) for name in ("taker_rate", "half_spread_rate")
    )
    keep = 1.0 - fees - spreads
    return np.stack([fees, spreads, keep, 1.0 / keep])
