"""Networks of the zoo as policies: one network, or an ensemble that averages what its members would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from seawall.agents.dqn.policy import choose_by_value
from seawall.agents.memory import Remembering, RememberingMembers
from seawall.agents.policy import choose, choose_number
from seawall.agents.zoo.network import ZooNetwork
from seawall.core.errors import ConfigError
from seawall.core.protocols import VOTES, Observation
from seawall.nets.windows import ObservedWindows


class ZooPolicy(Remembering):
    """One network.

    Windows are gathered on the host from the market of each observation, so live's growing tail costs nothing extra.
    RecurrentPPO goes on from one call of `act` to the next: `begin` starts an episode with nothing remembered, and `memory` and
    `resume` take what is remembered out and put it back.
    """

    def __init__(self, network: ZooNetwork, window: int, device: str = "cpu", generator: np.random.Generator | None = None) -> None:
        """Take a network as it is; later changes of its weights are followed.

        Args:
            network: Moved to the device.
            window: L, rows that the network sees.
            device: Where the network runs.
            generator: Source of sampled actions; without it only deterministic ones are given.
        """
        super().__init__(network.state_width, torch.device(device))
        self.network, self.window, self.generator = network.to(device), window, generator
        self._windows = ObservedWindows(window)

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose an action for each environment.

        Args:
            observation: What is known at the close of the bar; its first row must have a whole window before it.
            deterministic: Take the likeliest or the best action rather than a sample; a sample of DQN and QRDQN is the best action
                save for one in 20, which is random.

        Returns:
            Actions, int64, shape (N,), and ``probabilities`` (PPO, A2C, RecurrentPPO) or ``values`` (DQN, QRDQN, in units
            of reward), float32, shape (N, n_actions); of SAC numbers from -1 to 1, float32, shape (N,), and their ``spread``: the
            deviation before they are squashed.

        Raises:
            ConfigError: A sample is asked of a policy without a generator.
            IndexError: A window would start before the market's first row.
            InvariantError: A network that remembers is shown another number of environments than it began with.
        """
        return _decided([self], observation, deterministic, self.generator)

    @torch.inference_mode()
    def scores(self, observation: Observation) -> np.ndarray:
        """Return what a decision is made by, as `ZooNetwork.forward` has it, float32. A memory goes one bar on."""
        windows = self._windows(observation).to(self.device)
        memory = self.remembered(len(windows))
        scores, self._memory = self.network(windows, torch.as_tensor(observation.account).to(self.device), memory)
        return scores.cpu().numpy()


class ZooEnsemble(RememberingMembers[ZooPolicy]):
    """Networks of several seeds of one algorithm: the mean of their probabilities, values or squashed numbers decides."""

    def __init__(self, members: Sequence[ZooPolicy], generator: np.random.Generator | None = None) -> None:
        """Take the members.

        Args:
            members: At least one, of one algorithm.
            generator: Source of sampled actions; without it only deterministic ones are given.

        Raises:
            ConfigError: There is no member, or they are of several algorithms.
        """
        if not members:
            raise ConfigError("an ensemble of 0 members cannot act; at least 1 is needed")
        algorithms = sorted({member.network.algorithm for member in members})
        if len(algorithms) > 1:
            raise ConfigError(f"an ensemble is of one algorithm; got {', '.join(algorithms)}")
        self.members, self.generator = tuple(members), generator

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose as `ZooPolicy.act` does, by what its members would do on average.

        A sampled number is that of one member, drawn evenly.

        Returns:
            As `ZooPolicy.act`; ``spread`` is the members' mean.
        """
        return _decided(self.members, observation, deterministic, self.generator)


def _decided(
    members: Sequence[ZooPolicy], observation: Observation, deterministic: bool, generator: np.random.Generator | None
) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """Return the actions of members together, and their details: of several members also what each would do alone."""
    scores = [member.scores(observation) for member in members]
    algorithm = members[0].network.algorithm
    if algorithm == "SAC":
        means, spreads = [each[:, 0] for each in scores], [each[:, 1] for each in scores]
        told = {"spread": np.mean(spreads, axis=0), **_votes([np.tanh(mean) for mean in means])}
        return choose_number(means, spreads, deterministic, generator), told
    mean, votes = np.mean(scores, axis=0), _votes([each.argmax(1) for each in scores])
    if algorithm in ("DQN", "QRDQN"):
        return choose_by_value(mean, deterministic, generator), {"values": mean, **votes}
    return choose(mean, deterministic, generator), {"probabilities": mean, **votes}


def _votes(alone: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    return {VOTES: np.stack(alone, axis=1)} if len(alone) > 1 else {}
