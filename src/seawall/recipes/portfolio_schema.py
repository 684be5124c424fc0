"""The typed recipe of a portfolio: several assets, one policy that weighs them. Sections are shared with recipes of one series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from seawall.agents.joint_ppo.params import JointPPOParams
from seawall.core.bars import OPTIONAL_COLUMNS
from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.envs.episodes import StartMode
from seawall.evaluation.params import EvaluationParams
from seawall.features.own import file_columns
from seawall.features.registry import FeatureParams, feature_set, resolved_options
from seawall.market.checks.quality import QualityParams
from seawall.market.panel import Rule
from seawall.market.splits import SplitParams
from seawall.market.synthetic.assets import AssetParams
from seawall.market.synthetic.regimes import RegimeParams
from seawall.nets.portfolio import PortfolioNetworkParams
from seawall.recipes.named_costs import with_plain_costs
from seawall.recipes.refusals import refused_recipe
from seawall.recipes.schema import CostNames, RecipeRules, SeedsParams, SeriesParams
from seawall.simulator.costs.params import CostParams
from seawall.simulator.portfolio.accounts import account_layout
from seawall.simulator.portfolio.charges import rates_of
from seawall.simulator.portfolio.simulator import PortfolioParams

_PUBLISHED_STATE = ("weights", "entries", "profits", "log_equity", "benchmark", "excess")


class PanelFiles(Params):
    """Bars of several symbols on one clock, a file or a stored series each."""

    kind: Literal["file"] = "file"
    path: str = Field(
        min_length=1,
        description="A folder of files, a pattern as in data/binance_*_5m.parquet, or with {symbol}, as in binance/{symbol}/5m",
    )
    symbols: tuple[str, ...] = Field(default=(), description="Which of them, in order; all that the pattern finds where empty")
    rule: Rule = Field(
        default="intersection",
        description="intersection keeps the bars that all have; forward_fill makes flat ones that cannot be traded",
    )
    last_bars: int | None = Field(default=None, ge=2, description="Use only so many of the newest bars; null uses all")

    @model_validator(mode="after")
    def _can_be_found(self) -> PanelFiles:
        if "{symbol}" in self.path and not self.symbols:
            raise ValueError(f"path {self.path!r} has a place for symbols; name some, as in symbols: [BTCUSDT, ETHUSDT]")
        if len(set(self.symbols)) < len(self.symbols):
            raise ValueError(f"symbols {list(self.symbols)} name one asset twice")
        return self


class RegimePanel(RegimeParams):
    """Synthetic markets of five regimes each, whose shocks are correlated."""

    kind: Literal["regimes"] = "regimes"
    assets: AssetParams = Field(default=AssetParams(symbols=("A", "B", "C"), correlation=0.5), description="The assets")
    seed: int = Field(default=0, ge=0, lt=2**53, description="Seed of the markets, apart from the seeds of training")


class PortfolioSection(Params):
    """What a decision sees of each asset and of the portfolio, and how training episodes run."""

    windows: tuple[Annotated[int, Field(ge=1, le=4_096)], ...] = Field(
        default=(12,), min_length=1, description="Bars seen: of the base clock, then of each of features.timeframes"
    )
    account_columns: tuple[str, ...] = Field(
        default=_PUBLISHED_STATE, description="What is seen of the portfolio; the default has three numbers an asset and four more"
    )
    decide_at: Literal["bars", "rebalancings"] = Field(
        default="rebalancings",
        description="Whether training decides at every bar, or where simulator.rebalance_every lets a decision be traded",
    )
    episode_bars: int = Field(default=256, ge=0, description="Decisions in an episode; 0 for as many as the rows hold")
    start: StartMode = Field(default="random", description="Where training episodes start, as in recipes of one series")
    grid_bars: int = Field(default=1, ge=1, le=1_000_000_000, description="Bars between the starts of start: grid")


class PortfolioNetworkSection(PortfolioNetworkParams):
    """The network."""

    kind: Literal["portfolio"] = "portfolio"


class JointPPOSection(JointPPOParams):
    """The agent."""

    kind: Literal["joint_ppo"] = "joint_ppo"


class PortfolioRecipe(RecipeRules):
    """Everything that a run of a portfolio depends on."""

    kind: Literal["portfolio"] = "portfolio"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Short name; lower-case letters, digits and hyphens")
    summary: str = Field(default="", description="What the recipe is, in one line")
    missing: str = Field(default="", description="What of its design is not there yet, in one line")
    smoke: bool = Field(
        default=False,
        strict=True,
        description="Whether the recipe's small preset is applied: everything runs in a minute, nothing is learned",
    )
    data: Annotated[PanelFiles | RegimePanel, Field(discriminator="kind")]
    series: tuple[SeriesParams, ...] = Field(
        default=(), description="Real bars that the recipe is made for, brought by seawall data fetch --recipe"
    )
    quality: QualityParams = Field(default_factory=QualityParams)
    features: FeatureParams = Field(default_factory=FeatureParams)
    split: SplitParams = Field(default_factory=SplitParams)
    environment: PortfolioSection = Field(default_factory=PortfolioSection)
    simulator: PortfolioParams = Field(default_factory=PortfolioParams)
    costs: CostParams = Field(default_factory=CostParams)
    costs_from: CostNames = Field(default_factory=CostNames)
    network: PortfolioNetworkSection = Field(default_factory=PortfolioNetworkSection)
    agent: JointPPOSection = Field(default_factory=JointPPOSection)
    training: SeedsParams = Field(default_factory=SeedsParams)
    evaluation: EvaluationParams = Field(default_factory=EvaluationParams)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    plugins: dict[str, str] = Field(
        default_factory=dict[str, str], description="Files of the user's own parts and their hashes, as --plugin gave them"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> PortfolioRecipe:
        feature_set(self.features)
        own = [name for name in file_columns(self.features.columns) if name not in OPTIONAL_COLUMNS]
        if own:
            raise ConfigError(
                f"features.columns names {', '.join(own)} of the bars' own files, which panels do not keep; allowed: registered "
                "columns"
            )
        account_layout(self.environment.account_columns, ("A",))
        rates_of(("every asset",), self.costs)
        clocks = ("base", *self.features.timeframes)
        if len(self.environment.windows) != len(clocks):
            raise ConfigError(
                f"environment.windows is {list(self.environment.windows)}; allowed: one number for each clock, "
                f"{', '.join(clocks)} (features.timeframes names the longer ones)"
            )
        if self.training.start_from is not None:
            raise ConfigError(
                f"training.start_from is {self.training.start_from!r}; a portfolio starts from fresh weights: allowed: null"
            )
        return self


def validate_portfolio(mapping: Mapping[str, Any], origin: str) -> PortfolioRecipe:
    """Validate a plain mapping.

    Args:
        mapping: The recipe's differences from the defaults, or all of it.
        origin: What it is called, for messages.

    Raises:
        ConfigError: Something is missing, misspelt or out of range; the message names it, its value and what is allowed.
    """
    try:
        recipe = PortfolioRecipe.model_validate(with_plain_costs(mapping, origin))
    except ValidationError as error:
        raise refused_recipe(origin, error) from error
    options = resolved_options(recipe.features)
    return recipe.model_copy(update={"features": recipe.features.model_copy(update={"options": options})})
