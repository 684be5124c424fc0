"""Rules of thumb that rivals follow. Each looks at the last bars of its own series alone, so that a row decides for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from seawall.core.bars import CLOSE, HIGH, LOW
from seawall.core.market import Market
from seawall.core.protocols import Observation

Details = Mapping[str, np.ndarray]
EMA_REACH = 4
"""Bars that an exponential mean looks back over, in spans of the slow one; what lies before would weigh less than 0.04 %."""


class Window(NamedTuple):
    """The last bars at some rows, oldest first.

    Attributes:
        prices: Open, high, low, close and volume, float64, shape (N, bars, 5); its first bar where there is none before.
        there: Whether a bar belongs to the series, bool, shape (N, bars).
    """

    prices: np.ndarray
    there: np.ndarray

    @property
    def closes(self) -> np.ndarray:
        """Closes, shape (N, bars)."""
        return self.prices[..., CLOSE]


Rule = Callable[[Window], np.ndarray]
"""Returns −1 for short, 0 for flat and 1 for long at each row, shape (N,)."""


class RuleOfThumb:
    """Long, short or flat as a rule says; flat where the account may not be short, and until the series has enough bars."""

    def __init__(self, rule: Rule, bars: int, needed: int, actions: tuple[int, int, int]) -> None:
        """Take the rule.

        Args:
            rule: What it says of the last bars.
            bars: How many it looks at.
            needed: How many of them must belong to the series.
            actions: Actions for below, flat and above.
        """
        self._rule, self._needed = rule, needed
        self._offsets = np.arange(1 - bars, 1)
        self._actions = np.array(actions, dtype=np.int64)

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return the action for each of N accounts from bars up to its row, int64, shape (N,)."""
        del deterministic
        window = _window(observation.market, observation.rows, self._offsets)
        ready = window.there[:, -self._needed]
        says = np.where(ready, self._rule(window), 0).astype(np.int64)
        return self._actions[says + 1], {}


def _window(market: Market, rows: np.ndarray, offsets: np.ndarray) -> Window:
    starts = np.asarray(market.starts)
    first = starts[np.searchsorted(starts, rows, side="right") - 1][:, None]
    places = rows[:, None] + offsets
    return Window(market.prices[np.maximum(places, first)], places >= first)


def ema_cross(fast_bars: int, slow_bars: int) -> Rule:
    """Return the rule: long while the exponential mean of the closes with the shorter span is above that with the longer one."""
    reach = EMA_REACH * slow_bars
    ages = np.arange(reach - 1, -1, -1)
    fast, slow = ((1.0 - 2.0 / (span + 1.0)) ** ages for span in (fast_bars, slow_bars))

    def says(window: Window) -> np.ndarray:
        means = []
        for weights in (fast, slow):
            weighed = weights * window.there
            means.append((weighed * window.closes).sum(axis=1) / weighed.sum(axis=1))
        return np.where(means[0] > means[1], 1, -1)

    return says


def momentum(window: Window) -> np.ndarray:
    """Go with the return over the window: long after a rise, short after a fall.

    Source: Moskowitz, Ooi, Pedersen 2012, "Time series momentum".
    """
    return np.sign(window.closes[:, -1] - window.closes[:, 0])


def mean_reversion(deviations: float) -> Rule:
    """Return the rule: long where the close lies that many standard deviations below the window's mean, short above; else flat."""

    def says(window: Window) -> np.ndarray:
        closes = window.closes
        away, wide = closes[:, -1] - closes.mean(axis=1), deviations * closes.std(axis=1)
        return np.where(away < -wide, 1, np.where(away > wide, -1, 0))

    return says


def volatility_gate(round_trip: float) -> Rule:
    """Return the rule: go with the last bar's return where bars move by more than a round trip costs; else flat.

    The move is the average true range of the window but its first bar, as a share of the close.

    Args:
        round_trip: Costs of a round trip per unit of notional.
    """

    def says(window: Window) -> np.ndarray:
        prices, before = window.prices[:, 1:], window.closes[:, :-1]
        top, bottom = np.maximum(prices[..., HIGH], before), np.minimum(prices[..., LOW], before)
        moves = (top - bottom).mean(axis=1) / window.closes[:, -1]
        return np.where(moves > round_trip, momentum(Window(window.prices[:, -2:], window.there)), 0)

    return says
