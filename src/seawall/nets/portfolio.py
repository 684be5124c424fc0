"""The network of portfolios: an autoencoder, a transformer over tokens, weights of cash and assets, and a value.

    windows (B, A, L, F) + state (B, S) -> latent (B, Z) -> 768 -> 384 -> tokens -> blocks -> logits (B, A + 1), value (B,)

What is known of an asset is its window and the state of the whole portfolio, row after row: D = A (L F + S) numbers in all. With
10 assets, 72 columns, 48 + 64 + 48 + 24 + 3 rows of five clocks, and 3 A + 4 numbers of state, D = 134,980.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from seawall.core.params import Params
from seawall.core.seeding import derived_seed
from seawall.nets.portfolio_reducer import DenseReducer, Reducer, SharedReducer

_POLICY_GAIN = 0.01
_PRESETS: dict[str, dict[str, Any]] = {
    "full": {},
    "tiny": {
        "reducer": "shared", "hidden": 48, "latent": 48, "code": 12, "wide": 64, "narrow": 48, "token": 24, "heads": 4,
        "feed_forward": 48, "blocks": 1,
    },
}  # fmt: skip


class PortfolioNetworkParams(Params):
    """Sizes of the network. Those that are not given are the preset's."""

    preset: Literal["full", "tiny"] = Field(default="full", description="full is the published size; tiny learns on two cores")
    reducer: Literal["dense", "shared"] = Field(
        default="dense", description="dense encodes everything at once; shared encodes each asset alike and then mixes"
    )
    hidden: int = Field(default=3_222, ge=1, le=65_536, description="width of the hidden layers of the autoencoder")
    latent: int = Field(default=2_148, ge=1, le=65_536, description="numbers that the autoencoder leaves")
    code: int = Field(default=192, ge=1, le=65_536, description="numbers that reducer shared leaves of an asset before it mixes")
    wide: int = Field(default=768, ge=1, le=65_536, description="width of the first layer after the autoencoder")
    narrow: int = Field(default=384, ge=1, le=65_536, description="width of the second one")
    tokens: Literal["latent", "assets"] = Field(
        default="latent", description="latent cuts the second layer into tokens; assets gives cash and each asset one of its own"
    )
    token: int = Field(default=192, ge=1, le=8_192, description="width of a token")
    heads: int = Field(default=12, ge=1, le=256, description="attention heads; must divide token")
    feed_forward: int = Field(default=768, ge=1, le=65_536, description="hidden width within a block")
    blocks: int = Field(default=8, ge=1, le=128, description="transformer blocks")
    pre_norm: bool = Field(default=True, description="whether blocks normalise before attention, which trains steadier, or after")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        given = cast("Mapping[str, Any]", values)
        return {**_PRESETS.get(str(given.get("preset", "full")), {}), **given}

    @model_validator(mode="after")
    def _fit(self) -> PortfolioNetworkParams:
        if self.token % self.heads:
            raise ValueError(f"heads {self.heads} does not divide token {self.token}; choose a divisor")
        if self.tokens == "latent" and self.narrow % self.token:
            raise ValueError(f"token {self.token} does not divide narrow {self.narrow}, which tokens latent cuts; choose a divisor")
        return self


@dataclass(frozen=True)
class PortfolioShape:
    """What data and accounts ask of the network.

    Attributes:
        assets: A.
        rows: L, rows that are seen of each asset, of all clocks together.
        features: F, columns of a row.
        state: S, numbers of the portfolio's state.
    """

    assets: int
    rows: int
    features: int
    state: int

    @property
    def inputs(self) -> int:
        """W, numbers that are known of an asset."""
        return self.rows * self.features + self.state

    @property
    def size(self) -> int:
        """D, numbers that are known in all."""
        return self.assets * self.inputs


class Outlook(NamedTuple):
    """What the network makes of B observations.

    Attributes:
        logits: Of cash and the assets, shape (B, A + 1).
        values: Shape (B,).
        inputs: What the autoencoder was given, shape (B, A, W).
        latent: What it left, shape (B, Z).
    """

    logits: Tensor
    values: Tensor
    inputs: Tensor
    latent: Tensor


