"""Simple rivals that a trained policy must beat under the same costs. A new one is a class and a line in `BASELINES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import Field, model_validator

from seawall.core.bars import CLOSE
from seawall.core.params import Params
from seawall.core.protocols import Observation, Policy
from seawall.core.seeding import generator


class BaselineParams(Params):
    """Settings of the rivals."""

    sma_fast_bars: int = Field(default=20, ge=1, le=10_000, description="Bars of the fast average of the SMA cross")
    sma_slow_bars: int = Field(default=100, ge=2, le=10_000, description="Bars of the slow average of the SMA cross")
    seed: int = Field(default=0, ge=0, description="Seed of the random rival")

    @model_validator(mode="after")
    def _fast_before_slow(self) -> BaselineParams:
        if self.sma_fast_bars >= self.sma_slow_bars:
            raise ValueError(f"sma_fast_bars {self.sma_fast_bars} must be below sma_slow_bars {self.sma_slow_bars}")
        return self


@dataclass(frozen=True)
class BaselineSetting:
    """What a rival is made from.

    Attributes:
        levels: Exposures of the scheme ``target_exposure``, ascending: (−1, 0, 1) or (0, 1).
        change_rate: Share of the judged policy's decisions that changed its exposure, in [0, 1].
        n_rows: Rows of the market.
        params: Settings.
    """

    levels: tuple[float, ...]
    change_rate: float
    n_rows: int
    params: BaselineParams

    def action(self, exposure: float) -> int:
        """Return the action that asks for an exposure, or for flat where the account may not hold it."""
        return self.levels.index(exposure if exposure in self.levels else 0.0)


Details = Mapping[str, np.ndarray]


class Constant:
    """Asks for the same exposure at every bar: flat, or buy and hold."""

    def __init__(self, action: int) -> None:
        """Take the action, in the numbering of ``target_exposure``."""
        self._action = action

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return the action for each of N accounts, int64, shape (N,)."""
        del deterministic
        return np.full(len(observation.rows), self._action, dtype=np.int64), {}


class RandomExposure:
    """Changes its exposure as often as the judged policy does, at random times and to a random other level.

    The whole path is drawn beforehand from the seed, so that it cannot depend on anything seen.
    """

    def __init__(self, n_levels: int, start: int, change_rate: float, n_rows: int, seed: int) -> None:
        """Draw the path.

        Args:
            n_levels: Number of actions, at least 2.
            start: Action in force before the first row.
            change_rate: Probability of a change at each row, in [0, 1].
            n_rows: Rows of the market.
            seed: Seed of the path.
        """
        draws = generator(seed, "random baseline")
        steps = np.where(draws.random(n_rows) < change_rate, draws.integers(1, n_levels, n_rows), 0)
        self._actions = (start + np.cumsum(steps)) % n_levels

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return the action drawn for each row, int64, shape (N,)."""
        del deterministic
        return self._actions[observation.rows], {}


class MovingAverageCross:
    """Long while the mean of the last closes is above a slower mean, else short, or flat where short is not allowed.

    Flat until the slow mean has all its bars within the series.
    """

    def __init__(self, fast_bars: int, slow_bars: int, actions: tuple[int, int, int]) -> None:
        """Take the lengths.

        Args:
            fast_bars: Closes of the fast mean.
            slow_bars: Closes of the slow mean.
            actions: Actions for below, flat and above.
        """
        self._fast = fast_bars
        self._offsets = np.arange(1 - slow_bars, 1)
        self._below, self._flat, self._above = actions

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return the action for each of N accounts from closes up to its row, int64, shape (N,)."""
        del deterministic
        rows, market = observation.rows, observation.market
        starts = np.asarray(market.starts)
        first = starts[np.searchsorted(starts, rows, side="right") - 1]
        whole = rows + self._offsets[0] >= first
        closes = market.prices[np.maximum(rows[:, None] + self._offsets, 0), CLOSE]
        above = closes[:, -self._fast :].mean(axis=1) > closes.mean(axis=1)
        return np.where(whole, np.where(above, self._above, self._below), self._flat), {}


def _flat(setting: BaselineSetting) -> Policy:
    return Constant(setting.action(0.0))


def _buy_and_hold(setting: BaselineSetting) -> Policy:
    return Constant(setting.action(1.0))


def _random(setting: BaselineSetting) -> Policy:
    start = setting.action(0.0)
    return RandomExposure(len(setting.levels), start, setting.change_rate, setting.n_rows, setting.params.seed)


def _sma_cross(setting: BaselineSetting) -> Policy:
    actions = (setting.action(-1.0), setting.action(0.0), setting.action(1.0))
    return MovingAverageCross(setting.params.sma_fast_bars, setting.params.sma_slow_bars, actions)


BASELINES: dict[str, Callable[[BaselineSetting], Policy]] = {
    "flat": _flat,
    "buy_and_hold": _buy_and_hold,
    "random": _random,
    "sma_cross": _sma_cross,
}
"""Every rival, by name; all act in the numbering of the scheme ``target_exposure``."""
