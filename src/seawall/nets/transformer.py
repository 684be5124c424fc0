"""The transformer over a window: every row is a token, and attends to every other.

Vaswani et al. 2017, arXiv 1706.03762; normalised before each part as in Xiong et al. 2020, arXiv 2002.04745, or after it.
"""

from __future__ import annotations

from math import sqrt

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from seawall.core.errors import ConfigError
from seawall.core.params import as_value_error
from seawall.nets.dropout import Dropout
from seawall.nets.params import NetworkParams, NetworkShape
from seawall.nets.weights import draw_layer

_POSITION_DEVIATION = 0.02


class TransformerParams(NetworkParams):
    """Settings of the transformer; the defaults are the portfolio design's stack."""

    token_width: int = Field(default=192, ge=1, le=8192, description="width of a token")
    heads: int = Field(default=12, ge=1, le=256, description="parts into which a token is split for attention; divides its width")
    layers: int = Field(default=8, ge=1, le=96, description="blocks on top of each other")
    feed_forward: int = Field(default=768, ge=1, le=65_536, description="width of each block's hidden layer")
    norm_first: bool = Field(
        default=True, description="normalise before attention and hidden layer, or after; the design did after"
    )
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="share of what a block adds that a gradient step leaves out")

    @model_validator(mode="after")
    def _heads_divide(self) -> TransformerParams:
        with as_value_error():
            require_heads(self.token_width, self.heads)
        return self


def require_heads(width: int, heads: int) -> None:
    """Refuse heads that do not divide the width of a token.

    Raises:
        ConfigError: They do not; the message lists those that do.
    """
    if heads < 1 or width % heads:
        allowed = [str(number) for number in range(1, min(width, 64) + 1) if width % number == 0]
        raise ConfigError(f"heads is {heads}, which does not divide tokens of width {width}; allowed: {', '.join(allowed)}")


class TransformerBlock(nn.TransformerEncoderLayer):
    """Attention and a hidden layer with GELU, each added to its input; ``4 d² + 2 d f + 9 d + f`` parameters.

    torch's own layer, with dropout and initial weights that a seed of ours decides.
    """

    def __init__(
        self, width: int, heads: int, feed_forward: int, layers: int = 1, *, norm_first: bool = True, share_dropped: float = 0.0
    ) -> None:
        """Lay out the block.

        Args:
            width: d, of a token.
            heads: Parts into which a token is split.
            feed_forward: f, width of the hidden layer.
            layers: How many such blocks are on top of each other: the more, the less each adds at first.
            norm_first: Normalise the input of each part, or the sum after it.
            share_dropped: Dropout of what is added, as `Dropout` has it.
        """
        super().__init__(width, heads, feed_forward, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm_first)
        self._layers = layers
        if share_dropped:
            self.dropout, self.dropout1, self.dropout2 = (Dropout(share_dropped) for _ in range(3))

    @torch.no_grad()
    def draw(self, generator: torch.Generator | None) -> None:
        """Draw orthogonal weights; those that write into the sum are smaller, so that 2 n additions keep its scale.

        Source: Radford et al. 2019 ("Language models are unsupervised multitask learners"), section 2.3.
        """
        attention = self.self_attn
        for part in attention.in_proj_weight.chunk(3):
            nn.init.orthogonal_(part, generator=generator)
        attention.in_proj_bias.zero_()
        small = 1.0 / sqrt(2.0 * self._layers)
        for layer, gain in ((attention.out_proj, small), (self.linear1, sqrt(2.0)), (self.linear2, small)):
            draw_layer(layer, gain, generator)
        for each in (self.dropout, self.dropout1, self.dropout2):
            if isinstance(each, Dropout):
                each.draw(generator)


class Positions(nn.Module):
    """A learned vector for each place in the window, added to its token; L d parameters."""

    def __init__(self, window: int, width: int) -> None:
        """Take L places and d numbers of a token."""
        super().__init__()
        self.places = nn.Parameter(torch.empty(window, width))
        self.draw(None)

    def draw(self, generator: torch.Generator | None) -> None:
        """Draw small normal numbers."""
        nn.init.normal_(self.places, std=_POSITION_DEVIATION, generator=generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """Add places to tokens, shape (B, L, d)."""
        return tokens + self.places


class TransformerStack(nn.Module):
    """Blocks on top of each other, (B, T, d) to (B, T, d), with a last normalisation where blocks normalise their inputs."""

    def __init__(
        self, width: int, heads: int, feed_forward: int, layers: int, *, norm_first: bool = True, share_dropped: float = 0.0
    ) -> None:
        """Lay out the blocks; arguments as in `TransformerBlock`.

        Raises:
            ConfigError: The heads do not divide the width.
        """
        super().__init__()
        require_heads(width, heads)
        self.blocks = nn.Sequential(
            *(
                TransformerBlock(width, heads, feed_forward, layers, norm_first=norm_first, share_dropped=share_dropped)
                for _ in range(layers)
            )
        )
        self.norm = nn.LayerNorm(width) if norm_first else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """Pass tokens (B, T, d) on; each attends to all of its sample."""
        return self.norm(self.blocks(tokens))


class TransformerEncoder(nn.Module):
    """Rows as tokens with learned positions through a stack of blocks; then mean and largest of each number, side by side.

    All rows of a window are known at the decision, so attention needs no mask. With tokens of width d = 192, 12 heads, a hidden
    layer of f = 768 and 8 blocks: 8 (4 d² + 2 d f + 9 d + f) = 3,558,912 parameters in the blocks, 2 d in the last normalisation,
    (F + 1) d in the projection and L d in the positions.

    Attributes:
        width: Length of the encoding, 2 d.
    """

    def __init__(  # noqa: PLR0913 (one argument per setting)
        self,
        n_features: int,
        window: int,
        token_width: int = 192,
        heads: int = 12,
        layers: int = 8,
        feed_forward: int = 768,
        *,
        norm_first: bool = True,
        share_dropped: float = 0.0,
    ) -> None:
        """Lay out the layers.

        Args:
            n_features: F, columns of a window.
            window: L, rows of a window.
            token_width: d.
            heads: Parts into which a token is split for attention.
            layers: Blocks on top of each other.
            feed_forward: f, width of each block's hidden layer.
            norm_first: As in `TransformerBlock`.
            share_dropped: As in `TransformerBlock`.

        Raises:
            ConfigError: The heads do not divide the width of a token.
        """
        super().__init__()
        self.projection = nn.Linear(n_features, token_width)
        self.positions = Positions(window, token_width)
        self.stack = TransformerStack(token_width, heads, feed_forward, layers, norm_first=norm_first, share_dropped=share_dropped)
        self.width = 2 * token_width

    def forward(self, windows: Tensor) -> Tensor:
        """Encode windows, shape (B, L, F), as (B, 2 d)."""
        seen = self.stack(self.positions(self.projection(windows)))
        return torch.cat((seen.mean(1), seen.amax(1)), 1)


def build_transformer(params: TransformerParams, shape: NetworkShape) -> TransformerEncoder:
    """Build one transformer encoder."""
    return TransformerEncoder(
        shape.n_features,
        shape.window,
        params.token_width,
        params.heads,
        params.layers,
        params.feed_forward,
        norm_first=params.norm_first,
        share_dropped=params.dropout,
    )
