"""The recipe pages tell line by line what each published design asks for and what there is: every row is held to the code."""

from __future__ import annotations

import builtins
import importlib
import keyword
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from test_docs_commands import problems_of

from seawall.core.errors import ConfigError
from seawall.recipes.families import load_any
from seawall.recipes.files import parse_yaml, shipped_recipes
from seawall.recipes.portfolio_schema import PortfolioRecipe
from seawall.recipes.schema import Recipe

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "recipes"
DESIGNS = ROOT.parent / "shared" / "systems"
NUMBERS = {"ichimoku-lstm": 1, "long-short-zoo": 2, "two-stage": 3, "portfolio": 4, "tradernet": 5}
PAGES = [FOLDER / f"{name}.md" for name in NUMBERS if (FOLDER / f"{name}.md").is_file()]

HEADER = ["the design says", "we do", "why different", "state"]
STATE = re.compile(r"done|missing|partly(?:: .+)?")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`]+)`")
PYTHON_PATH = re.compile(r"seawall(?:\.\w+)+")
KEY = re.compile(r"([a-z]\w*(?:\.\w+)+)(?::\s+(.+))?")
OVERRIDE = re.compile(r"[a-z][\w.]*=\S.*")
FILE = re.compile(r".*\.(?:py|ya?ml|json|jsonl|csv|h5|md|txt|toml|parquet|html|zip|npz|npy|onnx|safetensors|pt|pth)")

SECTIONS = {*Recipe.model_fields, *PortfolioRecipe.model_fields}

# What is a name in a block of code of a design.
NAMES = re.compile(
    r"(?<![\w/-])--[a-z][\w-]*"  # flags
    r"|[\w*.-]+\.(?:py|ipynb|json|ya?ml|csv|h5|parquet|pth?|zip|md|txt|env)\b(?![\w(])"  # files
    r"|(?<![\w.*/-])\.?[a-z]\w*/(?=\s)"  # folders of a tree
    r"|\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+\b|\b[A-Z]{2,}[a-z]\w*[A-Z]?\w*"  # classes
    r"|\b[A-Z]+(?:_[A-Z]+)+\b"  # environment variables
    r"|\b[a-z]\w*(?=\()"  # functions
    r"|\b[a-z]+[a-z0-9]*(?:_[a-z0-9]+)+\b"  # keys, settings and functions
)
SOURCES = re.compile(r"(?<![\w/*.])\w+\.(?:py|ipynb|ya?ml)\b")
WORD = re.compile(r"[\w*./:{}-]+")
# Words of Python, of the shell and of the prose of a design's own examples, which name no part of a system.
OWN_WORDS = {
    *dir(builtins),
    *keyword.kwlist,
    *{"os", "os.getenv", "getenv", "pd.DataFrame", "DataFrame", "torch.randn", "randn", "iloc", "dataclass"},
    *{".git", ".github", ".vscode", "venv", "git", "pip", "where", "symbol"},
}


def cells_of(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row.strip())[1:-1]]


def tables_of(text: str) -> list[list[list[str]]]:
    """The tables below the heading that opens the comparison, each as rows of cells, header included."""
    _, found, section = text.partition("\n## Design and release, line by line\n")
    section = re.split(r"^## ", section, maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"(?:^\|.*\n)+", section if found else "", flags=re.MULTILINE)
    return [[cells_of(row) for row in block.splitlines()] for block in blocks]


def rows_of(text: str) -> list[list[str]]:
    return [row for table in tables_of(text) for row in table[2:]]


@cache
def resolved(recipe: str) -> dict[str, Any]:
    return load_any(recipe).model_dump(mode="json") if recipe in shipped_recipes() else {}


def python_path_exists(path: str) -> bool:
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        name = ".".join(parts[:cut])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
            continue
        for part in parts[cut:]:
            fields = {*getattr(found, "model_fields", ()), *getattr(found, "__dataclass_fields__", ())}
            if not hasattr(found, part) and part not in fields:
                return False
            found = getattr(found, part, None)
        return True
    return False


