"""Parts of the user's own, from a Python file given as ``--plugin FILE.py``.

The file is run, and the dictionaries in it that bear a registry's name are added to that registry:

::

    import numpy as np
    from seawall.features.columns import Column

    def momentum(bars):
        return np.log(bars["close"] / bars["close"].shift(10))

    COLUMNS = {"momentum_10": Column(momentum, warmup=10)}

A run keeps a copy of its plugins and their hashes. A plugin is code: one that comes with a run or bundle is run only where it is
trusted (``--trust``), never because a file names it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from seawall.core.errors import ConfigError, DataError
from seawall.core.files import write_text
from seawall.core.protocols import FeatureSet
from seawall.features.columns import COLUMNS, Column
from seawall.features.registry import FEATURE_SETS, FeatureEntry
from seawall.features.sets.inputs import refuse_omit
from seawall.guards.registry import GUARDS, GuardEntry
from seawall.nets.registry import NETWORKS, NetworkParams
from seawall.simulator.rewards.check import check_term
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.rewards.term import RewardTerm
from seawall.simulator.rewards.terms import REWARD_TERMS

# Inherited by the processes that train and judge.
TRUSTED = "SEAWALL_TRUSTED_PLUGINS"
FOLDER = "plugins"


@dataclass(frozen=True)
class Plugin:
    """A plugin that has been loaded.

    Attributes:
        path: The file.
        sha256: Hash of its text.
        module: The file, run.
        parts: What it added, by the registry's name.
    """

    path: Path
    sha256: str
    module: ModuleType
    parts: dict[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """The file's name, by which a recipe knows the plugin."""
        return self.path.name


_LOADED: dict[str, Plugin] = {}
_CHECKED: set[tuple[str, str, str]] = set()


def load_plugin(path: Path, others: Sequence[str] = ()) -> Plugin:
    """Run a plugin file and add its parts to the registries; the same text is run once.

    Args:
        path: The file.
        others: Names of dictionaries that are no registries but give the file a use, as those of a leak check.

    Raises:
        ConfigError: There is no such file, it cannot be run, it adds nothing, or a part of it is of the wrong kind or has the
            name of another part.
    """
    text = _read(path)
    sha256 = hashlib.sha256(text).hexdigest()
    if sha256 in _LOADED:
        return _LOADED[sha256]
    module = _run(path, sha256)
    found = {name: dict(vars(module)[name]) for name in _REGISTRIES if isinstance(vars(module).get(name), Mapping)}
    if not found and not any(hasattr(module, name) for name in others):
        raise ConfigError(f"plugin {path} adds nothing; allowed: a dictionary named {' or '.join((*_REGISTRIES, *others))}")
    prepared = {name: _prepared(path, name, given, sha256) for name, given in found.items()}
    for name, parts in prepared.items():
        _REGISTRIES[name].update(parts)
    plugin = Plugin(path, sha256, module, {name: tuple(parts) for name, parts in prepared.items()})
    _LOADED[sha256] = plugin
    return plugin


def load_plugins(paths: Iterable[Path]) -> dict[str, str]:
    """Load several plugins.

    Returns:
        File name to hash, as a recipe's ``plugins`` says them.

    Raises:
        ConfigError: As `load_plugin`, or two files have one name.
    """
    loaded: dict[str, str] = {}
    for path in paths:
        plugin = load_plugin(path)
        if loaded.get(plugin.name, plugin.sha256) != plugin.sha256:
            raise ConfigError(f"two plugins are named {plugin.name}; rename one of them")
        loaded[plugin.name] = plugin.sha256
    return loaded


def require_loaded(plugins: Mapping[str, str]) -> None:
    """Refuse a recipe whose plugins have not been loaded.

    Raises:
        ConfigError: A plugin is missing, or the one loaded under its name has another text.
    """
    for name, sha256 in plugins.items():
        if sha256 in _LOADED:
            continue
        here = next((plugin for plugin in _LOADED.values() if plugin.name == name), None)
        if here is None:
            raise ConfigError(
                f"the recipe uses the plugin {name} (sha256 {sha256[:12]}…), which is not loaded; give it with --plugin"
            )
        raise ConfigError(f"the recipe uses the plugin {name} with sha256 {sha256[:12]}…; the one loaded has {here.sha256[:12]}…")


