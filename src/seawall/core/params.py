"""The base of every part's settings: frozen, and deaf to unknown names."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast, get_args

from pydantic import BaseModel, ConfigDict, model_validator

from seawall.core.errors import ConfigError


class Params(BaseModel):
    """Settings of one part. Defaults live here and nowhere else.

    An unknown or misspelt key is refused, and so are NaN, infinity, and true or false where a number is wanted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_as_number(cls, values: Any) -> Any:
        # For a number, pydantic takes true as 1.
        given: Mapping[Any, Any] = cast("Mapping[Any, Any]", values) if isinstance(values, Mapping) else {}
        for name, value in given.items():
            field = cls.model_fields.get(str(name))
            if isinstance(value, bool) and field is not None and not _takes_bool(field.annotation):
                raise ValueError(f"{name} is {str(value).lower()}, which is no number; allowed: {field.description or 'a number'}")
        return cast("Any", values)


def _takes_bool(annotation: Any) -> bool:
    return annotation in (bool, Any) or isinstance(annotation, bool) or any(_takes_bool(part) for part in get_args(annotation))


@contextmanager
def as_value_error() -> Generator[None]:
    """Turn a `ConfigError` into the `ValueError` that a pydantic validator may raise."""
    try:
        yield
    except ConfigError as error:
        raise ValueError(str(error)) from error
