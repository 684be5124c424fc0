"""The convolutional encoder of TraderNet: one convolution over time, two dense layers, GELU between."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from pydantic import Field, field_validator
from torch import Tensor, nn

from seawall.nets.params import NetworkParams, NetworkShape


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


class ConvEncoder(nn.Module):
    """Conv1d over the window, then two dense layers.

    With 21 features, a window of 12 and the other defaults: 2,048 + 98,560 + 65,792 = 166,400 parameters.

    Attributes:
        width: Length of the encoding.
    """

    def __init__(self, n_features: int = 21, window: int = 12, filters: int = 32, kernel: int = 3, hidden: int = 256) -> None:
        """Lay out the layers.

        Args:
            n_features: F, columns of a window.
            window: L, rows of a window.
            filters: Channels of the convolution.
            kernel: Rows that one filter spans, odd, padded so that the window keeps its length.
            hidden: Width of both dense layers.
        """
        super().__init__()
        self.convolution = nn.Conv1d(n_features, filters, kernel, padding=kernel // 2)
        self.first = nn.Linear(filters * window, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.width = hidden

    def forward(self, windows: Tensor) -> Tensor:
        """Encode windows, shape (B, L, F), as (B, hidden)."""
        filtered = F.gelu(self.convolution(windows.transpose(1, 2)))  # (B, filters, L)
        return F.gelu(self.second(F.gelu(self.first(filtered.flatten(1)))))


def build_conv(params: ConvParams, shape: NetworkShape) -> ConvEncoder:
    """Build one convolutional encoder."""
    return ConvEncoder(shape.n_features, shape.window, params.filters, params.kernel, params.hidden)
