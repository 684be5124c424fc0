"""What every shipped recipe must hold to: it is valid, each of its keys is read by code, and no other code knows its name."""

import ast
import re
from pathlib import Path

import pytest

from seawall.recipes.families import load_any
from seawall.recipes.files import parse_yaml, shipped_recipes

SOURCE = Path(__file__).parents[2] / "src" / "seawall"
NAMES = ("ichimoku-lstm", "long-short-zoo", "portfolio", "tradernet", "two-stage")
# The one key of a recipe that is a name of its own: of a guard, of a preset (read as a mapping's key), of the file's own layers.
NAMED = {"n_consecutive", "preset"}


def trees():
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def keys(mapping):
    """Every key of a recipe file, those of its presets included."""
    for key, value in mapping.items():
        if key == "presets":
            for preset in value.values():
                yield from keys(preset)
            continue
        yield key
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from keys(inner)


@pytest.fixture(scope="module")
def attributes_read():
    return {
        node.attr
        for _path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


def test_all_five_systems_ship():
    assert tuple(sorted(shipped_recipes())) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("small", [False, True])
def test_a_shipped_recipe_is_valid_whole_and_small(name, small):
    recipe = load_any(name, ["smoke=true"] if small else [])
    assert (recipe.name, recipe.smoke) == (name, small)
    assert recipe.summary
    assert recipe.missing
    assert recipe.training.n_seeds == (2 if small else 5)


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_a_shipped_recipe_is_read_by_code(name, attributes_read):
    written = parse_yaml(shipped_recipes()[name].read_text(encoding="utf-8"), name)
    assert {key for key in keys(written) if key not in attributes_read} <= NAMED


def test_a_key_that_no_code_reads_would_be_found(attributes_read):
    assert "window_that_nobody_reads" not in attributes_read
    assert {"window", "episode_bars", "taker_bps", "head_units", "minibatch"} <= attributes_read


def test_no_code_outside_the_recipes_knows_a_recipe_by_name():
    found = []
    for path, tree in trees():
        if path.relative_to(SOURCE).parts[0] == "recipes":
            continue
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                # "portfolio" is a word of the field, too: as a name it would stand alone.
                known = [name for name in NAMES if name != "portfolio" and re.search(rf"\b{name}\b", node.value)]
                found += [(path.name, node.lineno, known)] if known else []
    assert not found
