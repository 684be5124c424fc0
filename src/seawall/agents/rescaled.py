"""Windows of a market as another run's scaler would have made them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seawall.core.protocols import Observation
from seawall.features.scaling.scaler import Scaler
from seawall.nets.windows import ObservedWindows


class RescaledWindows:
    """Gathers windows, takes back the scaling of the market's features, and scales them as a network knows them.

    What the market's scaler has clipped stays clipped. Each number is made from one number alone, so that it does not matter what
    stands beside it.
    """

    def __init__(self, window: int, shown: Scaler, known: Scaler) -> None:
        """Take the scalers, which are of the same columns.

        Args:
            window: L, rows in a window.
            shown: That of the market's features.
            known: That of the rows on which the network was trained.

        Raises:
            DataError: The columns differ.
        """
        known.require_columns(shown.columns)
        self._gather, self._shown, self._known = ObservedWindows(window), shown, known

    def __call__(self, observation: Observation) -> Tensor:
        """Return the window of each environment, float32, shape (N, L, F), known at the close of its row."""
        windows = self._gather(observation)
        unscaled = windows.numpy().reshape(-1, windows.shape[-1]).astype(np.float64) * self._shown.scale + self._shown.offset
        return torch.from_numpy(self._known.transform(unscaled)).view(windows.shape)
