"""Refusing to leave out inputs of a set that has no optional ones."""

from __future__ import annotations

from seawall.core.errors import ConfigError


def refuse_omit(omit: tuple[str, ...], name: str) -> None:
    """Refuse inputs to leave out of a set that reads open, high, low, close and volume alone.

    Raises:
        ConfigError: `omit` names anything.
    """
    if omit:
        raise ConfigError(f"features.omit={list(omit)} has no meaning for set {name!r}, which has no optional inputs")
