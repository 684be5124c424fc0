"""The networks that a recipe can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from seawall.core.errors import ConfigError
from seawall.core.seeding import derived_seed
from seawall.nets.autoencoder import AutoencoderParams, build_autoencoder
from seawall.nets.conv import ConvParams, build_conv
from seawall.nets.dense import RecurrentParams, build_dense
from seawall.nets.head import HeadShape
from seawall.nets.heads import ActorCritic
from seawall.nets.lstm import LstmParams, build_lstm
from seawall.nets.params import NetworkParams, NetworkShape
from seawall.nets.tcn import TcnParams, build_tcn
from seawall.nets.transformer import TransformerParams, build_transformer

_BATCH_NORMS = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm


NETWORKS: dict[str, tuple[type[NetworkParams], Callable[[Any, NetworkShape], nn.Module]]] = {
    "conv": (ConvParams, build_conv),
    "recurrent": (RecurrentParams, build_dense),
    "lstm": (LstmParams, build_lstm),
    "tcn": (TcnParams, build_tcn),
    "transformer": (TransformerParams, build_transformer),
    "autoencoder": (AutoencoderParams, build_autoencoder),
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
        ConfigError: No network of that name, settings of another, or one that normalises by the statistics of a batch.
    """
    actor = _encoder(name, params, shape)
    refuse_batch_statistics(name, actor)
    critic = None if params.shared_encoder else _encoder(name, params, shape)
    source, head = weights_generator(seed), HeadShape.of(params)
    return ActorCritic(actor, critic, shape.n_account, shape.n_actions, source, params.memory_units(), head)


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


def refuse_batch_statistics(name: str, encoder: nn.Module) -> None:
    """Refuse an agent an encoder that normalises by the statistics of a batch.

    An agent decides on batches of any size and mixture, learns from others, and never leaves training mode: a decision would
    depend on the rows beside it, and the log-probability of a rollout would not be that of a gradient step.

    Raises:
        ConfigError: The encoder does.
    """
    if any(isinstance(module, _BATCH_NORMS) for module in encoder.modules()):
        raise ConfigError(
            f"network {name!r} normalises by the statistics of a batch, so that a decision would depend on the rows beside it; "
            "allowed for an agent: norm layer, weight or none"
        )


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