def key_problem(recipe: str, key: str, text: str | None) -> str:
    value: Any = resolved(recipe)
    for part in key.split("."):
        position = int(part) if part.isdigit() else part
        try:
            value = value[position]
        except (KeyError, IndexError, TypeError):
            return f"no key {key}"
    wanted = value if text is None else parse_yaml(text, key)
    return "" if wanted == value else f"{key} is {value!r}, not {wanted!r}"


def command_problem(words: list[str]) -> str:
    try:
        wrong = problems_of(list(words))
    except ConfigError as error:
        return str(error)
    reads_a_recipe = words[:1] in (["train"], ["show"], ["validate"], ["leakcheck"]) and len(words) > 1
    own = reads_a_recipe and (words[1].isupper() or words[1].startswith("-") or bool(FILE.fullmatch(words[1])))
    if reads_a_recipe and not own and words[1] not in shipped_recipes():
        wrong.append(f"no recipe {words[1]}")
    return ", ".join(wrong)


def override_problem(recipe: str, override: str) -> str:
    if recipe not in shipped_recipes():
        return f"no recipe {recipe}"
    try:
        load_any(recipe, [override])
    except ConfigError as error:
        return str(error)
    return ""


def references(page: Path, cell: str) -> list[tuple[str, str]]:
    """Everything of a cell that points at something, with what is wrong with it, or nothing."""
    found = [
        (link, "" if (page.parent / link.partition("#")[0]).exists() else "leads nowhere")
        for link in LINK.findall(cell)
        if not re.match(r"[a-z]+:|#", link)
    ]
    for span in SPAN.findall(cell):
        key = KEY.fullmatch(span)
        if span.startswith("seawall "):
            found.append((span, command_problem(shlex.split(span)[1:])))
        elif PYTHON_PATH.fullmatch(span):
            found.append((span, "" if python_path_exists(span) else "cannot be imported"))
        elif key and key[1].partition(".")[0] in SECTIONS and not FILE.fullmatch(key[1]):
            found.append((span, key_problem(page.stem, key[1], key[2])))
        elif OVERRIDE.fullmatch(span) and re.split(r"[.=]", span)[0] in SECTIONS:
            found.append((span, override_problem(page.stem, span)))
    return found


def row_problems(page: Path, row: list[str]) -> list[str]:
    if len(row) != len(HEADER):
        return [f"{len(row)} cells"]
    design, ours, why, state = row
    wrong = [f"`{span}`: {problem}" for span, problem in references(page, ours) if problem]
    if not design:
        wrong.append("nothing is asked for")
    if not STATE.fullmatch(state):
        wrong.append(f"state {state!r}")
    elif state == "missing" and not re.match(r"\*?missing\b", ours, flags=re.IGNORECASE):
        wrong.append("what is missing must be called so")
    elif state != "missing" and not references(page, ours):
        wrong.append("nothing that can be checked")
    if state == "partly" and not why:
        wrong.append("what lacks is not said")
    return wrong


def names_in(design: str) -> set[str]:
    """The files, folders, classes, functions, flags, keys and words that a design sets as code."""
    blocks = re.findall(r"```.*?\n(.*?)```", design, flags=re.DOTALL)
    spans = SPAN.findall(re.sub(r"```.*?```", "", design, flags=re.DOTALL))
    names = {name for text in (*blocks, *spans) for name in NAMES.findall(text)} | set(SOURCES.findall(design))
    names |= {span.strip(":") for span in spans if WORD.fullmatch(span)}
    return {name for name in names if name.rstrip("/") not in OWN_WORDS}


