"""The dense encoder: one layer over the whole window."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from pydantic import Field
from torch import Tensor, nn

from seawall.nets.params import NetworkParams, NetworkShape


class RecurrentParams(NetworkParams):
    """Settings of the recurrent network: a dense layer over the window, then an LSTM from bar to bar."""

    hidden: int = Field(default=128, ge=1, le=8192, description="width of the dense layer over the window")
    memory: int = Field(default=128, ge=1, le=4096, description="units of the LSTM")

    def memory_units(self) -> int:
        """Return the units of the LSTM."""
        return self.memory


class DenseEncoder(nn.Module):
    """A flattened window through one dense layer and GELU; ``hidden * (L * F + 1)`` parameters.

    Attributes:
        width: Length of the encoding.
    """

    def __init__(self, n_features: int, window: int, hidden: int) -> None:
        """Lay out the layer.

        Args:
            n_features: F, columns of a window.
            window: L, rows of a window.
            hidden: Width of the layer.
        """
        super().__init__()
        self.layer = nn.Linear(n_features * window, hidden)
        self.width = hidden

    def forward(self, windows: Tensor) -> Tensor:
        """Encode windows, shape (B, L, F), as (B, hidden)."""
        return F.gelu(self.layer(windows.flatten(1)))


def build_dense(params: RecurrentParams, shape: NetworkShape) -> DenseEncoder:
    """Build what the memory reads: one dense layer over the window."""
    return DenseEncoder(shape.n_features, shape.window, params.hidden)
