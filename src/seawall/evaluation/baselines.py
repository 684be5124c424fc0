"""Simple rivals that a trained policy must beat under the same costs and guards. A new one is a rule and a line in `BASELINES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import Field, model_validator

from seawall.core.bars import CLOSE
from seawall.core.params import Params
from seawall.core.protocols import ActionScheme, Observation, Policy
from seawall.core.seeding import generator
from seawall.evaluation.rival_rules import (
    EMA_REACH,
    Details,
    RuleOfThumb,
    ema_cross,
    mean_reversion,
    momentum,
    volatility_gate,
)

UNGUARDED = " without guards"
"""What follows the name of a rival that is walked once more without the run's guards."""
UNGUARDED_TOO = ("buy_and_hold", "random", "sma_cross")
"""Rivals that are also walked without guards where those changed what they held: nobody needs the run's guards to follow them."""


class BaselineParams(Params):
    """Settings of the rivals."""

    sma_fast_bars: int = Field(default=20, ge=1, le=10_000, description="Bars of the fast average of the SMA cross")
    sma_slow_bars: int = Field(default=100, ge=2, le=10_000, description="Bars of the slow average of the SMA cross")
    ema_fast_bars: int = Field(default=12, ge=1, le=1_000, description="Span of the fast mean of the EMA cross")
    ema_slow_bars: int = Field(default=26, ge=2, le=1_000, description="Span of the slow mean of the EMA cross")
    momentum_bars: int = Field(default=100, ge=1, le=10_000, description="Bars over which momentum looks at the return")
    reversion_bars: int = Field(
        default=20, ge=2, le=10_000, description="Bars of the mean to which mean reversion expects to come back"
    )
    reversion_deviations: float = Field(
        default=1.0, gt=0.0, le=100.0, description="Standard deviations from that mean at which it enters"
    )
    gate_bars: int = Field(default=14, ge=1, le=10_000, description="Bars of the average true range of the volatility gate")
    seed: int = Field(default=0, ge=0, description="Seed of the random rival")

    @model_validator(mode="after")
    def _fast_before_slow(self) -> BaselineParams:
        for kind, fast, slow in (("sma", self.sma_fast_bars, self.sma_slow_bars), ("ema", self.ema_fast_bars, self.ema_slow_bars)):
            if fast >= slow:
                raise ValueError(f"{kind}_fast_bars {fast} must be below {kind}_slow_bars {slow}")
        return self


@dataclass(frozen=True)
class BaselineSetting:
    """What a rival is made from.

    Attributes:
        levels: Exposures of the scheme ``target_exposure``, ascending: (−1, 0, 1) or (0, 1).
        change_rate: Share of the judged policy's decisions that changed its exposure, in [0, 1].
        n_rows: Rows of the market.
        params: Settings.
        round_trip: Costs of a round trip for certain, per unit of notional.
    """

    levels: tuple[float, ...]
    change_rate: float
    n_rows: int
    params: BaselineParams
    round_trip: float = 0.0

    def action(self, exposure: float) -> int:
        """Return the action that asks for an exposure, or for flat where the account may not hold it."""
        return self.levels.index(exposure if exposure in self.levels else 0.0)


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


def _directions(setting: BaselineSetting) -> tuple[int, int, int]:
    return setting.action(-1.0), setting.action(0.0), setting.action(1.0)


def _sma_cross(setting: BaselineSetting) -> Policy:
    return MovingAverageCross(setting.params.sma_fast_bars, setting.params.sma_slow_bars, _directions(setting))


def _ema_cross(setting: BaselineSetting) -> Policy:
    fast, slow = setting.params.ema_fast_bars, setting.params.ema_slow_bars
    return RuleOfThumb(ema_cross(fast, slow), EMA_REACH * slow, slow, _directions(setting))


def _momentum(bars: int) -> Callable[[BaselineSetting], Policy]:
    return lambda setting: RuleOfThumb(momentum, bars + 1, bars + 1, _directions(setting))


def _mean_reversion(setting: BaselineSetting) -> Policy:
    bars = setting.params.reversion_bars
    return RuleOfThumb(mean_reversion(setting.params.reversion_deviations), bars, bars, _directions(setting))


def _volatility_gate(setting: BaselineSetting) -> Policy:
    bars = setting.params.gate_bars + 1
    return RuleOfThumb(volatility_gate(setting.round_trip), bars, bars, _directions(setting))


BASELINES: dict[str, Callable[[BaselineSetting], Policy]] = {
    "flat": _flat,
    "buy_and_hold": _buy_and_hold,
    "random": _random,
    "sma_cross": _sma_cross,
    "ema_cross": _ema_cross,
    "momentum": lambda setting: _momentum(setting.params.momentum_bars)(setting),
    "last_return": _momentum(1),
    "mean_reversion": _mean_reversion,
    "volatility_gate": _volatility_gate,
}
"""Rivals by name that act in the numbering of the scheme ``target_exposure``."""
CONSTANTS = ("always_buy", "always_sell")
"""Rivals that repeat one action of the run's own scheme for ever."""
RIVALS = (*BASELINES, *CONSTANTS)
"""Every rival, in the order of reports."""


class Repeated:
    """Repeats one action of a scheme for ever."""

    def __init__(self, action: int | float) -> None:
        """Take the action, in the scheme's numbering."""
        self._action = action

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return the action for each of N accounts, shape (N,)."""
        del deterministic
        return np.full(len(observation.rows), self._action), {}


def always(scheme: ActionScheme) -> dict[str, Policy]:
    """Return the rivals that always buy and always sell, by name, in the numbering of a scheme.

    To buy is the first action that asks a flat account for the highest exposure, to sell the first that asks for the lowest; among
    these, one that says so rather than hold.

    Args:
        scheme: The run's own.
    """
    names = scheme.action_names
    choices: list[int] | list[float] = list(range(len(names))) if names else [-1.0, 1.0]
    intent = scheme.intent(np.array(choices), np.zeros(len(choices)))
    asked = list(zip(intent.target.tolist(), intent.signal.tolist(), choices, strict=True))
    buy = max(asked, key=lambda each: each[:2])
    sell = min(asked, key=lambda each: each[:2])
    return {"always_buy": Repeated(buy[2]), "always_sell": Repeated(sell[2])}
