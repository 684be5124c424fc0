"""A market that changes between five regimes, with the stylised facts of real bars.

Regimes last a uniform number of bars and follow a Markov chain when they end. Within regime k the log price x moves by

    r[t] = drift[k] + reversion[k] * (m[t] - x[t-1]) + volatility[k] * h[t] * z[t] + gap[t]

where m is the exponential mean of x over 96 bars, z a Student-t shock of unit variance, and h² a GARCH(1,1) recursion of
mean 1 driven by the standardised shocks h * z, so that a regime's own volatility never feeds back into it. With ``process: gbm``
the reversion is 0 (geometric Brownian motion but for the clustering), with ``process: ou`` it is the table's
(Ornstein-Uhlenbeck about the moving mean). A high or a low lies beyond the body by a random share of the bar's volatility.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numba import njit
from pydantic import Field, field_validator, model_validator

from seawall.core.params import Params
from seawall.core.seeding import generator
from seawall.core.timeframe import SECONDS_PER_YEAR, Timeframe
from seawall.market.synthetic.frame import SyntheticParams, bar_frame

REGIME_NAMES = ("uptrend", "downtrend", "ranging", "volatility_expansion", "volatility_contraction")
SHOCK_STREAM = "regime shocks"
_ROUNDING = 1e-9
_Five = tuple[float, float, float, float, float]


class Regime(Params):
    """One kind of market."""

    drift: float = Field(ge=-0.05, le=0.05, description="Log drift per bar, before the market's own drift is set")
    volatility: float = Field(gt=0.0, le=20.0, description="Factor on the base volatility")
    reversion: float = Field(ge=0.0, lt=1.0, description="Share of the distance to the moving mean that is taken back each bar")
    volume: float = Field(gt=0.0, le=100.0, description="Factor on the volume")
    shortest: int = Field(ge=1, le=1_000_000, description="Fewest bars that it lasts")
    longest: int = Field(ge=2, le=1_000_000, description="One more than the most bars that it lasts")

    @model_validator(mode="after")
    def _lasts(self) -> Regime:
        if self.shortest >= self.longest:
            raise ValueError(f"shortest is {self.shortest} and longest {self.longest}; shortest must be below longest")
        return self


def _regime(drift: float, volatility: float, reversion: float, volume: float, lasts: tuple[int, int]) -> Regime:
    return Regime(drift=drift, volatility=volatility, reversion=reversion, volume=volume, shortest=lasts[0], longest=lasts[1])


class RegimeParams(SyntheticParams):
    """The five regimes, how they follow each other, and how bars are drawn within them."""

    n_bars: int = Field(default=525_600, ge=2, le=20_000_000, description="Bars to make")
    timeframe: str = Field(default="15m", description="Length of a bar, as in 15m or 1h")
    start: str = Field(default="2010-01-01", description="Opening time of the first bar, UTC, as in 2010-01-01 or 2010-01-01T08:00")
    start_price: float = Field(default=10_000.0, gt=0.0, le=1e12, description="Price at which the first bar opens")
    process: Literal["gbm", "ou"] = Field(default="ou", description="gbm: no mean reversion; ou: each regime's own")
    base_volatility: float = Field(
        default=0.002, gt=0.0, le=0.05, description="Standard deviation of the log return per bar at factor 1"
    )
    annual_drift: float = Field(
        default=0.0,
        ge=-2.0,
        le=2.0,
        description="Log drift per year of the regimes' long-run mixture; each regime's drift is shifted alike to give it",
    )
    uptrend: Regime = _regime(0.0005, 1.0, 0.05, 1.2, (20, 100))
    downtrend: Regime = _regime(-0.0006, 1.3, 0.05, 1.5, (15, 80))
    ranging: Regime = _regime(0.0, 0.8, 0.20, 0.8, (10, 50))
    volatility_expansion: Regime = _regime(0.0, 2.5, 0.10, 2.0, (5, 20))
    volatility_contraction: Regime = _regime(0.0001, 0.5, 0.15, 0.6, (5, 30))
    first_regime: _Five = Field(
        default=(0.35, 0.25, 0.25, 0.10, 0.05), description="Chances of the first regime, in the order of the regimes"
    )
    transitions: tuple[_Five, _Five, _Five, _Five, _Five] = Field(
        default=(
            (0.70, 0.10, 0.10, 0.05, 0.05),
            (0.10, 0.70, 0.10, 0.05, 0.05),
            (0.15, 0.15, 0.50, 0.15, 0.05),
            (0.30, 0.30, 0.20, 0.10, 0.10),
            (0.10, 0.10, 0.10, 0.60, 0.10),
        ),
        description="Chance of the next regime (column) when a regime (row) ends",
    )
    mean_span: int = Field(default=96, ge=2, le=20_000_000, description="Span of the moving mean that prices revert to, in bars")
    tail_freedom: float = Field(
        default=5.0, gt=4.0, le=1_000.0, description="Degrees of freedom of the Student-t shocks; fewer means fatter tails"
    )
    shock_weight: float = Field(default=0.10, ge=0.0, lt=1.0, description="GARCH weight of the last squared shock")
    memory: float = Field(default=0.85, ge=0.0, lt=1.0, description="GARCH weight of the last variance")
    fall_excess: float = Field(default=0.02, ge=0.0, le=5.0, description="How much more a fall adds to variance than a rise")
    gap_chance: float = Field(default=0.01, ge=0.0, le=1.0, description="Chance that a bar opens with a gap")
    daily_gap_chance: float = Field(
        default=0.05, ge=0.0, le=1.0, description="The same for every 96th bar, whose gap is three times as large"
    )
    gap: float = Field(
        default=0.01, ge=0.0, le=0.2, description="Largest gap as a share of the price; gaps are uniform and stay in the price"
    )
    open_noise: float = Field(
        default=0.0005, ge=0.0, le=0.05, description="Largest distance of an open from the last close without a gap"
    )
    wick: float = Field(
        default=0.3, ge=0.0, le=10.0, description="Factor on the length of wicks, which grow with the bar's volatility"
    )

    @field_validator("first_regime", "transitions")
    @classmethod
    def _probabilities(cls, value: tuple[float | _Five, ...]) -> tuple[float | _Five, ...]:
        for row in np.atleast_2d(np.asarray(value, dtype=np.float64)):
            if row.min() < 0.0 or abs(row.sum() - 1.0) > _ROUNDING:
                raise ValueError(f"{row.tolist()} are no probabilities; they must be at least 0 and sum to 1")
        return value

    @model_validator(mode="after")
    def _stationary(self) -> RegimeParams:
        if self.shock_weight * (1.0 + 0.5 * self.fall_excess) + self.memory >= 1.0:
            raise ValueError(
                f"shock_weight {self.shock_weight} and memory {self.memory} let the variance grow without end; "
                "shock_weight * (1 + fall_excess / 2) + memory must be below 1"
            )
        return self

    def regimes(self) -> tuple[Regime, ...]:
        """Return the regimes in the order of `REGIME_NAMES`."""
        return (self.uptrend, self.downtrend, self.ranging, self.volatility_expansion, self.volatility_contraction)

    def occupancy(self) -> np.ndarray:
        """Return the long-run share of bars spent in each regime, shape (5,)."""
        matrix = np.asarray(self.transitions)
        system = np.vstack([matrix.T - np.eye(5), np.ones(5)])
        visits = np.linalg.lstsq(system, np.array([0.0, 0, 0, 0, 0, 1]), rcond=None)[0]
        bars = visits * np.array([0.5 * (regime.shortest + regime.longest - 1) for regime in self.regimes()])
        return bars / bars.sum()

    def drifts(self) -> np.ndarray:
        """Return each regime's log drift per bar, shifted so that the long-run mixture has `annual_drift`, shape (5,)."""
        raw = np.array([regime.drift for regime in self.regimes()])
        per_bar = self.annual_drift * Timeframe.parse(self.timeframe).seconds / SECONDS_PER_YEAR
        return raw - self.occupancy() @ raw + per_bar


