"""Costs by name in a recipe, brought into plain numbers, so that a run needs no file of costs later.

===================  ==========================================================================================================
key                  meaning
===================  ==========================================================================================================
``costs.symbol``     start from the costs of a symbol; other keys beside it, or in a later layer, change them
``costs.file``       look up symbol and stress in this file too
``costs.stress``     put the costs, after all changes, under a preset of stress
===================  ==========================================================================================================

A layer that names a symbol (a recipe that extends another, or the overrides of a command) starts its costs anew: numbers of the
layers below are of another symbol.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from seawall.core.errors import ConfigError
from seawall.simulator.costs.catalogue import load_costs
from seawall.simulator.costs.cost_files import merged, with_both_rates
from seawall.simulator.costs.params import CostParams

NAMES = ("symbol", "file", "stress")
SOURCES = "costs_from"


def anew_where_named(base: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what lies below a layer: without the numbers of its costs where the layer names the symbol of others."""
    if _section(layer).get("symbol") is None or not isinstance(base.get("costs"), Mapping):
        return dict(base)
    return {**base, "costs": {key: value for key, value in _section(base).items() if key in ("file", "stress")}}


def found_beside(mapping: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a recipe whose file of costs, where there is one of that name beside the recipe, is named by its path."""
    named = _section(mapping).get("file")
    if not isinstance(named, str) or not (folder / named).is_file():
        return dict(mapping)
    return {**mapping, "costs": {**_section(mapping), "file": str(folder / named)}}


def with_plain_costs(mapping: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return a recipe with its costs as numbers, and beside them what they were named by.

    Args:
        mapping: A recipe, not yet validated. Costs that are no costs at all stay as they are, to be refused with the rest.
        origin: What the recipe is called, for messages.

    Raises:
        ConfigError: A name is unknown, a file is refused, or costs under stress are to be put under stress again.
    """
    if not isinstance(mapping.get("costs"), Mapping):
        return dict(mapping)
    section = _section(mapping)
    try:
        names = _names(section)
        numbers = with_both_rates({key: value for key, value in section.items() if key not in NAMES}, "costs")
        sources = {} if "symbol" in names else _section(mapping, SOURCES)
        if "stress" in section and sources.get("stress") is not None:
            raise ConfigError(
                f"costs.stress is {names.get('stress')!r}, and the costs are those of {sources['stress']} already; "
                "allowed: costs.symbol beside it, which starts anew, or a run without stress"
            )
        if not names:
            return {**mapping, "costs": numbers}
        return {**mapping, **_looked_up(numbers, names, sources)}
    except ConfigError as error:
        raise ConfigError(f"recipe {origin}: {error}") from error


def _looked_up(numbers: dict[str, Any], names: dict[str, str], sources: Mapping[str, Any]) -> dict[str, Any]:
    """Return the two sections that hold the numbers and what they came from."""
    catalogue = load_costs(Path(names["file"]) if "file" in names else None)
    if "file" in names and len(names) == 1:
        raise ConfigError(
            f"costs.file is {names['file']!r}, and nothing of it is named; allowed: costs.symbol beside it, of "
            f"{', '.join(catalogue.symbols)}; or costs.stress, of {', '.join(catalogue.presets)}"
        )
    came_from = {**sources, **names}
    if "symbol" in names:
        entry = catalogue.find(names["symbol"])
        came_from["symbol"] = entry.symbol
        numbers = merged(entry.costs.model_dump(), numbers)
    if "stress" in names:
        try:
            numbers = catalogue.stressed(CostParams.model_validate(numbers), names["stress"]).model_dump()
        except ValidationError:
            # They are refused with the recipe, whose message names each key as it was written.
            return {"costs": numbers}
    return {"costs": numbers, SOURCES: came_from}


def _names(section: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in NAMES:
        value = section.get(key)
        if value is None:
            continue
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"costs.{key} is {value!r}; allowed: a name in text, or null")
        found[key] = value
    return found


def _section(mapping: Mapping[str, Any], name: str = "costs") -> Mapping[str, Any]:
    section = mapping.get(name)
    return cast("Mapping[str, Any]", section) if isinstance(section, Mapping) else {}
