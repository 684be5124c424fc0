"""A features extractor for Stable-Baselines3 that gathers windows where the network needs them.

The policy is shown a row and an account; the windows come out of one block that no buffer and no saved model holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import Market
from seawall.core.rows import ROW_BASE
from seawall.nets.windows import WindowGatherer, feature_tensor

Encoder = Callable[[int, int], nn.Module]
"""Builds a network from the rows and the columns of a window; it maps windows (B, L, F) to (B, width)."""


class FeatureSource:
    """The features of a market, as a keyword of `GatheringExtractor`. Saved with a model, it is the columns' names alone.

    Attributes:
        names: Names of the F columns.
        features: Shape (T, F), float32; no rows where the source was loaded with a model.
        ready: First row whose features are all known; those before it may be NaN.
    """

    def __init__(self, market: Market) -> None:
        """Take the features of a market; nothing is copied."""
        self.names, self.ready = market.feature_names, market.ready[0]
        self.features = feature_tensor(market.features)

    @classmethod
    def unknown(cls, names: Sequence[str]) -> FeatureSource:
        """Return a source of columns without any rows, for a policy that is shown its windows."""
        source = cls.__new__(cls)
        source.__setstate__({"names": tuple(names)})
        return source

    def __getstate__(self) -> dict[str, Any]:
        """Return what is saved with a model."""
        return {"names": self.names}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        """Take back what was saved, without any features."""
        self.names, self.ready = saved["names"], 0
        self.features = torch.empty((0, len(self.names)))

    def __repr__(self) -> str:
        """Return a short description, which is saved with a model too."""
        return f"FeatureSource({len(self.names)} columns, {len(self.features)} rows)"


class GatheringExtractor(BaseFeaturesExtractor):
    """Turns index observations into the account row, then the window: flattened, or as an encoder of one's own sees it.

    Flattened, the result equals that of Stable-Baselines3's `CombinedExtractor` on observations that hold windows, bit for bit.
    """

    features: Tensor

    def __init__(self, observation_space: spaces.Dict, source: FeatureSource, window: int, encoder: Encoder | None = None) -> None:
        """Take the block that windows come from.

        Args:
            observation_space: Of an environment with index observations.
            source: Features of the market that the rows refer to.
            window: L, rows in a window, as the environment has it.
            encoder: Builds a network over windows; None passes them flattened. Each extractor of a policy builds its own. It is
                saved with the model by reference, so it must be a function or a class that can be imported.

        Raises:
            ConfigError: The observations are not of the index kind.
        """
        if set(getattr(observation_space, "spaces", {})) != {"row", "account"}:
            raise ConfigError(
                f"observations are {observation_space}; allowed: a dictionary of 'row' and 'account' (index observations)"
            )
        n_account, n_columns = observation_space["account"].shape[0], len(source.names)  # pyright: ignore[reportOptionalSubscript]
        network = nn.Flatten() if encoder is None else encoder(window, n_columns)
        super().__init__(observation_space, n_account + _width(network, window, n_columns))
        self.window, self.names, self.encoder = window, source.names, network
        self.ready = source.ready
        self.register_buffer("features", source.features, persistent=False)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return the account row and what the encoder makes of the window, shape (B, A + width).

        Raises:
            ConfigError: The model was loaded and not yet given its market.
        """
        if not len(self.features):
            raise ConfigError("the model was loaded without the features of a market; call gather_from(model, market) first")
        parts = observations["row"].long()
        # Recurrent agents pad sequences with zeros, and ignore what comes of them: row 0 is shown the first whole window. It must
        # be warm, for a NaN is not ignored: times a slope of 0 it makes the whole gradient NaN.
        rows = (parts[:, 0] * ROW_BASE + parts[:, 1]).clamp_min(self.ready + self.window - 1)
        windows = WindowGatherer(self.features, self.window)(rows)
        return self.join(windows, observations["account"])

    def join(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return account rows (B, A) and what the encoder makes of windows (B, L, F), side by side, shape (B, A + width)."""
        return torch.cat([account, self.encoder(windows)], dim=1)


@torch.no_grad()
def _width(network: nn.Module, window: int, columns: int) -> int:
    """Return how many numbers a network makes of one window."""
    seen = network(torch.zeros(1, window, columns))
    if seen.ndim != 2:
        raise ConfigError(f"the encoder makes shape {tuple(seen.shape)} of one window; allowed: (1, width)")
    return int(seen.shape[1])


def gather_from(model: BaseAlgorithm, market: Market) -> None:
    """Let a model gather its windows from a market: after loading it, or to use it on other bars.

    Args:
        model: A model whose policy has `GatheringExtractor`s.
        market: Its features must be the columns that the model was trained on, in their order.

    Raises:
        ConfigError: The policy gathers nothing.
        DataError: The columns are not those of the model.
    """
    found = [module for module in model.policy.modules() if isinstance(module, GatheringExtractor)]
    if not found:
        raise ConfigError("the model has no GatheringExtractor; its observations hold their windows, and need no market")
    for extractor in found:
        if extractor.names != market.feature_names:
            raise DataError(
                f"the market has the features {list(market.feature_names)}; the model was trained on {list(extractor.names)}"
            )
        extractor.features = feature_tensor(np.asarray(market.features), model.device)
        extractor.ready = market.ready[0]
