"""N accounts over A assets and cash, long only, stepped one bar at a time in a compiled call.

Weights are decided at the close of row t, traded at the open of row t + 1, and marked at the close of t + 1. Between trades
holdings drift with prices. Weights are shares of the equity *after* costs, so they are met exactly: see `kernel`.
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
from seawall.simulator.compiled import heed_sources
from seawall.simulator.costs.params import CostParams
from seawall.simulator.portfolio import accounts, kernel, layout
from seawall.simulator.portfolio.accounts import fill_portfolio_rows
from seawall.simulator.portfolio.charges import fill_ratio_of, rates_of
from seawall.simulator.portfolio.rewards import PORTFOLIO_REWARDS, BarGrowth, RewardName
from seawall.simulator.settings import checked_count

heed_sources(layout, kernel, accounts)
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
    reward: RewardName = Field(
        default="log_growth", description="log_growth is that of equity after all costs; scaled_return is a published one without"
    )
    excess_weight: float = Field(
        default=0.0, ge=0.0, le=100.0, description="Weight in log_growth of the log return above equal-weight buy-and-hold"
    )
    threads: int = Field(
        default=1, ge=1, le=1_024, description="Threads that share a step of 256 accounts or more, with the same result"
    )


class PortfolioStep(NamedTuple):
    """What one bar brought; all arrays are new.

    Attributes:
        reward: As `PortfolioParams.reward` names it, see `rewards`; float64, shape (N,).
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
    before, after = (np.asarray(weights, dtype=np.float64)[:, None].copy() for weights in (drifted, wanted))
    keep = 1.0 - np.broadcast_to(np.asarray(rates, dtype=np.float64), (len(before) - 1,))
    nothing, sums = np.zeros_like(before[1:]), np.zeros((layout.SUMS, 1))
    lanes = layout.Lanes(nothing, nothing, nothing, before[1:], after[1:], after[0], sums, np.zeros(1, dtype=np.int64))
    charged = np.zeros((layout.RATES, len(keep)))
    charged[layout.KEEP], charged[layout.PAY] = keep, 1.0 / keep
    kernel.left_after_costs(before[0], 1, lanes, charged)
    return float(sums[layout.LEFT, 0])


