"""The guards that a recipe can name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.core.protocols import Guard
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams


@dataclass(frozen=True)
class GuardEntry:
    """How a named guard is made.

    Attributes:
        params: Class of its settings.
        build: Makes the guard from such settings.
    """

    params: type[Params]
    build: Callable[[Any], Guard]


GUARDS: dict[str, GuardEntry] = {
    "n_consecutive": GuardEntry(NConsecutiveParams, NConsecutive),
}


def guard(name: str, params: Params) -> Guard:
    """Return a registered guard.

    Args:
        name: One of `GUARDS`.
        params: Its settings.

    Raises:
        ConfigError: No guard has that name, or the settings are another guard's.
    """
    if name not in GUARDS:
        raise ConfigError(f"guard {name!r} is unknown; allowed: {sorted(GUARDS)}")
    entry = GUARDS[name]
    if not isinstance(params, entry.params):
        raise ConfigError(f"guard {name!r} was given {type(params).__name__}; allowed: {entry.params.__name__}")
    return entry.build(params)


def guard_chain(named: Sequence[tuple[str, Params]]) -> GuardChain:
    """Return a chain of registered guards, in the order given; it may be empty."""
    return GuardChain([guard(name, params) for name, params in named])
