"""Files of markets as people write them, brought into the one layout that `seawall.market.hours.specs` reads.

===================================  ==========================================================================================
written                              read as
===================================  ==========================================================================================
``global:`` beside ``markets:``      what every market has that does not say otherwise: max_leverage, margin_call, stop_out
sessions as a list                   ``[asia, london]``, or of mappings with a ``name``
hours as ``09:00-17:00``             ``start`` and ``end``; a list of the two is the same
session_config with ``timezone``     the place of its windows that name none
session_config with gaps_expected    ``gaps_expected`` of the market
===================================  ==========================================================================================
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from seawall.core.errors import ConfigError

# ruamel.yaml types what it loads as unknown.
_YAML: Any = YAML
GLOBAL = ("max_leverage", "margin_call", "stop_out")
_HOURS = re.compile(r"(\d{1,2}:\d\d)\s*(?:-|–|to)\s*(\d{1,2}:\d\d)")


def parse(text: str, origin: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Read a file of markets.

    Args:
        text: YAML 1.2.
        origin: Name of the file, for messages.

    Returns:
        The entries by market, in the layout of `MarketSpec` with ``extends``; and what its ``global`` says. Values are as they were
        written.

    Raises:
        ConfigError: It is no YAML, has other keys at its top, or a market has no name or no mapping.
    """
    try:
        found = _YAML(typ="safe", pure=True).load(text)
    except (YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{origin} is not readable YAML: {' '.join(str(error).split())}") from error
    top: dict[Any, Any] = cast("dict[Any, Any]", found) if isinstance(found, dict) else {}
    entries: Any = top.get("markets")
    if not {"markets"} <= set(top) <= {"markets", "global"} or not isinstance(entries, dict):
        keys = ", ".join(map(str, top)) or "no mapping"
        raise ConfigError(
            f"{origin} holds {keys}; allowed: one key, markets, with a mapping of names to markets, and global beside it"
        )
    return {
        _name(symbol, origin): _entry(str(symbol), entry, origin) for symbol, entry in cast("dict[Any, Any]", entries).items()
    }, _shared(top.get("global"), origin)


def shown(value: Any) -> str:
    """Return a value as a message names it; a date is what YAML makes of one that stands without quotes."""
    if isinstance(value, (dt.date, dt.datetime)):
        return f"{value.isoformat()} (a date: quotes make it text)"
    return repr(value)


def _name(symbol: Any, origin: str) -> str:
    if not isinstance(symbol, str) or not symbol.strip():
        raise ConfigError(
            f"{origin}: market {shown(symbol)} is no name; allowed: text, in quotes where YAML reads it as another thing"
        )
    return symbol


def _shared(given: Any, origin: str) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ConfigError(f"{origin}: global is {shown(given)}; allowed: a mapping of {', '.join(GLOBAL)}")
    held = cast("dict[Any, Any]", given)
    unknown = [key for key in held if key not in GLOBAL]
    if unknown:
        raise ConfigError(
            f"{origin}: unknown key global.{unknown[0]} (value {shown(held[unknown[0]])}); allowed: {', '.join(GLOBAL)}"
        )
    return cast("dict[str, Any]", held)


def _entry(symbol: str, given: Any, origin: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ConfigError(f"{origin}: market {symbol} is {shown(given)}; allowed: a mapping such as tick_size: 0.01")
    entry = {str(key): value for key, value in cast("dict[Any, Any]", given).items()}
    place = f"{origin}: market {symbol}"
    if "sessions" in entry:
        entry["sessions"] = _sessions(entry["sessions"], None, place)
    config: Any = entry.get("session_config")
    if not isinstance(config, dict):
        return entry
    inside = {str(key): value for key, value in cast("dict[Any, Any]", config).items()}
    expected, zone = inside.pop("gaps_expected", None), inside.pop("timezone", None)
    if expected is not None and entry.setdefault("gaps_expected", expected) != expected:
        raise ConfigError(f"{place}: gaps_expected is given twice, and differs; allowed: once")
    if "sessions" in inside:
        inside["sessions"] = _sessions(inside["sessions"], zone, place)
    entry["session_config"] = inside
    return entry


def _sessions(given: Any, zone: Any, place: str) -> Any:
    """Return sessions as a mapping of names to hours or names; what is neither stays as it is, to be refused with its key."""
    if isinstance(given, list):
        named: dict[Any, Any] = {}
        for item in cast("list[Any]", given):
            name, hours = _listed(item)
            if not isinstance(name, str) or name in named:
                raise ConfigError(f"{place}: sessions has {shown(item)}; allowed in a list: mappings, each with a name of its own")
            named[name] = hours
        given = named
    if not isinstance(given, dict):
        return given
    return {name: _hours(hours, zone) for name, hours in cast("dict[Any, Any]", given).items()}


def _listed(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, dict):
        return item, item
    hours = dict(cast("dict[Any, Any]", item))
    name = hours.pop("name", None)
    return name, hours or name


def _hours(given: Any, zone: Any) -> Any:
    hours: Any = given
    if isinstance(given, str) and (found := _HOURS.fullmatch(given.strip())) is not None:
        hours = {"start": found[1], "end": found[2]}
    elif isinstance(given, list) and len(cast("list[Any]", given)) == 2:
        start, end = cast("list[Any]", given)
        hours = {"start": start, "end": end}
    if zone is not None and isinstance(hours, dict):
        return {"timezone": zone, **cast("dict[Any, Any]", hours)}
    return hours
