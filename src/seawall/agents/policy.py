"""Trained networks as policies: one network, or an ensemble that averages what its members would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from seawall.core.errors import ConfigError
from seawall.core.market import Market
from seawall.core.protocols import Observation
from seawall.nets.heads import ActorCritic
from seawall.nets.windows import WindowGatherer, feature_tensor


class NetworkPolicy:
    """One network.

    Windows are gathered on the host from the market of each observation, so live's growing tail costs nothing extra.
    """

    def __init__(
        self, network: ActorCritic, window: int, device: str = "cpu", generator: np.random.Generator | None = None
    ) -> None:
        """Take a network as it is; later changes of its weights are followed.

        Args:
            network: Moved to the device.
            window: L, rows that the network sees.
            device: Where the network runs.
            generator: Source of sampled actions; without it only deterministic ones are given.
        """
        self.network, self.window, self.device = network.to(device), window, torch.device(device)
        self.generator = generator
        self._market: Market | None = None
        self._gather: WindowGatherer | None = None

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose the likeliest action of each environment, or a sampled one.

        Args:
            observation: What is known at the close of the bar; its first row must have a whole window before it.
            deterministic: Take the likeliest rather than a sample.

        Returns:
            Actions, int64, shape (N,); and ``probabilities``, float32, shape (N, n_actions).

        Raises:
            ConfigError: A sample is asked of a policy without a generator.
            IndexError: A window would start before the market's first row.
        """
        probabilities = self.probabilities(observation)
        return _choose(probabilities, deterministic, self.generator), {"probabilities": probabilities}

    def probabilities(self, observation: Observation) -> np.ndarray:
        """Return the probability of each action, float32, shape (N, n_actions)."""
        if self._gather is None or self._market is not observation.market:
            self._market = observation.market
            self._gather = WindowGatherer(feature_tensor(observation.market.features), self.window)
        with torch.inference_mode():
            windows = self._gather(torch.as_tensor(observation.rows)).to(self.device)
            logits = self.network.logits(windows, torch.as_tensor(observation.account).to(self.device))
            return torch.softmax(logits, 1).cpu().numpy()


class EnsemblePolicy:
    """Several networks of one shape: the mean of their action probabilities decides."""

    def __init__(self, members: Sequence[NetworkPolicy], generator: np.random.Generator | None = None) -> None:
        """Take the members.

        Args:
            members: At least one.
            generator: Source of sampled actions; without it only deterministic ones are given.

        Raises:
            ConfigError: There is no member.
        """
        if not members:
            raise ConfigError("an ensemble of 0 members cannot act; at least 1 is needed")
        self.members, self.generator = tuple(members), generator

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose as `NetworkPolicy.act` does, by the members' mean probabilities.

        Returns:
            Actions, int64, shape (N,); and ``probabilities``, float32, shape (N, n_actions).
        """
        probabilities = np.mean([member.probabilities(observation) for member in self.members], axis=0)
        return _choose(probabilities, deterministic, self.generator), {"probabilities": probabilities}


def _choose(probabilities: np.ndarray, deterministic: bool, generator: np.random.Generator | None) -> np.ndarray:
    if deterministic:
        return probabilities.argmax(1)
    if generator is None:
        raise ConfigError("this policy has no generator to sample actions with; give it one, or ask for deterministic actions")
    cumulative = probabilities.cumsum(1)
    drawn = generator.random((len(probabilities), 1)) * cumulative[:, -1:]
    return (drawn >= cumulative).sum(1).astype(np.int64)
