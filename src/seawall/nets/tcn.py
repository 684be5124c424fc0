"""The temporal convolutional network: dilated convolutions that look back and never ahead.

Bai, Kolter and Koltun 2018, arXiv 1803.01271.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from seawall.core.errors import ConfigError
from seawall.nets.dropout import dropout
from seawall.nets.params import NetworkParams, NetworkShape

Norm = Literal["weight", "batch", "layer", "none"]
Pool = Literal["last", "flatten"]
Bend = Literal["relu", "gelu"]
_BENDS = {"relu": F.relu, "gelu": F.gelu}


class TcnParams(NetworkParams):
    """Settings of the temporal convolutional network.

    Four levels of 64 with ``norm: weight`` and ``pool: flatten`` make the policy network of the long / short design (receptive
    field 61). ``channels: [64, 128, 256, 256, 256, 256]`` with ``activation: gelu`` and ``embedding: 256`` make the two-stage
    design's encoder, with two levels more than it had, so that it sees 253 of its 256 bars.
    """

    channels: tuple[int, ...] = Field(
        default=(64, 64, 64, 64), min_length=1, max_length=12, description="channels of each level, nearest in time first"
    )
    kernel: int = Field(default=3, ge=2, le=63, description="rows that one filter spans")
    dilation: int = Field(default=2, ge=1, le=8, description="how much further apart these rows are on each next level")
    norm: Norm = Field(
        default="layer", description="what keeps the scale: of a row's channels, of the weights, of a batch, nothing"
    )
    activation: Bend = Field(default="relu", description="what bends each convolution")
    pool: Pool = Field(default="last", description="encode what is seen from the last row, or from every row side by side")
    embedding: int = Field(default=0, ge=0, le=8192, description="width of a dense layer after the pool; 0 for none")
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="share of the channels' values that a gradient step leaves out")


class StepNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each row alone: no row hears of another, and no sample of another."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise sequences of shape (B, C, L)."""
        return super().forward(input.transpose(1, 2)).transpose(1, 2)


class CausalConvolution(nn.Module):
    """A dilated convolution whose output at a row reads that row and earlier ones; before the window there are zeros."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int, *, normalised: bool) -> None:
        """Lay out the filters.

        Args:
            inputs: Channels read.
            outputs: Channels made.
            kernel: k, rows that a filter spans.
            dilation: d, how far these are apart.
            normalised: Learn length and direction of each filter apart (Salimans and Kingma 2016, arXiv 1602.07868).
        """
        super().__init__()
        filters = nn.Conv1d(inputs, outputs, kernel, dilation=dilation)
        self.filters = weight_norm(filters) if normalised else filters
        self._before = (kernel - 1) * dilation

    def forward(self, sequences: Tensor) -> Tensor:
        """Filter sequences (B, C, L) to (B, outputs, L)."""
        return self.filters(F.pad(sequences, (self._before, 0)))


class ResidualBlock(nn.Module):
    """Twice convolution, norm, activation and dropout; the input is added, through a 1 × 1 convolution where widths differ."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, dilation: int, norm: Norm, activation: Bend, share_dropped: float
    ) -> None:
        """Lay out the layers; arguments as in `TcnEncoder`."""
        super().__init__()
        normalised = norm == "weight"
        self.first = CausalConvolution(inputs, outputs, kernel, dilation, normalised=normalised)
        self.second = CausalConvolution(outputs, outputs, kernel, dilation, normalised=normalised)
        self.norms = nn.ModuleList(_norm(norm, outputs) for _ in range(2))
        self.dropouts = nn.ModuleList(dropout(share_dropped) for _ in range(2))
        self.skip = nn.Identity() if inputs == outputs else nn.Conv1d(inputs, outputs, 1)
        self._bend = _BENDS[activation]

    def forward(self, sequences: Tensor) -> Tensor:
        """Pass sequences (B, C, L) on as (B, outputs, L)."""
        passed = sequences
        for convolution, norm, drop in zip((self.first, self.second), self.norms, self.dropouts, strict=True):
            passed = drop(self._bend(norm(convolution(passed))))
        return self._bend(passed + self.skip(sequences))


