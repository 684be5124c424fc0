"""Trained networks as policies: one network, or an ensemble that averages what its members would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from seawall.agents.memory import Remembering, RememberingMembers
from seawall.core.errors import ConfigError
from seawall.core.protocols import VOTES, Observation
from seawall.nets.heads import ActorCritic
from seawall.nets.windows import ObservedWindows


class NetworkPolicy(Remembering):
    """One network.

    Windows are gathered on the host from the market of each observation, so live's growing tail costs nothing extra.
    A network with a memory goes on from one call of `act` to the next: `begin` starts an episode with nothing remembered, and
    `memory` and `resume` take what is remembered out and put it back.
    """

    def __init__(
        self,
        network: ActorCritic,
        window: int,
        device: str = "cpu",
        generator: np.random.Generator | None = None,
        windows: Callable[[Observation], torch.Tensor] | None = None,
    ) -> None:
        """Take a network as it is; later changes of its weights are followed.

        Args:
            network: Moved to the device.
            window: L, rows that the network sees.
            device: Where the network runs.
            generator: Source of sampled actions; without it only deterministic ones are given.
            windows: Gives the windows of an observation; None gathers them.
        """
        super().__init__(network.state_width, torch.device(device))
        self.network, self.window, self.generator = network.to(device), window, generator
        self._windows = ObservedWindows(window) if windows is None else windows

    def see_through(self, windows: Callable[[Observation], torch.Tensor]) -> None:
        """Take the windows of observations from now on from what is given."""
        self._windows = windows

    @property
    def sees_the_market(self) -> bool:
        """Whether windows are those of the observation's market as it is, and not made of them by something else."""
        return type(self._windows) is ObservedWindows

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose the likeliest action of each environment, or a sampled one.

        Args:
            observation: What is known at the close of the bar; its first row must have a whole window before it.
            deterministic: Take the likeliest rather than a sample.

        Returns:
            Actions, int64, shape (N,), and ``probabilities``, float32, shape (N, n_actions); or, of a network that chooses a
            number, numbers from -1 to 1, float32, shape (N,), and their ``spread``: the deviation before they are squashed.

        Raises:
            ConfigError: A sample is asked of a policy without a generator.
            IndexError: A window would start before the market's first row.
            InvariantError: A network that remembers is shown another number of environments than it began with.
        """
        if self.network.n_actions:
            probabilities = self.probabilities(observation)
            return choose(probabilities, deterministic, self.generator), {"probabilities": probabilities}
        mean, spread = self.numbers(observation)
        return choose_number([mean], [spread], deterministic, self.generator), {"spread": spread}

    def probabilities(self, observation: Observation) -> np.ndarray:
        """Return the probability of each action, float32, shape (N, n_actions). A memory goes one bar on."""
        return torch.softmax(self._preferences(observation), 1).cpu().numpy()

    def numbers(self, observation: Observation) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation of a number before it is squashed, float32, shape (N,) each. A memory goes one bar on."""
        preferences = self._preferences(observation).cpu()
        return preferences[:, 0].numpy(), preferences[:, 1].exp().numpy()

    @torch.inference_mode()
    def _preferences(self, observation: Observation) -> torch.Tensor:
        account = torch.as_tensor(observation.account).to(self.device)
        rows = observation.rows
        if not self.network.state_width and len(rows) > 1 and (rows == rows[0]).all():
            one = Observation(observation.market, rows[:1], observation.account[:1])
            return self.network.logits_of_one(self._windows(one).to(self.device), account)
        windows = self._windows(observation).to(self.device)
        if not self.network.state_width:
            return self.network.logits(windows, account)
        memory = self.remembered(len(windows))
        actor, critic, self._memory = self.network.remember(*self.network.encode(windows), memory)
        return self.network.heads(actor, critic, account)[0]


class EnsemblePolicy(RememberingMembers[NetworkPolicy]):
    """Several networks of one kind: the mean of their action probabilities decides, or of the numbers they would choose."""

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
        """Choose as `NetworkPolicy.act` does, by the members' mean probabilities, or the mean of the numbers they would choose.

        A sampled number is that of one member, drawn evenly.

        Returns:
            As `NetworkPolicy.act`; ``spread`` is the members' mean, and ``votes`` what each would do alone, shape (N, M).
        """
        if self.members[0].network.n_actions:
            each = [member.probabilities(observation) for member in self.members]
            probabilities = np.mean(each, axis=0)
            told = {"probabilities": probabilities, VOTES: np.stack([one.argmax(1) for one in each], axis=1)}
            return choose(probabilities, deterministic, self.generator), told
        means, spreads = zip(*(member.numbers(observation) for member in self.members), strict=True)
        told = {"spread": np.mean(spreads, axis=0), VOTES: np.stack([np.tanh(mean) for mean in means], axis=1)}
        return choose_number(means, spreads, deterministic, self.generator), told


def choose(probabilities: np.ndarray, deterministic: bool, generator: np.random.Generator | None) -> np.ndarray:
    """Return the likeliest action of each row of probabilities (N, n_actions), or a sampled one; int64, shape (N,).

    Raises:
        ConfigError: A sample is asked for without a generator.
    """
    if deterministic:
        return probabilities.argmax(1)
    cumulative = probabilities.cumsum(1)
    drawn = _given(generator).random((len(probabilities), 1)) * cumulative[:, -1:]
    return (drawn >= cumulative).sum(1).astype(np.int64)


def choose_number(
    means: Sequence[np.ndarray], spreads: Sequence[np.ndarray], deterministic: bool, generator: np.random.Generator | None
) -> np.ndarray:
    """Return one number from -1 to 1 for each environment: the mean of the members' squashed means, or a sample of one member.

    Args:
        means: Of each member, before they are squashed, shape (N,).
        spreads: Deviations of each member, likewise.
        deterministic: Take the mean rather than a sample.
        generator: Source of the samples.

    Raises:
        ConfigError: A sample is asked for without a generator.
    """
    if deterministic:
        return np.mean([np.tanh(mean) for mean in means], axis=0)
    source, n = _given(generator), len(means[0])
    member, each = source.integers(len(means), size=n), np.arange(n)
    drawn = np.stack(means)[member, each] + np.stack(spreads)[member, each] * source.standard_normal(n)
    return np.tanh(drawn).astype(np.float32)


def _given(generator: np.random.Generator | None) -> np.random.Generator:
    if generator is None:
        raise ConfigError("this policy has no generator to sample actions with; give it one, or ask for deterministic actions")
    return generator
