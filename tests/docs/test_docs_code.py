"""Code blocks in the documentation are code: Python compiles, YAML validates as a recipe, the shell parses."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seawall.market.hours.specs import load_markets
from seawall.market.synthetic.config import load_config
from seawall.recipes.files import load_mapping
from seawall.recipes.schema import validate_recipe
from seawall.simulator.costs.catalogue import load_costs

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))


def blocks(language: str) -> list[tuple[str, str]]:
    pattern = re.compile(rf"```{language}\n(.*?)```", flags=re.DOTALL)
    return [(page.name, block) for page in PAGES for block in pattern.findall(page.read_text(encoding="utf-8"))]


def test_python_blocks_compile():
    for page, block in blocks("python"):
        compile(block, page, "exec")


@pytest.mark.parametrize(("page", "block"), blocks("yaml"))
def test_yaml_blocks_are_valid_recipes_and_settings(tmp_path, page, block):
    path = tmp_path / "my-recipe.yaml"
    path.write_text(block, encoding="utf-8")
    if page == "synthetic-markets.md":
        assert load_config(path).n_bars == 350_400
    elif block.startswith("markets:"):
        assert load_markets(path)["ETH"].max_leverage == 10
    elif block.startswith("costs:"):
        assert load_costs(path).find("ETH").costs.taker_bps == 4.0
    else:
        assert validate_recipe(load_mapping(str(path)), page).name == "my-recipe"


@pytest.mark.skipif(shutil.which("sh") is None, reason="no POSIX shell on this system")
@pytest.mark.parametrize(("page", "block"), blocks("sh"))
def test_shell_blocks_parse(page, block):
    done = subprocess.run(["sh", "-n"], input=block, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0, f"{page}: {done.stderr}"


def test_every_fence_names_its_language():
    for page in PAGES:
        fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert len(fences) % 2 == 0, page.name
        assert all(opening in {"sh", "powershell", "python", "yaml", "text"} for opening in fences[::2]), page.name
        assert all(closing == "" for closing in fences[1::2]), page.name
