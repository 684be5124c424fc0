"""The networks that a recipe can name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field, field_validator
from torch import nn

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


class NetworkParams(Params):
    """Settings that every network has."""

    shared_encoder: bool = Field(
        default=False, description="one encoder for policy and value: half the work, but their gradients compete"
    )


class ConvParams(NetworkParams):
    """Settings of the convolutional encoder."""

    filters: int = Field(default=32, ge=1, le=1024, description="channels of the convolution")
    kernel: int = Field(default=3, ge=1, le=63, description="rows that one filter spans, odd")
    hidden: int = Field(default=256, ge=1, le=8192, description="width of the two dense layers")

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}; allowed: odd numbers, so that a window keeps its length")
        return kernel


def build_conv(params: ConvParams, shape: NetworkShape) -> ConvEncoder:
    """Build one convolutional encoder."""
    return ConvEncoder(shape.n_features, shape.window, params.filters, params.kernel, params.hidden)


NETWORKS: dict[str, tuple[type[NetworkParams], Callable[[Any, NetworkShape], nn.Module]]] = {
    "conv": (ConvParams, build_conv),
}
"""Settings of each encoder, and what builds one: a module that maps windows (B, L, F) to (B, width), and tells its `width`."""


def build_network(name: str, params: NetworkParams, shape: NetworkShape, seed: int) -> ActorCritic:
    """Build an actor-critic around a registered encoder, with weights drawn from a seed.

    Args:
        name: A key of `NETWORKS`.
        params: Settings, of that network's own class.
        shape: Sizes of inputs and outputs.
        seed: The run's seed; the same one gives the same weights.

    Raises:
        ConfigError: No network of that name, or settings of another.
    """
    actor = build_encoder(name, params, shape)
    critic = None if params.shared_encoder else build_encoder(name, params, shape)
    return ActorCritic(actor, critic, shape.n_account, shape.n_actions, weights_generator(seed))


def build_encoder(name: str, params: NetworkParams, shape: NetworkShape) -> nn.Module:
    """Build a registered encoder; its weights are still to be drawn.

    Raises:
        ConfigError: No network of that name, or settings of another.
    """
    if name not in NETWORKS:
        raise ConfigError(f"network {name!r} is unknown; allowed: {', '.join(sorted(NETWORKS))}")
    settings, builder = NETWORKS[name]
    if not isinstance(params, settings):
        raise ConfigError(f"network {name!r} needs {settings.__name__}; got {type(params).__name__}")
    return builder(params, shape)


def weights_generator(seed: int) -> torch.Generator:
    """Return the source of a run's initial weights."""
    return torch.Generator().manual_seed(derived_seed(seed, "network weights"))
