"""What is wrong with a recipe, in words: the key, its value, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from seawall.core.errors import ConfigError

Places = Mapping[str, Sequence[str]]
"""Where each key stands in a recipe, by its name: ``{"taker_bps": ["costs.taker_bps"]}``."""


def places_of(models: Iterable[tuple[str, type[BaseModel]]]) -> dict[str, list[str]]:
    """Return where the keys of some models stand, and those of all models in them.

    Args:
        models: The key that each stands at, empty for the recipe itself, and the model.
    """
    found: dict[str, list[str]] = {}
    waiting = list(models)
    while waiting:
        above, model = waiting.pop(0)
        for name, field in model.model_fields.items():
            place = f"{above}.{name}" if above else name
            if place not in found.setdefault(name, []):
                found[name].append(place)
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                waiting.append((place, field.annotation))
    return found


def refused_recipe(origin: str, error: ValidationError, known: Places | None = None) -> ConfigError:
    """Return what is wrong with a recipe.

    Args:
        origin: What it is called.
        error: What its model found.
        known: Keys that a misspelt one may have meant, and where they stand.
    """
    return ConfigError(f"recipe {origin}: " + explained(error, known or {}))


def explained(error: ValidationError, known: Places) -> str:
    """Return all that a model found wrong, with what a misspelt or misplaced key may have meant."""
    return "; ".join(_explain(problem, known) for problem in error.errors())


def _explain(problem: Any, known: Places) -> str:
    place = [str(part) for part in problem["loc"]]
    name = ".".join(place)
    if problem["type"] == "extra_forbidden":
        return f"unknown key {name} (value {problem['input']!r}){_meant(name, place[-1], known)}"
    if problem["type"] == "missing":
        return f"{name} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    lowered = message if message[:2].isupper() else f"{message[0].lower()}{message[1:]}"
    # What is wrong with settings together names them itself; their whole would only hide it.
    return f"{name} is {problem['input']!r}: {lowered}" if place else lowered


def _meant(name: str, key: str, known: Places) -> str:
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        return f"; did you mean {near[0]}?" if near else ""
    # A key that stands elsewhere is no misspelling; one that other kinds have in this very place is not misplaced.
    elsewhere = [] if name in known[key] else known[key]
    return f"; {key} stands at {' or '.join(elsewhere[:3])}" if elsewhere else ""
