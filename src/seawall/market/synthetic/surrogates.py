"""Markets without an edge, made of somebody's own bars: bars in another order, and bars whose direction is a coin's.

A bar is taken apart into logs, against the close before it:

    gap = log(open / last close)         body = log(close / open)
    up = log(high / max(open, close))    down = log(min(open, close) / low)

`shuffled` puts the bars into another order, `mirrored` turns some of them over (gap and body change their sign, up and down change
places); prices are then chained again from the first bar, which stays what it was. A high is never below, and a low never above,
what it bounds.

Amounts of the traded unit go with their bar. Amounts of money (`MONEY`) go with it too, at the prices of the new place, so that
the mean price that they tell of stays within the bar. What buyers took turns into what sellers took where a bar is turned over. Any
other column goes with its bar unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from seawall.core.bars import CLOSE, HIGH, LOW, OPEN, VOLUME
from seawall.core.errors import ConfigError

Drift = Literal["keep", "remove"]
MONEY = {"quote_volume": "volume", "taker_buy_quote": "taker_buy_base"}
"""Columns of money, and the amounts that were bought with it."""
_BOUGHT = {"taker_buy_base": "volume", "taker_buy_quote": "quote_volume"}


@dataclass(frozen=True)
class BarBlock:
    """The bars of A assets at the same T times.

    Attributes:
        prices: Open, high, low, close, volume; float64, shape (A, T, 5).
        columns: Further columns by name, each of shape (A, T).
    """

    prices: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    def __len__(self) -> int:
        """Return T."""
        return self.prices.shape[1]

    def log_returns(self) -> np.ndarray:
        """Return the log returns from close to close, float64, shape (A, T - 1)."""
        return np.diff(np.log(self.prices[..., CLOSE]), axis=1)


def shuffled_order(n_bars: int, block: int, draw: np.random.Generator) -> np.ndarray:
    """Return the bars in an order of whole blocks, each bar once.

    The bars after the first are laid in a circle, which is cut into blocks from a place drawn at random; the blocks are put into an
    order drawn at random. One of them is shorter where `block` does not divide their number. Within a block the order is kept, so
    of all neighbours about a share of 1 - 1 / `block` stay neighbours.

    Args:
        n_bars: T, at least 2.
        block: Bars of a block, from 1 to T - 1.
        draw: The numbers.

    Returns:
        int64, shape (T,): entry t is the row that stands at t; entry 0 is 0.

    Raises:
        ConfigError: The block is out of range.
    """
    moved = n_bars - 1
    if not 1 <= block <= max(moved, 1):
        raise ConfigError(f"a block has {block} bars; allowed: 1 to {moved}, of the {n_bars} bars")
    circle = np.roll(np.arange(1, n_bars, dtype=np.int64), -int(draw.integers(max(moved, 1))))
    blocks = np.split(circle, np.arange(block, moved, block))
    order = draw.permutation(len(blocks))
    moves: list[np.ndarray] = [blocks[place] for place in order]
    return np.concatenate([np.zeros(1, dtype=np.int64), *moves])


def coin_signs(n_bars: int, draw: np.random.Generator) -> np.ndarray:
    """Return 1 or -1 at even odds for each bar, independently; float64, shape (T,). The first is 1."""
    signs = draw.choice((-1.0, 1.0), size=n_bars)
    signs[0] = 1.0
    return signs


def shuffled(bars: BarBlock, order: np.ndarray, drift: Drift = "keep") -> BarBlock:
    """Return the bars in another order, all assets in the same one.

    Args:
        bars: T bars.
        order: As `shuffled_order` gives it.
        drift: ``keep`` ends each asset at the close at which it ended; ``remove`` takes its mean log return from each body.
    """
    logs = _Logs.of(bars.prices)
    if drift == "remove":
        logs.body[:, 1:] -= bars.log_returns().mean(axis=1, keepdims=True)
    prices = logs.taken(order).chained(bars.prices)
    prices[..., VOLUME] = bars.prices[:, order, VOLUME]
    factor = prices[..., CLOSE] / bars.prices[:, order, CLOSE]
    columns = {name: values[:, order] * (factor if name in MONEY else 1) for name, values in bars.columns.items()}
    return BarBlock(prices, columns)


def mirrored(bars: BarBlock, signs: np.ndarray) -> BarBlock:
    """Return the bars with those turned over whose sign is negative, all assets at once; each stays at its time.

    With `coin_signs` the log price is a random walk without drift, whose step at each bar is as large as the bar's own: nothing
    that is known before a bar tells of its direction.

    Args:
        bars: T bars.
        signs: 1 or -1 for each, the first 1, float64, shape (T,).
    """
    prices = _Logs.of(bars.prices).turned(signs).chained(bars.prices)
    prices[..., VOLUME] = bars.prices[..., VOLUME]
    over, before, after = signs < 0.0, bars.prices[..., CLOSE], prices[..., CLOSE]
    whole = {"volume": bars.prices[..., VOLUME], **bars.columns}
    for name, of in _BOUGHT.items():
        if name in whole and of in whole:
            whole[name] = np.where(over, whole[of] - bars.columns[name], whole[name])
    made = dict(whole)
    for name, unit in MONEY.items():
        if name in whole:
            units = whole.get(unit, np.zeros_like(whole[name]))
            # The mean price that was paid lies as far from the close as it did, on its other side.
            known = over & (units > 0.0) & (whole[name] > 0.0)
            paid = np.divide(whole[name], units, out=before.copy(), where=known)
            made[name] = np.where(known, units * after * before / paid, whole[name] * after / before)
    return BarBlock(prices, {name: made[name] for name in bars.columns})


@dataclass(frozen=True)
class _Logs:
    """The parts of bars in logs, each float64 of shape (A, T); the first gap is 0."""

    gap: np.ndarray
    body: np.ndarray
    up: np.ndarray
    down: np.ndarray

    @classmethod
    def of(cls, prices: np.ndarray) -> _Logs:
        logs = np.log(prices[..., :VOLUME])
        gap = np.diff(logs[..., CLOSE], axis=1, prepend=logs[:, :1, OPEN]) - (logs[..., CLOSE] - logs[..., OPEN])
        gap[:, 0] = 0.0
        bodies = logs[..., [OPEN, CLOSE]]
        up = np.maximum(logs[..., HIGH] - bodies.max(axis=-1), 0.0)
        down = np.maximum(bodies.min(axis=-1) - logs[..., LOW], 0.0)
        return cls(gap, logs[..., CLOSE] - logs[..., OPEN], up, down)

    def taken(self, order: np.ndarray) -> _Logs:
        return _Logs(self.gap[:, order], self.body[:, order], self.up[:, order], self.down[:, order])

    def turned(self, signs: np.ndarray) -> _Logs:
        over = signs < 0.0
        up, down = np.where(over, self.down, self.up), np.where(over, self.up, self.down)
        return replace(self, gap=signs * self.gap, body=signs * self.body, up=up, down=down)

    def chained(self, origin: np.ndarray) -> np.ndarray:
        """Return prices from the first bar of `origin` on, with room for the volume; float64, shape (A, T, 5)."""
        steps = self.gap + self.body
        steps[:, 0] = 0.0
        close = origin[:, :1, CLOSE] * np.exp(np.cumsum(steps, axis=1))
        before = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
        opened = before * np.exp(self.gap)
        opened[:, 0] = origin[:, 0, OPEN]
        prices = np.empty_like(origin, dtype=np.float64)
        prices[..., OPEN], prices[..., CLOSE] = opened, close
        prices[..., HIGH] = np.maximum(opened, close) * np.exp(self.up)
        prices[..., LOW] = np.minimum(opened, close) * np.exp(-self.down)
        prices[:, 0, :VOLUME] = origin[:, 0, :VOLUME]
        return prices
