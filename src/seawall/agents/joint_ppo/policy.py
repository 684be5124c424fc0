"""Trained networks of portfolios as policies: one network, or an ensemble that averages the weights of its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from seawall.agents.joint_ppo.dirichlet import concentrations, draw, mean_weights
from seawall.core.errors import ConfigError
from seawall.core.protocols import Observation
from seawall.nets.portfolio import PortfolioNetwork
from seawall.nets.portfolio_windows import Look, ObservedPanels


class PortfolioPolicy:
    """One network. What it looks at is gathered from the market of each observation, whose series are the assets."""

    def __init__(
        self, network: PortfolioNetwork, look: Look, device: str = "cpu", generator: np.random.Generator | None = None
    ) -> None:
        """Take a network as it is; later changes of its weights are followed.

        Args:
            network: Moved to the device.
            look: What it sees of each asset.
            device: Where the network runs.
            generator: Source of drawn weights; without it only mean ones are given.
        """
        self.network, self.look, self.device = network.to(device), look, torch.device(device)
        self.generator = generator
        self._windows = ObservedPanels(look)

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose weights for each of N portfolios.

        Args:
            observation: What is known at the close of the bar; rows count bars of the panel.
            deterministic: Take the mean of the distribution rather than a draw.

        Returns:
            Weights of cash and the assets, at least 0 and adding up to 1, float64, shape (N, A + 1); and ``concentrations``, the
            parameters of the distribution, likewise.

        Raises:
            ConfigError: A draw is asked of a policy without a generator.
            IndexError: A window would start before the first row.
        """
        alpha = self.concentrations(observation)
        return _chosen(alpha, deterministic, self.generator), {"concentrations": alpha}

    @torch.inference_mode()
    def concentrations(self, observation: Observation) -> np.ndarray:
        """Return the parameters of the distribution of each portfolio's weights, float64, shape (N, A + 1)."""
        windows = self._windows(observation).to(self.device)
        logits = self.network(windows, torch.as_tensor(observation.account).to(self.device)).logits
        return concentrations(logits.double()).cpu().numpy()


class PortfolioEnsemble:
    """Several networks that decide together."""

    def __init__(self, members: Sequence[PortfolioPolicy], generator: np.random.Generator | None = None) -> None:
        """Take the members.

        Args:
            members: One policy per seed.
            generator: Source of drawn weights; without it only mean ones are given.

        Raises:
            ConfigError: There is no member.
        """
        if not members:
            raise ConfigError("an ensemble of 0 portfolio policies was asked for; at least 1 is needed")
        self.members, self.generator = tuple(members), generator

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose the mean of the members' mean weights, or a draw of one member, picked evenly.

        Returns:
            As `PortfolioPolicy.act`; ``concentrations`` are the members' mean.
        """
        each = np.stack([member.concentrations(observation) for member in self.members])
        details = {"concentrations": each.mean(0)}
        if deterministic:
            return mean_weights(each).mean(0), details
        picked = _given(self.generator).integers(len(each), size=each.shape[1])
        return _chosen(each[picked, np.arange(each.shape[1])], deterministic, self.generator), details


def _chosen(alpha: np.ndarray, deterministic: bool, generator: np.random.Generator | None) -> np.ndarray:
    return mean_weights(alpha) if deterministic else draw(alpha, 0.0, _given(generator)).astype(np.float64)


def _given(generator: np.random.Generator | None) -> np.random.Generator:
    if generator is None:
        raise ConfigError("this policy has no generator to draw weights with; give it one, or ask for deterministic actions")
    return generator
