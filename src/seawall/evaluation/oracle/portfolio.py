"""The best attainable log growth of a portfolio of assets and cash, long only.

Sales and purchases cost in proportion to what is traded, and nothing is borrowed: so every bit of money takes its own way through
cash and the assets, pays its own costs, and the wealth of any policy is the sum of what became of its bits. None became more than
what the best way makes of it, and a policy may send everything along that way. So the best way, which a dynamic programme over
single assets finds, is the best policy. docs/concepts/oracle.md has the proof.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from seawall.core.bars import CLOSE, OPEN
from seawall.core.errors import ConfigError
from seawall.evaluation.oracle.oracle import Oracle
from seawall.evaluation.portfolio_backtest import PortfolioSetting
from seawall.simulator.portfolio.charges import fill_ratio_of, rates_of
from seawall.simulator.portfolio.layout import KEEP


class _Ways(NamedTuple):
    """What the programme is told; place 0 is cash.

    Attributes:
        gaps: Log of each open over the close before, float64, shape (n, A + 1).
        gains: Log of each close over its open, likewise.
        keep: Log of what a unit sold or bought leaves, float64, shape (A + 1,).
        tradable: Whether there is a trade at the row, bool, shape (n, A + 1).
        freezes: Whether an account may stop at a close for good.
    """

    gaps: np.ndarray
    gains: np.ndarray
    keep: np.ndarray
    tradable: np.ndarray
    freezes: bool


def portfolio_oracle(setting: PortfolioSetting) -> Oracle:
    """Return the best attainable log growth of a portfolio that starts in cash, with all costs that the simulator charges.

    Args:
        setting: Panel, rows, costs and settings of the accounts.

    Raises:
        ConfigError: Fewer than two rows, rows outside of the panel, or costs that portfolios do not charge.
    """
    panel, rows, accounts = setting.panel, setting.rows, setting.accounts
    if len(rows) < 2 or rows.start < 0 or rows.stop > len(panel):
        raise ConfigError(f"the oracle cannot be asked for rows {rows.start}..{rows.stop - 1}; allowed: at least 2 of {len(panel)}")
    n, none = len(rows), np.zeros((len(rows), 1))
    part = slice(rows.start, rows.stop)
    opens, closes = panel.prices[:, part, OPEN].T, panel.prices[:, part, CLOSE].T
    gaps, gains = np.zeros(opens.shape), np.log(closes / opens)
    gaps[1:] = np.log(opens[1:] / closes[:-1])
    due = (np.arange(n) - 1) % accounts.rebalance_every == 0
    fresh = ~np.asarray(panel.stale)[:, part].T & due[:, None]
    keep = np.concatenate([[0.0], np.log(rates_of(panel.symbols, setting.costs)[KEEP])])
    freezes = accounts.stop_drawdown < 1.0
    tradable = np.column_stack([np.ones(n, np.bool_), fresh])
    growth, places = _solve(_Ways(np.hstack([none, gaps]), np.hstack([none, gains]), keep, tradable, freezes))
    reasons = [
        *(["a stop at a drawdown"] if freezes else []),
        *(["orders that fill in part"] if fill_ratio_of(panel.symbols, setting.costs) < 1.0 else []),
    ]
    if reasons:
        words = "An upper bound: no policy can have earned more after costs, and perhaps none as much. It is not exact because of"
        return Oracle(float(growth), "bound", None, f"{words} {' and '.join(reasons)}.")
    path = np.eye(len(keep))[places]
    return Oracle(float(growth), "exact", path, "The best of all weights at every rebalancing, found exactly, after all costs.")


@njit(cache=True, error_model="numpy")
def _solve(ways: _Ways) -> tuple[float, np.ndarray]:
    """Return the best growth, and where all money is after each row's trade, int64, shape (n − 1,)."""
    n, places = ways.gaps.shape
    values, frozen = np.full(places, -np.inf), 0.0
    values[0] = 0.0
    origin = np.empty((n, places), dtype=np.int16)
    for k in range(1, n):
        best, seller = -np.inf, 0
        for i in range(places):
            values[i] += ways.gaps[k, i]
            if ways.tradable[k, i] and values[i] + ways.keep[i] > best:
                best, seller = values[i] + ways.keep[i], i
        for j in range(places):
            origin[k, j] = j
            if ways.tradable[k, j] and best + ways.keep[j] > values[j]:
                values[j], origin[k, j] = best + ways.keep[j], seller
            values[j] += ways.gains[k, j]
            if ways.freezes:
                frozen = max(frozen, values[j])
    place = int(np.argmax(values))
    growth, held = max(values[place], frozen), np.empty(n - 1, dtype=np.int64)
    for k in range(n - 1, 0, -1):
        held[k - 1] = place
        place = origin[k, place]
    return growth, held
