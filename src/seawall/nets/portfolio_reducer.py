"""Autoencoders over all that is known of a portfolio's assets: from (B, A, W) numbers to a short latent row, and back.

``dense`` reads everything at once, ``inputs -> hidden -> latent -> hidden -> inputs``. With 134,980 inputs, 3,222 hidden and 2,148
latent numbers it has 441,838,230 parameters in the encoder and 441,971,062 in the decoder. ``shared`` reads every asset by the same
small encoder and mixes what it made of them: its size hardly grows with the assets.

Norms are those of each row: statistics of a batch would let the same policy give other probabilities while it learns than it gave
when it acted, and a ratio of the two would mean nothing.
"""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn


class Reducer(nn.Module):
    """What every autoencoder of a portfolio does.

    Attributes:
        width: Z, length of the latent row.
        code: Numbers in the code of one asset; 0 where assets have none of their own.
    """

    width: int
    code: int

    @abstractmethod
    def encode(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the latent row (B, Z) of inputs (B, A, W), and the codes of the assets (B, A, code) or None."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """Return what inputs the latent row stands for, shape (B, A, W)."""


class DenseReducer(Reducer):
    """One hidden layer over everything, on either side of the latent row."""

    def __init__(self, assets: int, inputs: int, hidden: int, latent: int) -> None:
        """Lay out the layers.

        Args:
            assets: A.
            inputs: W, numbers known of each asset.
            hidden: Width of the hidden layers.
            latent: Z.
        """
        super().__init__()
        self.width, self.code = latent, 0
        self._shape = (assets, inputs)
        size = assets * inputs
        self.encoder = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.LayerNorm(hidden), nn.Linear(hidden, latent), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.LayerNorm(hidden), nn.Linear(hidden, size))

    def encode(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the latent row, and no codes."""
        return self.encoder(inputs.flatten(1)), None

    def decode(self, latent: Tensor) -> Tensor:
        """Return the inputs that the latent row stands for."""
        return self.decoder(latent).unflatten(1, self._shape)


class SharedReducer(Reducer):
    """The same encoder for every asset, then one layer that mixes their codes; the decoder is its mirror image."""

    def __init__(self, assets: int, inputs: int, hidden: int, latent: int, code: int) -> None:
        """Lay out the layers.

        Args:
            assets: A.
            inputs: W, numbers known of each asset.
            hidden: Width of an asset's hidden layer.
            latent: Z.
            code: Numbers in the code of an asset.
        """
        super().__init__()
        self.width, self.code = latent, code
        self.asset_encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.LayerNorm(hidden), nn.Linear(hidden, code))
        self.mix = nn.Sequential(nn.GELU(), nn.Flatten(1), nn.Linear(assets * code, latent), nn.ReLU())
        self.part = nn.Sequential(nn.Linear(latent, assets * code), nn.GELU(), nn.Unflatten(1, (assets, code)))
        self.asset_decoder = nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.LayerNorm(hidden), nn.Linear(hidden, inputs))

    def encode(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the latent row and the codes of the assets."""
        codes = self.asset_encoder(inputs)
        return self.mix(codes), codes

    def decode(self, latent: Tensor) -> Tensor:
        """Return the inputs that the latent row stands for."""
        return self.asset_decoder(self.part(latent))
