"""Costs by symbol: those of ``costs.yaml``, then those of a user's file of the same layout.

A user's file adds symbols and replaces shipped ones. A symbol that ``extends`` another starts from all of that one's keys but its
aliases. A file's ``randomization`` holds for every symbol that does not say it itself, the user's before the shipped one; its
stress presets stand beside the shipped ones. `seawall.simulator.costs.cost_files` tells what layouts are read.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

from seawall.core.errors import ConfigError
from seawall.market.hours.market_files import shown
from seawall.market.hours.specs import find_market, load_markets, plain_symbol
from seawall.simulator.costs.cost_files import ENTRY_KEYS, CostFile, merged, parse, validated
from seawall.simulator.costs.params import CostParams, RandomizationParams
from seawall.simulator.costs.stress import StressPreset

SHIPPED = "costs.yaml"


@dataclass(frozen=True)
class SymbolCosts:
    """The costs of one symbol.

    Attributes:
        symbol: Its name in the file.
        aliases: Other names, beside those that its market has.
        costs: What trading it costs.
    """

    symbol: str
    aliases: tuple[str, ...]
    costs: CostParams


@dataclass(frozen=True)
class CostCatalogue:
    """Costs by symbol, and presets of stress by name.

    Attributes:
        symbols: In the order of the files.
        presets: Stress by name.
    """

    symbols: dict[str, SymbolCosts]
    presets: dict[str, StressPreset]

    def find(self, symbol: str) -> SymbolCosts:
        """Return a symbol by its name, an alias, or another name of its market; case and ``/``, ``-``, ``_`` do not count.

        Raises:
            ConfigError: There is no such symbol.
        """
        market = find_market(symbol, load_markets())
        for names in ((symbol,), () if market is None else (market.symbol, *market.aliases)):
            wanted = set(map(plain_symbol, names))
            named = [entry for entry in self.symbols.values() if plain_symbol(entry.symbol) in wanted]
            aliased = [entry for entry in self.symbols.values() if wanted & set(map(plain_symbol, entry.aliases))]
            if named or aliased:
                return (named or aliased)[0]
        near = difflib.get_close_matches(plain_symbol(symbol), map(plain_symbol, self.symbols), n=1)
        hint = f"; did you mean {near[0]}?" if near else ";"
        raise ConfigError(
            f"costs of {symbol!r} are unknown{hint} allowed: {', '.join(self.symbols)}, or a symbol of a file of your own"
        )

    def stressed(self, costs: CostParams, name: str) -> CostParams:
        """Return costs under a preset of stress.

        Raises:
            ConfigError: There is no such preset, or a cost would leave what is allowed.
        """
        if name not in self.presets:
            raise ConfigError(f"stress {name!r} is unknown; allowed: {', '.join(self.presets)}, or one of a file of your own")
        return self.presets[name].applied(costs, name)


def load_costs(extra: Path | None = None) -> CostCatalogue:
    """Return the shipped costs, and those of the user's file.

    Args:
        extra: A YAML 1.2 file with ``costs``, ``randomization`` or ``stress`` at its top.

    Raises:
        ConfigError: The file cannot be read, or something in it is refused: the message names file, symbol, key, value and what is
            allowed.
    """
    shipped = _shipped()
    if extra is None:
        return _catalogue([(SHIPPED, shipped)])
    try:
        text = extra.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"costs file {extra} cannot be read: {error}") from error
    return _catalogue([(SHIPPED, shipped), (str(extra), parse(text, str(extra)))])


def stressed(costs: CostParams, name: str) -> CostParams:
    """Return costs under a shipped preset of stress, as `CostCatalogue.stressed` does."""
    return load_costs().stressed(costs, name)


@cache
def _shipped() -> CostFile:
    file = resources.files("seawall.simulator.costs").joinpath(SHIPPED)
    return parse(file.read_text(encoding="utf-8"), SHIPPED)


def _catalogue(files: list[tuple[str, CostFile]]) -> CostCatalogue:
    said: dict[str, tuple[str, dict[str, Any]]] = {}
    presets: dict[str, StressPreset] = {}
    randomization = RandomizationParams()
    for origin, file in files:
        _refuse_twins(file.entries, origin)
        for symbol, entry in file.entries.items():
            older = _spelt(symbol, said)
            values = _extended(symbol, entry, said, origin)
            if older is not None:
                values = {"aliases": said[older][1].get("aliases", ()), **values}
                # A symbol keeps the place of the one that it replaces.
                said = {symbol if name == older else name: held for name, held in said.items()}
            said[symbol] = (origin, values)
        presets.update(file.stress)
        randomization = file.randomization or randomization
    symbols = {symbol: _symbol(symbol, values, randomization, origin) for symbol, (origin, values) in said.items()}
    _refuse_shared_names(symbols, files[-1][0])
    return CostCatalogue(symbols, presets)


def _extended(symbol: str, entry: Mapping[str, Any], said: Mapping[str, tuple[str, dict[str, Any]]], origin: str) -> dict[str, Any]:
    if "extends" not in entry:
        return dict(entry)
    named = entry["extends"]
    parent = _spelt(named, said) if isinstance(named, str) else None
    if parent is None:
        raise ConfigError(f"{origin}: costs of {symbol}: extends is {shown(named)}; allowed: {', '.join(said)}")
    base = {key: value for key, value in said[parent][1].items() if key != "aliases"}
    return merged(base, {key: value for key, value in entry.items() if key != "extends"})


def _symbol(symbol: str, values: Mapping[str, Any], randomization: RandomizationParams, origin: str) -> SymbolCosts:
    place = f"{origin}: costs of {symbol}"
    given: Any = values.get("aliases", ())
    aliases: tuple[Any, ...] = tuple(cast("list[Any]", given)) if isinstance(given, (list, tuple)) else (None,)
    if not all(isinstance(alias, str) and alias.strip() for alias in aliases):
        raise ConfigError(f"{place}: aliases is {shown(given)}; allowed: a list of names")
    numbers = {"randomization": randomization.model_dump(), **{key: value for key, value in values.items() if key != "aliases"}}
    return SymbolCosts(symbol, aliases, validated(CostParams, numbers, place, beside=ENTRY_KEYS))


def _spelt(symbol: str, names: Mapping[str, Any]) -> str | None:
    """Return how a symbol's name is written, or None where there is none of that name."""
    return next((name for name in names if plain_symbol(name) == plain_symbol(symbol)), None)


def _refuse_twins(entries: Mapping[str, Any], origin: str) -> None:
    names: dict[str, str] = {}
    for symbol in entries:
        twin = names.setdefault(plain_symbol(symbol), symbol)
        if twin != symbol:
            raise ConfigError(f"{origin}: costs of {twin} and of {symbol} are of one symbol, as case does not count; allowed: one")


def _refuse_shared_names(symbols: Mapping[str, SymbolCosts], origin: str) -> None:
    owners: dict[str, str] = {}
    for entry in symbols.values():
        for name in dict.fromkeys(map(plain_symbol, entry.aliases)):
            owner = owners.setdefault(name, entry.symbol)
            if owner != entry.symbol:
                raise ConfigError(f"{origin}: {name} is an alias of both {owner} and {entry.symbol}; allowed: of one of them")
