"""What N accounts did between two questions, as means, for whoever follows a training; nothing is counted where nobody asks."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numba import njit

from seawall.core.bars import CLOSE
from seawall.simulator.compiled import heed_sources, ready_call
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Accounts
from seawall.simulator.simulator import Simulator

SHARPE_STEPS = 512
"""Steps over which the rolling Sharpe ratio is taken."""
_LEAST_EQUITY = 1e-300
_LEAST_VARIANCE = 1e-18
_SUMS = 6
_DRAWDOWN, _EXPOSURE, _TRADES, _FEES, _EQUITY, _STEPS = range(_SUMS)


@njit(cache=True, error_model="numpy")
def _note(prices: np.ndarray, accounts: Accounts, n: int, sums: np.ndarray, returns: np.ndarray, step: int) -> None:
    """Add the bar just marked to the sums, and keep sum and sum of squares of its log returns."""
    money, counts = accounts.money, accounts.counts
    fallen = held = fees = owned = first = second = 0.0
    traded = 0
    for i in range(n):
        equity, earned = money[at.EQUITY, i], money[at.LOG_RETURN, i]
        fallen += 1.0 - equity / money[at.PEAK_EQUITY, i]
        held += abs(money[at.QUANTITY, i]) * prices[counts[at.ROW, i], CLOSE] / max(equity, _LEAST_EQUITY)
        traded += money[at.TRADED_NOTIONAL, i] > 0.0
        fees += money[at.FEE, i]
        owned += equity
        first += earned
        second += earned * earned
    sums[_DRAWDOWN] += fallen
    sums[_EXPOSURE] += held
    sums[_TRADES] += traded
    sums[_FEES] += fees
    sums[_EQUITY] += owned
    sums[_STEPS] += n
    returns[0, step % returns.shape[1]] = first
    returns[1, step % returns.shape[1]] = second


class AccountTally:
    """Counts what the accounts of a simulator do. Call `note` after each step and `closing` before each reset."""

    def __init__(self, simulator: Simulator) -> None:
        """Start to count at the next step.

        Args:
            simulator: The accounts.
        """
        self._simulator = simulator
        self._sums = np.zeros(_SUMS)
        self._returns, self._steps = np.zeros((2, SHARPE_STEPS)), np.zeros(1, dtype=np.int64)
        self._earned = -simulator.reward.sums.sum(axis=1)
        """What closed episodes have earned since the last question, less what open ones had earned at it."""
        bars, accounts, _, _, _ = simulator.compiled_parts()
        self._parts = (bars.prices, accounts, simulator.n, self._sums, self._returns)
        self._call: Any = ready_call(_note, (*self._parts, 0))

    def note(self) -> None:
        """Count the bar just marked."""
        self._call(*self._parts, int(self._steps[0]))
        self._steps[0] += 1

    def closing(self, accounts: np.ndarray) -> None:
        """Keep what some accounts have earned before they are reset; int64, shape (K,)."""
        self._earned += self._simulator.reward.sums[:, accounts].sum(axis=1)

    def means(self) -> dict[str, float]:
        """Return the means over all steps of all accounts since the last question, and start anew; empty where none was taken.

        Returns:
            ``reward/<term>``: What the term, times its weight and the scale, added to the reward of a step, before any clipping.
            ``account/drawdown``: 1 − equity / highest equity of the episode. ``account/exposure``: size of the position over
            equity. ``account/trades``: share of the steps with a fill. ``account/fees``: commission over equity, each summed.
            ``account/rolling_sharpe``: mean over deviation (ddof 0) of the log returns of all accounts in the last 512 steps, asked
            for or not, a bar; 0 where they do not differ.
        """
        steps = float(self._sums[_STEPS])
        if steps == 0.0:
            return {}
        reward, open_now = self._simulator.reward, self._simulator.reward.sums.sum(axis=1)
        found = {f"reward/{name}": value for name, value in zip(reward.names, _means(self._earned + open_now, steps), strict=True)}
        drawdown, exposure, trades, _, _, _ = _means(self._sums, steps)
        owned = float(self._sums[_EQUITY])
        found |= {
            "account/drawdown": drawdown,
            "account/rolling_sharpe": self._sharpe(),
            "account/exposure": exposure,
            "account/trades": trades,
            "account/fees": float(self._sums[_FEES]) / owned if owned > 0.0 else 0.0,
        }
        self._sums[:] = 0.0
        self._earned[:] = -open_now
        return found

    def _sharpe(self) -> float:
        known = min(int(self._steps[0]), SHARPE_STEPS) * self._simulator.n
        first, second = _means(self._returns.sum(axis=1), float(known))
        variance = second - first * first
        return first / float(np.sqrt(variance)) if variance > _LEAST_VARIANCE else 0.0

    def blocks(self) -> dict[str, np.ndarray]:
        """Return copies of all that the next answers depend on, for a saved state."""
        return {name: block.copy() for name, block in self._blocks().items()}

    def _blocks(self) -> dict[str, np.ndarray]:
        return {
            "tally_sums": self._sums,
            "tally_returns": self._returns,
            "tally_steps": self._steps,
            "tally_earned": self._earned,
        }

    def load(self, saved: dict[str, np.ndarray]) -> None:
        """Go on from saved blocks; start anew where there are none, as in a state that nobody asked of."""
        self._sums[:], self._steps[0], self._returns[:] = 0.0, 0, 0.0
        self._earned[:] = -self._simulator.reward.sums.sum(axis=1)
        for name, block in self._blocks().items():
            if name in saved:
                block[:] = saved[name]


def _means(sums: np.ndarray, count: float) -> list[float]:
    return [float(each) / count for each in sums]


heed_sources(sys.modules[__name__], compiled_with=(at,))
