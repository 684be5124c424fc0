"""What can be run, on what data, with what commands: told as it is."""

from __future__ import annotations

from dataclasses import dataclass

from seawall.recipes.families import AnyRecipe, load_any
from seawall.recipes.files import shipped_recipes


@dataclass(frozen=True)
class Entry:
    """One recipe of the catalogue.

    Attributes:
        name: What it is called.
        summary: What it is, in a line.
        data: The bars that it is made for, and what it makes where none are given.
        missing: What of its design is not there yet.
        commands: What to type.
    """

    name: str
    summary: str
    data: str
    missing: str
    commands: tuple[str, ...]


def catalogue() -> list[Entry]:
    """Return every recipe, by name."""
    return [_entry(load_any(name)) for name in shipped_recipes()]


def _entry(recipe: AnyRecipe) -> Entry:
    frames = ", ".join(dict.fromkeys(series.timeframe for series in recipe.series))
    symbols = [series.symbol for series in recipe.series]
    made = recipe.data.model_dump()
    several = recipe.agent["kind"] if isinstance(recipe.agent, dict) else recipe.agent.kind
    own = "data=FOLDER/*.parquet" if several == "joint_ppo" else "data=FILE.parquet"
    wanted = f"{frames} bars of {', '.join(symbols)}; made here where none are given: {made['n_bars']:,} of {made['timeframe']}"
    commands = (
        f"seawall train {recipe.name}",
        f"seawall train {recipe.name} {own}",
        f"seawall train {recipe.name} smoke=true",
        f"seawall data fetch --recipe {recipe.name}",
    )
    return Entry(recipe.name, recipe.summary, wanted, recipe.missing, commands)