class PortfolioNetwork(nn.Module):
    """The whole network.

    It knows no dropout, and stays in training mode: what it gives while it acts is what it gives while it learns.

    Attributes:
        shape: Sizes of what it reads.
        reducer: The autoencoder.
    """

    def __init__(self, params: PortfolioNetworkParams, shape: PortfolioShape) -> None:
        """Lay out the layers.

        Args:
            params: Sizes.
            shape: Sizes of what it reads.
        """
        super().__init__()
        self.shape = shape
        self.reducer = _reducer(params, shape)
        self._per_asset, self._token = params.tokens == "assets", params.token
        self.trunk = nn.Sequential(
            nn.Linear(params.latent, params.wide), nn.GELU(), nn.LayerNorm(params.wide),
            nn.Linear(params.wide, params.narrow), nn.GELU(), nn.LayerNorm(params.narrow),
        )  # fmt: skip
        width = (shape.assets + 1) * params.token if self._per_asset else params.narrow
        self.spread = nn.Linear(params.narrow, width) if self._per_asset else nn.Identity()
        self.name = nn.Linear(self.reducer.code, params.token) if self._per_asset and self.reducer.code else None
        self.blocks = nn.Sequential(*(_block(params) for _ in range(params.blocks)), nn.LayerNorm(params.token))
        pooled = 2 * params.token
        self.actor = _head(params.token if self._per_asset else pooled, params.token, 1 if self._per_asset else shape.assets + 1)
        self.critic = _head(pooled, params.token, 1)

    def forward(self, windows: Tensor, state: Tensor) -> Outlook:
        """Look at observations.

        Args:
            windows: Features known at the close of the decision's bar, float32, shape (B, A, L, F).
            state: Of the portfolio at that close, float32, shape (B, S).
        """
        inputs = self.inputs(windows, state)
        latent, codes = self.reducer.encode(inputs)
        tokens = self.spread(self.trunk(latent)).unflatten(1, (-1, self._token))
        if self.name is not None and codes is not None:
            tokens = torch.cat((tokens[:, :1], tokens[:, 1:] + self.name(codes)), 1)
        told = self.blocks(tokens)
        pooled = torch.cat((told.mean(1), told.amax(1)), 1)
        logits = self.actor(told)[..., 0] if self._per_asset else self.actor(pooled)
        return Outlook(logits, self.critic(pooled)[:, 0], inputs, latent)

    def inputs(self, windows: Tensor, state: Tensor) -> Tensor:
        """Return all that is known of each asset, its window and the portfolio's state, shape (B, A, W)."""
        return torch.cat((windows.flatten(2), state[:, None].expand(-1, windows.shape[1], -1)), 2)

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """Return the parameters of the autoencoder."""
        return self.reducer.parameters()

    def policy_parameters(self) -> Iterator[nn.Parameter]:
        """Return all other parameters."""
        return (parameter for name, parameter in self.named_parameters() if not name.startswith("reducer."))


def build_portfolio_network(params: PortfolioNetworkParams, shape: PortfolioShape, seed: int) -> PortfolioNetwork:
    """Build a network with weights drawn from a seed; at first it weighs cash and every asset about alike.

    Args:
        params: Sizes.
        shape: Sizes of what it reads.
        seed: The run's seed; the same one gives the same weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, "network weights"))
        network = PortfolioNetwork(params, shape)
    last = network.actor[-1]
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.mul_(_POLICY_GAIN)
    return network


def _block(params: PortfolioNetworkParams) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(
        params.token,
        params.heads,
        params.feed_forward,
        dropout=0.0,
        activation="gelu",
        batch_first=True,
        norm_first=params.pre_norm,
    )


def _head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.LayerNorm(hidden), nn.Linear(hidden, outputs))


def _reducer(params: PortfolioNetworkParams, shape: PortfolioShape) -> Reducer:
    if params.reducer == "dense":
        return DenseReducer(shape.assets, shape.inputs, params.hidden, params.latent)
    return SharedReducer(shape.assets, shape.inputs, params.hidden, params.latent, params.code)