@dataclass(frozen=True)
class RegimeMarket:
    """A made market with the regimes that a trader cannot see.

    Attributes:
        bars: A bar frame of T rows with a ``trades`` column.
        regimes: Index into `REGIME_NAMES` of each bar, int8, shape (T,). It is a label, never a feature.
        spells: First row and regime of each spell, int64, shape (S, 2). A regime may follow itself.
    """

    bars: pd.DataFrame
    regimes: np.ndarray
    spells: np.ndarray


def regime_bars(params: RegimeParams, seed: int) -> RegimeMarket:
    """Make a market of five regimes; time and memory are linear in the bars.

    Args:
        params: Every number of the market.
        seed: Any whole number from 0.
    """
    return regime_market(params, regime_spells(params, seed), student_draws(params, seed), seed)


def regime_market(params: RegimeParams, spells: np.ndarray, draws: np.ndarray, seed: int) -> RegimeMarket:
    """Make a market of given spells and shocks, for markets that share either.

    Args:
        params: Every number of the market.
        spells: As `regime_spells` gives, shape (S, 2).
        draws: Shocks of unit variance before clustering, as `student_draws` gives, shape (T,).
        seed: Of all else: gaps, candles and activity.
    """
    lengths = np.diff(np.append(spells[:, 0], params.n_bars))
    regimes = np.repeat(spells[:, 1], lengths).astype(np.int8)
    volatility = params.base_volatility * _column(params, "volatility")[regimes]
    shocks, variance = _garch(draws, params.shock_weight, params.memory, params.fall_excess)
    gaps = _gaps(params, seed)
    innovations = volatility * shocks + gaps
    reversion = _column(params, "reversion")[regimes] * (params.process == "ou")
    moves = _reverting_moves(params.drifts()[regimes], reversion, innovations, 2.0 / (params.mean_span + 1.0))
    prices = _candles(params, moves, gaps, volatility * np.sqrt(variance), seed)
    volume, trades = _activity(params, np.abs(moves), volatility * np.sqrt(variance), _column(params, "volume")[regimes], seed)
    return RegimeMarket(bar_frame(params, prices, volume, trades), regimes, spells)


