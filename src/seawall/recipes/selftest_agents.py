"""The agents that climb the known-answer ladder, each with the settings it is tested with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from seawall.agents.dqn.dqn import DQN
from seawall.agents.dqn.params import DQNParams
from seawall.agents.exact.exact import ExactGradient
from seawall.agents.exact.params import ExactParams
from seawall.agents.exact.problem import ExactProblem
from seawall.agents.policy import NetworkPolicy
from seawall.agents.ppo.params import PPOParams
from seawall.agents.ppo.ppo import PPO
from seawall.core.market import RowRange
from seawall.core.params import Params
from seawall.core.protocols import Observation, Policy
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.market.synthetic.ladder import LEVELS, LadderMarket
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape
from seawall.nets.registry import build_network as build_actor_critic
from seawall.nets.windows import ObservedWindows
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams
from seawall.training.rl import Learner, TrainingParams

WINDOW = 12
"""Rows that every agent sees."""
ACCOUNT = ("target",)
"""What every agent sees of the account: the exposure that it holds is the whole of its state here."""
SCHEME = action_scheme("target_exposure", short=True)
_CHUNK = 4_096


def ladder_costs(ladder: LadderMarket) -> CostParams:
    """Return the costs of a rung: a spread of 2 basis points, of which an order pays half, and the rest as commission."""
    return CostParams(taker_bps=1e4 * ladder.cost_rate - 1.0, spread_bps=2.0)


def ladder_env(ladder: LadderMarket, n_envs: int, episode_bars: int, seed: int) -> TradingVectorEnv:
    """Return environments over the rows to learn from, which start anywhere and with any position.

    Args:
        ladder: The market.
        n_envs: How many.
        episode_bars: Decisions in an episode.
        seed: Seed of the episodes.
    """
    params = EnvironmentParams(
        window=WINDOW,
        account_columns=ACCOUNT,
        episode_bars=episode_bars,
        start_exposure="random",
        costs=ladder_costs(ladder),
    )
    return TradingVectorEnv(ladder.market, ladder.split.train, n_envs, SCHEME, params=params, seed=seed)


def ladder_shape(ladder: LadderMarket) -> NetworkShape:
    """Return the sizes of a network for a rung."""
    return NetworkShape(ladder.market.features.shape[1], WINDOW, len(ACCOUNT), len(LEVELS))


def build_ppo(ladder: LadderMarket, seed: int, params: PPOParams | None = None) -> PPO:
    """Build the PPO of the ladder: one encoder for policy and value, rollouts of 256 × 128.

    Args:
        ladder: The market.
        seed: Of weights, episodes and actions.
        params: Other settings than those of the ladder.
    """
    chosen = params or PPO_PARAMS
    network = build_actor_critic("conv", ConvParams(shared_encoder=True), ladder_shape(ladder), seed)
    env = ladder_env(ladder, chosen.n_envs, _EPISODE_BARS, seed)
    return PPO(env, network, chosen, market=ladder.market, window=WINDOW, seed=seed)


def build_exact(ladder: LadderMarket, seed: int, params: ExactParams | None = None) -> ExactGradient:
    """Build the exact policy gradient of the ladder, on the same network.

    Args:
        ladder: The market.
        seed: Of weights and stretches.
        params: Other settings than those of the ladder.
    """
    network = build_actor_critic("conv", ConvParams(shared_encoder=True), ladder_shape(ladder), seed)
    problem = ExactProblem(ladder.market, ladder.split.train, WINDOW, SCHEME, ladder_costs(ladder), SimulatorParams(), ACCOUNT)
    chosen = params or EXACT_PARAMS.model_copy(update=EXACT_BUDGETS[ladder.strength])
    return ExactGradient(network, chosen, problem, seed=seed)


def build_dqn(ladder: LadderMarket, seed: int, params: DQNParams | None = None) -> DQN:
    """Build the DQN of the ladder, on the same encoder.

    Args:
        ladder: The market.
        seed: Of weights, episodes, exploration and replay.
        params: Other settings than those of the ladder.
    """
    chosen = params or DQN_PARAMS
    network = build_q_network("conv", ConvParams(), ladder_shape(ladder), seed, dueling=chosen.dueling, quantiles=chosen.quantiles)
    env = ladder_env(ladder, chosen.n_envs, _EPISODE_BARS, seed)
    return DQN(env, network, chosen, market=ladder.market, window=WINDOW, seed=seed)


_EPISODE_BARS = 256
PPO_PARAMS = PPOParams(
    total_steps=589_824,
    n_envs=256,
    n_steps=64,
    minibatch=512,
    n_epochs=1,
    learning_rate=2e-3,
    gamma=0.9,
    gae_lambda=0.8,
    entropy_coefficient=0.25,
    entropy_schedule="linear",
)
DQN_PARAMS = DQNParams(
    total_steps=294_912,
    n_envs=256,
    batch=1_024,
    replay_ratio=2.0,
    learning_rate=3e-3,
    gamma=0.9,
    target_every=64,
    epsilon_fraction=0.5,
    weight_decay=3.0,
)
EXACT_PARAMS = ExactParams(n_segments=8, segment_bars=64, learning_rate=3e-3, gamma=0.9, entropy_coefficient=0.25, weight_decay=2.0)
EXACT_BUDGETS: dict[str, dict[str, float]] = {
    "strong": {"total_steps": 262_144, "gradient_steps": 32},
    "medium": {"total_steps": 589_824, "gradient_steps": 64, "weight_decay": 1.0, "entropy_coefficient": 0.15},
    "weak": {"total_steps": 1_048_576, "gradient_steps": 256, "weight_decay": 0.5},
}
"""What changes by strength: a smaller edge takes more bars and a longer memory. With a decay of 2 a weak one is forgotten sooner
than learned: the weights shrink to nothing, and with them every preference of the policy."""


@dataclass(frozen=True)
class LadderAgent:
    """How an agent climbs.

    Attributes:
        build: Makes its learner on a market of the ladder with a seed.
        training: When it is judged, and when it gives up.
        params: Settings of the learner.
        budgets: What the learner changes of them by strength; empty where all strengths are alike.
    """

    build: Callable[[LadderMarket, int], Learner]
    training: TrainingParams
    params: Params
    budgets: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, dict[str, float]])

    def settings(self) -> dict[str, Any]:
        """Return all settings as plain values."""
        fixed = {"training": self.training.model_dump(mode="json"), "params": self.params.model_dump(mode="json")}
        return {**fixed, "budgets": {strength: dict(changes) for strength, changes in self.budgets.items()}}


LADDER_AGENTS: dict[str, LadderAgent] = {
    "exact": LadderAgent(build_exact, TrainingParams(evaluate_every=4, checkpoint_every=12), EXACT_PARAMS, EXACT_BUDGETS),
    "ppo": LadderAgent(build_ppo, TrainingParams(evaluate_every=6, checkpoint_every=24), PPO_PARAMS),
    "dqn": LadderAgent(build_dqn, TrainingParams(evaluate_every=8, checkpoint_every=8), DQN_PARAMS),
}
"""The agents by name."""


def policy_choices(policy: Policy, ladder: LadderMarket, rows: RowRange) -> np.ndarray:
    """Return what a policy would do at each row from each level, in one pass over the rows.

    This is the whole of a policy that sees the window and the level held, and remembers nothing.

    Args:
        policy: Whose likeliest actions are taken.
        ladder: The market.
        rows: The decision rows and the one after them.

    Returns:
        Place in `LEVELS`, int64, shape (T', 3), as `LadderMarket.walk` takes them; rows without a whole window stay as they are.
    """
    decisions = np.arange(rows.start, rows.stop - 1)
    choices = np.tile(np.arange(len(LEVELS)), (len(decisions), 1))
    whole = np.flatnonzero(decisions >= WINDOW - 1)
    for chosen in np.array_split(whole, max(1, len(whole) // _CHUNK)):
        seen = decisions[chosen]
        by_network = isinstance(policy, NetworkPolicy)
        choices[chosen] = _told_by_network(policy, ladder, seen) if by_network else _told_when_asked(policy, ladder, seen)
    return choices


def _account(n: int, exposure: float) -> np.ndarray:
    return np.full((n, len(ACCOUNT)), exposure, dtype=np.float32)


def _told_when_asked(policy: Policy, ladder: LadderMarket, rows: np.ndarray) -> np.ndarray:
    observations = (Observation(ladder.market, rows, _account(len(rows), exposure)) for exposure in LEVELS)
    return np.stack([policy.act(observation)[0] for observation in observations], 1)


@torch.inference_mode()
def _told_by_network(policy: NetworkPolicy, ladder: LadderMarket, rows: np.ndarray) -> np.ndarray:
    """Return the same at a third of the cost: the windows are encoded once, and the account row joins behind the encoder."""
    network = policy.network
    windows = ObservedWindows(policy.window)(Observation(ladder.market, rows, _account(len(rows), 0.0)))
    actor, critic = network.encode(windows)
    accounts = (torch.from_numpy(_account(len(rows), exposure)) for exposure in LEVELS)
    return torch.stack([network.heads(actor, critic, account)[0].argmax(1) for account in accounts], 1).numpy()
