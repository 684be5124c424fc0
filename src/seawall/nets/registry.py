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
from seawall.nets.dense import DenseEncoder
from seawall.nets.heads import ActorCritic


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

    def memory_units(self) -> int:
        """Return the units of a memory of earlier bars between encoder and head; 0 for a network without one."""
        return 0


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


class LstmParams(NetworkParams):
    """Settings of the recurrent network: a dense layer over the window, then an LSTM from bar to bar."""

    hidden: int = Field(default=128, ge=1, le=8192, description="width of the dense layer over the window")
    memory: int = Field(default=128, ge=1, le=4096, description="units of the LSTM")

    def memory_units(self) -> int:
        """Return the units of the LSTM."""
        return self.memory


def build_conv(params: ConvParams, shape: NetworkShape) -> ConvEncoder:
    """Build one convolutional encoder."""
    return ConvEncoder(shape.n_features, shape.window, params.filters, params.kernel, params.hidden)


def build_dense(params: LstmParams, shape: NetworkShape) -> DenseEncoder:
    """Build what the LSTM reads: one dense layer over the window."""
    return DenseEncoder(shape.n_features, shape.window, params.hidden)


NETWORKS: dict[str, tuple[type[NetworkParams], Callable[[Any, NetworkShape], nn.Module]]] = {
    "conv": (ConvParams, build_conv),
    "lstm": (LstmParams, build_dense),
}
"""Settings of each network, and what builds its encoder: a module that maps windows (B, L, F) to (B, width), and tells its `width`.

A network whose settings have `memory_units` gets an LSTM of its own after each encoder.
"""


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
    actor = _encoder(name, params, shape)
    critic = None if params.shared_encoder else _encoder(name, params, shape)
    return ActorCritic(actor, critic, shape.n_account, shape.n_actions, weights_generator(seed), params.memory_units())


def build_encoder(name: str, params: NetworkParams, shape: NetworkShape) -> nn.Module:
    """Build a registered encoder for an agent with heads of its own; its weights are still to be drawn.

    Raises:
        ConfigError: No network of that name, settings of another, or a network that remembers earlier bars.
    """
    encoder = _encoder(name, params, shape)
    if params.memory_units():
        windowed = sorted(each for each, (settings, _) in NETWORKS.items() if not settings().memory_units())
        raise ConfigError(
            f"network {name!r} remembers earlier bars, which this agent cannot train; allowed: {', '.join(windowed)}; "
            "of the agents, ppo trains it"
        )
    return encoder


def _encoder(name: str, params: NetworkParams, shape: NetworkShape) -> nn.Module:
    if name not in NETWORKS:
        raise ConfigError(f"network {name!r} is unknown; allowed: {', '.join(sorted(NETWORKS))}")
    settings, builder = NETWORKS[name]
    if not isinstance(params, settings):
        raise ConfigError(f"network {name!r} needs {settings.__name__}; got {type(params).__name__}")
    return builder(params, shape)


def weights_generator(seed: int) -> torch.Generator:
    """Return the source of a run's initial weights."""
    return torch.Generator().manual_seed(derived_seed(seed, "network weights"))