class TcnEncoder(nn.Module):
    """Residual blocks with growing dilation over the window, then the last row or all of them, then perhaps a dense layer.

    Layer normalisation is the default because it treats each row of each sample by itself: what is seen at a row depends on no
    later row, and a decision on no other environment. Batch normalisation does neither while training. Agents keep a network in
    training mode for decisions too, so they refuse it; it is there for supervised training, as the two-stage design had it.

    A level from C to D channels has ``k C D + k D² + 2 D`` parameters; with ``C D + D`` more where C is not D, 4 D more for layer
    or batch normalisation, and 2 D for that of weights.

    Attributes:
        channels: C, channels of the last level.
        width: Length of the encoding.
        receptive_field: Rows, the last included, that what is seen at a row depends on.
        same_along: Whether a window's encoding is what `along` makes of its last row: the window holds the receptive field.
    """

    def __init__(  # noqa: PLR0913 (one argument per setting)
        self,
        n_features: int,
        window: int,
        channels: Sequence[int] = (64, 64, 64, 64),
        kernel: int = 3,
        *,
        dilation: int = 2,
        norm: Norm = "layer",
        activation: Bend = "relu",
        pool: Pool = "last",
        embedding: int = 0,
        share_dropped: float = 0.0,
    ) -> None:
        """Lay out the layers.

        Args:
            n_features: F, columns of a window.
            window: L, rows of a window.
            channels: Of each level.
            kernel: k, rows that one filter spans.
            dilation: Base b: filters of level i read rows that are bⁱ apart.
            norm: Of each row's channels, of the weights, of the batch, or none.
            activation: What bends each convolution, and each block's sum.
            pool: Whether the last row is encoded, or all of them side by side.
            embedding: Width of a dense layer after the pool; 0 for none.
            share_dropped: Dropout after each activation, as `Dropout` has it.

        Raises:
            ConfigError: There is no level.
        """
        super().__init__()
        if not channels:
            raise ConfigError("channels is empty; at least one level is needed")
        widths = [n_features, *channels]
        steps = [dilation**level for level in range(len(channels))]
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(inputs, outputs, kernel, step, norm, activation, share_dropped)
                for inputs, outputs, step in zip(widths, channels, steps, strict=False)
            )
        )
        self.channels, self.receptive_field = channels[-1], 1 + 2 * (kernel - 1) * sum(steps)
        self._all_rows = pool == "flatten"
        pooled = self.channels * window if self._all_rows else self.channels
        self.embedding = nn.Linear(pooled, embedding) if embedding else nn.Identity()
        self.width = embedding or pooled
        self.same_along = not self._all_rows and self.receptive_field <= window

    def sequence(self, windows: Tensor) -> Tensor:
        """Return what is seen at every row, shape (B, L, C), of windows (B, L, F); a row depends on itself and earlier ones."""
        return self.blocks(windows.transpose(1, 2)).transpose(1, 2)

    def along(self, rows: Tensor) -> Tensor:
        """Return the encoding of every row that has its receptive field before it, with one pass for all of them.

        Args:
            rows: Consecutive rows, oldest first, shape (T, F).

        Returns:
            Shape (T − receptive_field + 1, width); the first is of row receptive_field − 1.
        """
        return self.embedding(self.sequence(rows[None])[0, self.receptive_field - 1 :])

    def pooled(self, seen: Tensor) -> Tensor:
        """Return the encoding, shape (B, width), of what is seen at every row, shape (B, L, C)."""
        return self.embedding(seen.flatten(1) if self._all_rows else seen[:, -1])

    def forward(self, windows: Tensor) -> Tensor:
        """Encode windows, shape (B, L, F), as (B, width)."""
        return self.pooled(self.sequence(windows))


def _norm(norm: Norm, channels: int) -> nn.Module:
    if norm == "layer":
        return StepNorm(channels)
    return nn.BatchNorm1d(channels) if norm == "batch" else nn.Identity()


def build_tcn(params: TcnParams, shape: NetworkShape) -> TcnEncoder:
    """Build one temporal convolutional encoder."""
    return TcnEncoder(
        shape.n_features,
        shape.window,
        params.channels,
        params.kernel,
        dilation=params.dilation,
        norm=params.norm,
        activation=params.activation,
        pool=params.pool,
        embedding=params.embedding,
        share_dropped=params.dropout,
    )
