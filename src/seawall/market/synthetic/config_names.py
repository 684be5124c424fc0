"""The names that settings of made datasets go by, and their translation into those of `SynthConfig`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, cast

from seawall.core.errors import ConfigError
from seawall.core.timeframe import Timeframe
from seawall.market.synthetic.regimes import REGIME_NAMES

_DAYS_PER_YEAR = 365
_RENAMED = {
    "num_samples": "n_bars",
    "base_price": "start_price",
    "start_date": "start",
    "random_seed": "seed",
    "regime_distribution": "first_regime",
    "transition_matrix": "transitions",
    "price_process": "process",
}
_RATIOS = {"train_ratio": "train", "val_ratio": "validation", "test_ratio": "test"}
_ASSETS = {"symbols": "symbols", "correlation": "correlation", "shared_regimes": "shared_regimes"}
NAMES = (*_RENAMED, *_RATIOS, *_ASSETS, "regimes", "shuffle", "years")
"""Names that are understood besides the fields of `SynthConfig`."""

_REGIME_KEYS = {
    "drift": "drift",
    "mu": "drift",
    "volatility": "volatility",
    "sigma": "volatility",
    "reversion": "reversion",
    "mean_reversion": "reversion",
    "mean_reversion_strength": "reversion",
    "volume": "volume",
    "volume_factor": "volume",
    "shortest": "shortest",
    "longest": "longest",
}
_DURATIONS = ("duration", "duration_range")


def plain_settings(given: Mapping[str, Any], current: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Translate settings under any of their names into fields of `SynthConfig`, whole where only a part of one is given.

    Args:
        given: Settings by name; every name is known.
        current: All fields as they stand, which parts are filled up from.
        origin: Where the settings come from, for messages.

    Returns:
        The fields that change, not yet validated.

    Raises:
        ConfigError: One setting under two names, a part that is unknown, or rows that are to be shuffled.
    """
    if given.get("shuffle"):
        raise ConfigError(
            f"{origin}: shuffle is {given['shuffle']!r}; allowed: false. Shuffled rows put the future into the training part, and "
            "windows of neighbouring rows into every part"
        )
    changed = _renamed(given, current, origin)
    if "first_regime" in changed:
        changed["first_regime"] = _chances("regime_distribution", changed["first_regime"], origin)
    if "transitions" in changed:
        changed["transitions"] = _matrix(changed["transitions"], current["transitions"], origin)
    for section, parts in (("split", _RATIOS), ("assets", _ASSETS)):
        _fill_section(changed, section, {parts[name]: given[name] for name in parts if name in given}, current[section], origin)
    _fill_section(changed, "labels", {}, current["labels"], origin)
    _keep_horizons(changed, current["labels"]["horizons"])
    _set_years(changed, given, current, origin)
    return changed


def _renamed(given: Mapping[str, Any], current: Mapping[str, Any], origin: str) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name, value in given.items():
        if name == "regimes":
            for regime, settings in _mapping(name, value, REGIME_NAMES, origin).items():
                _set(changed, regime, _regime(regime, settings, current[regime], origin), origin)
        elif name in REGIME_NAMES:
            _set(changed, name, _regime(name, value, current[name], origin), origin)
        elif name not in NAMES or name in _RENAMED:
            _set(changed, _RENAMED.get(name, name), value, origin)
    return changed


def _set(changed: dict[str, Any], field: str, value: Any, origin: str) -> None:
    if field in changed:
        raise ConfigError(f"{origin}: {field} is given twice, under two of its names; allowed: once")
    changed[field] = value


def _fill_section(changed: dict[str, Any], section: str, parts: dict[str, Any], current: Mapping[str, Any], origin: str) -> None:
    whole = changed.get(section, {})
    if not isinstance(whole, Mapping):
        return
    settings = cast("Mapping[str, Any]", whole)
    twice = sorted(set(settings) & set(parts))
    if twice:
        raise ConfigError(f"{origin}: {section}.{twice[0]} is given twice, under two of its names; allowed: once")
    if settings or parts:
        changed[section] = {**current, **settings, **parts}


def _keep_horizons(changed: dict[str, Any], current: Mapping[str, int]) -> None:
    # Timeframes that are not named keep their horizon.
    labels = changed.get("labels")
    if isinstance(labels, dict) and isinstance(labels["horizons"], Mapping):
        labels["horizons"] = {**current, **labels["horizons"]}


def _set_years(changed: dict[str, Any], given: Mapping[str, Any], current: Mapping[str, Any], origin: str) -> None:
    if "years" not in given:
        return
    timeframe = Timeframe.parse(str(changed.get("timeframe", current["timeframe"])))
    _set(changed, "n_bars", bars_of_years(given["years"], timeframe, origin), origin)


def bars_of_years(years: Any, timeframe: Timeframe, origin: str = "command line") -> int:
    """Return how many bars a number of years of 365 days has.

    Args:
        years: As the user wrote it.
        timeframe: Length of a bar.
        origin: Where it comes from, for messages.

    Raises:
        ConfigError: It is no number above 0 and below 10,000.
    """
    if isinstance(years, bool) or not isinstance(years, (int, float)) or not 0.0 < years < 10_000.0:
        raise ConfigError(f"{origin}: years is {years!r}; allowed: a number above 0 and below 10,000")
    return round(years * _DAYS_PER_YEAR * 86_400 / timeframe.seconds)


def _regime(name: str, value: Any, current: Mapping[str, Any], origin: str) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for key, setting in _mapping(name, value, (*_REGIME_KEYS, *_DURATIONS), origin).items():
        if key not in _DURATIONS:
            _set(changed, _REGIME_KEYS[key], setting, f"{origin}: {name}")
            continue
        bounds = list(cast("list[Any]", setting)) if isinstance(setting, (list, tuple)) else []
        if len(bounds) != 2:
            raise ConfigError(f"{origin}: {name}.{key} is {setting!r}; allowed: fewest bars, and one more than the most")
        for field, bound in zip(("shortest", "longest"), bounds, strict=True):
            _set(changed, field, bound, f"{origin}: {name}")
    return {**current, **changed}


def _chances(name: str, value: Any, origin: str) -> Any:
    # Regimes that are not named have no chance.
    if not isinstance(value, Mapping):
        return value
    named = _mapping(name, value, REGIME_NAMES, origin)
    return tuple(named.get(regime, 0.0) for regime in REGIME_NAMES)


def _matrix(value: Any, current: Any, origin: str) -> Any:
    # Rows that are not named stay as they are.
    if not isinstance(value, Mapping):
        return value
    named = _mapping("transition_matrix", value, REGIME_NAMES, origin)
    rows = zip(REGIME_NAMES, current, strict=True)
    return tuple(_chances(f"transition_matrix.{regime}", named.get(regime, row), origin) for regime, row in rows)


def _mapping(name: str, value: Any, allowed: tuple[str, ...], origin: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{origin}: {name} is {value!r}; allowed: settings by name: {', '.join(allowed)}")
    settings = cast("Mapping[str, Any]", value)
    for key in settings:
        if key not in allowed:
            near = difflib.get_close_matches(str(key), allowed, n=1)
            hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(allowed)}"
            raise ConfigError(f"{origin}: unknown key {name}.{key} (value {settings[key]!r}); {hint}")
    return dict(settings)
