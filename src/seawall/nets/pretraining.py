"""Heads that teach an encoder without rewards: hidden candles, the regime, price levels, and quantiles of future returns.

They are thrown away after pre-training; what is kept is the encoder. Of the encoder they ask what an actor-critic asks, windows
(B, L, F) to (B, width), and for the first head its two halves: ``sequence(windows)``, what is seen at each bar, shape (B, L, C),
and ``pooled(sequence)``, the encoding made of it.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from pydantic import Field, model_validator
from torch import Tensor, nn

from seawall.core.params import Params
from seawall.nets.dropout import dropout
from seawall.nets.heads import encoder_width
from seawall.nets.pretraining_losses import (
    heatmap_cross_entropy,
    masked_square_error,
    pinball_losses,
    smoothed_cross_entropy,
)
from seawall.nets.weights import draw_layer, initialise

HEADS = ("candles", "regimes", "levels", "quantiles")
OUTPUT_GAIN = 0.01
_LEAST_GAP = 1e-4


class HeadParams(Params):
    """Settings of every head."""

    weight: float = Field(default=1.0, ge=0.0, le=1e3, description="Weight of its loss; 0 leaves the head out")
    hidden: int = Field(default=128, ge=1, le=8192, description="Width of its hidden layer")


class CandleHeadParams(HeadParams):
    """Settings of the head that fills in hidden candles."""

    mask_ratio: float = Field(default=0.15, gt=0.0, lt=0.5, description="Share of bars that are hidden")
    mean_span: float = Field(default=3.0, ge=1.0, le=64.0, description="Mean length of a run of hidden bars")


class RegimeHeadParams(HeadParams):
    """Settings of the head that tells the regime."""

    weight: float = Field(default=0.5, ge=0.0, le=1e3, description="Weight of its loss; 0 leaves the head out")
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0, description="Share of hidden units that are dropped in training")
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=0.5, description="Share of a label that the wrong classes get")


class LevelHeadParams(HeadParams):
    """Settings of the head that draws support and resistance."""

    weight: float = Field(default=0.8, ge=0.0, le=1e3, description="Weight of its loss; 0 leaves the head out")


class QuantileHeadParams(HeadParams):
    """Settings of the head that forecasts returns."""

    n_quantiles: int = Field(default=9, ge=2, le=99, description="Quantiles, at even levels: 9 are 0.1 … 0.9")

    @property
    def levels(self) -> tuple[float, ...]:
        """Level of each quantile, between 0 and 1, ascending."""
        return tuple(place / (self.n_quantiles + 1) for place in range(1, self.n_quantiles + 1))


class HeadsParams(Params):
    """The four heads."""

    candles: CandleHeadParams = Field(default_factory=CandleHeadParams, description="Fills in hidden candles")
    regimes: RegimeHeadParams = Field(default_factory=RegimeHeadParams, description="Tells the regime")
    levels: LevelHeadParams = Field(default_factory=LevelHeadParams, description="Draws support and resistance")
    quantiles: QuantileHeadParams = Field(default_factory=QuantileHeadParams, description="Forecasts quantiles of returns")

    @model_validator(mode="after")
    def _one_is_on(self) -> HeadsParams:
        if not self.on:
            raise ValueError("every head has weight 0; allowed: at least one above 0, or there is nothing to learn")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each head by name."""
        return {name: getattr(self, name).weight for name in HEADS}

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the heads that are not left out."""
        return tuple(name for name, weight in self.weights.items() if weight > 0.0)


class SequenceEncoder(Protocol):
    """An encoder that tells what it sees at each bar."""

    def sequence(self, windows: Tensor) -> Tensor:
        """Return what is seen at every bar, shape (B, L, C), of windows (B, L, F)."""
        ...

    def pooled(self, seen: Tensor) -> Tensor:
        """Return the encoding, shape (B, width), of what is seen at every bar."""
        ...


class TargetSizes(NamedTuple):
    """How many numbers each head makes.

    Attributes:
        candle: K, numbers of a candle.
        regimes: Classes.
        cells: Cells of the heatmap.
        horizons: H, horizons of the returns.
    """

    candle: int
    regimes: int
    cells: int
    horizons: int


class PretrainingBatch(NamedTuple):
    """Windows that end at some bars, and what is taught of them.

    Attributes:
        windows: Features, float32, shape (B, L, F).
        masks: True where a bar is hidden from the candle head, bool, shape (B, L).
        candles: Every bar of the windows without units, float32, shape (B, L, K).
        regimes: Class at the last bar, int64, shape (B,).
        heatmaps: Levels at the last bar, from 0 to 1, float32, shape (B, cells).
        returns: Returns after the last bar, float32, shape (B, H).
    """

    windows: Tensor
    masks: Tensor
    candles: Tensor
    regimes: Tensor
    heatmaps: Tensor
    returns: Tensor


class QuantileHead(nn.Module):
    """Quantiles that cannot cross: the middle one, and positive steps away from it on either side, summed up."""

    def __init__(self, width: int, params: QuantileHeadParams, horizons: int) -> None:
        """Lay out the layers; the first forecasts are near those of a standard normal distribution.

        Args:
            width: Length of an encoding.
            params: Hidden width and levels.
            horizons: H.
        """
        super().__init__()
        self.levels = params.levels
        self.middle, self.horizons = len(self.levels) // 2, horizons
        self.hidden = nn.Linear(width, params.hidden)
        self.output = nn.Linear(params.hidden, horizons * len(self.levels))

    def draw(self, generator: torch.Generator | None) -> None:
        """Draw the weights, and set the biases such that the forecasts start as a standard normal's."""
        draw_layer(self.hidden, sqrt(2.0), generator)
        draw_layer(self.output, OUTPUT_GAIN, generator)
        normal = torch.tensor([NormalDist().inv_cdf(level) for level in self.levels])
        self.begin_at(normal.expand(self.horizons, -1))

    @torch.no_grad()
    def begin_at(self, quantiles: Tensor) -> None:
        """Set the biases such that the forecasts are some quantiles, ascending, shape (H, Q), wherever the weights are 0."""
        gaps = quantiles.diff(dim=-1).clamp(min=_LEAST_GAP)
        # What softplus turns into the gap.
        steps = (gaps.expm1()).log()
        middle = quantiles[:, self.middle : self.middle + 1]
        self.output.bias.copy_(torch.cat((steps[:, : self.middle], middle, steps[:, self.middle :]), -1).flatten())

    def forward(self, encodings: Tensor) -> Tensor:
        """Return quantiles, ascending, shape (B, H, Q), of encodings (B, width)."""
        numbers = self.output(F.gelu(self.hidden(encodings))).view(-1, self.horizons, len(self.levels))
        below, middle, above = numbers.split((self.middle, 1, len(self.levels) - self.middle - 1), -1)
        up = middle + F.softplus(above).cumsum(-1)
        down = middle - F.softplus(below).flip(-1).cumsum(-1).flip(-1)
        return torch.cat((down, middle, up), -1)


