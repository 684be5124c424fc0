"""What a policy sees of a portfolio account at the close of a bar."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from seawall.core.errors import ConfigError
from seawall.simulator.portfolio.layout import BENCHMARK, CASH, EQUITY, PEAK_EQUITY, ROW, SINCE, START_EQUITY, Accounts

PORTFOLIO_ACCOUNT_FEATURES: dict[str, str] = {
    "weights": "value of the cash, then of each asset, at this close over equity: A + 1 columns that add up to 1",
    "log_equity": "log(equity / equity at the start of the episode)",
    "drawdown": "1 − equity / highest equity of the episode, in [0, 1)",
    "excess": "log(equity / benchmark), the benchmark being equal-weight buy-and-hold from the start of the episode",
    "bars_since_rebalancing": "bars since the one that last rebalanced (before that, since the start), over `rebalance_every`",
    "benchmark": "log(benchmark / equity at the start of the episode)",
    "entries": "mean price that was paid for each asset over this close, 0 where none is held: A columns",
    "profits": "this close over the mean price that was paid for each asset − 1, 0 where none is held: A columns",
}
"""Every account feature, in the order of its code. All are known at the close of the account's row."""
USUAL_COLUMNS = ("weights", "log_equity", "drawdown", "excess", "bars_since_rebalancing")
"""What is shown unless a recipe says otherwise."""

_WEIGHTS, _LOG_EQUITY, _DRAWDOWN, _EXCESS, _SINCE, _BENCHMARK, _ENTRIES, _PROFITS = range(len(PORTFOLIO_ACCOUNT_FEATURES))
_PER_ASSET = {"weights": "weight", "entries": "entry", "profits": "profit"}


def account_layout(columns: tuple[str, ...], symbols: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the codes of named account features, int64, and the names of their columns.

    Args:
        columns: Names out of `PORTFOLIO_ACCOUNT_FEATURES`, in the order wanted.
        symbols: The assets.

    Raises:
        ConfigError: A name is unknown or repeated.
    """
    order = list(PORTFOLIO_ACCOUNT_FEATURES)
    unknown = [name for name in columns if name not in order]
    if unknown or len(set(columns)) != len(columns):
        raise ConfigError(f"account columns {columns} name {unknown or 'one twice'}; allowed, each once: {order}")
    names: list[str] = []
    for column in columns:
        owners = ("cash", *symbols) if column == "weights" else symbols
        names += [f"{_PER_ASSET[column]}.{each}" for each in owners] if column in _PER_ASSET else [column]
    return np.array([order.index(name) for name in columns], dtype=np.int64), tuple(names)


@njit(cache=True, error_model="numpy")
def fill_portfolio_rows(closes: np.ndarray, accounts: Accounts, codes: np.ndarray, every: int, out: np.ndarray) -> None:
    """Compute account features.

    Args:
        closes: Close of every asset, float64, shape (T, A).
        accounts: Units, state and rows.
        codes: From `account_layout`.
        every: Bars from one rebalancing to the next.
        out: Filled, float32, shape (N, number of columns).
    """
    money, counts = accounts.money, accounts.counts
    for i in range(len(out)):
        equity, column = money[EQUITY, i], 0
        for code in codes:
            if code == _WEIGHTS:
                out[i, column] = money[CASH, i] / equity
                for asset in range(len(accounts.units)):
                    column += 1
                    out[i, column] = accounts.units[asset, i] * closes[counts[ROW, i], asset] / equity
            elif code == _LOG_EQUITY:
                out[i, column] = math.log(equity / money[START_EQUITY, i])
            elif code == _DRAWDOWN:
                out[i, column] = 1.0 - equity / money[PEAK_EQUITY, i]
            elif code == _EXCESS:
                out[i, column] = math.log(equity / money[BENCHMARK, i])
            elif code == _BENCHMARK:
                out[i, column] = math.log(money[BENCHMARK, i] / money[START_EQUITY, i])
            elif code == _SINCE:
                out[i, column] = counts[SINCE, i] / every
            else:
                column = _fill_prices(closes[counts[ROW, i]], accounts.paid[:, i], code == _ENTRIES, out[i], column)
            column += 1


@njit(cache=True, error_model="numpy")
def _fill_prices(closes: np.ndarray, paid: np.ndarray, entries: bool, out: np.ndarray, column: int) -> int:
    """Fill one column an asset with what was paid for it against the close; return the last of these columns."""
    for asset in range(len(paid)):
        known = paid[asset] > 0.0
        if entries:
            out[column + asset] = paid[asset] / closes[asset] if known else 0.0
        else:
            out[column + asset] = closes[asset] / paid[asset] - 1.0 if known else 0.0
    return column + len(paid) - 1
