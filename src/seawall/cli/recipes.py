"""``seawall recipes``, ``show`` and ``validate``: what can be run, and what a recipe really says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from seawall.cli import options
from seawall.cli.output import out, print_json

Reference = Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name, or the path of a YAML or JSON file.")]


def recipes(json: options.Json = False) -> None:
    """List the recipes: what each is, the data it wants, what is missing of its design, and the commands.

    Examples:
        seawall recipes
    """
    from seawall.recipes.catalogue import catalogue

    entries = catalogue()
    if json:
        print_json({"recipes": [asdict(entry) for entry in entries]})
        return
    for entry in entries:
        out.print(f"[bold]{entry.name}[/]  ", end="")
        out.print(entry.summary, markup=False)
        out.print(f"  data     {entry.data}", markup=False)
        out.print(f"  missing  {entry.missing}", markup=False)
        for place, command in enumerate(entry.commands):
            out.print(f"  {'run' if place == 0 else '':<7}  {command}", markup=False)
    out.print(f"\nRead one: seawall show {entries[0].name}")


def show(
    reference: Reference, overrides: options.Overrides = None, plugin: options.Plugins = None, json: options.Json = False
) -> None:
    """Print a recipe as it will run: every setting, with defaults and overrides resolved.

    Examples:
        seawall show tradernet

        seawall show tradernet agent.total_steps=200000
    """
    from seawall.recipes.families import load_any
    from seawall.recipes.files import dump_yaml

    recipe = load_any(reference, overrides or (), plugin or ())
    document = recipe.model_dump(mode="json")
    if json:
        print_json({"hash": recipe.digest(), "recipe": document})
    else:
        print(f"# hash {recipe.digest()}")
        print(dump_yaml(document), end="")


def validate(
    reference: Reference, overrides: options.Overrides = None, plugin: options.Plugins = None, json: options.Json = False
) -> None:
    """Check a recipe without running it.

    Examples:
        seawall validate my-recipe.yaml
    """
    from seawall.recipes.families import load_any

    recipe = load_any(reference, overrides or (), plugin or ())
    if json:
        print_json({"valid": True, "name": recipe.name, "hash": recipe.digest()})
    else:
        out.print(f"{reference}: valid; hash {recipe.digest()[:8]}")