class PortfolioSimulator:
    """N accounts over the assets of a panel.

    Attributes below are live; treat them as read-only. After `step`, the account is marked at the close of `row`.

    Attributes:
        row: Row whose close the account is marked at, int64, shape (N,).
        episode: Episodes begun before this one, int64, shape (N,); −1 before the first.
        units: Units held of each asset, float64, shape (N, A).
        paid: Mean price before costs at which they were bought, float64, shape (N, A); 0 where nothing is held.
        cash: Quote currency, float64, shape (N,).
        equity: Cash plus the value of the units at the close of `row`, float64, shape (N,).
        peak_equity: Highest equity of the episode so far, float64, shape (N,).
        benchmark: Equity of equal-weight buy-and-hold from the start of the episode, without costs, float64, shape (N,).
        log_return: log(equity / equity one bar ago); the parts from here on are those of the last bar, float64, shape (N,).
        benchmark_return: log(benchmark / benchmark one bar ago).
        price_pnl: Profit from prices: change of equity + fee + spread + slippage.
        fee: Commission paid.
        spread: Half-spread paid.
        slippage: Base slippage paid.
        traded_notional: Value of what was bought, costs included, and sold.
    """

    def __init__(
        self, panel: Panel, n: int, costs: CostParams | Mapping[str, CostParams], params: PortfolioParams | None = None
    ) -> None:
        """Allocate the accounts; call `reset` before the first `step`.

        Args:
            panel: The assets. One without a bar of its own (``stale``) cannot be traded at that bar.
            n: Number of accounts, N.
            costs: Costs of a fill, of all assets or by symbol: commission, spread and base slippage; and, one for all assets, the
                share of each trade that is filled.
            params: Settings of the accounts.

        Raises:
            ConfigError: `n` is no whole number or below 1, or an asset has no costs, or some that portfolios do not charge, or
                fills in another part.
            DataError: A price is not a positive number.
        """
        n = checked_count(n, "portfolio simulator")
        self.panel, self.n, self.assets = panel, n, len(panel.symbols)
        self.params = chosen = params if params is not None else PortfolioParams()
        self._bars = layout.Bars(_checked_prices(panel), rates_of(panel.symbols, costs))
        self._closes = self._bars.prices[:, self.assets :]
        # Nothing is added to the plain one, and to ask for its parts would cost as much as a small step.
        self._plain = chosen.reward == "log_growth" and not chosen.excess_weight
        self._threads = min(chosen.threads, numba.get_num_threads()) if n >= PARALLEL_FROM else 1
        self._rules = layout.Rules(
            chosen.rebalance_every, chosen.no_trade_band, chosen.stop_drawdown, chosen.drawdown_reference == "peak",
            fill_ratio_of(panel.symbols, costs),
        )  # fmt: skip
        room = layout.width(n)
        self._accounts = layout.Accounts(
            np.zeros((layout.MONEY, room)), np.zeros((self.assets, room)), np.zeros((self.assets, room)),
            np.zeros((self.assets, room)), np.zeros((layout.COUNTS, room), dtype=np.int64),
        )  # fmt: skip
        self._money, self._counts = self._accounts.money[:, :n], self._accounts.counts[:, :n]
        self._counts[layout.EPISODE] = -1
        self._totals = np.empty(n)
        self.units, self._bench_units, self.paid = (
            block[:, :n].T for block in (self._accounts.units, self._accounts.bench_units, self._accounts.paid)
        )
        self.cash, self.equity, self.peak_equity, self.start_equity, self.benchmark = self._money[: layout.LOG_RETURN]
        self.log_return, self.benchmark_return, self.price_pnl, self.fee, self.spread, self.slippage, self.traded_notional = (
            self._money[layout.LOG_RETURN :]
        )
        self.row, self.stop, self.episode = self._counts[:3]

    @property
    def weights(self) -> np.ndarray:
        """Shares of cash and the assets at the close of `row`, drifted since the last trade; a new float64 array, (N, A + 1)."""
        values = self.units * self._closes[self.row]
        return np.column_stack([self.cash, values]) / self.equity[:, None]

    def fill_account_rows(self, codes: np.ndarray, out: np.ndarray) -> None:
        """Compute account features.

        Args:
            codes: From `accounts.account_layout`.
            out: Filled, float32, shape (N, number of columns).
        """
        fill_portfolio_rows(self._closes, self._accounts, codes, self.params.rebalance_every, out)

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
        self.units[accounts], self.paid[accounts] = 0.0, 0.0
        self._money[:, accounts] = 0.0
        for part in (layout.CASH, layout.EQUITY, layout.PEAK_EQUITY, layout.START_EQUITY, layout.BENCHMARK):
            self._money[part, accounts] = self.params.initial_equity
        self._bench_units[accounts] = self.params.initial_equity / self.assets / self._closes[starts]
        self._counts[layout.ROW, accounts], self._counts[layout.STOP, accounts] = starts, stops
        self._counts[layout.EPISODE, accounts] += 1
        self._counts[layout.AGE :, accounts] = 0

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
        orders = self._checked(weights, np.zeros(self.n, dtype=np.bool_) if hold is None else np.asarray(hold, dtype=np.bool_))
        if self._threads > 1:
            numba.set_num_threads(self._threads)
            kernel.step_parallel(self._bars, self._accounts, orders, self._rules)
        else:
            kernel.step_serial(self._bars, self._accounts, orders, self._rules)
        reward = self.log_return.copy() if self._plain else np.sum(list(self.reward_parts().values()), axis=0)
        return PortfolioStep(reward, self._counts[layout.TERMINATED] != 0, self._counts[layout.TRUNCATED] != 0)

    def reward_parts(self) -> dict[str, np.ndarray]:
        """Return the parts of the last bar's reward, which add up to it, float64, shape (N,) each."""
        before = self.equity * np.exp(-self.log_return)
        bar = BarGrowth(self.log_return.copy(), self.benchmark_return.copy(), self.price_pnl / before)
        return PORTFOLIO_REWARDS[self.params.reward](bar, self.params.excess_weight)

    def _checked(self, weights: np.ndarray, hold: np.ndarray) -> layout.Orders:
        wanted = np.ascontiguousarray(weights, dtype=np.float64)
        if wanted.shape != (self.n, self.assets + 1):
            raise InvariantError(f"weights have shape {wanted.shape}; allowed: {(self.n, self.assets + 1)}, cash first")
        if hold.shape != (self.n,):
            raise InvariantError(f"hold has shape {hold.shape}; allowed: ({self.n},)")
        if not (self.stop > 0).all():
            raise InvariantError(f"account {int(np.argmin(self.stop > 0))} was stepped before it was reset")
        account = int(kernel.off_the_simplex(wanted, self._totals, _SUM_TOLERANCE))
        if account >= 0:
            given = wanted[account].tolist()
            raise InvariantError(f"weights {given} of account {account} are not allowed; allowed: at least 0, adding up to 1")
        return layout.Orders(wanted, self._totals, hold)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next step depends on, as plain arrays, from which `load_state_dict` goes on exactly."""
        return {name: block.copy() for name, block in self._state().items()}

    def load_state_dict(self, saved: Mapping[str, np.ndarray]) -> None:
        """Take back what `state_dict` returned, in a simulator made with the same settings.

        Raises:
            DataError: An array is missing or has another shape.
        """
        state = self._state()
        for name, block in state.items():
            found = saved[name].shape if name in saved else None
            if found != block.shape:
                raise DataError(f"saved portfolio has {name!r} of shape {found}; allowed: {block.shape}")
        for name, block in state.items():
            block[:] = saved[name]

    def _state(self) -> dict[str, np.ndarray]:
        blocks = {"units": self.units, "bench_units": self._bench_units, "paid": self.paid}
        return {"money": self._money, **blocks, "counts": self._counts}


def _checked_prices(panel: Panel) -> np.ndarray:
    """Return opens and closes as `layout.Bars` has them."""
    money = panel.prices[..., : CLOSE + 1]
    impossible = np.argwhere(~((money > 0.0) & (money < np.inf)))
    if impossible.size:
        asset, row = (int(place) for place in impossible[0][:2])
        raise DataError(
            f"row {row} of {panel.symbols[asset]} has prices {money[asset, row].tolist()}; allowed: positive, finite numbers"
        )
    opens = np.where(panel.stale, -panel.prices[..., OPEN], panel.prices[..., OPEN])
    return np.ascontiguousarray(np.concatenate([opens, panel.prices[..., CLOSE]]).T, dtype=np.float64)
