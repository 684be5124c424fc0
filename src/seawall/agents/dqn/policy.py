"""Q-networks as policies: one network, or an ensemble that averages what its members think actions are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from seawall.core.errors import ConfigError
from seawall.core.protocols import VOTES, Observation
from seawall.nets.q_network import QNetwork
from seawall.nets.windows import ObservedWindows

EXPLORATION = 0.05


class QPolicy:
    """One network.

    Windows are gathered on the host from the market of each observation, so live's growing tail costs nothing extra.
    """

    def __init__(self, network: QNetwork, window: int, device: str = "cpu", generator: np.random.Generator | None = None) -> None:
        """Take a network as it is; later changes of its weights are followed.

        Args:
            network: Moved to the device.
            window: L, rows that the network sees.
            device: Where the network runs.
            generator: Source of random actions; without it only deterministic ones are given.
        """
        self.network, self.window, self.device = network.to(device), window, torch.device(device)
        self.generator = generator
        self._windows: Callable[[Observation], torch.Tensor] = ObservedWindows(window)

    def see_through(self, windows: Callable[[Observation], torch.Tensor]) -> None:
        """Take the windows of observations from now on from what is given."""
        self._windows = windows

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose the action of highest value in each environment, or now and then a random one.

        Args:
            observation: What is known at the close of the bar; its first row must have a whole window before it.
            deterministic: Always take the best; else a random action with a probability of 0.05.

        Returns:
            Actions, int64, shape (N,); and ``values``, float32, shape (N, n_actions).

        Raises:
            ConfigError: A random action is asked of a policy without a generator.
            IndexError: A window would start before the market's first row.
        """
        values = self.values(observation)
        return choose_by_value(values, deterministic, self.generator), {"values": values}

    def values(self, observation: Observation) -> np.ndarray:
        """Return the expected discounted sum of rewards after each action, in units of reward, float32, shape (N, n_actions)."""
        with torch.inference_mode():
            windows = self._windows(observation).to(self.device)
            return self.network.values(windows, torch.as_tensor(observation.account).to(self.device)).cpu().numpy()


class QEnsemble:
    """Several networks of one shape: the mean of their values, in units of reward, decides."""

    def __init__(self, members: Sequence[QPolicy], generator: np.random.Generator | None = None) -> None:
        """Take the members.

        Args:
            members: At least one.
            generator: Source of random actions; without it only deterministic ones are given.

        Raises:
            ConfigError: There is no member.
        """
        if not members:
            raise ConfigError("an ensemble of 0 members cannot act; at least 1 is needed")
        self.members, self.generator = tuple(members), generator

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose as `QPolicy.act` does, by the members' mean values.

        Returns:
            Actions, int64, shape (N,); ``values``, float32, shape (N, n_actions); and ``votes``, what each member would do alone,
            int64, shape (N, M).
        """
        each = [member.values(observation) for member in self.members]
        values = np.mean(each, axis=0)
        votes = np.stack([one.argmax(1) for one in each], axis=1)
        return choose_by_value(values, deterministic, self.generator), {"values": values, VOTES: votes}


def choose_by_value(values: np.ndarray, deterministic: bool, generator: np.random.Generator | None) -> np.ndarray:
    """Return the best action of each row of values (N, n_actions), or now and then a random one; int64, shape (N,).

    Raises:
        ConfigError: A random action is asked for without a generator.
    """
    if deterministic:
        return values.argmax(1)
    if generator is None:
        raise ConfigError("this policy has no generator to draw random actions with; give it one, or ask for deterministic actions")
    exploring = generator.random(len(values)) < EXPLORATION
    return np.where(exploring, generator.integers(0, values.shape[1], len(values)), values.argmax(1))