def _column(params: RegimeParams, name: str) -> np.ndarray:
    return np.array([float(getattr(regime, name)) for regime in params.regimes()])


def regime_spells(params: RegimeParams, seed: int) -> np.ndarray:
    """Draw the spells of a market: first row and regime of each, int64, shape (S, 2)."""
    shortest, longest = _column(params, "shortest"), _column(params, "longest")
    most = int(params.n_bars // shortest.min()) + 1
    draws = generator(seed, "regime spells").random((most, 2))
    cumulative = np.cumsum(np.vstack([params.first_regime, params.transitions]), axis=1)
    return _walk(draws, cumulative / cumulative[:, -1:], shortest, longest, params.n_bars)


@njit(cache=True)
def _walk(draws: np.ndarray, cumulative: np.ndarray, shortest: np.ndarray, longest: np.ndarray, n_bars: int) -> np.ndarray:
    spells = np.empty((len(draws), 2), dtype=np.int64)
    row, count, after = 0, 0, 0
    while row < n_bars:
        regime = int(np.argmax(cumulative[after] > draws[count, 0]))
        spells[count, 0], spells[count, 1] = row, regime
        row += int(shortest[regime] + np.floor(draws[count, 1] * (longest[regime] - shortest[regime])))
        after = regime + 1
        count += 1
    return spells[:count]


def student_draws(params: RegimeParams, seed: int) -> np.ndarray:
    """Draw independent Student-t shocks of unit variance, float64, shape (T,)."""
    freedom = params.tail_freedom
    return generator(seed, SHOCK_STREAM).standard_t(freedom, params.n_bars) * np.sqrt((freedom - 2.0) / freedom)


@njit(cache=True)
def _garch(draws: np.ndarray, shock_weight: float, memory: float, fall_excess: float) -> tuple[np.ndarray, np.ndarray]:
    # Standardised shocks h * z and their conditional variances h².
    shocks, variance = np.empty_like(draws), np.empty_like(draws)
    constant = 1.0 - memory - shock_weight * (1.0 + 0.5 * fall_excess)
    now = 1.0
    for row in range(len(draws)):
        variance[row] = now
        shock = np.sqrt(now) * draws[row]
        shocks[row] = shock
        weight = shock_weight * (1.0 + fall_excess) if shock < 0.0 else shock_weight
        now = constant + weight * shock * shock + memory * now
    return shocks, variance


@njit(cache=True)
def _reverting_moves(drift: np.ndarray, reversion: np.ndarray, innovations: np.ndarray, rate: float) -> np.ndarray:
    moves = np.empty_like(innovations)
    distance = 0.0  # of the moving mean from the last log price
    for row in range(len(innovations)):
        moves[row] = drift[row] + reversion[row] * distance + innovations[row]
        distance = (1.0 - rate) * (distance - moves[row])
    return moves


def _gaps(params: RegimeParams, seed: int) -> np.ndarray:
    draws = generator(seed, "regime gaps").random((2, params.n_bars))
    daily = np.arange(params.n_bars) % 96 == 0
    opens_with_gap = draws[0] < np.where(daily, params.daily_gap_chance, params.gap_chance)
    size = np.where(daily, 3.0, 1.0) * params.gap * (2.0 * draws[1] - 1.0)
    return np.where(opens_with_gap, size, 0.0)


def _candles(params: RegimeParams, moves: np.ndarray, gaps: np.ndarray, volatility: np.ndarray, seed: int) -> np.ndarray:
    # Open, high, low, close. The first bar opens at the start price.
    draws = generator(seed, "regime candles")
    closes = np.log(params.start_price) + np.cumsum(moves)
    opens = closes - moves + gaps + params.open_noise * draws.uniform(-1.0, 1.0, len(moves))
    opens[0] = np.log(params.start_price)
    share = draws.uniform(0.1, 0.8, (2, len(moves)))
    burst = np.minimum(2.0 + draws.standard_exponential((2, len(moves))), 5.0)
    wicks = params.wick * share * burst * volatility
    highs, lows = np.maximum(opens, closes) + wicks[0], np.minimum(opens, closes) - wicks[1]
    return np.exp(np.column_stack([opens, highs, lows, closes]))


def _activity(
    params: RegimeParams, moves: np.ndarray, volatility: np.ndarray, factor: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    draws = generator(seed, "regime activity").standard_normal((2, len(moves)))
    volume = np.exp(10.0 + 0.5 * draws[0]) * factor * (1.0 + 2.0 * moves + 0.5 * volatility / params.base_volatility)
    trades = np.maximum(np.rint(volume / 20.0 * np.exp(0.2 * draws[1])), 1.0)
    return volume, trades
