"""The networks that a recipe can name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field, field_validator

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.core.seeding import derived_seed
from seawall.nets.conv import ConvEncoder
from seawall.nets.heads import ActorCritic


@dataclass(frozen=True)
class NetworkShape:
    """What the data, the account and the action scheme ask of a network.

    Attributes:
        n_features: F, feature columns.
        window: L, rows in a window.
        n_account: A, length of the account row.
        n_actions: Number of discrete actions.
    """

    n_features: int
    window: int
    n_account: int
    n_actions: int


class ConvParams(Params):
    """Settings of the convolutional actor-critic."""

    filters: int = Field(default=32, ge=1, le=1024, description="channels of the convolution")
    kernel: int = Field(default=3, ge=1, le=63, description="rows that one filter spans, odd")
    hidden: int = Field(default=256, ge=1, le=8192, description="width of the two dense layers")
    shared_encoder: bool = Field(
        default=False, description="one encoder for policy and value: half the work, but their gradients compete"
    )

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}; allowed: odd numbers, so that a window keeps its length")
        return kernel


def build_conv(params: ConvParams, shape: NetworkShape, generator: torch.Generator) -> ActorCritic:
    """Build the convolutional actor-critic."""

    def encoder() -> ConvEncoder:
        return ConvEncoder(shape.n_features, shape.window, params.filters, params.kernel, params.hidden)

    critic = None if params.shared_encoder else encoder()
    return ActorCritic(encoder(), critic, shape.n_account, shape.n_actions, generator)


NETWORKS: dict[str, tuple[type[Params], Callable[[Any, NetworkShape, torch.Generator], ActorCritic]]] = {
    "conv": (ConvParams, build_conv),
}


def build_network(name: str, params: Params, shape: NetworkShape, seed: int) -> ActorCritic:
    """Build a registered network with weights drawn from a seed.

    Args:
        name: A key of `NETWORKS`.
        params: Settings, of that network's own class.
        shape: Sizes of inputs and outputs.
        seed: The run's seed; the same one gives the same weights.

    Raises:
        ConfigError: No network of that name, or settings of another.
    """
    if name not in NETWORKS:
        raise ConfigError(f"network {name!r} is unknown; allowed: {', '.join(sorted(NETWORKS))}")
    settings, builder = NETWORKS[name]
    if not isinstance(params, settings):
        raise ConfigError(f"network {name!r} needs {settings.__name__}; got {type(params).__name__}")
    generator = torch.Generator().manual_seed(derived_seed(seed, "network weights"))
    return builder(params, shape, generator)
