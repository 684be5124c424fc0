"""The typed recipe: one frozen model that chooses every part. Unknown keys are refused, defaults live in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator, model_validator

from seawall.core.errors import ConfigError
from seawall.core.files import digest
from seawall.core.params import Params, as_value_error
from seawall.core.timeframe import Timeframe, moment_ms
from seawall.envs.params import EpisodeParams
from seawall.evaluation.params import EvaluationParams
from seawall.features.registry import FeatureParams, feature_set, resolved_options
from seawall.guards.registry import GUARDS
from seawall.market.checks.quality import QualityParams
from seawall.market.splits import SplitParams
from seawall.market.synthetic.known import PlantedEdgeParams
from seawall.market.synthetic.regimes import RegimeParams
from seawall.market.trends.relative import TrendsParams
from seawall.nets.registry import NETWORKS
from seawall.recipes.agent_checks import AGENTS, check_stages, fresh_guards
from seawall.recipes.files import MAIN, ROLE, SMURF, load_mapping
from seawall.recipes.named_costs import SOURCES, with_plain_costs
from seawall.recipes.plugins import check_reward_terms, load_plugins, require_loaded, trust
from seawall.recipes.refusals import explained, places_of, refused_recipe
from seawall.simulator.accounts import feature_codes
from seawall.simulator.actions.registry import ACTION_SCHEMES, Scheme, action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams
from seawall.training.pretraining.params import PretrainingParams
from seawall.training.rl import TrainingParams

PORTFOLIO = "portfolio"
"""The kind of recipes of several assets; those of one series name none."""


def _day(value: Any) -> Any:
    # YAML reads 2020-01-01 as a date.
    text = None if value is None else str(value)
    with as_value_error():
        _ = None if text is None else moment_ms(text)
    return text


_Day = Annotated[str | None, BeforeValidator(_day)]


class TrendsData(TrendsParams):
    """Search interest to put beside the bars, a full period late and relative to its own past."""

    path: str = Field(
        min_length=1, description="The site's own CSV, a table of times and values, or a stored series such as trends/bitcoin/1w"
    )
    keyword: str | None = Field(default=None, description="Which column, where the file has several")
    downloaded: _Day = Field(
        default=None, description="When a file was downloaded, as in 2024-05-02; its time of change where None"
    )


class FileData(Params):
    """Bars of one series, from a file or from the store that ``seawall data import`` and ``fetch`` fill."""

    kind: Literal["file"] = "file"
    path: str = Field(
        min_length=1, description="A parquet, CSV, feather, HDF5 or zip file, or a stored series such as binance/BTCUSDT/1h"
    )
    key: str | None = Field(default=None, description="Which table, where an HDF5 file has several, as in /15m")
    last_bars: int | None = Field(default=None, ge=2, description="Use only so many of the newest bars; null uses all")
    trends: TrendsData | None = Field(default=None, description="Search interest, for the column trends")


class SeriesParams(Params):
    """Real bars that a recipe is made for; ``seawall data fetch --recipe`` brings them."""

    source: str = Field(min_length=1, description="A source, or an exchange that ccxt knows, as in binance")
    symbol: str = Field(min_length=1, description="As the venue spells it, as in BTC/USDT")
    timeframe: str = Field(description="Length of a bar, as in 15m")
    start: _Day = Field(default=None, description="First day, UTC, as in 2020-01-01; the venue's earliest where null")
    end: _Day = Field(default=None, description="Day before which it ends, UTC; now where null")

    @field_validator("timeframe")
    @classmethod
    def _known_timeframe(cls, text: str) -> str:
        with as_value_error():
            return Timeframe.parse(text).label

    @property
    def span_ms(self) -> tuple[int | None, int | None]:
        """First moment, and the moment before which the series ends, in milliseconds since 1970."""
        return (
            None if self.start is None else moment_ms(self.start),
            None if self.end is None else moment_ms(self.end),
        )


class RegimeData(RegimeParams):
    """A synthetic market that changes between five regimes."""

    kind: Literal["regimes"] = "regimes"
    seed: int = Field(default=0, ge=0, lt=2**53, description="Seed of the market, apart from the seeds of training")


class PlantedEdgeData(PlantedEdgeParams):
    """A market whose bars hold a known edge; with ``edge: 0`` its driftless twin."""

    kind: Literal["planted_edge"] = "planted_edge"
    seed: int = Field(default=0, ge=0, lt=2**53, description="Seed of the market, apart from the seeds of training")


Data = Annotated[FileData | RegimeData | PlantedEdgeData, Field(discriminator="kind")]


class EnvironmentSection(EpisodeParams):
    """What a decision sees, what it may ask for, and how training episodes run."""

    scheme: str = Field(default="sell_buy_hold", description="Action scheme: what the network's outputs mean")
    short: bool = Field(
        default=True, description="Whether SELL may open a short position; false is long or flat, as on a spot market"
    )

    scheme_options: dict[str, Any] = Field(
        default_factory=dict[str, Any], description="Settings of the scheme, as the levels of target_position"
    )

    @field_validator("scheme")
    @classmethod
    def _known_scheme(cls, scheme: str) -> str:
        if scheme not in ACTION_SCHEMES:
            raise ValueError(f"allowed: {', '.join(ACTION_SCHEMES)}")
        return scheme

    def action_scheme(self) -> Scheme:
        """Return the action scheme.

        Raises:
            ConfigError: An option of it is unknown or not allowed.
        """
        return action_scheme(self.scheme, self.short, self.scheme_options)


class SeedsParams(TrainingParams):
    """How many seeds are trained, and with what part of the machine."""

    seed: int = Field(default=0, ge=0, lt=2**53, description="First seed; the run trains seed, seed + 1, …")
    n_seeds: int = Field(default=5, ge=1, le=100, description="Seeds trained; their ensemble is the policy that is judged")
    threads: int = Field(default=1, ge=1, le=256, description="Torch threads of each seed; part of what makes a run reproducible")
    workers: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = Field(
        default="auto", description="Seeds trained at once; auto = one per core"
    )

    start_from: str | None = Field(
        default=None,
        min_length=1,
        description="A run whose weights the seeds start from, as its path or latest; fresh weights where null",
    )

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in order."""
        return tuple(range(self.seed, self.seed + self.n_seeds))


