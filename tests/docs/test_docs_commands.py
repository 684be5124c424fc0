"""Every command in the documentation exists: verbs, options, recipes and settings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from seawall.cli.main import app
from seawall.recipes.families import load_any

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
SHIPPED = ROOT / "src" / "seawall" / "recipes"


def commands_in(text: str) -> list[list[str]]:
    """Every ``seawall ...`` in code, as words, without comments."""
    blocks = re.findall(r"```(?:sh|powershell|text)?\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(seawall [^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [shlex.split(line, comments=True)[1:] for line in lines if line.strip().startswith("seawall ")]


def documented() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for words in commands_in(page.read_text(encoding="utf-8")):
            yield page.name, words


def problems_of(words: list[str]) -> list[str]:
    """What is wrong with one documented command; its verb, its options and its recipe settings are looked up."""
    command = typer.main.get_command(app)
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    if hasattr(command, "commands") and words and not words[0].startswith("-"):
        return [f"no verb {words[0]}"]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    wrong = [f"no option {word}" for word in words if word.startswith("--") and word not in known]
    overrides = [word for word in words if "=" in word and not word.startswith("-") and "..." not in word]
    if command.name in {"train", "show", "validate"} and words and (SHIPPED / f"{words[0]}.yaml").is_file():
        load_any(words[0], [override for override in overrides if "FILE" not in override])
    return wrong


@pytest.mark.parametrize(
    ("page", "words"), list(documented()), ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_a_documented_command_exists(page, words):
    assert problems_of(list(words)) == []


def test_the_documentation_names_every_verb():
    named = {" ".join(words[:2]) if words[:1] == ["data"] else " ".join(words[:1]) for _, words in documented()}
    group = typer.main.get_command(app)
    verbs = {f"data {name}" for name in group.commands["data"].commands} | set(group.commands) - {"data"}
    assert verbs - named == set()


def test_planted_wrong_commands_are_found():
    text = "```sh\nseawall fly --high  # comment\n```\n`seawall train tradernet --no-such` and `not seawall fly`\n"
    found = [problems_of(words) for words in commands_in(text)]
    assert found == [["no verb fly"], ["no option --no-such"]]
