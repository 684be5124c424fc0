"""The base of every part's settings: frozen, and deaf to unknown names."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Settings of one part. Defaults live here and nowhere else; an unknown or misspelt key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