class PretrainingNetwork(nn.Module):
    """An encoder with the heads that teach it.

    Attributes:
        encoder: What is kept.
        heads: Those that are on, by name.
        mask_token: Stands in for the features of a hidden bar, learned, shape (F,).
    """

    def __init__(
        self, encoder: nn.Module, params: HeadsParams, sizes: TargetSizes, window_shape: tuple[int, int],
        generator: torch.Generator | None = None,
    ) -> None:  # fmt: skip
        """Join encoder and heads, and draw the initial weights of both.

        Args:
            encoder: Maps windows (B, L, F) to (B, width), with a `width`, and `sequence` and `pooled` where candles are filled in.
            params: Which heads, and their sizes.
            sizes: How many numbers each makes.
            window_shape: L and F.
            generator: Source of the initial weights (on the CPU); None takes torch's global one.
        """
        super().__init__()
        self.encoder, self.params = encoder, params
        width = encoder_width(encoder)
        self.heads = nn.ModuleDict()
        if "candles" in params.on:
            self.mask_token = nn.Parameter(torch.zeros(window_shape[1]))
            seen = self._sequence_width(window_shape) + width
            hidden = params.candles.hidden
            self.heads["candles"] = nn.Sequential(nn.Linear(seen, hidden), nn.GELU(), nn.Linear(hidden, sizes.candle))
        if "regimes" in params.on:
            hidden, drop = params.regimes.hidden, dropout(params.regimes.dropout)
            self.heads["regimes"] = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), drop, nn.Linear(hidden, sizes.regimes))
        if "levels" in params.on:
            hidden = params.levels.hidden
            self.heads["levels"] = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, sizes.cells))
        if "quantiles" in params.on:
            self.heads["quantiles"] = QuantileHead(width, params.quantiles, sizes.horizons)
        last = [head[-1] for head in self.heads.values() if isinstance(head, nn.Sequential)]
        initialise(self, dict.fromkeys(last, OUTPUT_GAIN), generator)
        self.register_buffer("quantile_levels", torch.tensor(params.quantiles.levels), persistent=False)

    @torch.no_grad()
    def begin_at(self, outputs: dict[str, Tensor]) -> None:
        """Let every head begin near what anyone could say, so that what it learns is the encoder's and not the base rates.

        Args:
            outputs: By head, shapes as of `forward` without the batch and the bars: (K,), (classes,), (cells,) and (H, Q).
        """
        for name, head in self.heads.items():
            if isinstance(head, QuantileHead):
                head.begin_at(outputs[name])
            elif isinstance(head, nn.Sequential):
                head[-1].bias.copy_(outputs[name])  # pyright: ignore[reportCallIssue]

    def forward(self, batch: PretrainingBatch) -> dict[str, Tensor]:
        """Return what each head makes of a batch, by name.

        Returns:
            candles, shape (B, L, K), of which hidden bars count; regimes, logits of shape (B, classes); levels, logits of shape
            (B, cells); quantiles, shape (B, H, Q).
        """
        found: dict[str, Tensor] = {}
        if "candles" in self.heads:
            found["candles"] = self.heads["candles"](self._hidden_bars(batch))
        if len(self.heads) > len(found):
            encodings = self.encoder(batch.windows)
            found |= {name: head(encodings) for name, head in self.heads.items() if name != "candles"}
        return found

    def losses(self, outputs: dict[str, Tensor], batch: PretrainingBatch) -> dict[str, Tensor]:
        """Return the loss of each head, unweighted, by name."""
        found: dict[str, Tensor] = {}
        if "candles" in outputs:
            found["candles"] = masked_square_error(outputs["candles"], batch.candles, batch.masks)
        if "regimes" in outputs:
            found["regimes"] = smoothed_cross_entropy(outputs["regimes"], batch.regimes, self.params.regimes.label_smoothing)
        if "levels" in outputs:
            found["levels"] = heatmap_cross_entropy(outputs["levels"], batch.heatmaps)
        if "quantiles" in outputs:
            found["quantiles"] = pinball_losses(outputs["quantiles"], batch.returns, self.quantile_levels).mean()  # pyright: ignore[reportArgumentType]
        return found

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of losses."""
        return torch.stack([self.params.weights[name] * loss for name, loss in losses.items()]).sum()

    def _hidden_bars(self, batch: PretrainingBatch) -> Tensor:
        """Return what the candle head sees of each bar: the bar's own state and that of the window's end, shape (B, L, C + width).

        A causal encoder knows at a bar only what was before; the end has seen what came after it.
        """
        windows = torch.where(batch.masks[..., None], self.mask_token, batch.windows)
        encoder = cast("SequenceEncoder", self.encoder)
        sequence = encoder.sequence(windows)
        end = encoder.pooled(sequence)
        return torch.cat((sequence, end[:, None].expand(-1, sequence.shape[1], -1)), -1)

    def _sequence_width(self, window_shape: tuple[int, int]) -> int:
        # Running statistics, as of a batch norm, must not learn of a made-up window.
        training = self.encoder.training
        self.encoder.eval()
        with torch.no_grad():
            width = cast("SequenceEncoder", self.encoder).sequence(torch.zeros(1, *window_shape)).shape[-1]
        self.encoder.train(training)
        return int(width)


class FrozenEncoder(nn.Module):
    """A pre-trained encoder that learns no more: no gradients, and never in training mode, whatever its owner is in.

    Attributes:
        width: Length of the encoding.
    """

    def __init__(self, encoder: nn.Module) -> None:
        """Freeze an encoder, in place."""
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(False)
        self.width = encoder_width(encoder)

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Change nothing of the encoder: dropout and running statistics stay off."""
        self.training = mode
        return self

    def draw(self, generator: torch.Generator | None) -> None:
        """Keep the weights: an owner that draws those of its parts leaves these."""

    def forward(self, windows: Tensor) -> Tensor:
        """Encode windows, shape (B, L, F), as (B, width); encodings made before, shape (B, 1, width), pass as they are."""
        return windows[:, 0] if windows.shape[1:] == (1, self.width) else self.encoder(windows)
