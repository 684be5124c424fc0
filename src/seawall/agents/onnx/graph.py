"""The networks of an ensemble as one, to be written as a graph: what each member says, and what they decide together."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from seawall.agents.bundle import weights_hash
from seawall.agents.dqn.policy import QPolicy
from seawall.agents.joint_ppo.policy import PortfolioPolicy
from seawall.agents.policy import NetworkPolicy
from seawall.core.errors import ConfigError
from seawall.core.protocols import Policy
from seawall.nets.heads import ActorCritic
from seawall.nets.portfolio import PortfolioNetwork
from seawall.nets.pretraining import FrozenEncoder
from seawall.nets.q_network import QNetwork

Kind = Literal["probabilities", "number", "values", "weights"]
KINDS: tuple[Kind, ...] = ("probabilities", "number", "values", "weights")
"""What an ensemble decides by, and the name of its graph's first output."""

MOST_BYTES = 2_000_000_000
"""Weights that one file holds: a message of protobuf ends at 2 GiB, and the graph takes its share."""

_ZOO_KINDS: dict[str, Kind] = {"DQN": "values", "QRDQN": "values", "SAC": "number"}
_DECODERS = ("decoder", "part", "asset_decoder")


class EnsembleGraph(nn.Module):
    """Networks of one shape, side by side.

    Attributes:
        kind: What they decide by.
        state_widths: Numbers that each member remembers from bar to bar; 0 for most networks.
    """

    def __init__(self, kind: Kind, networks: Sequence[nn.Module]) -> None:
        """Take copies of the networks, on the CPU and without what only training does."""
        super().__init__()
        self.kind: Kind = kind
        self.members = nn.ModuleList([copy.deepcopy(network).cpu() for network in networks])
        self.state_widths = [int(getattr(network, "state_width", 0)) for network in networks]
        self._shared = _shared_encoder(self.members)
        self.eval()

    @property
    def remembers(self) -> bool:
        """Whether the graph takes and gives a memory."""
        return any(self.state_widths)

    def forward(self, windows: Tensor, account: Tensor, memory: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return what is decided by, what each member says, and what they remember now.

        Args:
            windows: Features known at the close of the decision's bar, float32, shape (B, L, F), of portfolios (B, A, L, F).
            account: Account rows at that close, float32, shape (B, S).
            memory: What the members remember of earlier bars, side by side, float32; None of networks that remember nothing.

        Returns:
            By kind, of B accounts and M members: ``probabilities`` or ``values`` (B, n_actions), the members' mean, and theirs
            (B, M, n_actions); ``number`` (B,), the mean of squashed means, and (B, M, 2), mean and deviation of each before they
            are squashed; ``weights`` (B, A + 1), the mean of mean weights, and (B, M, A + 1), concentrations, both float64. And
            the memory after the bar, where there is one.
        """
        held = windows.new_zeros((windows.shape[0], 0)) if memory is None else memory
        encoded = windows if self._shared is None else self._shared(windows)[:, None]
        said, after = [], []
        for member, part in zip(self.members, held.split(self.state_widths, 1), strict=True):
            scores, remembered = _scores(member, encoded, account, part)
            said.append(scores)
            after.append(remembered)
        members = torch.stack(said, 1)
        decided = _together(self.kind, members)
        return (decided, members) if memory is None else (decided, members, torch.cat(after, 1))


def ensemble_graph(members: Sequence[Policy]) -> EnsembleGraph:
    """Join the networks of some policies.

    Raises:
        ConfigError: A policy is not one network of ours, they are of several kinds, or their weights are more than one file holds.
    """
    found: set[Kind] = {_kind_of(member) for member in members}
    kinds: list[Kind] = [kind for kind in KINDS if kind in found]
    if len(kinds) != 1:
        raise ConfigError(f"an ensemble of {len(members)} policies decides by {', '.join(kinds) or 'nothing'}; allowed: one kind")
    networks = [cast("Any", member).network for member in members]
    size = sum(_bytes_used(network) for network in networks)
    if size > MOST_BYTES:
        raise ConfigError(
            f"the ensemble's {len(networks)} networks have {size:,} bytes of weights; allowed in one ONNX file: up to "
            f"{MOST_BYTES:,}. Train fewer seeds or a smaller network (of portfolios: network.preset=tiny), or let torch decide"
        )
    return EnsembleGraph(kinds[0], networks)


def _kind_of(policy: Policy) -> Kind:
    if isinstance(policy, NetworkPolicy):
        return "probabilities" if policy.network.n_actions else "number"
    if isinstance(policy, QPolicy):
        return "values"
    if isinstance(policy, PortfolioPolicy):
        return "weights"
    if type(policy).__name__ == "ZooPolicy":
        # Its class comes with an extra, and may not be there to compare with.
        return _ZOO_KINDS.get(cast("Any", policy).network.algorithm, "probabilities")
    raise ConfigError(
        f"policies of class {type(policy).__name__} cannot be exported to ONNX; allowed: runs of the agents ppo, replay_ppo, "
        "exact, dqn and zoo, and portfolios"
    )


def _bytes_used(network: nn.Module) -> int:
    """Return the bytes of the weights that a decision needs: an autoencoder's way back is not written."""
    decoders = _DECODERS if isinstance(network, PortfolioNetwork) else ()
    named = network.named_parameters()
    return sum(each.numel() * each.element_size() for name, each in named if not set(decoders) & set(name.split(".")))


def _shared_encoder(members: nn.ModuleList) -> FrozenEncoder | None:
    """Return the frozen encoder that all members have, so that it looks at a window once and not once for each."""
    encoders = [getattr(member, "actor_encoder", None) for member in members]
    frozen = [encoder for encoder in encoders if isinstance(encoder, FrozenEncoder)]
    if len(frozen) != len(members) or any(getattr(member, "critic_encoder", None) is not None for member in members):
        return None
    return frozen[0] if len({weights_hash(encoder.state_dict()) for encoder in frozen}) == 1 else None


def _scores(network: nn.Module, windows: Tensor, account: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Return what one network says, shape (B, P), and what it remembers now."""
    if isinstance(network, QNetwork):
        return network.values(windows, account), memory
    if isinstance(network, PortfolioNetwork):
        return _concentrations(network(windows, account).logits.double()), memory
    if not isinstance(network, ActorCritic):
        return network(windows, account, memory)
    if network.state_width:
        actor, critic, memory = network.remember(*network.encode(windows), memory)
        preferences = network.heads(actor, critic, account)[0]
    else:
        preferences = network.logits(windows, account)
    if network.n_actions:
        return torch.softmax(preferences, 1), memory
    return torch.stack((preferences[:, 0], preferences[:, 1].exp()), 1), memory


def _concentrations(logits: Tensor) -> Tensor:
    """Return what `dirichlet.concentrations` does; onnxruntime has no softplus of double precision."""
    return 1.0 + torch.relu(logits) + torch.log(1.0 + torch.exp(-logits.abs()))


def _together(kind: Kind, members: Tensor) -> Tensor:
    """Return what members decide, of what they say (B, M, P)."""
    if kind == "number":
        return torch.tanh(members[..., 0]).mean(1)
    return (members / members.sum(2, keepdim=True) if kind == "weights" else members).mean(1)
