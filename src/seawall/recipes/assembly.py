"""From a recipe to its parts. With the registries it names, the only code that knows concrete classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seawall.agents.bundle import Bundle, check_compatible
from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.agents.ppo import PPO, PPOParams
from seawall.agents.state import load_weights
from seawall.core.protocols import ActionScheme, Policy
from seawall.envs.params import EnvironmentParams, EpisodeParams
from seawall.envs.vector import TradingVectorEnv
from seawall.evaluation.validation import segment_growth, segments_of
from seawall.features.pipeline import feature_hash
from seawall.features.registry import feature_set
from seawall.guards.chain import GuardChain
from seawall.guards.registry import GUARDS, guard_chain
from seawall.nets.heads import ActorCritic
from seawall.nets.registry import NETWORKS, NetworkShape, build_network
from seawall.recipes.dataset import Dataset
from seawall.recipes.schema import Recipe
from seawall.simulator.desk import Desk
from seawall.training.device import resolve_device


@dataclass(frozen=True)
class Parts:
    """What a recipe chose, built on a dataset."""

    recipe: Recipe
    dataset: Dataset

    @property
    def scheme(self) -> ActionScheme:
        """The action scheme."""
        return self.recipe.environment.action_scheme()

    def guards(self) -> GuardChain | None:
        """Return a fresh chain of guards, or None without any."""
        named = [(name, GUARDS[name].params(**settings)) for name, settings in self.recipe.guards.items()]
        return guard_chain(named) if named else None

    def desk(self, n: int) -> Desk:
        """Return a fresh decision desk for n accounts."""
        return Desk(self.scheme, self.guards(), n)

    @property
    def account_names(self) -> tuple[str, ...]:
        """Columns of the account row: account features, then the guards' state."""
        guards = self.guards()
        return (*self.recipe.environment.account_columns, *(() if guards is None else guards.state_names))

    @property
    def shape(self) -> NetworkShape:
        """Sizes of the network's inputs and outputs."""
        return NetworkShape(
            n_features=len(self.dataset.market.feature_names),
            window=self.recipe.environment.window,
            n_account=len(self.account_names),
            n_actions=len(self.scheme.action_names),
        )

    def network(self, seed: int) -> ActorCritic:
        """Return a network with that seed's initial weights."""
        settings = {key: value for key, value in self.recipe.network.items() if key != "kind"}
        kind = self.recipe.network["kind"]
        return build_network(kind, NETWORKS[kind][0](**settings), self.shape, seed)

    def learner(self, seed: int) -> PPO:
        """Return the learner of one seed, on the training rows."""
        recipe = self.recipe
        params = PPOParams(**{key: value for key, value in recipe.agent.items() if key != "kind"})
        episodes = recipe.environment.model_dump(include=set(EpisodeParams.model_fields))
        env = TradingVectorEnv(
            self.dataset.market,
            self.dataset.split.train,
            params.n_envs,
            self.scheme,
            params=EnvironmentParams(**episodes, costs=recipe.costs, simulator=recipe.simulator),
            guards=self.guards(),
            seed=seed,
        )
        return PPO(
            env,
            self.network(seed),
            params,
            market=self.dataset.market,
            window=recipe.environment.window,
            seed=seed,
            device=resolve_device(recipe.device),
        )

    def validation_growth(self, policy: Policy) -> float:
        """Score a policy on the validation rows: mean net log growth per bar."""
        rows, recipe = self.dataset.split.validation, self.recipe
        desk = self.desk(segments_of(rows))
        return segment_growth(
            policy, self.dataset.market, rows, desk, recipe.costs, recipe.simulator, recipe.environment.account_columns
        )

    def manifest(self) -> dict[str, Any]:
        """Return what a bundle must say of its inputs, so that it is refused on others."""
        columns = feature_set(self.recipe.features)
        return {
            "features": {"names": columns.columns, "hash": feature_hash(columns), "scaling": self.recipe.features.scaling},
            "window": self.recipe.environment.window,
            "timeframe": self.dataset.market.timeframe.label,
            "action_scheme": self.scheme.spec(),
            "account": self.account_names,
            "network": self.recipe.network,
        }

    def policies(self, bundle: Bundle) -> tuple[Policy, list[Policy]]:
        """Return a bundle's ensemble and its members.

        Raises:
            DataError: The bundle was made for other inputs; the message shows the difference.
        """
        check_compatible(bundle.manifest, self.manifest())
        device = resolve_device(self.recipe.device)
        members = []
        for number, weights in enumerate(bundle.members):
            network = self.network(0)
            load_weights(network, weights, f"member {number} of the bundle")
            members.append(NetworkPolicy(network, self.recipe.environment.window, device))
        return EnsemblePolicy(members), list(members)