def appears(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)" if name[-1:].isalnum() else re.escape(name), text) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_table_of_a_recipe_page_has_the_four_columns(page):
    tables = tables_of(page.read_text(encoding="utf-8"))
    assert tables
    assert [table[0] for table in tables] == [HEADER] * len(tables)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_row_of_a_recipe_page_tells_its_state_and_points_at_what_exists(page):
    wrong = {row[0]: problems for row in rows_of(page.read_text(encoding="utf-8")) if (problems := row_problems(page, row))}
    assert wrong == {}


@pytest.mark.skipif(not DESIGNS.is_dir(), reason="the texts of the published designs are kept beside the repository, not in it")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_recipe_page_forgets_nothing_that_its_design_names(page):
    (design,) = DESIGNS.glob(f"{NUMBERS[page.stem]}-*.seed.md")
    text = page.read_text(encoding="utf-8").partition("\n## Design and release, line by line\n")[2]
    names = names_in(design.read_text(encoding="utf-8"))
    assert len(names) > 8
    assert sorted(name for name in names if not appears(name, text)) == []


def test_every_shipped_recipe_has_its_page():
    assert sorted(set(shipped_recipes()) - {page.stem for page in FOLDER.glob("*.md")}) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("| a | `environment.window: 12` | | done |", ""),
        ("| a | `environment.window: 13` | | done |", "environment.window is 12, not 13"),
        ("| a | `environment.windows` | | done |", "no key environment.windows"),
        ("| a | `series.0.timeframe: 1h` and costs from `costs.yaml` | | done |", ""),
        ("| a | `seawall.features.sets.ichimoku.ichimoku` | | done |", ""),
        ("| a | `seawall.features.sets.ichimoku.no_such` | | done |", "cannot be imported"),
        ("| a | `seawall.nets.params.NetworkShape.n_features` and `seawall.agents.ppo.params.PPOParams.gamma` | | done |", ""),
        ("| a | `seawall.no_such.thing` | | done |", "cannot be imported"),
        ("| a | [bars](../concepts/data-and-gaps.md#gaps) | | done |", ""),
        ("| a | [bars](../concepts/no-such.md) | | done |", "leads nowhere"),
        ("| a | `seawall train tradernet agent=dqn` | | done |", ""),
        ("| a | `seawall train no-such` | | done |", "no recipe no-such"),
        ("| a | `seawall train tradernet agent.gamma=9` | | done |", "agent.gamma"),
        ("| a | `seawall fly` | | done |", "no verb fly"),
        ("| a | `environment.short=false` | | done |", ""),
        ("| a | `environment.short=perhaps` | | done |", "environment.short"),
        ("| a | `agent.kind: ppo` | | partly: half of it | ", ""),
        ("| a | `agent.kind: ppo` | | partly |", "what lacks is not said"),
        ("| a | `agent.kind: ppo` | | planned |", "state 'planned'"),
        ("| a | the same | | done |", "nothing that can be checked"),
        ("| a | *missing* | | missing |", ""),
        ("| a | `agent.kind: ppo` | | missing |", "must be called so"),
        ("| a | `a \\| b` and `agent.kind` | | done |", ""),
        ("| a | `agent.kind` | done |", "3 cells"),
    ],
)
def test_a_planted_row_is_judged_for_what_it_says(row, problem):
    found = " ".join(row_problems(FOLDER / "tradernet.md", cells_of(row)))
    assert (problem in found) if problem else (found == "")


def test_names_are_found_in_code_and_in_spans():
    design = (
        "Run bare.py and `train.py` (`SomeAgent`, ratio of `0.1`, `data/raw/`) and see\n"
        "```bash\npython fit.py --data_dir out/x.h5 \\\n  --force\nagent.load_model(1)\nmax_norm=1.0\n├── models/  # kept\n```\n"
    )
    assert names_in(design) == {
        *{
            "bare.py",
            "train.py",
            "SomeAgent",
            "0.1",
            "data/raw/",
            "fit.py",
            "--data_dir",
            "x.h5",
            "--force",
            "load_model",
            "max_norm",
            "models/",
        }
    }
    assert appears("models/", "| `models/` |")
    assert not appears("model", "| `models/` |")
