"""The LSTM over a window: every call starts with nothing remembered.

Hochreiter and Schmidhuber 1997, Neural Computation 9(8). A window already holds the past that a decision may use, so two calls
with the same window give the same encoding. The network that goes on remembering from bar to bar is ``recurrent``.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from seawall.nets.dropout import dropout
from seawall.nets.params import NetworkParams, NetworkShape
from seawall.nets.weights import draw_lstm


class LstmParams(NetworkParams):
    """Settings of the LSTM over a window."""

    units: int = Field(default=128, ge=1, le=4096, description="units of each layer, in each direction")
    layers: int = Field(default=2, ge=1, le=8, description="LSTMs on top of each other")
    bidirectional: bool = Field(default=False, description="read the window backward too, with units of its own")
    dropout: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="share of what a layer tells the next that a gradient step leaves out"
    )


class LstmLayer(nn.LSTM):
    """One LSTM whose weights begin orthogonal, with open forget gates."""

    def draw(self, generator: torch.Generator | None) -> None:
        """Draw the weights; None takes torch's global generator."""
        draw_lstm(self, generator)


class LstmEncoder(nn.Module):
    """LSTMs over the window, and what the last of them tells at its end.

    A layer that reads D numbers has ``4 H (D + H + 2)`` parameters in each direction: with 6 features, 128 units and two layers
    69,632 + 132,096 = 201,728.

    Attributes:
        width: Length of the encoding: H, or 2 H where the window is read both ways.
    """

    def __init__(
        self,
        n_features: int,
        units: int = 128,
        layers: int = 2,
        *,
        bidirectional: bool = False,
        share_dropped: float = 0.0,
    ) -> None:
        """Lay out the layers.

        Args:
            n_features: F, columns of a window, of any length.
            units: H, units of a layer in one direction.
            layers: How many are on top of each other.
            bidirectional: Read the window backward too: legal, for all of it is known at the decision.
            share_dropped: Dropout between the layers, as `Dropout` has it.
        """
        super().__init__()
        self.width = 2 * units if bidirectional else units
        # One module a layer, since torch's own stack draws its dropout from the global generator.
        inputs = [n_features, *[self.width] * (layers - 1)]
        self.layers = nn.ModuleList(LstmLayer(each, units, batch_first=True, bidirectional=bidirectional) for each in inputs)
        self.between = nn.ModuleList(dropout(share_dropped) for _ in inputs[1:])

    def forward(self, windows: Tensor) -> Tensor:
        """Encode windows, shape (B, L, F), as (B, width): what is told at the last row, and backward at the first."""
        told, last = windows, windows
        for number, layer in enumerate(self.layers):
            told, (last, _) = layer(self.between[number - 1](told) if number else told)
        return last.transpose(0, 1).flatten(1)  # (directions, B, H) before


def build_lstm(params: LstmParams, shape: NetworkShape) -> LstmEncoder:
    """Build one LSTM encoder."""
    return LstmEncoder(
        shape.n_features, params.units, params.layers, bidirectional=params.bidirectional, share_dropped=params.dropout
    )
