"""From a name or a file, and ``section.key=value`` overrides, to one plain mapping: YAML 1.2, extends, overrides."""

from __future__ import annotations

import difflib
import io
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError

from seawall.core.errors import ConfigError
from seawall.recipes.named_costs import anew_where_named, found_beside

# A section given as one word means its main key: data=btc.parquet, agent=ppo.
_SHORTHANDS: dict[str, str] = {"data": "path", "agent": "kind", "network": "kind"}
_SUFFIXES = (".yaml", ".yml", ".json")
SMOKE, _PRESETS = "smoke", "presets"
ROLE, MAIN, SMURF = "role", "main", "smurf"
"""What an agent is for: to trade, or to supervise one that does."""
FIRST = "tradernet"
"""The recipe that other verbs suggest to start with."""


def shipped_recipes() -> dict[str, Path]:
    """Return the recipes that come with Seawall: name to file."""
    folder = Path(str(resources.files("seawall.recipes")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_mapping(reference: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a recipe by name or path, apply what it extends, the presets that it is asked for, then the overrides.

    A preset is a layer of settings between the recipe and the overrides: ``presets.smoke`` where ``smoke`` is true,
    ``presets.smurf`` where ``role`` is that, and where there are some, one by the agent's kind and ``presets.smoke-KIND``.

    Args:
        reference: A shipped recipe's name, or the path of a YAML or JSON file.
        overrides: ``section.key=value`` each; the value is YAML 1.2.

    Returns:
        The recipe's differences from the defaults, not yet validated.

    Raises:
        ConfigError: The recipe or an override cannot be found or read.
    """
    whole = _read_with_parents(_resolve(reference), seen=())
    presets = whole.pop(_PRESETS, None) or {}
    asked = apply_overrides(whole, overrides)
    kind = (asked.get("agent") or {}).get("kind") if isinstance(asked.get("agent"), Mapping) else asked.get("agent")
    layered = _with_preset(whole, presets, str(kind))
    if asked.get(ROLE) == SMURF:
        layered = _with_preset(layered, presets, SMURF, f"{ROLE} is {SMURF}, and recipe {reference}; allowed: {MAIN}")
    if asked.get(SMOKE) is not True:
        return apply_overrides(layered, overrides)
    layered = _with_preset(layered, presets, SMOKE, f"{SMOKE} is true, and recipe {reference}; allowed: false")
    # Of the overrides, agent=dqn names the agent whose small preset lies below the others.
    named = [override for override in overrides if override.partition("=")[0].strip() == "agent"]
    layered = _with_preset(apply_overrides(layered, named), presets, f"{SMOKE}-{kind}")
    return apply_overrides(layered, [override for override in overrides if override not in named])


def _with_preset(whole: dict[str, Any], presets: Any, name: str, required: str | None = None) -> dict[str, Any]:
    """Lay a preset over a recipe; one that is not there changes nothing, unless it is required."""
    preset = presets.get(name) if isinstance(presets, Mapping) else None
    if isinstance(preset, Mapping):
        return _merge(whole, preset)
    if required is None:
        return whole
    who, _, otherwise = required.partition(";")
    raise ConfigError(f"{who} has no {_PRESETS}.{name};{otherwise}, or add that section")


def apply_overrides(mapping: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a mapping with ``section.key=value`` overrides applied, in their order.

    Raises:
        ConfigError: An override cannot be read.
    """
    layer: dict[str, Any] = {}
    for override in overrides:
        _override(layer, override)
    changed = anew_where_named(mapping, layer)
    for override in overrides:
        _override(changed, override)
    return changed


def parse_yaml(text: str, origin: str) -> Any:
    """Parse YAML 1.2 (``on`` is text and ``1e-3`` a number).

    Raises:
        ConfigError: The text is not YAML, or a key stands twice.
    """
    try:
        return deepcopy(_parsed(text))
    except (YAMLError, RecursionError) as error:
        raise ConfigError(f"{origin} is not readable YAML: {' '.join(str(error).split())}") from error


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    """Parse a text once: a verb asks for its run's recipe dozens of times, at a third of a second each."""
    return YAML(typ="safe", pure=True).load(text)


def dump_yaml(mapping: Mapping[str, Any]) -> str:
    """Render a mapping as YAML: keys in their order but `kind` first, lists on one line."""
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.dump(_laid_out(mapping), stream)
    return stream.getvalue()


def _laid_out(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = sorted(cast("Mapping[str, Any]", value).items(), key=lambda item: item[0] != "kind")
        return {key: _laid_out(item) for key, item in items}
    if isinstance(value, (list, tuple)):
        sequence = CommentedSeq(cast("Sequence[Any]", value))
        sequence.fa.set_flow_style()
        return sequence
    return value


def _resolve(reference: str) -> Path:
    shipped = shipped_recipes()
    if reference in shipped:
        return shipped[reference]
    path = Path(reference)
    if path.suffix in _SUFFIXES:
        if path.is_file():
            return path
        raise ConfigError(f"no recipe file {reference} (looked for {path.resolve()}, from {Path.cwd()})")
    near = difflib.get_close_matches(reference, shipped, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"no recipe {reference!r}{hint} Allowed: {', '.join(shipped)}, or the path of a .yaml or .json file")


def _read_with_parents(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise ConfigError(f"recipe {path} extends itself: {' -> '.join(item.name for item in (*seen, path.resolve()))}")
    mapping = found_beside(_read(path), path.parent)
    parent = mapping.pop("extends", None)
    if parent is None:
        return mapping
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: extends is {parent!r}; allowed: one recipe's name or path")
    beside = path.parent / parent
    base = _read_with_parents(beside if beside.is_file() else _resolve(parent), (*seen, path.resolve()))
    return _merge(anew_where_named(base, mapping), mapping)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe {path} cannot be read: {error}") from error
    if path.suffix == ".json":
        try:
            mapping = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ConfigError(f"{path} is not readable JSON: {error}") from error
    else:
        mapping = parse_yaml(text, str(path))
    if not isinstance(mapping, dict):
        raise ConfigError(f"recipe {path} holds {type(mapping).__name__}; allowed: a mapping of sections")
    return cast("dict[str, Any]", mapping)


def _merge(base: dict[str, Any], differences: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in differences.items():
        old = merged.get(key)
        same_kind = isinstance(old, dict) and isinstance(value, dict) and value.get("kind", old.get("kind")) == old.get("kind")
        merged[key] = _merge(cast("dict[str, Any]", old), value) if same_kind else value
    return merged


def _override(mapping: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(
            f"override {override!r} is not understood; allowed: section.key=value, as in training.n_seeds=3, or data=FILE"
        )
    value = parse_yaml(text, f"override {override!r}") if text.strip() else ""
    if len(keys) == 1 and keys[0] in _SHORTHANDS and isinstance(value, (str, int, float)):
        mapping[keys[0]] = _shorthand(keys[0], text.strip())
        return
    section: dict[str, Any] = mapping
    for key in keys[:-1]:
        inner = section.get(key)
        inner = {} if inner is None else inner
        if not isinstance(inner, dict):
            raise ConfigError(f"override {override!r}: {key} is {inner!r}, which has no keys of its own")
        section[key] = section = dict(inner)
    section[keys[-1]] = value


def _shorthand(section: str, text: str) -> dict[str, Any]:
    extra = {"kind": "file"} if section == "data" else {}
    return {**extra, _SHORTHANDS[section]: text}
