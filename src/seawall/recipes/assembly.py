"""From a recipe to its parts. With the registries it names, the only code that knows concrete classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seawall.agents.bundle import Bundle, check_compatible
from seawall.agents.state import load_weights
from seawall.core.market import Market, RowRange
from seawall.core.params import Params
from seawall.core.protocols import ActionScheme, Guard, Policy
from seawall.core.run_folder import RunFolder
from seawall.evaluation.evaluate import Setting
from seawall.evaluation.validation import segment_growth, segments_of
from seawall.features.pipeline import feature_hash
from seawall.features.registry import feature_set
from seawall.guards.chain import GuardChain
from seawall.guards.registry import guard
from seawall.guards.smurf import Supervisor
from seawall.nets.pretraining import FrozenEncoder
from seawall.nets.registry import NetworkShape
from seawall.recipes.agent_checks import fresh_guards, shown_guards
from seawall.recipes.dataset import Dataset
from seawall.recipes.learners import LEARNERS, AgentParts
from seawall.recipes.pretrained import embedded, freeze
from seawall.recipes.schema import Recipe
from seawall.recipes.smurf import supervise
from seawall.simulator.desk import Desk
from seawall.training.pretraining.encoder_folder import SavedEncoder
from seawall.training.rl import Learner


@dataclass(frozen=True)
class Parts:
    """What a recipe chose, built on a dataset.

    Attributes:
        recipe: The recipe.
        dataset: Its market, and which rows may be used for what.
        start: What the seeds' weights start from; None for fresh ones.
        encoder: The pre-trained encoder of a recipe in two stages; None for others, and before there is one.
        run: The run, whose folder keeps the supervisor that its guards ask; None for parts without a run.
    """

    recipe: Recipe
    dataset: Dataset
    start: Bundle | None = None
    encoder: SavedEncoder | None = None
    run: RunFolder | None = None

    @property
    def scheme(self) -> ActionScheme:
        """The action scheme."""
        return self.recipe.environment.action_scheme()

    @property
    def agent(self) -> AgentParts:
        """How the agent's parts are built."""
        return LEARNERS[self.recipe.agent["kind"]]

    def setting(self, rows: RowRange) -> Setting:
        """Return where policies are judged."""
        recipe = self.recipe
        return Setting(
            market=self.dataset.market,
            rows=rows,
            make_desk=lambda: self.desk(1),
            short=recipe.environment.short,
            costs=recipe.costs,
            simulator=recipe.simulator,
            account_columns=recipe.environment.account_columns,
        )

    def guards(self) -> GuardChain | None:
        """Return a fresh chain of guards, or None without any.

        Raises:
            ConfigError: A guard asks a supervisor that is not there, or cannot supervise.
            DataError: The supervisor does not fit the recipe, or has seen what judges it.
        """
        chain = fresh_guards(self.recipe, self.dataset.guard_facts)
        if chain is not None:
            supervise(chain.guards, self)
        return chain

    @cached_property
    def supervisors(self) -> dict[str, Supervisor]:
        """Supervisors loaded so far, by what the guards call them."""
        return {}

    def guard(self, name: str, params: Params) -> Guard:
        """Return a registered guard that knows what is known of the run."""
        return guard(name, params, self.dataset.guard_facts)

    def desk(self, n: int) -> Desk:
        """Return a fresh decision desk for n accounts."""
        return Desk(self.scheme, self.guards(), n, show_guards=self.recipe.environment.guard_columns)

    @property
    def account_names(self) -> tuple[str, ...]:
        """Columns of the account row: account features, then the guards' state where it is shown."""
        return (*self.recipe.environment.account_columns, *shown_guards(self.recipe))

    @property
    def shape(self) -> NetworkShape:
        """Sizes of the network's inputs and outputs."""
        return NetworkShape(
            n_features=len(self.dataset.market.feature_names),
            window=self.recipe.environment.window,
            n_account=len(self.account_names),
            n_actions=len(self.scheme.action_names),
        )

    def network(self, seed: int) -> Any:
        """Return a network with that seed's initial weights; in two stages the frozen encoder's are still to come."""
        network = self.agent.network(self, seed)
        return network if self.recipe.pretraining is None else freeze(network)

    def frozen_encoder(self, seed: int) -> FrozenEncoder:
        """Return the encoder of a recipe in two stages, with the weights that it keeps, or a seed's before there are any."""
        network = self.network(seed)
        if self.encoder is not None:
            self.encoder.copy_into(network.actor_encoder)
        return network.actor_encoder

    @cached_property
    def lesson(self) -> tuple[Market, int]:
        """What a learner sees, market and window: of a recipe in two stages the encodings, one row at a time."""
        window = self.recipe.environment.window
        if self.recipe.pretraining is None:
            return self.dataset.market, window
        return embedded(self.dataset, self.frozen_encoder(0), window), 1

    def starting_network(self, seed: int) -> Any:
        """Return a network with the weights that a seed's training starts from."""
        network = self.network(seed)
        if self.start is not None:
            number = self.recipe.training.seeds.index(seed) % len(self.start.members)
            load_weights(network, self.start.members[number], f"member {number} of the run started from")
        if self.encoder is not None:
            self.encoder.copy_into(network.actor_encoder)
        return network

    def untrained_policy(self, seed: int) -> Policy:
        """Return a policy that acts by that seed's initial weights."""
        return self.agent.policy(self, self.network(seed))

    def learner(self, seed: int) -> Learner:
        """Return the learner of one seed, on the training rows."""
        return self.agent.learner(self, seed)

    def validation_growth(self, policy: Policy) -> float:
        """Score a learner's policy on the validation rows: mean net log growth per bar."""
        rows, recipe = self.dataset.split.validation, self.recipe
        desk = self.desk(segments_of(rows))
        return segment_growth(
            policy, self.lesson[0], rows, desk, recipe.costs, recipe.simulator, recipe.environment.account_columns
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
        members = []
        for number, weights in enumerate(bundle.members):
            network = self.network(0)
            load_weights(network, weights, f"member {number} of the bundle")
            members.append(self.agent.policy(self, network))
        return self.agent.ensemble(members), list(members)
