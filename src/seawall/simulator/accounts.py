"""What a policy and a guard see of an account at the close of a bar."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from seawall.core.bars import CLOSE
from seawall.core.errors import ConfigError
from seawall.core.market import Market
from seawall.core.protocols import Holding
from seawall.simulator.kernel.layout import (
    ENTRY_PRICE,
    EQUITY,
    HELD_BARS,
    PEAK_EQUITY,
    QUANTITY,
    ROW,
    RUIN_RATIO,
    START_EQUITY,
    STOP,
    TARGET,
    WORKING,
)

ACCOUNT_FEATURES: dict[str, str] = {
    "exposure": "value of the position at this close over equity, signed; 0 when flat",
    "unrealised": "log(close / entry price) times the side of the position; 0 when flat",
    "drawdown": "1 − equity / highest equity of the episode, in [0, 1]",
    "held_bars": "log(1 + bars marked since the position was opened) / 10; 0 when flat",
    "side": "1 long, −1 short, 0 flat",
    "entry_return": "close / entry price − 1; 0 when flat",
    "target": "target exposure in force, whether it is reached or not",
    "working": "1 where an order, or a part of one, waits to be filled; else 0",
    "growth": "log(equity / equity at the start of the episode), at least −27.6",
    "bars_left": "log(1 + bars left in the episode) / 10",
}
"""Every account feature, in the order of its code in the kernel. All are known at the close of the account's row."""

DEFAULT_FEATURES = ("exposure", "unrealised", "drawdown", "held_bars")
"""What is shown where nothing else is asked for: shares and logarithms, the same on every market and at every equity."""

_EXPOSURE, _UNREALISED, _DRAWDOWN, _HELD_BARS, _SIDE, _ENTRY_RETURN, _TARGET, _WORKING, _GROWTH, _ = range(len(ACCOUNT_FEATURES))
_HELD_SCALE = 0.1
_LEAST_EQUITY = 1e-300


@dataclass(frozen=True)
class AccountView:
    """What the decision desk reads, known at the close of the bar at which the decision is taken.

    Attributes:
        target: Target exposure in force, float64, shape (N,).
        equity: Marked at that close, float64, shape (N,).
        peak_equity: Highest mark of the episode, float64, shape (N,).
        timestamps: Opening times of the market's rows, int64, shape (T,).
        row: Row of the bar that has just closed, int64, shape (N,).
        market: The bars; None for guards that read none.
        holding: What is held at that close; None likewise.
    """

    target: np.ndarray
    equity: np.ndarray
    peak_equity: np.ndarray
    timestamps: np.ndarray
    row: np.ndarray
    market: Market | None = None
    holding: Holding | None = None

    @property
    def timestamp_ms(self) -> np.ndarray:
        """Opening time of the bar that has just closed, int64, shape (N,); a new array."""
        return self.timestamps[self.row]


def feature_codes(columns: tuple[str, ...]) -> np.ndarray:
    """Return the codes of named account features, int64, shape (A,).

    Raises:
        ConfigError: A name is unknown or repeated.
    """
    unknown = [name for name in columns if name not in ACCOUNT_FEATURES]
    if unknown or len(set(columns)) != len(columns):
        raise ConfigError(f"account columns {columns} name {unknown or 'one twice'}; allowed, each once: {list(ACCOUNT_FEATURES)}")
    order = list(ACCOUNT_FEATURES)
    return np.array([order.index(name) for name in columns], dtype=np.int64)


@njit(cache=True, error_model="numpy")
def _exposure(prices: np.ndarray, money: np.ndarray, counts: np.ndarray, out: np.ndarray) -> None:
    """Fill the signed value of the position over equity; ruined accounts are flat, hence 0."""
    for i in range(len(out)):
        out[i] = money[QUANTITY, i] * prices[counts[ROW, i], CLOSE] / max(money[EQUITY, i], _LEAST_EQUITY)


@njit(cache=True, error_model="numpy")
def _unrealised(prices: np.ndarray, money: np.ndarray, counts: np.ndarray, out: np.ndarray) -> None:
    """Fill the log return since entry, times the side of the position."""
    for i in range(len(out)):
        side = (1.0 if money[QUANTITY, i] > 0.0 else 0.0) - (1.0 if money[QUANTITY, i] < 0.0 else 0.0)
        out[i] = side * math.log(prices[counts[ROW, i], CLOSE] / money[ENTRY_PRICE, i])


@njit(cache=True, error_model="numpy")
def _drawdown(money: np.ndarray, out: np.ndarray) -> None:
    """Fill the fall from the highest equity, as a share of it."""
    for i in range(len(out)):
        out[i] = 1.0 - money[EQUITY, i] / money[PEAK_EQUITY, i]


@njit(cache=True, error_model="numpy")
def _held_bars(counts: np.ndarray, out: np.ndarray) -> None:
    """Fill the scaled logarithm of the bars held."""
    for i in range(len(out)):
        out[i] = math.log(1.0 + counts[HELD_BARS, i]) * _HELD_SCALE


@njit(cache=True, error_model="numpy")
def _further(prices: np.ndarray, money: np.ndarray, counts: np.ndarray, code: int, out: np.ndarray) -> None:
    """Fill one of the features that are not shown by default."""
    for i in range(len(out)):
        quantity = money[QUANTITY, i]
        if code == _SIDE:
            out[i] = (1.0 if quantity > 0.0 else 0.0) - (1.0 if quantity < 0.0 else 0.0)
        elif code == _ENTRY_RETURN:
            out[i] = prices[counts[ROW, i], CLOSE] / money[ENTRY_PRICE, i] - 1.0 if quantity != 0.0 else 0.0
        elif code == _TARGET:
            out[i] = money[TARGET, i]
        elif code == _WORKING:
            out[i] = counts[WORKING, i]
        elif code == _GROWTH:
            out[i] = math.log(max(money[EQUITY, i] / money[START_EQUITY, i], RUIN_RATIO))
        else:
            out[i] = math.log(float(counts[STOP, i] - counts[ROW, i])) * _HELD_SCALE


@njit(cache=True, error_model="numpy")
def fill_account_rows(prices: np.ndarray, money: np.ndarray, counts: np.ndarray, codes: np.ndarray, out: np.ndarray) -> None:
    """Compute account features.

    Args:
        prices: Open, high, low, close, volume; float64, shape (T, 5).
        money: As in `kernel.step_serial`.
        counts: As in `kernel.step_serial`.
        codes: From `feature_codes`, shape (A,).
        out: Filled, float32, shape (N, at least A); further columns are left alone.
    """
    for column in range(len(codes)):
        code = codes[column]
        if code == _EXPOSURE:
            _exposure(prices, money, counts, out[:, column])
        elif code == _UNREALISED:
            _unrealised(prices, money, counts, out[:, column])
        elif code == _DRAWDOWN:
            _drawdown(money, out[:, column])
        elif code == _HELD_BARS:
            _held_bars(counts, out[:, column])
        else:
            _further(prices, money, counts, code, out[:, column])
