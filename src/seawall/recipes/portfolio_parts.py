"""From a recipe of a portfolio to its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seawall.agents.bundle import Bundle, check_compatible
from seawall.agents.joint_ppo import JointPPO, JointPPOParams
from seawall.agents.joint_ppo.policy import PortfolioEnsemble, PortfolioPolicy
from seawall.agents.state import load_weights
from seawall.core.market import RowRange
from seawall.core.protocols import Policy
from seawall.envs.portfolio_params import PortfolioEnvironmentParams
from seawall.envs.portfolio_vector import PortfolioVectorEnv
from seawall.evaluation.portfolio_backtest import PortfolioSetting, portfolio_growth
from seawall.features.pipeline import feature_hash
from seawall.features.registry import feature_set
from seawall.nets.portfolio import PortfolioNetwork, PortfolioNetworkParams, PortfolioShape, build_portfolio_network
from seawall.nets.portfolio_windows import Look
from seawall.recipes.portfolio_dataset import PortfolioDataset, look_of
from seawall.recipes.portfolio_schema import PortfolioRecipe
from seawall.simulator.actions.weights import weight_scheme
from seawall.simulator.portfolio.accounts import account_layout
from seawall.training.device import resolve_device


@dataclass(frozen=True)
class PortfolioParts:
    """What a recipe of a portfolio chose, built on a dataset."""

    recipe: PortfolioRecipe
    data: PortfolioDataset

    @property
    def look(self) -> Look:
        """What a decision sees of each asset."""
        return look_of(self.recipe, feature_set(self.recipe.features), self.data.panel.timeframe)

    @property
    def account_names(self) -> tuple[str, ...]:
        """Columns of the account row."""
        return account_layout(self.recipe.environment.account_columns, self.data.panel.symbols)[1]

    @property
    def shape(self) -> PortfolioShape:
        """Sizes of the network's inputs."""
        look = self.look
        return PortfolioShape(len(self.data.panel.symbols), look.rows, look.columns, len(self.account_names))

    def training_env(self, n: int, seed: int) -> PortfolioVectorEnv:
        """Return portfolios over the training rows."""
        section, market = self.recipe.environment, self.data.dataset.market
        params = PortfolioEnvironmentParams(
            window=self.look.reach,
            account_columns=section.account_columns,
            decide_at=section.decide_at,
            episode_bars=section.episode_bars,
            start=section.start,
            grid_bars=section.grid_bars,
            costs=self.recipe.costs,
            portfolio=self.recipe.simulator,
        )
        train = self.data.dataset.split.training
        return PortfolioVectorEnv(self.data.panel, train, n, ready=market.ready[0], params=params, seed=seed)

    def network(self, seed: int) -> PortfolioNetwork:
        """Return a network with that seed's initial weights."""
        sizes = PortfolioNetworkParams(**self.recipe.network.model_dump(exclude={"kind"}))
        return build_portfolio_network(sizes, self.shape, seed)

    def policy(self, network: PortfolioNetwork) -> PortfolioPolicy:
        """Return a policy that acts by a network."""
        return PortfolioPolicy(network, self.look, resolve_device(self.recipe.device))

    def learner(self, seed: int) -> JointPPO:
        """Return the learner of one seed, on the training rows."""
        params = JointPPOParams(**self.recipe.agent.model_dump(exclude={"kind"}))
        train, look = self.data.dataset.split.training, self.look
        made = JointPPO(
            self.training_env(params.n_envs, seed),
            self.network(seed),
            params,
            market=self.data.dataset.market,
            look=look,
            seed=seed,
            device=resolve_device(self.recipe.device),
        )
        made.pretraining_rows = train
        return made

    def setting(self, rows: RowRange) -> PortfolioSetting:
        """Return where policies are judged."""
        recipe = self.recipe
        columns = recipe.environment.account_columns
        return PortfolioSetting(self.data.panel, self.data.dataset.market, rows, recipe.costs, recipe.simulator, columns)

    def validation_growth(self, policy: Policy) -> float:
        """Score a policy on the validation rows: mean net log growth per bar."""
        return portfolio_growth(policy, self.setting(self.data.dataset.split.validation))

    def manifest(self) -> dict[str, Any]:
        """Return what a bundle must say of its inputs, so that it is refused on others."""
        columns, recipe = feature_set(self.recipe.features), self.recipe
        return {
            "features": {"names": columns.columns, "hash": feature_hash(columns), "scaling": recipe.features.scaling},
            "window": self.look.reach,
            "windows": recipe.environment.windows,
            "timeframe": self.data.panel.timeframe.label,
            "action_scheme": weight_scheme("portfolio_weights", self.data.panel.symbols).spec(),
            "account": self.account_names,
            "network": recipe.network.model_dump(),
        }

    def policies(self, bundle: Bundle) -> tuple[PortfolioEnsemble, list[PortfolioPolicy]]:
        """Return a bundle's ensemble and its members.

        Raises:
            DataError: The bundle was made for other inputs; the message shows the difference.
        """
        check_compatible(bundle.manifest, self.manifest())
        members: list[PortfolioPolicy] = []
        for number, weights in enumerate(bundle.members):
            network = self.network(0)
            load_weights(network, weights, f"member {number} of the bundle")
            members.append(self.policy(network))
        return PortfolioEnsemble(members), members
