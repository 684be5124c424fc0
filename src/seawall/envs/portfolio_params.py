"""Settings of a portfolio environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seawall.core.params import Params
from seawall.envs.episodes import StartMode
from seawall.simulator.actions.weights import Normalise
from seawall.simulator.costs.params import CostParams
from seawall.simulator.portfolio.accounts import USUAL_COLUMNS
from seawall.simulator.portfolio.simulator import PortfolioParams


class PortfolioEnvironmentParams(Params):
    """What a portfolio environment shows, how its episodes run, and what its accounts pay."""

    observation: Literal["index", "window"] = Field(
        default="index",
        description="index shows the row number, from which the network gathers its window; window shows the features",
    )
    window: int = Field(
        default=12, ge=1, le=4_096, description="Rows of features that a decision sees, the row just closed included"
    )
    account_columns: tuple[str, ...] = Field(
        default=USUAL_COLUMNS, description="Account features shown, in order; weights are A + 1 columns, entries and profits A"
    )
    decide_at: Literal["bars", "rebalancings"] = Field(
        default="bars",
        description="A step is one bar, or all bars until the portfolio next rebalances: no decision is then in vain",
    )
    normalise: Normalise = Field(
        default="simplex", description="simplex takes weights and refuses other numbers; softmax turns any numbers into weights"
    )
    episode_bars: int = Field(default=0, ge=0, description="Decisions in an episode; 0 for as many as the rows hold")
    start: StartMode = Field(
        default="random",
        description="random starts anywhere, sequential walks the rows in chunks, first starts at the first row, grid at every "
        "grid_bars-th row in turn",
    )
    grid_bars: int = Field(default=1, ge=1, le=1_000_000_000, description="Bars between the starts of start: grid")
    costs: CostParams | dict[str, CostParams] = Field(
        default=CostParams(), description="Costs of a fill, of all assets or by symbol: commission, spread and base slippage"
    )
    portfolio: PortfolioParams = Field(default=PortfolioParams(), description="Settings of the accounts")
