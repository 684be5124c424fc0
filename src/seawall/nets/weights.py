"""How initial weights are drawn: each from one generator, in the order of the layers, so that the seed alone decides them."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Protocol, runtime_checkable

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

FORGET_BIAS = 1.0
_NORMS = nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase
"""Layers that begin as ones and zeros, whatever is drawn."""


@runtime_checkable
class DrawsOwn(Protocol):
    """A module that knows how its own weights, and those of all modules in it, begin."""

    def draw(self, generator: torch.Generator | None) -> None:
        """Draw them; None takes torch's global generator."""
        ...


def initialise(network: nn.Module, gains: Mapping[nn.Module, float], generator: torch.Generator | None) -> None:
    """Draw orthogonal weights, with zero biases, of dense layers and convolutions, and let modules that can draw their own.

    Other layers with `reset_parameters` draw as torch lets them, but from the same source, so that the seed alone decides.

    Args:
        network: Changed in place.
        gains: Of layers that want another one than a hidden layer's √2. A small one of a policy head makes every action start
            about equally likely.
        generator: Source of the weights; None takes torch's global one.
    """
    _initialise(network, gains, generator, set())


def _initialise(
    module: nn.Module, gains: Mapping[nn.Module, float], generator: torch.Generator | None, seen: set[nn.Module]
) -> None:
    if module in seen:
        return
    seen.add(module)
    if isinstance(module, DrawsOwn):
        module.draw(generator)
        return
    if isinstance(module, (nn.Linear, nn.Conv1d)):
        draw_layer(module, gains.get(module, sqrt(2.0)), generator)
    elif generator is not None and callable(getattr(module, "reset_parameters", None)) and not isinstance(module, _NORMS):
        _draw_as_torch_does(module, generator)
    for child in module.children():
        _initialise(child, gains, generator, seen)


def _draw_as_torch_does(module: nn.Module, generator: torch.Generator) -> None:
    """Draw a layer that is not known here, as one of a plugin's network, by its own rule but from the run's source."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        module.reset_parameters()  # pyright: ignore[reportCallIssue] (asked for just before)


def draw_layer(layer: nn.Linear | nn.Conv1d, gain: float, generator: torch.Generator | None) -> None:
    """Draw orthogonal weights and zero biases of one layer, its weights normalised or not.

    Source: Saxe et al. 2014, arXiv 1312.6120.
    """
    with torch.no_grad():
        drawn = nn.init.orthogonal_(torch.empty_like(layer.weight), gain, generator=generator)
        if is_parametrized(layer, "weight"):
            layer.weight = drawn  # pyright: ignore[reportAttributeAccessIssue] (torch turns it into length and direction)
        else:
            layer.weight.copy_(drawn)
        if layer.bias is not None:
            layer.bias.zero_()


@torch.no_grad()
def draw_lstm(lstm: nn.LSTM, generator: torch.Generator | None) -> None:
    """Draw an LSTM's weights, orthogonal gate by gate, and zero biases with open forget gates.

    Open forget gates let a fresh memory keep what it holds for some bars. Source: Jozefowicz et al. 2015.
    """
    for name, block in lstm.named_parameters():
        if name.startswith("weight"):
            for gate in block.chunk(4):
                nn.init.orthogonal_(gate, generator=generator)
        else:
            block.zero_()
            if name.startswith("bias_ih"):
                block[lstm.hidden_size : 2 * lstm.hidden_size] = FORGET_BIAS
