"""What a calibration runs: markets whose truth is known, and the configurations that a user would try on each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from seawall import __version__
from seawall.core.files import digest
from seawall.market.synthetic.known import PlantedEdgeParams, attainable_growth
from seawall.recipes.schema import Recipe, validate_recipe

NOISE, PLANTED = "noise", "planted"
KINDS = (NOISE, PLANTED)
FULL_MARKETS, QUICK_MARKETS = 40, 8
"""Markets of each kind, of a calibration that can prove the shares, and of a quick one, which can only contradict them."""

_FIRST_SEED = {NOISE: 1_000_000, PLANTED: 2_000_000}
"""Seeds of the markets. The settings below were found on markets with seeds from 900,000 to 900,999."""
_TRAINING_SEEDS_APART = 100
_LEVELS = (-1.0, 0.0, 1.0)
_REFINEMENT = 0.5
"""Of the grid on which the strength is found: some 1e-4 of it, in a fiftieth of the time of the usual grid."""


@dataclass(frozen=True)
class KnownMarket:
    """One market of a calibration.

    Attributes:
        kind: ``noise``, a driftless random walk, or ``planted``, with an edge of known strength.
        number: From 0.
    """

    kind: str
    number: int

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.kind}-{self.number:03}"

    @property
    def seed(self) -> int:
        """Seed of its bars; no noise market shares shocks with a planted one."""
        return _FIRST_SEED[self.kind] + self.number


@dataclass(frozen=True)
class Configuration:
    """One set of settings that a user would try.

    Attributes:
        changes: What it changes of the common recipe.
        words: The same, for a table.
    """

    changes: Mapping[str, Any]
    words: str


@dataclass(frozen=True)
class Pipeline:
    """What happens on every market.

    Attributes:
        recipe: The recipe without its data, as plain values.
        market: Settings of the planted market; the random walk is the same without its edge.
        configurations: What is tried, by name.
    """

    recipe: Mapping[str, Any]
    market: Mapping[str, Any]
    configurations: Mapping[str, Configuration]

    def recipe_of(self, market: KnownMarket, name: str) -> Recipe:
        """Return the recipe of a configuration on a market."""
        edge = {"edge": 0.0} if market.kind == NOISE else {}
        first = _TRAINING_SEEDS_APART * market.seed
        mapping = merged(self.recipe, self.configurations[name].changes)
        mapping = merged(mapping, {"name": name, "training": {"seed": first}})
        data = {"kind": "planted_edge", **self.market, "seed": market.seed, **edge}
        return validate_recipe({**mapping, "data": data}, f"{name} on {market.name}")

    def facts(self) -> dict[str, Any]:
        """Return what a reader must know: strength, lengths, seeds, and what is tried."""
        recipe = self.recipe_of(KnownMarket(PLANTED, 0), next(iter(self.configurations)))
        planted = PlantedEdgeParams.model_validate(dict(self.market))
        growth = attainable_growth(planted, _LEVELS, recipe.costs.rate, refinement=_REFINEMENT)
        return {
            "agent": recipe.agent["kind"],
            "seeds": recipe.training.n_seeds,
            "bars": planted.n_bars,
            "timeframe": planted.timeframe,
            "split": recipe.split.model_dump(),
            "resamples": recipe.evaluation.bootstrap.n_resamples,
            "cost_bps": 1e4 * recipe.costs.rate,
            "edge_bps": 1e4 * planted.edge,
            "volatility_bps": 1e4 * planted.volatility,
            "attainable_bps": 1e4 * growth,
            "attainable_sharpe_per_bar": growth / planted.volatility,
            "configurations": {name: each.words for name, each in self.configurations.items()},
        }


USUAL = Pipeline(
    recipe={
        "features": {"set": "technical_ohlcv", "scaling": "zscore"},
        "split": {"train": 0.6, "validation": 0.15, "test": 0.25},
        # A policy that does not see its position cannot retreat to holding it, so that on noise the configurations differ.
        "environment": {"window": 8, "scheme": "target_exposure", "account_columns": []},
        # Small on purpose: costs push luck below zero, and would hide false alarms.
        "costs": {"taker_bps": 0.3, "spread_bps": 0.4},
        "network": {"kind": "conv", "shared_encoder": True, "filters": 8, "hidden": 32},
        "agent": {
            "kind": "exact",
            "total_steps": 32_768,
            "n_segments": 8,
            "segment_bars": 64,
            "gradient_steps": 16,
            "learning_rate": 5e-3,
            "gamma": 0.9,
            "entropy_coefficient": 0.1,
            "weight_decay": 0.5,
        },
        "training": {"n_seeds": 5, "threads": 1, "workers": 1, "evaluate_every": 1, "checkpoint_every": 100},
        "evaluation": {"bootstrap": {"n_resamples": 500}},
        "device": "cpu",
    },
    market={"n_bars": 12_000, "timeframe": "12h", "start": "2000-01-01", "edge": 0.0012, "volatility": 0.005},
    configurations={
        "plain": Configuration({}, "learning rate 0.005, window 8, 8 filters, 32 hidden units"),
        "fast": Configuration({"agent": {"learning_rate": 1e-2}}, "learning rate 0.01"),
        "long": Configuration({"environment": {"window": 16}}, "window 16"),
        "wide": Configuration({"network": {"filters": 24, "hidden": 96}}, "24 filters, 96 hidden units"),
    },
)
"""The pipeline of ``seawall calibrate``: small enough for hundreds of trainings, and still every step that a user's run takes."""


@dataclass(frozen=True)
class CalibrationPlan:
    """What one calibration runs.

    Attributes:
        markets: How many of each kind.
        pipeline: What happens on each.
    """

    markets: int = FULL_MARKETS
    pipeline: Pipeline = field(default=USUAL)

    @property
    def units(self) -> tuple[KnownMarket, ...]:
        """The markets, noise and planted in turn, so that a stopped calibration has some of both."""
        return tuple(KnownMarket(kind, number) for number in range(self.markets) for kind in KINDS)

    @property
    def proves(self) -> bool:
        """Whether there are markets enough to hold shares to their bounds, and not only to contradict them."""
        return self.markets >= FULL_MARKETS

    def digest(self) -> str:
        """Return a hash of all that a market's result hangs on. The number of markets is no part of it: more may be added."""
        return digest({"version": __version__, "first_seeds": _FIRST_SEED, **asdict(self.pipeline)})


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with changes, section by section."""
    result = dict(settings)
    for name, value in changes.items():
        section = result.get(name)
        result[name] = merged(section, value) if isinstance(section, Mapping) and isinstance(value, Mapping) else value
    return result
