"""The network of a policy of Stable-Baselines3, shown windows and account rows, without an environment or a market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn

from seawall.agents.sb3_gathering import FeatureSource, GatheringExtractor
from seawall.agents.zoo.algorithms import ALGORITHMS, learning_schedule, policy_arguments, policy_name
from seawall.agents.zoo.params import CONTINUOUS, ZooParams, check_actions
from seawall.agents.zoo.randomness import OwnRandomness
from seawall.core.errors import ConfigError
from seawall.core.rows import ROW_BASE, ROW_PARTS
from seawall.core.seeding import derived_seed
from seawall.nets.params import NetworkParams, NetworkShape
from seawall.nets.registry import build_encoder, refuse_batch_statistics

_SEEDS = 2**31
_LOG_DEVIATIONS = (-20.0, 2.0)
_SHARING = ("PPO", "A2C", "SAC", "RecurrentPPO")


@dataclass(frozen=True)
class EncoderBuilder:
    """Builds a registered encoder for a `GatheringExtractor`.

    Attributes:
        kind: A key of `seawall.nets.registry.NETWORKS`.
        params: Settings of that network.
    """

    kind: str
    params: NetworkParams

    def __call__(self, window: int, columns: int) -> nn.Module:
        """Build one, with weights drawn from torch's global generator.

        Raises:
            ConfigError: The network remembers bars, has heads of its own, or normalises by the statistics of a batch.
        """
        if self.params.head_units:
            raise ConfigError(f"head_units is {self.params.head_units} and the zoo has outputs of its own; set the agent's hidden")
        encoder = build_encoder(self.kind, self.params, NetworkShape(columns, window, 0, 0))
        refuse_batch_statistics(self.kind, encoder)
        return encoder


class ZooNetwork(nn.Module):
    """What decides in a policy of the zoo. Its weights are those of the policy, and hold no market.

    Attributes:
        algorithm: Whose policy it is.
        policy: The policy of Stable-Baselines3.
        n_actions: Numbered actions; 0 where an action is a number.
        state_width: S, numbers that are remembered from bar to bar; 0 for all but RecurrentPPO.
        reward_scale: What one unit of a value is worth in reward, float32, shape (); saved with the weights, so that the values of
            several seeds can be averaged.
    """

    reward_scale: Tensor

    def __init__(self, algorithm: str, policy: BasePolicy) -> None:
        """Take a policy as it is; later changes of its weights are followed.

        Args:
            algorithm: Whose policy it is.
            policy: Its features extractors must be of `GatheringExtractor`.
        """
        super().__init__()
        self.algorithm = algorithm
        self.policy: Any = policy
        space = policy.action_space
        self.n_actions = int(space.n) if isinstance(space, spaces.Discrete) else 0
        recurrent = algorithm == "RecurrentPPO"
        self.state_width = 2 * self.policy.lstm_actor.num_layers * self.policy.lstm_actor.hidden_size if recurrent else 0
        self.register_buffer("reward_scale", torch.ones(()))

    def forward(self, windows: Tensor, account: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a decision is made by.

        Args:
            windows: Features known at the close of the decision's bar, float32, shape (B, L, F).
            account: Account rows at that close, float32, shape (B, A).
            memory: What is remembered of earlier bars, shape (B, S).

        Returns:
            Probabilities of the actions (PPO, A2C, RecurrentPPO) or their values in units of reward (DQN, QRDQN), shape
            (B, n_actions); of SAC mean and deviation of a number before it is squashed, shape (B, 2). And what is remembered now,
            shape (B, S).
        """
        self.policy.set_training_mode(False)
        if self.algorithm in ("DQN", "QRDQN"):
            return self._values(windows, account) * self.reward_scale, memory
        if self.algorithm == "SAC":
            actor = self.policy.actor
            latent = actor.latent_pi(actor.features_extractor.join(windows, account))
            deviation = actor.log_std(latent).clamp(*_LOG_DEVIATIONS).exp()
            return torch.cat([actor.mu(latent), deviation], 1), memory
        features = self.policy.pi_features_extractor.join(windows, account)
        if self.state_width:
            features, memory = self._remember(features, memory)
        logits = self.policy.action_net(self.policy.mlp_extractor.forward_actor(features))
        return torch.softmax(logits, 1), memory

    def _values(self, windows: Tensor, account: Tensor) -> Tensor:
        if self.algorithm == "DQN":
            valued = self.policy.q_net
            return valued.q_net(valued.features_extractor.join(windows, account))
        valued = self.policy.quantile_net
        quantiles = valued.quantile_net(valued.features_extractor.join(windows, account))
        return quantiles.view(-1, valued.n_quantiles, self.n_actions).mean(1)

    def _remember(self, features: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Let features pass the LSTM; what it remembers is a row of all layers' outputs, then of all layers' cells."""
        lstm = self.policy.lstm_actor
        parts = memory.unflatten(1, (2, lstm.num_layers, lstm.hidden_size)).permute(1, 2, 0, 3).contiguous()
        told, (outputs, cells) = lstm(features[None], (parts[0], parts[1]))
        return told[0], torch.stack([outputs, cells]).permute(2, 0, 1, 3).flatten(1)


def policy_keywords(
    params: ZooParams, kind: str, network_params: NetworkParams, source: FeatureSource, window: int
) -> dict[str, Any]:
    """Return the arguments of an algorithm's policy, the encoder included; a new dictionary, for SAC writes into it."""
    extractor = {"source": source, "window": window, "encoder": EncoderBuilder(kind, network_params)}
    keywords = {**policy_arguments(params), "features_extractor_class": GatheringExtractor, "features_extractor_kwargs": extractor}
    if params.algorithm in _SHARING:
        keywords["share_features_extractor"] = network_params.shared_encoder
    return keywords


def zoo_spaces(n_account: int, n_actions: int) -> tuple[spaces.Dict, spaces.Space[Any]]:
    """Return the spaces of index observations and of actions, as `SB3VecEnv` has them.

    Args:
        n_account: A, length of the account row.
        n_actions: Numbered actions; 0 where an action is a number.
    """
    parts = np.array([ROW_PARTS - 1, ROW_BASE - 1], dtype=np.float32)
    account = spaces.Box(-np.inf, np.inf, (n_account,), np.float32)
    seen = spaces.Dict({"row": spaces.Box(np.zeros_like(parts), parts, dtype=np.float32), "account": account})
    return seen, spaces.Discrete(n_actions) if n_actions else spaces.Box(-1.0, 1.0, (1,), np.float32)


def build_zoo_network(
    params: ZooParams, kind: str, network_params: NetworkParams, shape: NetworkShape, seed: int, names: Sequence[str] | None = None
) -> ZooNetwork:
    """Build the network of an algorithm's policy around a registered encoder, without an environment or a market.

    Args:
        params: Settings of the algorithm.
        kind: A key of `seawall.nets.registry.NETWORKS`.
        network_params: Settings of that network.
        shape: Sizes of inputs and outputs.
        seed: The run's seed; the weights are those with which a learner of that seed starts.
        names: Of the feature columns, if they shall be told.

    Raises:
        ConfigError: The algorithm cannot choose such actions, or the encoder is not one that it can train.
    """
    check_actions(params.algorithm, shape.n_actions)
    columns = tuple(names) if names is not None else tuple(f"column {number}" for number in range(shape.n_features))
    keywords = policy_keywords(params, kind, network_params, FeatureSource.unknown(columns), shape.window)
    policy_class: Any = ALGORITHMS[params.algorithm].policy_aliases[policy_name(params.algorithm)]
    if params.algorithm in CONTINUOUS:
        keywords["use_sde"] = False
    with OwnRandomness().installed():
        torch.manual_seed(zoo_seed(seed))
        seen, actions = zoo_spaces(shape.n_account, shape.n_actions)
        rate = learning_schedule(params.learning_rate, params.learning_rate_schedule)
        return ZooNetwork(params.algorithm, policy_class(seen, actions, rate, **keywords))


def zoo_seed(seed: int) -> int:
    """Return the seed that Stable-Baselines3 is given, which must be below 2^32."""
    return derived_seed(seed, "zoo") % _SEEDS
