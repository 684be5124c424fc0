"""The agents that a recipe can name: their settings, and what each of them cannot serve, said before any training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seawall.agents.dqn.params import DQNParams
from seawall.agents.exact.params import ExactParams
from seawall.agents.exact.positions import POSITION_COLUMNS
from seawall.agents.exact.problem import check_exact
from seawall.agents.ppo.params import PPOParams
from seawall.agents.replay_ppo.params import ReplayPPOParams
from seawall.agents.zoo.params import ZooParams, check_actions, require_zoo
from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.guards.registry import GUARDS, guard_chain
from seawall.nets.registry import NETWORKS, NetworkParams
from seawall.simulator.actions.registry import ACTION_SCHEMES, action_scheme

_ON_ENCODERS = ("ppo", "replay_ppo", "exact")

if TYPE_CHECKING:
    from seawall.core.protocols import GuardFacts
    from seawall.guards.chain import GuardChain
    from seawall.recipes.schema import Recipe


@dataclass(frozen=True)
class AgentRules:
    """What a recipe must know of an agent.

    Attributes:
        params: Class of its settings.
        check: Raises ConfigError where the rest of the recipe does not suit it.
    """

    params: type[Params]
    check: Callable[[Recipe], None]


def settings_of(part: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a part that a recipe names by its kind."""
    return {key: value for key, value in part.items() if key != "kind"}


def agent_params(recipe: Recipe) -> Any:
    """Return the agent's settings as its own class."""
    return AGENTS[recipe.agent["kind"]].params(**settings_of(recipe.agent))


def network_params(recipe: Recipe) -> NetworkParams:
    """Return the network's settings as its own class."""
    return NETWORKS[recipe.network["kind"]][0](**settings_of(recipe.network))


def fresh_guards(recipe: Recipe, facts: GuardFacts | None = None) -> GuardChain | None:
    """Return a new chain of a recipe's guards, or None without any.

    Args:
        recipe: Names the guards.
        facts: What is known of the run; without it the chain tells its names and states, and some guards cannot judge.

    Raises:
        ConfigError: Guards stand in a wrong order or contradict each other, or the run lacks what one needs to know.
    """
    named = [(name, GUARDS[name].params(**settings)) for name, settings in recipe.guards.items()]
    return guard_chain(named, facts) if named else None


def shown_guards(recipe: Recipe) -> tuple[str, ...]:
    """Return the columns of the guards' state that a decision sees."""
    guards = fresh_guards(recipe)
    return guards.shown_names if guards is not None and recipe.environment.guard_columns else ()


def check_stages(recipe: Recipe) -> None:
    """Refuse a pre-trained encoder to what cannot use one.

    Raises:
        ConfigError: An encoder without `pretraining`, or an agent or a network that cannot be frozen in part.
    """
    if recipe.pretraining is None:
        if recipe.encoder is not None:
            raise ConfigError(
                f"encoder is {recipe.encoder!r} and pretraining is null; allowed: a pretraining section, or no encoder"
            )
        return
    if recipe.agent["kind"] not in _ON_ENCODERS:
        raise ConfigError(
            f"pretraining freezes the encoder, which agent {recipe.agent['kind']!r} would train; allowed: {', '.join(_ON_ENCODERS)}"
        )
    params = network_params(recipe)
    if not params.shared_encoder or params.memory_units() or recipe.environment.window < 2:
        raise ConfigError(
            "a pre-trained encoder serves policy and value alike: network.shared_encoder must be true, the network without a "
            f"memory, and the window of at least 2 rows; got shared_encoder {params.shared_encoder}, network "
            f"{recipe.network['kind']!r}, window {recipe.environment.window}"
        )


def _check_nothing(_recipe: Recipe) -> None:
    """PPO serves every scheme and network that a recipe can name."""


def _check_dqn(recipe: Recipe) -> None:
    _need_numbered_actions(recipe)
    _need_windowed_network(recipe)


def _check_exact(recipe: Recipe) -> None:
    environment, shown = recipe.environment, shown_guards(recipe)
    try:
        check_exact(environment.action_scheme(), recipe.costs, recipe.simulator, environment.account_columns, shown)
    except ConfigError as error:
        if not shown and set(environment.account_columns) <= set(POSITION_COLUMNS):
            raise
        advice = "; in a recipe that is environment.account_columns=[target] and, with guards, environment.guard_columns=false"
        raise ConfigError(f"{error}{advice}") from error
    _need_windowed_network(recipe)


def _need_numbered_actions(recipe: Recipe) -> None:
    scheme = recipe.environment.action_scheme()
    if not scheme.action_names:
        raise ConfigError(
            f"environment.scheme is {scheme.name!r}, whose action is a number, and agent {recipe.agent['kind']!r} chooses among "
            f"numbered actions; allowed: {', '.join(_numbered_schemes())}, or agent ppo"
        )


def _need_windowed_network(recipe: Recipe) -> None:
    if network_params(recipe).memory_units():
        windowed = sorted(name for name, (params, _) in NETWORKS.items() if not params().memory_units())
        raise ConfigError(
            f"network.kind is {recipe.network['kind']!r}, which remembers earlier bars, and agent {recipe.agent['kind']!r} cannot "
            f"train it; allowed: {', '.join(windowed)}, or agent ppo"
        )


def _numbered_schemes() -> Iterator[str]:
    return (name for name in ACTION_SCHEMES if action_scheme(name, True).action_names)


def _check_replay_ppo(recipe: Recipe) -> None:
    _need_windowed_network(recipe)


def _check_zoo(recipe: Recipe) -> None:
    require_zoo()
    _need_windowed_network(recipe)
    check_actions(recipe.agent["algorithm"], len(recipe.environment.action_scheme().action_names))
    if network_params(recipe).head_units:
        raise ConfigError(
            f"network.head_units is {recipe.network['head_units']}, and the zoo has layers of its own; set agent.hidden"
        )


AGENTS: dict[str, AgentRules] = {
    "ppo": AgentRules(PPOParams, _check_nothing),
    "dqn": AgentRules(DQNParams, _check_dqn),
    "exact": AgentRules(ExactParams, _check_exact),
    "replay_ppo": AgentRules(ReplayPPOParams, _check_replay_ppo),
    "zoo": AgentRules(ZooParams, _check_zoo),
}
"""The agents by name."""
