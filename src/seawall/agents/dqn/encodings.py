"""What the target network makes of the market, remembered: the windows do not depend on what we do.

A target network that is copied now and then stands still in between, and what it makes of a window depends on the market's row
alone. Between two copies each row is therefore encoded once, however often it is replayed.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seawall.nets.heads import encoder_width
from seawall.nets.q_network import QNetwork
from seawall.nets.windows import WindowGatherer

BLOCK = 1_024
LARGEST_BYTES = 256 * 2**20


class TargetEncodings:
    """Encodings of market rows under a network that stands still until `forget`.

    Rows are encoded in fixed blocks: the last bits of a product of matrices depend on how many rows it has, and a training that
    was resumed must find what one never stopped would have found.
    """

    def __init__(self, network: QNetwork, gather: WindowGatherer, n_rows: int, device: torch.device) -> None:
        """Remember nothing yet.

        Args:
            network: The target network.
            gather: Gives the windows of the market.
            n_rows: T, rows of the market.
            device: Where the encodings live.
        """
        self.network, self._gather, self._first = network, gather, gather.window - 1
        self._stored = torch.empty((n_rows - self._first, encoder_width(network.encoder)), device=device)
        self._fresh = np.zeros(-(-len(self._stored) // BLOCK), dtype=bool)

    @staticmethod
    def pays(network: QNetwork, n_rows: int, samples: int) -> bool:
        """Say whether encoding a market of n rows once is less work than encoding some samples, and fits into memory."""
        return samples >= n_rows and 4 * n_rows * encoder_width(network.encoder) <= LARGEST_BYTES

    def forget(self) -> None:
        """Take note that the network has changed."""
        self._fresh[:] = False

    def __call__(self, rows: np.ndarray) -> Tensor:
        """Return the encodings of the windows that end at some rows.

        Args:
            rows: int64, shape (B,).

        Returns:
            Shape (B, width), without gradients.

        Raises:
            IndexError: A window would start before the first row, or end after the last.
        """
        places = rows - self._first
        if len(places) and places.min() < 0:
            raise IndexError(f"row {rows.min()} has no whole window before it; the first that has is {self._first}")
        blocks = places // BLOCK
        if not self._fresh[blocks].all():
            for block in np.unique(blocks[~self._fresh[blocks]]):
                self._encode(int(block))
        return self._stored.index_select(0, torch.from_numpy(places).to(self._stored.device))

    @torch.no_grad()
    def _encode(self, block: int) -> None:
        start = block * BLOCK
        stored = self._stored[start : start + BLOCK]
        rows = torch.arange(start, start + len(stored), device=self._stored.device) + self._first
        stored.copy_(self.network.encoder(self._gather(rows)))
        self._fresh[block] = True
