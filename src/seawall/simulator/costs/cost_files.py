"""Files of costs as people write them, brought into the one layout that `seawall.simulator.costs.catalogue` reads.

===================================  ==========================================================================================
written                              read as
===================================  ==========================================================================================
``costs:``                           symbols, each with the keys of `CostParams`; ``extends`` and ``aliases`` beside them
``financing_apr: 0.05``              ``financing`` with that rate for long and for short positions
``randomization:`` at the top        that of every symbol that does not say otherwise
``stress:`` at the top               names of presets, each with the keys of `StressPreset`
===================================  ==========================================================================================
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from seawall.core.errors import ConfigError
from seawall.market.hours.market_files import shown
from seawall.simulator.costs.params import FinancingParams, RandomizationParams
from seawall.simulator.costs.stress import StressPreset

# ruamel.yaml types what it loads as unknown.
_YAML: Any = YAML
_SECTIONS = ("costs", "randomization", "stress")
ENTRY_KEYS = ("extends", "aliases", "financing_apr")
"""What a symbol may have beside the keys of `CostParams`."""
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class CostFile:
    """What a file says.

    Attributes:
        entries: By symbol, what is said of it, with ``financing_apr`` brought into ``financing``; not yet validated.
        randomization: That of every symbol that does not say otherwise, or None.
        stress: Presets by name.
    """

    entries: dict[str, dict[str, Any]]
    randomization: RandomizationParams | None
    stress: dict[str, StressPreset]


def parse(text: str, origin: str) -> CostFile:
    """Read a file of costs.

    Args:
        text: YAML 1.2.
        origin: Name of the file, for messages.

    Raises:
        ConfigError: It is no YAML, a key stands twice in it, it has other keys at its top, or one of them holds what it may not.
    """
    try:
        found = _YAML(typ="safe", pure=True).load(text)
    except (YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{origin} is not readable YAML: {' '.join(str(error).split())}") from error
    top: dict[Any, Any] = cast("dict[Any, Any]", found) if isinstance(found, dict) else {}
    if not top or not set(top) <= set(_SECTIONS):
        keys = ", ".join(map(str, top)) or "no mapping"
        raise ConfigError(f"{origin} holds {keys}; allowed: {', '.join(_SECTIONS)}")
    entries = {
        symbol: with_both_rates(entry, f"{origin}: costs of {symbol}")
        for symbol, entry in _named(top, "costs", "taker_bps: 10", origin).items()
    }
    common = top.get("randomization")
    return CostFile(
        entries=entries,
        randomization=None if common is None else validated(RandomizationParams, common, f"{origin}: randomization"),
        stress={
            name: validated(StressPreset, preset, f"{origin}: stress {name}")
            for name, preset in _named(top, "stress", "spread_multiple: 2", origin).items()
        },
    )


def with_both_rates(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return costs with a ``financing_apr`` brought into ``financing``, as the rate of both sides.

    Raises:
        ConfigError: Both are given.
    """
    values = dict(given)
    if "financing_apr" not in values:
        return values
    rate = values.pop("financing_apr")
    if "financing" in values:
        raise ConfigError(f"{place}: financing_apr is {shown(rate)}, and financing is given too; allowed: one of them")
    validated(FinancingParams, {"long_apr": rate}, place, names={"long_apr": "financing_apr"})
    return {**values, "financing": {"long_apr": rate, "short_apr": rate}}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with changes, which reach into mappings of the same key."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", value)) if both else value
    return result


def validated(
    model: type[Model], values: Any, place: str, *, beside: tuple[str, ...] = (), names: Mapping[str, str] | None = None
) -> Model:
    """Return a model of values.

    Args:
        model: What they should be.
        values: As they were written.
        place: File and symbol, for messages.
        beside: Keys that are allowed where they were written, and read elsewhere.
        names: Keys of the model that were written under other names.

    Raises:
        ConfigError: A key or value is not allowed; the message names place, key, value and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [_explain(problem, model, beside, names or {}) for problem in error.errors()]
        raise ConfigError(f"{place}: " + "; ".join(lines)) from error


def _named(top: Mapping[Any, Any], section: str, example: str, origin: str) -> dict[str, dict[str, Any]]:
    given: Any = top.get(section, {})
    if not isinstance(given, dict):
        raise ConfigError(
            f"{origin}: {section} is {shown(given)}; allowed: a mapping of names, each with a mapping such as {example}"
        )
    found: dict[str, dict[str, Any]] = {}
    for name, value in cast("dict[Any, Any]", given).items():
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(
                f"{origin}: {section} has {shown(name)}, which is no name; allowed: text, in quotes where it needs them"
            )
        if not isinstance(value, dict):
            raise ConfigError(f"{origin}: {section} of {name} is {shown(value)}; allowed: a mapping such as {example}")
        found[name] = {str(key): item for key, item in cast("dict[Any, Any]", value).items()}
    return found


def _explain(problem: Any, model: type[BaseModel], beside: tuple[str, ...], names: Mapping[str, str]) -> str:
    place = [names.get(str(part), str(part)) for part in problem["loc"]]
    name = ".".join(place)
    if problem["type"] == "extra_forbidden":
        allowed = [*_keys(model, place[:-1]), *(beside if len(place) == 1 else ())]
        near = difflib.get_close_matches(place[-1], allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(allowed)}"
        return f"unknown key {name} (value {shown(problem['input'])}){hint}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "model_type":
        keys = ", ".join(_keys(model, place))
        return f"{name or 'it'} is {shown(problem['input'])}; allowed: a mapping of {keys}"
    return f"{name} is {shown(problem['input'])}: {message[0].lower()}{message[1:]}" if name else message


def _keys(model: type[BaseModel], place: list[str]) -> list[str]:
    """Return the keys that a part of a model has."""
    for part in place:
        held = model.model_fields[part].annotation
        inner = [each for each in (held, *get_args(held)) if isinstance(each, type) and issubclass(each, BaseModel)]
        if inner:
            model = inner[0]
    return list(model.model_fields)
