"""Settings of an environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seawall.core.params import Params
from seawall.envs.episodes import StartMode
from seawall.simulator.accounts import ACCOUNT_FEATURES, DEFAULT_FEATURES
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams


class EpisodeParams(Params):
    """What a decision sees, and how episodes run."""

    window: int = Field(
        default=12, ge=1, le=4_096, description="Rows of features that a decision sees, the row just closed included"
    )
    account_columns: tuple[str, ...] = Field(
        default=DEFAULT_FEATURES,
        description=f"Account features shown, in order, out of {', '.join(ACCOUNT_FEATURES)}; the state of the guards follows them",
    )
    guard_columns: bool = Field(
        default=True,
        description="Whether a decision sees the state of the guards; agent exact, which knows positions alone, needs false",
    )
    episode_bars: int = Field(default=0, ge=0, description="Decisions in an episode; 0 for as many as the rows hold")
    start: StartMode = Field(
        default="random",
        description="random starts anywhere, sequential walks the rows in chunks, first starts at the first row, grid at every "
        "grid_bars-th row in turn",
    )
    grid_bars: int = Field(default=1, ge=1, le=1_000_000_000, description="Bars between the starts of start: grid")
    start_exposure: Literal["flat", "random"] = Field(
        default="flat",
        description="random starts with a position at one of the scheme's levels, without cost: for exploration only",
    )


class EnvironmentParams(EpisodeParams):
    """What an environment shows, how its episodes run, and what its accounts pay."""

    observation: Literal["index", "window"] = Field(
        default="index",
        description="index shows the row number, from which the network gathers its window; window shows the features",
    )
    costs: CostParams = Field(default=CostParams(), description="Costs of a fill")
    simulator: SimulatorParams = Field(default=SimulatorParams(), description="Settings of the accounts")
