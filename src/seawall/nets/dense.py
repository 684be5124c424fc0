"""The dense encoder: one layer over the whole window."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor, nn


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
