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
from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.agents.ppo import PPO
from seawall.core.protocols import Policy
from seawall.envs.params import EnvironmentParams, EpisodeParams
from seawall.envs.vector import TradingVectorEnv
from seawall.nets.heads import ActorCritic
from seawall.nets.q_network import QNetwork, build_q_network
from seawall.nets.registry import build_network
from seawall.recipes.agent_checks import agent_params, fresh_guards, network_params
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
        parts.dataset.split.train,
        n_envs,
        parts.scheme,
        params=EnvironmentParams(**episodes, costs=recipe.costs, simulator=recipe.simulator),
        guards=fresh_guards(recipe),
        seed=seed,
    )


def _actor_critic(parts: Parts, seed: int) -> ActorCritic:
    return build_network(parts.recipe.network["kind"], network_params(parts.recipe), parts.shape, seed)


def _network_policy(parts: Parts, network: ActorCritic) -> NetworkPolicy:
    return NetworkPolicy(network, parts.recipe.environment.window, resolve_device(parts.recipe.device))


def _ppo(parts: Parts, seed: int) -> PPO:
    params = agent_params(parts.recipe)
    return PPO(training_env(parts, params.n_envs, seed), _starting(parts, seed), params, **_common(parts, seed))


def _dqn(parts: Parts, seed: int) -> DQN:
    params = agent_params(parts.recipe)
    return DQN(training_env(parts, params.n_envs, seed), _starting(parts, seed), params, **_common(parts, seed))


def _q_network(parts: Parts, seed: int) -> QNetwork:
    params, recipe = agent_params(parts.recipe), parts.recipe
    settings = network_params(recipe)
    return build_q_network(recipe.network["kind"], settings, parts.shape, seed, dueling=params.dueling, quantiles=params.quantiles)


def _q_policy(parts: Parts, network: QNetwork) -> QPolicy:
    return QPolicy(network, parts.recipe.environment.window, resolve_device(parts.recipe.device))


def _exact(parts: Parts, seed: int) -> ExactGradient:
    recipe, dataset = parts.recipe, parts.dataset
    problem = ExactProblem(
        dataset.market,
        dataset.split.train,
        recipe.environment.window,
        parts.scheme,
        recipe.costs,
        recipe.simulator,
        parts.account_names,
    )
    device = resolve_device(recipe.device)
    return ExactGradient(_starting(parts, seed), agent_params(recipe), problem, seed=seed, device=device)


def _starting(parts: Parts, seed: int) -> Any:
    return parts.starting_network(seed)


def _common(parts: Parts, seed: int) -> dict[str, Any]:
    recipe = parts.recipe
    return {
        "market": parts.dataset.market,
        "window": recipe.environment.window,
        "seed": seed,
        "device": resolve_device(recipe.device),
    }


LEARNERS: dict[str, AgentParts] = {
    "ppo": AgentParts(_ppo, _actor_critic, _network_policy, EnsemblePolicy),
    "dqn": AgentParts(_dqn, _q_network, _q_policy, QEnsemble),
    "exact": AgentParts(_exact, _actor_critic, _network_policy, EnsemblePolicy),
}
"""The agents by name, as `agent_checks.AGENTS` has them."""
