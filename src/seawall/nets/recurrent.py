"""A memory of bars: an LSTM over encodings, with episodes that start anywhere in a sequence.

Hochreiter and Schmidhuber 1997, Neural Computation 9(8), with the forget gate of Gers et al. 2000. The memory reads
encodings of windows and no account, so what it holds follows from the rows since the episode's start alone.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from seawall.nets.weights import draw_lstm


class LstmMemory(nn.Module):
    """An LSTM whose state is one row per environment: what it tells, then its cells.

    It has ``4 * units * (width + units + 2)`` parameters.

    Attributes:
        units: H, numbers that it tells of a bar.
        state_width: Length of a state row, 2 H.
    """

    def __init__(self, width: int, units: int, generator: torch.Generator | None = None) -> None:
        """Draw the weights.

        Args:
            width: D, length of an encoding.
            units: H.
            generator: Source of the initial weights (on the CPU); None takes torch's global one.
        """
        super().__init__()
        self.units, self.state_width = units, 2 * units
        self.lstm = nn.LSTM(width, units)
        draw_lstm(self.lstm, generator)

    def draw(self, generator: torch.Generator | None) -> None:
        """Leave the weights as they are: a memory draws them when it is built, before its network draws those of its encoders."""

    def forward(self, encodings: Tensor, state: Tensor, starts: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read a sequence of bars.

        Args:
            encodings: Shape (T, B, D), oldest first.
            state: What is remembered before the first bar, shape (B, 2 H).
            starts: Whether a bar is the first of its episode, bool, shape (T, B): the memory is emptied before it, and no
                gradient crosses there. None where no bar is.

        Returns:
            What is told of each bar, shape (T, B, H); and the state after the last, shape (B, 2 H).
        """
        # One call of the compiled LSTM for every run of bars within which no episode starts.
        cuts = [] if starts is None else starts.any(1).nonzero()[:, 0].tolist()
        told: list[Tensor] = []
        for first, stop in pairwise(sorted({0, *cuts, len(encodings)})):
            if starts is not None and first in cuts:
                state = state.masked_fill(starts[first][:, None], 0.0)
            part, (last, cells) = self.lstm(encodings[first:stop], _parts(state, self.units))
            told.append(part)
            state = torch.cat((last[0], cells[0]), 1)
        return (told[0] if len(told) == 1 else torch.cat(told)), state


def _parts(state: Tensor, units: int) -> tuple[Tensor, Tensor]:
    """Part state rows (B, 2 H) into the two blocks (1, B, H) that torch keeps."""
    told, cells = state.split(units, 1)
    return told.contiguous()[None], cells.contiguous()[None]
