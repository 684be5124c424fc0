"""The autoencoder: many numbers through few and back, and its encoding half as an encoder of windows.

Hinton and Salakhutdinov 2006, Science 313. Inputs should be standardised: reconstruction is measured in their units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from pydantic import Field, model_validator
from torch import Tensor, nn

from seawall.core.errors import ConfigError
from seawall.nets.dropout import dropout
from seawall.nets.params import NetworkParams, NetworkShape

Reducer = Literal["dense", "shared"]
Norm = Literal["batch", "layer", "none"]
HIDDEN_RATIO = 1.5
_NORMS: dict[Norm, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": nn.Identity}


class AutoencoderParams(NetworkParams):
    """Settings of the autoencoder's encoding half over a window.

    An agent that learns its encoder from decisions alone refuses ``norm: batch``; the joint training of the portfolio design, and
    any supervised one, takes it.
    """

    latent: int = Field(default=64, ge=1, le=65_536, description="width of the encoding")
    hidden: int = Field(default=0, ge=0, le=262_144, description="width of the layer before it; 0 for one and a half times latent")
    reducer: Reducer = Field(default="dense", description="one layer over all inputs, or one over each group, the same for all")
    groups: int = Field(
        default=1, ge=1, le=4096, description="groups of the columns, such as assets, in their order; for the shared reducer"
    )
    norm: Norm = Field(
        default="layer", description="what keeps the hidden layer's scale: statistics of a sample, of a batch, nothing"
    )
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="share of the hidden units that a gradient step leaves out")

    @model_validator(mode="after")
    def _groups_fit(self) -> AutoencoderParams:
        if (self.reducer == "shared") != (self.groups > 1):
            raise ValueError(
                f"reducer is {self.reducer} and groups is {self.groups}; allowed: dense with 1 group, shared with at least 2"
            )
        return self


class Compressor(nn.Module):
    """n numbers through hidden units to k: a layer over each of G groups, the same for all, then one that mixes them.

    One group is the plain dense layer. Several are seen by identical independent evaluators, as in Jiang, Xu and Liang 2017,
    arXiv 1706.10059. With h hidden units a group there are ``h (n / G + 1) + k (G h + 1)`` parameters, and 2 h with a norm.
    """

    def __init__(self, n_inputs: int, latent: int, units: int, groups: int, norm: Norm, share_dropped: float) -> None:
        """Take n, k, h of one group, G, norm and dropout."""
        super().__init__()
        self.hidden = nn.Linear(n_inputs // groups, units)
        self.norm, self.dropout = _NORMS[norm](units), dropout(share_dropped)
        self.latent = nn.Linear(groups * units, latent)

    def forward(self, numbers: Tensor) -> Tensor:
        """Reduce numbers (B, n), group after group, to (B, k), none below 0."""
        rows = numbers.reshape(-1, self.hidden.in_features)
        units = self.dropout(self.norm(F.relu(self.hidden(rows))))
        return F.relu(self.latent(units.view(-1, self.latent.in_features)))


class Expander(nn.Module):
    """The mirror of `Compressor`: ``G h (k + 1) + (n / G) (h + 1)`` parameters, and 2 h with a norm."""

    def __init__(self, n_outputs: int, latent: int, units: int, groups: int, norm: Norm, share_dropped: float) -> None:
        """Take n, k, h of one group, G, norm and dropout."""
        super().__init__()
        self._n_outputs = n_outputs
        self.hidden = nn.Linear(latent, groups * units)
        self.norm, self.dropout = _NORMS[norm](units), dropout(share_dropped)
        self.output = nn.Linear(units, n_outputs // groups)

    def forward(self, latent: Tensor) -> Tensor:
        """Expand (B, k) to (B, n), of any sign."""
        units = F.relu(self.hidden(latent)).view(-1, self.output.in_features)
        return self.output(self.dropout(self.norm(units))).view(-1, self._n_outputs)


class Autoencoder(nn.Module):
    """Both halves, to be learned jointly with a policy or before it.

    Dense, with 134,980 numbers, 2,148 in the middle and batch normalisation: 441,838,230 + 441,971,062 = 883,809,292 parameters.
    Shared by its 10 groups, with the same middle: 11,301,011 + 11,315,268 = 22,616,279.

    Attributes:
        encoder: Maps (B, n) to (B, k).
        decoder: Maps (B, k) to (B, n).
    """

    def __init__(
        self,
        n_inputs: int,
        latent: int,
        hidden: int = 0,
        *,
        groups: int = 1,
        norm: Norm = "batch",
        share_dropped: float = 0.1,
    ) -> None:
        """Lay out both halves.

        Args:
            n_inputs: n, group after group.
            latent: k.
            hidden: Hidden units of all groups together; 0 for one and a half times k.
            groups: G; 1 for a dense layer over everything.
            norm: Of the hidden units: over the batch, over a sample's own, or none.
            share_dropped: Dropout of the hidden units, as `Dropout` has it.

        Raises:
            ConfigError: The inputs are no whole number of groups of one size.
        """
        super().__init__()
        _require_whole("inputs", n_inputs, groups)
        units = hidden_units(latent, hidden, groups)
        self.encoder = Compressor(n_inputs, latent, units, groups, norm, share_dropped)
        self.decoder = Expander(n_inputs, latent, units, groups, norm, share_dropped)

    def encode(self, numbers: Tensor) -> Tensor:
        """Reduce numbers (B, n) to (B, k), none below 0."""
        return self.encoder(numbers)

    def decode(self, latent: Tensor) -> Tensor:
        """Expand (B, k) to (B, n)."""
        return self.decoder(latent)

    def reconstruct(self, numbers: Tensor) -> Tensor:
        """Return what is left of numbers (B, n) after both halves, the same shape."""
        return self.decoder(self.encoder(numbers))

    def forward(self, numbers: Tensor) -> Tensor:
        """Reconstruct, so that the module can be called."""
        return self.reconstruct(numbers)


class CompressingEncoder(nn.Module):
    """The encoding half of an autoencoder over a flattened window.

    Attributes:
        width: Length of the encoding, k.
    """

    def __init__(self, shape: NetworkShape, params: AutoencoderParams) -> None:
        """Lay out the layers.

        Raises:
            ConfigError: The columns are no whole number of groups of one size.
        """
        super().__init__()
        _require_whole("features", shape.n_features, params.groups)
        units = hidden_units(params.latent, params.hidden, params.groups)
        n_inputs = shape.window * shape.n_features
        self.compressor = Compressor(n_inputs, params.latent, units, params.groups, params.norm, params.dropout)
        self.width, self._groups = params.latent, params.groups

    def forward(self, windows: Tensor) -> Tensor:
        """Encode windows, shape (B, L, F), as (B, k)."""
        return self.compressor(by_group(windows, self._groups))


def by_group(windows: Tensor, groups: int) -> Tensor:
    """Flatten windows (B, L, F) to (B, L F), the rows of the first group of columns before those of the second."""
    return windows.unflatten(2, (groups, -1)).transpose(1, 2).flatten(1)


def hidden_units(latent: int, hidden: int, groups: int) -> int:
    """Return the hidden units of one group, rounded up, where all groups have `hidden` of them, or 0 for 1.5 times latent."""
    return -((hidden or int(HIDDEN_RATIO * latent)) // -groups)


def build_autoencoder(params: AutoencoderParams, shape: NetworkShape) -> CompressingEncoder:
    """Build one encoding half.

    Raises:
        ConfigError: The columns are no whole number of groups of one size.
    """
    return CompressingEncoder(shape, params)


def _require_whole(what: str, n: int, groups: int) -> None:
    if groups < 1 or n % groups:
        raise ConfigError(f"groups is {groups} and there are {n} {what}; allowed: numbers that divide these")