def check_reward_terms(params: RewardParams) -> None:
    """Check the terms of a reward that came with plugins, each once in a process for the same settings.

    Raises:
        ConfigError: A term looks farther ahead than it declares, or cannot be relied on.
    """
    settings = params.model_dump_json(exclude={"weights", "scale", "clip", "preset"})
    for plugin in _LOADED.values():
        for name in plugin.parts.get("REWARD_TERMS", ()):
            if name in params.weights and (plugin.sha256, name, settings) not in _CHECKED:
                check_term(name, params)
                _CHECKED.add((plugin.sha256, name, settings))


def keep_plugins(plugins: Mapping[str, str], folder: Path) -> None:
    """Copy loaded plugins into a run folder."""
    for name, sha256 in plugins.items():
        write_text(folder / FOLDER / name, _LOADED[sha256].path.read_text(encoding="utf-8"))


def load_kept(plugins: Mapping[str, str], folder: Path) -> None:
    """Load the plugins that a run folder keeps, where they are trusted.

    Raises:
        ConfigError: A plugin is not trusted.
        DataError: A plugin is missing, or altered since the run was made.
    """
    for name, sha256 in plugins.items():
        if sha256 in _LOADED:
            continue
        path = folder / FOLDER / name
        if not path.is_file():
            raise DataError(f"{folder} uses the plugin {name}, and its copy {path} is gone")
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise DataError(f"{path} is not the plugin that the run was made with: its hash differs from {sha256[:12]}…")
        if sha256 not in os.environ.get(TRUSTED, "").split(","):
            raise ConfigError(f"{folder} runs the code of its plugin {path}; read it, and allow it with --trust")
        load_plugin(path)


def trust(hashes: Iterable[str]) -> None:
    """Trust plugins in this process and those that it starts."""
    known = [each for each in os.environ.get(TRUSTED, "").split(",") if each]
    os.environ[TRUSTED] = ",".join(dict.fromkeys([*known, *hashes]))


def _read(path: Path) -> bytes:
    if path.suffix != ".py":
        raise ConfigError(f"plugin {path} is no Python file; allowed: a file whose name ends in .py")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"plugin {path} cannot be read: {error.strerror or error}") from error


def _run(path: Path, sha256: str) -> ModuleType:
    name = f"seawall_plugin_{sha256[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"plugin {path} cannot be loaded as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
        where = "" if line is None else f" at line {line}"
        raise ConfigError(f"plugin {path} cannot be run{where}: {type(error).__name__}: {error}") from error
    return module


def _prepared(path: Path, registry: str, given: Mapping[Any, Any], sha256: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, part in given.items():
        if name in _REGISTRIES[registry]:
            raise ConfigError(f"plugin {path} adds {name!r} to {registry}, where there is one of that name; rename it")
        if registry == "COLUMNS" and isinstance(part, Column):
            parts[str(name)] = replace(part, origin=sha256)
        elif registry == "FEATURE_SETS" and isinstance(part, FeatureSet):
            parts[str(name)] = FeatureEntry(_AsItIs(replace(part, name=str(name), settings={**part.settings, "origin": sha256})))
        elif (registry, type(part)) in _PLAIN or (registry == "NETWORKS" and _is_network(part)):
            parts[str(name)] = part
        else:
            raise ConfigError(f"plugin {path} has {type(part).__name__} for {name!r} in {registry}; allowed: {_KINDS[registry]}")
    return parts


_PLAIN = (("FEATURE_SETS", FeatureEntry), ("REWARD_TERMS", RewardTerm), ("GUARDS", GuardEntry))


@dataclass(frozen=True)
class _AsItIs:
    """Makes a feature set that has no options and nothing to leave out."""

    made: FeatureSet

    def __call__(self, omit: tuple[str, ...], _options: Any) -> FeatureSet:
        refuse_omit(omit, self.made.name)
        return self.made


def _is_network(part: Any) -> bool:
    """Say whether a part is a network: settings, and what builds its encoder."""
    pair = isinstance(part, tuple) and len(part) == 2
    return pair and isinstance(part[0], type) and issubclass(part[0], NetworkParams) and callable(part[1])


_REGISTRIES: dict[str, dict[str, Any]] = {
    "COLUMNS": COLUMNS,
    "FEATURE_SETS": FEATURE_SETS,
    "REWARD_TERMS": REWARD_TERMS,
    "NETWORKS": NETWORKS,
    "GUARDS": GUARDS,
}
_KINDS = {
    "COLUMNS": "Column",
    "FEATURE_SETS": "FeatureSet or FeatureEntry",
    "REWARD_TERMS": "RewardTerm",
    "NETWORKS": "a class of NetworkParams and the function that builds its encoder",
    "GUARDS": "GuardEntry",
}
