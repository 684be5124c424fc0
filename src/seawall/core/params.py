"""The base of every part's settings: frozen, and deaf to unknown names."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict

from seawall.core.errors import ConfigError


class Params(BaseModel):
    """Settings of one part. Defaults live here and nowhere else; an unknown or misspelt key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


@contextmanager
def as_value_error() -> Generator[None]:
    """Turn a `ConfigError` into the `ValueError` that a pydantic validator may raise."""
    try:
        yield
    except ConfigError as error:
        raise ValueError(str(error)) from error
