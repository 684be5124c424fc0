"""Heads: what turns an encoding and an account row into numbers, at once or through one hidden layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor, nn

from seawall.nets.dropout import dropout
from seawall.nets.params import Activation, NetworkParams

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "tanh": torch.tanh}


@dataclass(frozen=True)
class HeadShape:
    """What a head has between its inputs and its outputs.

    Attributes:
        units: Width of the hidden layer; 0 for none.
        activation: What bends it.
        dropout: Share of its units that a gradient step leaves out.
    """

    units: int = 0
    activation: Activation = "relu"
    dropout: float = 0.0

    @classmethod
    def of(cls, params: NetworkParams) -> HeadShape:
        """Return what a network's settings say of its heads."""
        return cls(params.head_units, params.head_activation, params.head_dropout)

    def build(self, inputs: int, outputs: int) -> nn.Linear | HiddenHead:
        """Build a head of n inputs and m outputs: one linear layer, or `HiddenHead`."""
        return HiddenHead(inputs, outputs, self) if self.units else nn.Linear(inputs, outputs)


LINEAR = HeadShape()


class HiddenHead(nn.Module):
    """A head with a hidden layer, which reads encoding and account row together; ``units * (n + 1 + m) + m`` parameters.

    Attributes:
        hidden: The layer that reads n numbers.
        output: The layer that makes m numbers.
    """

    def __init__(self, inputs: int, outputs: int, shape: HeadShape) -> None:
        """Lay out the layers.

        Args:
            inputs: n.
            outputs: m.
            shape: What is between them.
        """
        super().__init__()
        self.hidden, self.output = nn.Linear(inputs, shape.units), nn.Linear(shape.units, outputs)
        self.dropout, self._bend = dropout(shape.dropout), ACTIVATIONS[shape.activation]

    @property
    def in_features(self) -> int:
        """Numbers that the head reads, n, as of a linear layer."""
        return self.hidden.in_features

    @property
    def weight(self) -> Tensor:
        """Weights of the layer that reads encoding and account row, shape (units, n)."""
        return self.hidden.weight

    def forward(self, seen: Tensor) -> Tensor:
        """Return numbers (..., m) of what is seen, shape (..., n)."""
        return self.output(self.dropout(self._bend(self.hidden(seen))))


def last_layer(head: nn.Module) -> nn.Module:
    """Return the layer that makes a head's numbers, whose gain decides how large they begin."""
    return head.output if isinstance(head, HiddenHead) else head
