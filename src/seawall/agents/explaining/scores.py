"""What a policy's network makes of its inputs, with gradients: the numbers from which a decision is taken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seawall.agents.dqn.policy import QPolicy
from seawall.agents.joint_ppo.dirichlet import concentrations
from seawall.agents.joint_ppo.policy import PortfolioPolicy
from seawall.agents.policy import NetworkPolicy
from seawall.core.errors import ConfigError
from seawall.core.protocols import Policy
from seawall.nets.dropout import Dropout

Kind = Literal["preferences", "number", "values", "weights"]
Forward = Callable[[Tensor, Tensor, Tensor], Tensor]
_LEAST_PROBABILITY = 1e-30


@dataclass(frozen=True)
class Scores:
    """The scores of one policy.

    Attributes:
        kind: ``preferences``, logits of numbered actions; ``number``, the mean of one number before it is squashed; ``values``,
            what actions are worth; ``weights``, mean weights of cash and the assets.
        network: The network.
        device: Where it runs.
        forward: Maps windows (B, ...), account rows (B, S) and memories (B, M) to scores (B, P).
    """

    kind: Kind
    network: nn.Module
    device: torch.device
    forward: Forward


def scores_of(policy: Policy) -> Scores:
    """Return the scores of a policy of one network.

    Raises:
        ConfigError: The policy is of no kind whose network can be followed.
    """
    if isinstance(policy, NetworkPolicy):
        return Scores("preferences" if policy.network.n_actions else "number", policy.network, policy.device, _actor(policy))
    if isinstance(policy, QPolicy):
        network = policy.network
        return Scores("values", network, policy.device, lambda windows, account, _memory: network.values(windows, account))
    if isinstance(policy, PortfolioPolicy):
        return Scores("weights", policy.network, policy.device, _weights(policy))
    if _is_of_the_zoo(policy):
        return _zoo(policy)
    raise ConfigError(
        f"a policy of class {type(policy).__name__} has no network that can be followed; allowed: runs of the agents ppo, "
        "replay_ppo, exact, dqn and zoo, and portfolios"
    )


def _is_of_the_zoo(policy: Policy) -> bool:
    """Say whether a policy is one of the zoo, without loading libraries that come with an extra: whoever made one has."""
    module = sys.modules.get("seawall.agents.zoo.policy")
    return module is not None and isinstance(policy, module.ZooPolicy)


def _actor(policy: NetworkPolicy) -> Forward:
    network = policy.network

    def forward(windows: Tensor, account: Tensor, memory: Tensor) -> Tensor:
        if not network.state_width:
            return network.logits(windows, account)
        actor, critic, _ = network.remember(*network.encode(windows), memory)
        return network.heads(actor, critic, account)[0]

    return forward


def _weights(policy: PortfolioPolicy) -> Forward:
    def forward(windows: Tensor, account: Tensor, _memory: Tensor) -> Tensor:
        alpha = concentrations(policy.network(windows, account).logits)
        return alpha / alpha.sum(1, keepdim=True)

    return forward


def _zoo(policy: Any) -> Scores:
    network = policy.network
    kinds: dict[str, Kind] = {"DQN": "values", "QRDQN": "values", "SAC": "number"}
    kind = kinds.get(network.algorithm, "preferences")

    def forward(windows: Tensor, account: Tensor, memory: Tensor) -> Tensor:
        scores = network(windows, account, memory)[0]
        # Logits are known but for a number that all of them share, which no target depends on.
        return scores.clamp_min(_LEAST_PROBABILITY).log() if kind == "preferences" else scores

    return Scores(kind, network, policy.device, forward)


@contextmanager
def as_it_decides(network: nn.Module) -> Generator[None]:
    """Let a network give with gradients what it gives when it decides: the dropout of gradient steps is off.

    cuDNN's recurrent layers have no gradient outside of training mode, in which a policy's network may not be; torch's own have.
    """
    silenced = [module for module in network.modules() if isinstance(module, Dropout) and module.training]
    for module in silenced:
        module.training = False
    try:
        with torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        for module in silenced:
            module.training = True
