"""What a frozen encoder makes of observed windows: every row once, and alone."""

from __future__ import annotations

import torch
from torch import Tensor

from seawall.agents.bundle import weights_hash
from seawall.core.market import Market
from seawall.core.protocols import Observation
from seawall.nets.pretraining import FrozenEncoder
from seawall.nets.windows import ObservedWindows


class FrozenWindows:
    """Gives a network whose encoder is frozen the encodings in place of the windows.

    An encoding hangs on the row alone, so it is made once for all accounts, members and backtests of a market. Rows are encoded one
    at a time: a convolution's last bits depend on how many windows stand beside, and a backtest must equal live, which has one.
    """

    def __init__(self, encoder: FrozenEncoder, window: int) -> None:
        """Take an encoder.

        Args:
            encoder: Maps windows (B, L, F) to (B, width); its weights must not change any more.
            window: L, rows that it sees.
        """
        self._encoder, self._gather = encoder, ObservedWindows(window)
        self._market: Market | None = None
        self._known: dict[int, Tensor] = {}

    def __call__(self, observation: Observation) -> Tensor:
        """Return the encoding of each environment's window, shape (N, 1, width), known at the close of its row.

        Raises:
            IndexError: A window would start before the market's first row.
        """
        if self._market is not observation.market:
            self._market, self._known = observation.market, {}
        for row in set(observation.rows.tolist()) - self._known.keys():
            self._known[row] = self._encode(observation, row)
        return torch.stack([self._known[row] for row in observation.rows.tolist()])[:, None]

    @torch.inference_mode()
    def _encode(self, observation: Observation, row: int) -> Tensor:
        alone = Observation(observation.market, observation.rows[observation.rows == row][:1], observation.account[:1])
        device = next(self._encoder.parameters()).device
        return self._encoder(self._gather(alone).to(device))[0].cpu()


_SHARED: dict[tuple[str, int], FrozenWindows] = {}


def frozen_windows(encoder: FrozenEncoder, window: int) -> FrozenWindows:
    """Return the encodings of an encoder; encoders with the same weights, as those of an ensemble's members, share them."""
    key = weights_hash(encoder.state_dict()), window
    if key not in _SHARED:
        _SHARED.clear()
        _SHARED[key] = FrozenWindows(encoder, window)
    return _SHARED[key]
