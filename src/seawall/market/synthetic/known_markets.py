"""The made markets whose best result is known, by name, all in one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from seawall.core.errors import ConfigError
from seawall.market.synthetic.facts import stylised_facts
from seawall.market.synthetic.frame import SyntheticParams
from seawall.market.synthetic.indicator_edge import IndicatorEdgeParams, indicator_edge_bars, informed_indicator_policy
from seawall.market.synthetic.known import (
    DEFAULT_COST_PER_UNIT,
    LONG_FLAT_SHORT,
    KnownMarket,
    PlantedEdgeParams,
    informed_policy,
    net_log_growth,
    planted_edge_bars,
    random_walk_bars,
)
from seawall.market.synthetic.pair import PairParams, informed_pair_policy, pair_bars, pair_log_growth
from seawall.market.synthetic.regime_edge import RegimeEdgeParams, informed_regime_policy, regime_edge_bars
from seawall.market.synthetic.switching import SwitchingPolicy


class RandomWalkParams(SyntheticParams):
    """A market without drift."""

    volatility: float = Field(default=0.005, gt=0.0, le=0.05, description="Standard deviation of the log return per bar")


@dataclass(frozen=True)
class MadeMarket:
    """Series of one known market.

    Attributes:
        series: Bar frame of each symbol, all of the same T times.
        signal: What the informed trader sees at the close of each bar, float64, shape (T,).
    """

    series: Mapping[str, pd.DataFrame]
    signal: np.ndarray


@dataclass(frozen=True)
class KnownKind:
    """One kind of known market.

    Attributes:
        description: What can be earned on, in one line.
        params: Its settings.
        make: Takes settings and a seed.
        policy: Takes settings, levels and the cost per unit; the best policy of a trader who sees the signal. Its ``mean`` is the
            highest attainable log growth per bar after costs.
        growth: Takes a made market, positions chosen at each close, shape (T,), and the cost per unit; the log growth of each
            bar after costs, shape (T - 1,).
    """

    description: str
    params: type[SyntheticParams]
    make: Callable[[Any, int], MadeMarket]
    policy: Callable[[Any, Sequence[float], float], SwitchingPolicy]
    growth: Callable[[MadeMarket, np.ndarray, float], np.ndarray]

    def attainable(
        self, params: SyntheticParams, levels: Sequence[float] = LONG_FLAT_SHORT, cost_per_unit: float = DEFAULT_COST_PER_UNIT
    ) -> float:
        """Return the highest long-run log growth per bar, after costs, of any policy.

        Args:
            params: The market.
            levels: Positions that may be taken.
            cost_per_unit: Cost per unit of traded notional.

        Raises:
            ConfigError: No level, or a cost that cannot be paid, or a level that can lose everything in one bar.
        """
        return self.policy(params, levels, cost_per_unit).mean

    def facts(
        self,
        params: SyntheticParams,
        made: MadeMarket,
        levels: Sequence[float] = LONG_FLAT_SHORT,
        cost_per_unit: float = DEFAULT_COST_PER_UNIT,
    ) -> dict[str, Any]:
        """Return the known answer, what the informed trader earned on these very bars, and each series' stylised facts.

        Args:
            params: What the market was made with.
            made: The market.
            levels: Positions that may be taken.
            cost_per_unit: Cost per unit of traded notional.

        Raises:
            ConfigError: As `attainable`.
        """
        policy = self.policy(params, levels, cost_per_unit)
        earned = self.growth(made, policy.follow(made.signal), cost_per_unit)
        return {
            "bars": params.n_bars,
            "timeframe": params.timeframe,
            "attainable_log_growth_per_bar": policy.mean,
            "informed_log_growth_per_bar": float(earned.mean()),
            "informed_standard_error": float(earned.std() / np.sqrt(len(earned))),
            "levels": [float(level) for level in policy.levels],
            "cost_per_unit": cost_per_unit,
            "series": {symbol: stylised_facts(bars) for symbol, bars in made.series.items()},
        }


def known_kind(name: str) -> KnownKind:
    """Return a kind of known market by name.

    Raises:
        ConfigError: No kind has that name.
    """
    if name not in KNOWN_KINDS:
        raise ConfigError(f"kind {name!r} is unknown; allowed: {', '.join(KNOWN_KINDS)}")
    return KNOWN_KINDS[name]


def _alone(symbol: str, make: Callable[[Any, int], KnownMarket]) -> Callable[[Any, int], MadeMarket]:
    def made(params: Any, seed: int) -> MadeMarket:
        known = make(params, seed)
        return MadeMarket({symbol: known.bars}, known.signal)

    return made


def _growth_alone(made: MadeMarket, targets: np.ndarray, cost_per_unit: float) -> np.ndarray:
    (bars,) = made.series.values()
    return net_log_growth(bars, targets, cost_per_unit)


def _pair(params: PairParams, seed: int) -> MadeMarket:
    pair = pair_bars(params, seed)
    return MadeMarket({"PAIRFIRST": pair.first, "PAIRSECOND": pair.second}, pair.signal)


def _growth_of_pair(made: MadeMarket, targets: np.ndarray, cost_per_unit: float) -> np.ndarray:
    first, second = made.series.values()
    return pair_log_growth(first, second, targets, cost_per_unit)


def _without_edge(params: RandomWalkParams) -> PlantedEdgeParams:
    return PlantedEdgeParams(**params.model_dump(), edge=0.0)


def _random_walk(params: RandomWalkParams, seed: int) -> KnownMarket:
    return random_walk_bars(_without_edge(params), seed)


def _random_walk_policy(params: RandomWalkParams, levels: Sequence[float], cost_per_unit: float) -> SwitchingPolicy:
    return informed_policy(_without_edge(params), levels, cost_per_unit)


KNOWN_KINDS: dict[str, KnownKind] = {
    "random_walk": KnownKind(
        "a martingale: nothing can be earned",
        RandomWalkParams,
        _alone("RANDOMWALK", _random_walk),
        _random_walk_policy,
        _growth_alone,
    ),
    "planted_edge": KnownKind(
        "a hidden AR(1) signal moves the drift; each bar shows it, with noise, by the place of its close",
        PlantedEdgeParams,
        _alone("PLANTED", planted_edge_bars),
        informed_policy,
        _growth_alone,
    ),
    "indicator_edge": KnownKind(
        "the distance of the close from its exponential mean moves the drift; nothing is hidden",
        IndicatorEdgeParams,
        _alone("INDICATOR", indicator_edge_bars),
        informed_indicator_policy,
        _growth_alone,
    ),
    "regime_edge": KnownKind(
        "hidden states with drifts of their own follow each other by a Markov chain",
        RegimeEdgeParams,
        _alone("REGIMEEDGE", regime_edge_bars),
        informed_regime_policy,
        _growth_alone,
    ),
    "pair": KnownKind(
        "two assets whose price ratio reverts to its mean; positions are on the spread",
        PairParams,
        _pair,
        informed_pair_policy,
        _growth_of_pair,
    ),
}
