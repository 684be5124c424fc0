"""What every network is told: the sizes of its inputs and outputs, and the settings that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from seawall.core.params import Params

Activation = Literal["relu", "gelu", "tanh"]
_HEAD_SETTINGS = ("head_units", "head_activation", "head_dropout")


@dataclass(frozen=True)
class NetworkShape:
    """What the data, the account and the action scheme ask of a network.

    Attributes:
        n_features: F, feature columns.
        window: L, rows in a window.
        n_account: A, length of the account row.
        n_actions: Number of discrete actions; 0 where an action is one continuous number.
    """

    n_features: int
    window: int
    n_account: int
    n_actions: int


class NetworkParams(Params):
    """Settings that every network has."""

    shared_encoder: bool = Field(
        default=False, description="one encoder for policy and value: half the work, but their gradients compete"
    )
    head_units: int = Field(default=0, ge=0, le=8192, description="width of one hidden layer in every head; 0 for linear heads")
    head_activation: Activation = Field(default="relu", description="what bends the heads' hidden layer")
    head_dropout: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="share of the heads' hidden units that a gradient step leaves out"
    )

    def memory_units(self) -> int:
        """Return the units of a memory of earlier bars between encoder and head; 0 for a network without one."""
        return 0

    @model_validator(mode="after")
    def _heads_are_hidden(self) -> NetworkParams:
        given = sorted(self.model_fields_set & {"head_activation", "head_dropout"})
        if not self.head_units and given:
            raise ValueError(f"{', '.join(given)} set and head_units is 0; allowed: at least 1, or linear heads without these")
        return self

    @model_serializer(mode="wrap")
    def _without_idle_settings(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A bundle must fit the settings that it was saved with, and older ones know no hidden layer in the heads.
        settings: dict[str, Any] = dump(self)
        idle = () if self.head_units else _HEAD_SETTINGS
        return {name: value for name, value in settings.items() if name not in idle}
