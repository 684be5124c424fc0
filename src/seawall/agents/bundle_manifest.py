"""What ``bundle.json`` of schema version 1 must say, entry by entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class MemberEntry(_Entry):
    """One seed's weights."""

    file: str = Field(pattern=r"^[\w-]+\.safetensors$")
    weights_hash: _Hash


class FeaturesEntry(_Entry):
    """The columns that the networks see."""

    names: list[str] = Field(min_length=1)
    hash: _Hash
    scaling: str


class OnnxEntry(_Entry):
    """The exported ensemble, and how far it was from the networks when it was checked."""

    file: Literal["policy.onnx"]
    sha256: _Hash
    max_difference: float = Field(ge=0, le=1)


class ProgressEntry(_Entry):
    """How far the training of one seed has come; its best step is None where nothing was scored yet."""

    seed: int
    steps: int = Field(ge=0)
    total_steps: int = Field(ge=0)
    best_step: int | None


class Manifest(_Entry):
    """The whole document; entries beyond these are allowed."""

    schema_version: Literal[1]
    created_by: str
    complete: bool = True
    progress: list[ProgressEntry] = Field(default_factory=list[ProgressEntry])
    members: list[MemberEntry] = Field(min_length=1)
    seeds: list[int]
    features: FeaturesEntry
    window: int = Field(ge=1)
    timeframe: str
    action_scheme: dict[str, Any] = Field(min_length=1)
    account: list[str]
    network: dict[str, Any]
    recipe: dict[str, Any]
    recipe_hash: _Hash
    scaler: dict[str, Any]
    costs: dict[str, Any]
    guards: dict[str, Any]
    data: dict[str, Any]
    onnx: OnnxEntry | None = None
    manifest_hash: _Hash | None = None

    @model_validator(mode="after")
    def _a_seed_for_each_member(self) -> Manifest:
        if len(self.seeds) != len(self.members):
            raise ValueError(f"{len(self.seeds)} seeds and {len(self.members)} members; there must be one seed for each member")
        return self


def manifest_problems(document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a manifest, one line each; empty where it is sound."""
    try:
        Manifest.model_validate(document)
    except ValidationError as error:
        return [_line(problem) for problem in error.errors()]
    return []


def _line(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    words = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"bundle.json has no {place}"
    return f"bundle.json: {place} {words}" if not place else f"bundle.json: {place} is {problem['input']!r:.60}: {words}"