class CostNames(Params):
    """What the numbers of `costs` were named by; a record, which decides nothing."""

    symbol: str | None = Field(default=None, description="Symbol whose costs they started from")
    file: str | None = Field(default=None, description="File of costs in which names were looked up first")
    stress: str | None = Field(default=None, description="Preset of stress that they are under")


class RecipeRules(Params):
    """What holds for recipes of every family; each lists its own fields, in the order in which they are shown."""

    @field_validator("plugins", check_fields=False)
    @classmethod
    def _are_loaded(cls, plugins: dict[str, str]) -> dict[str, str]:
        with as_value_error():
            require_loaded(plugins)
        return plugins

    @field_validator("network", "agent", mode="before", check_fields=False)
    @classmethod
    def _name_alone(cls, part: Any) -> Any:
        # agent=dqn on the command line: the part of that name with its own defaults.
        return {"kind": part} if isinstance(part, str) else part

    def digest(self) -> str:
        """Return the hash of the resolved recipe: of its numbers, whatever names they came from."""
        values = self.model_dump(mode="json", exclude={SOURCES})
        # Recipes that only trade keep the hash that they had before there were others.
        return digest({key: value for key, value in values.items() if (key, value) != (ROLE, MAIN)})


class Recipe(RecipeRules):
    """Everything that a run depends on."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Short name; lower-case letters, digits and hyphens")
    summary: str = Field(default="", description="What the recipe is, in one line")
    missing: str = Field(default="", description="What of its design is not there yet, in one line")
    smoke: bool = Field(
        default=False,
        strict=True,
        description="Whether the recipe's small preset is applied: everything runs in a minute, nothing is learned",
    )
    role: Literal["main", "smurf"] = Field(
        default=MAIN,
        description="main trades; smurf, whose preset is applied, is trained to supervise: guards.smurf.bundle names its run",
    )
    data: Data
    series: tuple[SeriesParams, ...] = Field(
        default=(), description="Real bars that the recipe is made for, brought by seawall data fetch --recipe"
    )
    quality: QualityParams = Field(default_factory=QualityParams)
    features: FeatureParams = Field(default_factory=FeatureParams)
    split: SplitParams = Field(default_factory=SplitParams)
    environment: EnvironmentSection = Field(default_factory=EnvironmentSection)
    simulator: SimulatorParams = Field(default_factory=SimulatorParams)
    costs: CostParams = Field(default_factory=CostParams)
    costs_from: CostNames = Field(default_factory=CostNames)
    guards: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Guards by name, applied in this order; null removes one"
    )
    network: dict[str, Any] = Field(description="kind, and that network's settings")
    agent: dict[str, Any] = Field(description="kind, and that agent's settings")
    pretraining: PretrainingParams | None = Field(
        default=None, description="How the encoder is taught before the policy, which then leaves it as it is; null for one stage"
    )
    encoder: str | None = Field(
        default=None, min_length=1, description="A run of seawall pretrain, or an encoder's folder; null pre-trains one first"
    )
    training: SeedsParams = Field(default_factory=SeedsParams)
    evaluation: EvaluationParams = Field(default_factory=EvaluationParams)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    plugins: dict[str, str] = Field(
        default_factory=dict[str, str], description="Files of the user's own parts and their hashes, as --plugin gave them"
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_removed_guards(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and isinstance(values.get("guards"), Mapping):
            kept = {name: {} if settings == {} else settings for name, settings in values["guards"].items() if settings is not None}
            return {**values, "guards": kept}
        return values

    @field_validator("guards")
    @classmethod
    def _resolve_guards(cls, guards: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        known = {key: entry.params for key, entry in GUARDS.items()}
        return {name: _resolved("guard", known, name, settings) for name, settings in guards.items()}

    @field_validator("network")
    @classmethod
    def _resolve_network(cls, network: dict[str, Any]) -> dict[str, Any]:
        return _resolved_kind("network", {key: entry[0] for key, entry in NETWORKS.items()}, network)

    @field_validator("agent")
    @classmethod
    def _resolve_agent(cls, agent: dict[str, Any]) -> dict[str, Any]:
        return _resolved_kind("agent", {name: rules.params for name, rules in AGENTS.items()}, agent)

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        feature_set(self.features)
        feature_codes(self.environment.account_columns)
        scheme = self.environment.action_scheme()
        fresh_guards(self)
        AGENTS[self.agent["kind"]].check(self)
        check_stages(self)
        if self.role == SMURF and SMURF in self.guards:
            raise ConfigError(f"{ROLE} is {SMURF} and guards.{SMURF} is set; allowed: a Smurf without a Smurf, or role {MAIN}")
        levels = scheme.levels
        if max(abs(level) for level in levels) > self.simulator.max_exposure:
            raise ConfigError(f"simulator.max_exposure is {self.simulator.max_exposure}; the action scheme asks for {list(levels)}")
        return self


def load_recipe(reference: str, overrides: Sequence[str] = (), plugins: Iterable[Path] = ()) -> Recipe:
    """Load, override and validate a recipe.

    Args:
        reference: A shipped recipe's name, or the path of a YAML or JSON file.
        overrides: ``section.key=value`` each.
        plugins: Python files with parts of the user's own.

    Raises:
        ConfigError: Something is missing, misspelt or out of range; the message names it, its value and what is allowed.
    """
    return validate_recipe(recipe_mapping(reference, overrides, plugins), reference)


def recipe_mapping(reference: str, overrides: Sequence[str], plugins: Iterable[Path]) -> dict[str, Any]:
    """Load a recipe of any family, not yet validated, and the plugins given with it, which are then named in it.

    Raises:
        ConfigError: The recipe, an override or a plugin cannot be found or read.
    """
    loaded = load_plugins(plugins)
    mapping = load_mapping(reference, overrides)
    if not loaded:
        return mapping
    trust(loaded.values())
    return {**mapping, "plugins": {**dict(mapping.get("plugins") or {}), **loaded}}


def is_portfolio(mapping: Mapping[str, Any]) -> bool:
    """Say whether a recipe, not yet validated, is one of a portfolio."""
    return mapping.get("kind") == PORTFOLIO


def validate_recipe(mapping: Mapping[str, Any], origin: str) -> Recipe:
    """Validate a plain mapping.

    Raises:
        ConfigError: As for `load_recipe`.
    """
    if is_portfolio(mapping):
        raise ConfigError(
            f"recipe {origin} is of a portfolio, and this is of one series; allowed: a recipe without kind: portfolio"
        )
    try:
        recipe = Recipe.model_validate(with_plain_costs(mapping, origin))
    except ValidationError as error:
        raise refused_recipe(origin, error, _places()) from error
    check_reward_terms(recipe.simulator.reward)
    options = resolved_options(recipe.features)
    return recipe.model_copy(update={"features": recipe.features.model_copy(update={"options": options})})


def _resolved(what: str, registry: Mapping[str, type[BaseModel]], name: str, settings: Any) -> dict[str, Any]:
    if name not in registry:
        raise ValueError(f"{what} {name!r} is unknown; allowed: {', '.join(registry)}")
    try:
        return registry[name].model_validate(settings).model_dump()
    except ValidationError as error:
        # Its keys are told from here on, so that where others stand would mislead.
        raise ValueError(explained(error, dict.fromkeys(_places(), ()))) from error


def _resolved_kind(what: str, registry: Mapping[str, type[BaseModel]], value: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: item for key, item in value.items() if key != "kind"}
    kind = value.get("kind")
    return {"kind": kind, **_resolved(what, registry, str(kind), settings)}


def _places() -> dict[str, list[str]]:
    """Return where every key of a recipe stands, whichever kinds of data and agent it has."""
    data: list[type[BaseModel]] = [FileData, RegimeData, PlantedEdgeData]
    agents = [rules.params for rules in AGENTS.values()]
    return places_of([("", Recipe), *(("data", model) for model in data), *(("agent", model) for model in agents)])
