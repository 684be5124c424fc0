"""The feature sets by name. To add one: write a function that returns a `FeatureSet`, and add its line below.

A factory takes the optional raw columns to do without, and the set's own options. A column made of an optional raw column bears
its name (``trends``, ``trades_log_returns``), or stands in `FeatureEntry.optional`, so that a refusal can say what is fed by
what. The set ``own`` is not listed: it has the single columns that the user names, alone or after those of listed sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import Field, ValidationError, field_validator

from seawall.core.bars import OPTIONAL_COLUMNS
from seawall.core.errors import ConfigError
from seawall.core.params import Params, as_value_error
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.clocks import with_timeframes
from seawall.features.joined import joined_features
from seawall.features.own import OWN, own_features
from seawall.features.scaling.scaler import ScalingKind
from seawall.features.sets.ichimoku import IchimokuParams, ichimoku
from seawall.features.sets.levels import LevelParams, levels
from seawall.features.sets.long_short import long_short, long_short_levels
from seawall.features.sets.price_action import PriceActionParams, price_action
from seawall.features.sets.technical import technical, technical_ohlcv
from seawall.features.sets.wide import WideParams, wide, wide_ohlcv


class NoOptions(Params):
    """A set without options of its own."""


@dataclass(frozen=True)
class FeatureEntry:
    """How a feature set is made.

    Attributes:
        make: Takes the optional raw columns to do without, and the options; returns the set.
        options: The options' type, with their defaults.
    """

    make: Callable[[tuple[str, ...], Any], FeatureSet]
    options: type[Params] = NoOptions


FEATURE_SETS: dict[str, FeatureEntry] = {
    "technical": FeatureEntry(technical),
    "technical_ohlcv": FeatureEntry(technical_ohlcv),
    "ichimoku": FeatureEntry(ichimoku, IchimokuParams),
    "long_short": FeatureEntry(long_short),
    "long_short_levels": FeatureEntry(long_short_levels),
    "price_action": FeatureEntry(price_action, PriceActionParams),
    "levels": FeatureEntry(levels, LevelParams),
    "wide": FeatureEntry(wide, WideParams),
    "wide_ohlcv": FeatureEntry(wide_ohlcv, WideParams),
}


class FeatureParams(Params):
    """Which columns a policy sees, and how they are scaled."""

    set: str | tuple[str, ...] = Field(
        default="technical",
        description="Name of a registered feature set, or a list of several to stand side by side; own for none but `columns`.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description="Options of the set, as in {binary: true}; of several sets also by their names, as in {levels: {grid: 32}}.",
    )
    timeframes: tuple[str, ...] = Field(
        default=(),
        description="Longer bars whose columns of the same sets stand beside, as in [4h, 1d]; each joined once its bar has closed.",
    )
    columns: tuple[str, ...] = Field(
        default=(),
        description="Single columns: registered ones, or columns of the bars' own file, each known at the close of its bar.",
    )
    omit: tuple[str, ...] = Field(
        default=(),
        description="Optional raw columns to do without, as trades and trends; their features are left out, never filled.",
    )
    scaling: ScalingKind = Field(default="minmax", description="How columns are scaled, by the training rows alone.")

    @field_validator("timeframes")
    @classmethod
    def _known_timeframes(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        with as_value_error():
            return tuple(Timeframe.parse(label).label for label in labels)

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the registered sets, without ``own``."""
        names = (self.set,) if isinstance(self.set, str) else self.set
        return tuple(name for name in names if name != OWN)


def feature_set(params: FeatureParams) -> FeatureSet:
    """Return the feature set that the settings name.

    Raises:
        ConfigError: No set has that name, an option or an input to omit is unknown, or a column of `columns` cannot be a feature.
    """
    unknown = [name for name in params.sets if name not in FEATURE_SETS]
    if unknown:
        raise ConfigError(f"features.set={unknown[0]!r} is unknown; allowed: {', '.join((*FEATURE_SETS, OWN))}")
    if not params.sets:
        if params.timeframes:
            raise ConfigError(
                f"features.timeframes={list(params.timeframes)} needs a feature set to compute; own columns have none"
            )
        return own_features(params.columns)
    _refuse_unknown(params)
    named = joined_features([_made(name, params) for name in params.sets])
    whole = own_features(params.columns, named) if params.columns else named
    return with_timeframes(whole, named, params.timeframes) if params.timeframes else whole


def resolved_options(params: FeatureParams) -> dict[str, Any]:
    """Return every option of the sets with its value, as `FeatureParams.options` takes them; of several sets by their names.

    Raises:
        ConfigError: As `feature_set`.
    """
    found: dict[str, Any] = {name: _options(name, params).model_dump(mode="json") for name in params.sets}
    if len(found) == 1:
        return found[params.sets[0]]
    return {name: options for name, options in found.items() if options}


def _options(name: str, params: FeatureParams) -> Any:
    entry = FEATURE_SETS[name]
    given = params.options
    if len(params.sets) > 1:
        known = entry.options.model_fields
        own = given.get(name, {})
        if not isinstance(own, Mapping):
            raise ConfigError(
                f"features.options.{name} is {own!r}; allowed: options of that set by name: {', '.join(known) or 'none'}"
            )
        given = {**{key: value for key, value in given.items() if key in known}, **cast("Mapping[str, Any]", own)}
    try:
        return entry.options.model_validate(given)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(cast("Mapping[str, Any]", each), name, entry) for each in error.errors())) from error


def _made(name: str, params: FeatureParams) -> FeatureSet:
    entry, options = FEATURE_SETS[name], _options(name, params)
    # To do without what a set does not read leaves nothing out.
    return entry.make(tuple(raw for raw in params.omit if raw in entry.make((), options).requires), options)


def omitted_inputs(params: FeatureParams) -> tuple[str, ...]:
    """Return the optional raw columns that the sets would read and are told to do without."""
    read = feature_set(params.model_copy(update={"omit": (), "columns": (), "timeframes": ()})).requires if params.sets else ()
    return tuple(raw for raw in params.omit if raw in read)


def _refuse_unknown(params: FeatureParams) -> None:
    for raw in params.omit:
        if raw not in OPTIONAL_COLUMNS:
            raise ConfigError(f"features.omit has {raw!r}; allowed: {', '.join(OPTIONAL_COLUMNS)}")
    if len(params.sets) < 2:
        return
    options = {*params.sets, *(key for name in params.sets for key in FEATURE_SETS[name].options.model_fields)}
    for key in params.options:
        if key not in options:
            raise ConfigError(
                f"features.options has {key!r}; allowed for {', '.join(params.sets)}: {', '.join(sorted(options)) or 'none'}"
            )


def _explain(problem: Mapping[str, Any], name: str, entry: FeatureEntry) -> str:
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"features.options has {place!r}; allowed for set {name!r}: {', '.join(entry.options.model_fields) or 'none'}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"features.options.{place} is {problem['input']!r}: {message[0].lower()}{message[1:]}"
