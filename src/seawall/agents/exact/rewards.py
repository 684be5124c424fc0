"""The reward of every action in every position at every bar, read off the simulator itself.

An account is set into a position at the close of a row, asked once for what an action asks for, filled at the next open and marked
at the next close: gap, costs, financing, funding and slippage are the simulator's own. What remains is how a position looks that
has been carried to that close. Where exposures are brought back to their level at each open (``rebalance: every_bar``), it is the
level as the bar's own move has left it, and the table is exact. Elsewhere a position is taken to stand at its level at every
close: exact for all or nothing of the equity held long without holding costs, since nothing drifts there; an approximation for
short and partial positions, which drift until they are traded, and for holding costs, which make a long position drift a little.
"""

from __future__ import annotations

import numpy as np

from seawall.agents.exact.positions import Positions
from seawall.core.bars import CLOSE, OPEN
from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

_ACCOUNTS = 65_536
_ROUNDING = 1e-9
"""A drift of the exposure that the simulator takes for rounding, and does not trade back."""


def reward_table(market: Market, rows: RowRange, positions: Positions, costs: CostParams, simulator: SimulatorParams) -> np.ndarray:
    """Return the reward of each decision: of each action in each position at each row but the last.

    Args:
        market: The prices.
        rows: The decision rows and the one after them, within one series.
        positions: The positions and what the actions ask for.
        costs: Costs of a fill and of holding.
        simulator: Settings of the accounts; the reward is theirs. What happens at the end of an episode is left out.

    Returns:
        float32, shape (rows − 1, P, A); entry t is known at the close of the row after that of t.

    Raises:
        ConfigError: A position loses its margin within one bar.
    """
    n_positions, n_actions = positions.following.shape
    decisions, pairs = len(rows) - 1, n_positions * n_actions
    size = max(1, min(decisions, _ACCOUNTS // pairs))
    carried = _carried(market, rows, positions.levels, simulator)
    widest = max(simulator.max_exposure, float(np.abs(carried).max()))
    accounts = Simulator(market, size * pairs, costs, simulator.model_copy(update={"max_exposure": widest, "close_at_end": False}))
    targets, signals = (np.tile(part.ravel(), size) for part in (positions.levels[positions.following], positions.signals))
    table, everyone = np.empty((decisions, n_positions, n_actions), dtype=np.float32), np.arange(size * pairs)
    for first in range(0, decisions, size):
        # The last stretch is filled up with its last row, and cut.
        chosen = np.minimum(np.arange(first, first + size), decisions - 1)
        at = np.repeat(rows.start + chosen, pairs)
        accounts.reset(everyone, at, at + 2, np.repeat(carried[chosen], n_actions, axis=1).ravel())
        result = accounts.step(targets, signals=signals)
        if result.terminated.any():
            _refuse_ruin(int(np.argmax(result.terminated)), at, positions)
        kept = min(size, decisions - first)
        table[first : first + kept] = result.reward.reshape(size, n_positions, n_actions)[:kept]
    return table


def _carried(market: Market, rows: RowRange, levels: np.ndarray, simulator: SimulatorParams) -> np.ndarray:
    """Return the exposure at each decision's close of a position held before it, float64, shape (rows − 1, P)."""
    held = np.broadcast_to(levels, (len(rows) - 1, len(levels)))
    if simulator.orders.rebalance != "every_bar":
        return held
    prices = np.asarray(market.prices[rows.start : rows.stop - 1], dtype=np.float64)
    moved = (prices[:, CLOSE] / prices[:, OPEN])[:, None]
    equity = 1.0 + levels * (moved - 1.0)
    ruined = equity <= 0.0
    if ruined.any():
        row, position = np.argwhere(ruined)[0]
        raise ConfigError(_ruin(rows.start + int(row), float(levels[position])))
    exposure = levels * moved / equity
    return np.where(np.abs(exposure - levels) <= _ROUNDING, held, exposure)


def _refuse_ruin(account: int, rows: np.ndarray, positions: Positions) -> None:
    pair = account % positions.following.size
    before, after = pair // positions.following.shape[1], positions.following.ravel()[pair]
    worst = max(positions.levels[before], positions.levels[after], key=abs)
    raise ConfigError(_ruin(int(rows[account]) + 1, float(worst)))


def _ruin(row: int, exposure: float) -> str:
    return (
        f"the bar of row {row} alone liquidates an exposure of {exposure:g}, and agent 'exact' follows no account that has ended; "
        "allowed: exposures that survive every training bar (smaller levels, short: false), clean bars, or agent ppo"
    )
