"""How each agent that a recipe can name is built: its learner, its policy, and the ensemble of its seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from seawall.agents.dqn.dqn import DQN
from seawall.agents.dqn.policy import QEnsemble, QPolicy
from seawall.agents.exact.exact import ExactGradient
from seawall.agents.exact.problem import ExactProblem
from seawall.agents.frozen import frozen_windows
from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.agents.ppo import PPO
from seawall.agents.replay_ppo import ReplayPPO
from seawall.agents.state import load_weights
from seawall.agents.zoo.params import require_zoo
from seawall.core.protocols import Policy
from seawall.envs.params import EnvironmentParams, EpisodeParams
from seawall.envs.vector import TradingVectorEnv
from seawall.nets.heads import ActorCritic
from seawall.nets.pretraining import FrozenEncoder
from seawall.nets.q_network import QNetwork, build_q_network
from seawall.nets.registry import build_network
from seawall.recipes.agent_checks import agent_params, network_params
from seawall.training.device import resolve_device
from seawall.training.rl import Learner

if TYPE_CHECKING:
    from seawall.recipes.assembly import Parts


@dataclass(frozen=True)
class AgentParts:
    """How an agent is built.

    Attributes:
        learner: The learner of one seed, on the training rows.
        network: A network with one seed's initial weights.
        policy: Acts by a network; it follows the network's weights.
        ensemble: Acts by several policies of the kind.
    """

    learner: Callable[[Parts, int], Learner]
    network: Callable[[Parts, int], nn.Module]
    policy: Callable[[Parts, Any], Policy]
    ensemble: Callable[[Sequence[Any]], Policy]


def training_env(parts: Parts, n_envs: int, seed: int) -> TradingVectorEnv:
    """Return environments over the training rows."""
    recipe = parts.recipe
    episodes = recipe.environment.model_dump(include=set(EpisodeParams.model_fields))
    return TradingVectorEnv(
        parts.dataset.market,
        parts.dataset.split.training,
        n_envs,
        parts.scheme,
        params=EnvironmentParams(**episodes, costs=recipe.costs, simulator=recipe.simulator),
        guards=parts.guards(),
        seed=seed,
    )


def _actor_critic(parts: Parts, seed: int) -> ActorCritic:
    return build_network(parts.recipe.network["kind"], network_params(parts.recipe), parts.shape, seed)


def _network_policy(parts: Parts, network: ActorCritic) -> NetworkPolicy:
    recipe, encoder = parts.recipe, network.actor_encoder
    window, device = recipe.environment.window, resolve_device(recipe.device)
    if not isinstance(encoder, FrozenEncoder):
        return NetworkPolicy(network, window, device)
    encoder.to(device)
    return NetworkPolicy(network, window, device, windows=frozen_windows(encoder, window))


def _ppo(parts: Parts, seed: int) -> PPO:
    params = agent_params(parts.recipe)
    return PPO(training_env(parts, params.n_envs, seed), parts.starting_network(seed), params, **_common(parts, seed))


def _dqn(parts: Parts, seed: int) -> DQN:
    params = agent_params(parts.recipe)
    return DQN(training_env(parts, params.n_envs, seed), parts.starting_network(seed), params, **_common(parts, seed))


def _q_network(parts: Parts, seed: int) -> QNetwork:
    params, recipe = agent_params(parts.recipe), parts.recipe
    settings = network_params(recipe)
    return build_q_network(recipe.network["kind"], settings, parts.shape, seed, dueling=params.dueling, quantiles=params.quantiles)


def _q_policy(parts: Parts, network: QNetwork) -> QPolicy:
    return QPolicy(network, parts.recipe.environment.window, resolve_device(parts.recipe.device))


def _exact(parts: Parts, seed: int) -> ExactGradient:
    recipe = parts.recipe
    market, window = parts.lesson
    problem = ExactProblem(
        market,
        parts.dataset.split.train,
        window,
        parts.scheme,
        recipe.costs,
        recipe.simulator,
        parts.account_names,
        further=parts.dataset.split.more_train,
    )
    device = resolve_device(recipe.device)
    return ExactGradient(parts.starting_network(seed), agent_params(recipe), problem, seed=seed, device=device)


def _common(parts: Parts, seed: int) -> dict[str, Any]:
    market, window = parts.lesson
    return {"market": market, "window": window, "seed": seed, "device": resolve_device(parts.recipe.device)}


def _replay_ppo(parts: Parts, seed: int) -> ReplayPPO:
    params = agent_params(parts.recipe)
    return ReplayPPO(training_env(parts, params.n_envs, seed), parts.starting_network(seed), params, **_common(parts, seed))


# The libraries of the zoo come with an extra, and are loaded where they are needed.


def _zoo(parts: Parts, seed: int) -> Learner:
    require_zoo()
    from seawall.agents.zoo.learner import Zoo
    from seawall.envs.sb3 import SB3VecEnv

    params, recipe = agent_params(parts.recipe), parts.recipe
    face = SB3VecEnv(training_env(parts, params.n_envs, seed), "index")
    learner = Zoo(face, params, recipe.network["kind"], network_params(recipe), **_common(parts, seed))
    if parts.start is not None:
        load_weights(learner.network, parts.starting_network(seed).state_dict(), "the run started from")
    return learner


def _zoo_network(parts: Parts, seed: int) -> nn.Module:
    require_zoo()
    from seawall.agents.zoo.network import build_zoo_network

    recipe, names = parts.recipe, parts.dataset.market.feature_names
    return build_zoo_network(agent_params(recipe), recipe.network["kind"], network_params(recipe), parts.shape, seed, names)


def _zoo_policy(parts: Parts, network: Any) -> Policy:
    from seawall.agents.zoo.policy import ZooPolicy

    return ZooPolicy(network, parts.recipe.environment.window, resolve_device(parts.recipe.device))


def _zoo_ensemble(members: Sequence[Any]) -> Policy:
    from seawall.agents.zoo.policy import ZooEnsemble

    return ZooEnsemble(members)


LEARNERS: dict[str, AgentParts] = {
    "ppo": AgentParts(_ppo, _actor_critic, _network_policy, EnsemblePolicy),
    "dqn": AgentParts(_dqn, _q_network, _q_policy, QEnsemble),
    "exact": AgentParts(_exact, _actor_critic, _network_policy, EnsemblePolicy),
    "replay_ppo": AgentParts(_replay_ppo, _actor_critic, _network_policy, EnsemblePolicy),
    "zoo": AgentParts(_zoo, _zoo_network, _zoo_policy, _zoo_ensemble),
}
"""The agents by name, as `agent_checks.AGENTS` has them."""
