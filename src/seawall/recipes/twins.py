"""Twin markets for the demo and the self-test: the same shocks, one with a planted edge and one without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seawall.core.run_folder import RunFolder
from seawall.recipes.experiment import create_run
from seawall.recipes.files import load_mapping
from seawall.recipes.schema import Recipe, validate_recipe


@dataclass(frozen=True)
class Twins:
    """Two runs that differ only in whether the market holds an edge.

    Attributes:
        planted: The run on the market with an edge.
        noise: The run on its driftless twin.
        n_bars: Bars of each.
    """

    planted: RunFolder
    noise: RunFolder
    n_bars: int

    @property
    def runs(self) -> list[RunFolder]:
        """Both runs, the planted edge first."""
        return [self.planted, self.noise]


def prepare_twins(
    runs: Path,
    prefix: str,
    *,
    n_bars: int,
    n_seeds: int,
    min_seeds: int,
    market_seed: int = 0,
    agent: Mapping[str, Any] | None = None,
) -> Twins:
    """Make both markets and open a run on each.

    Args:
        runs: Folder of all runs.
        prefix: Beginning of the recipes' names.
        n_bars: Bars of each market; more bars teach more and take longer to judge.
        n_seeds: Seeds trained on each market.
        min_seeds: Seeds without which the verdict is never "evidence".
        market_seed: Seed of both markets.
        agent: Changes to the agent's settings.
    """
    settings = {**load_mapping("tradernet")["agent"], **(agent or {})}
    changes = {"agent": settings, "training": {"n_seeds": n_seeds}, "evaluation": {"verdict": {"min_seeds": min_seeds}}}
    planted, noise = (
        create_run(_twin(f"{prefix}-{name}", {"n_bars": n_bars, "seed": market_seed, **edge}, changes), runs, Path("data"))
        for name, edge in (("planted-edge", {}), ("random-walk", {"edge": 0.0}))
    )
    return Twins(planted, noise, n_bars)


def _twin(name: str, market: Mapping[str, Any], changes: Mapping[str, Any]) -> Recipe:
    mapping = {**load_mapping("tradernet"), **changes, "name": name, "data": {"kind": "planted_edge", **market}}
    return validate_recipe(mapping, name)
