"""What must not stand in the tree: paths of one machine, addresses of package indexes, secrets, leftovers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve()
SUFFIXES = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".json", ".example", ".j2", ".html", ".css", ".js", ""}

FORBIDDEN = {
    "a path of one machine": r"(?<![\w.])/(?:home|work|root|Users|farm)/\w|[A-Z]:\\\\?Users",
    "the address of a package index": r"pypi\.(?:org|python\.org)|pythonhosted|download\.pytorch|(?:extra-)?index-url|find-links",
    "a private key": r"BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY",
    "something left for later": r"\b(?:TODO|FIXME|XXX)\b",
}


def tracked_files() -> list[Path]:
    """Every file that git knows or would know; where this is no git checkout, every file outside hidden folders."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        paths = [ROOT / line for line in listed.stdout.splitlines()]
    else:
        paths = [path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file() and path.suffix in SUFFIXES and path != HERE]


def places(pattern: str, paths: list[Path]) -> list[str]:
    found = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if re.search(pattern, line):
                found.append(f"{path.name}:{number}: {line.strip()[:80]}")
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_tree_is_free_of(what):
    assert places(FORBIDDEN[what], tracked_files()) == []


@pytest.mark.parametrize(
    ("what", "planted"),
    [
        ("a path of one machine", "path = '/home/someone/data'"),
        ("the address of a package index", "pip install --index-url somewhere"),
        ("a private key", "-----BEGIN PRIVATE KEY-----"),
        ("something left for later", "# TODO: finish"),
    ],
)
def test_a_planted_word_is_found(tmp_path, what, planted):
    (tmp_path / "planted.py").write_text(planted, encoding="utf-8")
    assert len(places(FORBIDDEN[what], [tmp_path / "planted.py"])) == 1


def test_the_list_of_files_is_not_empty():
    names = {path.name for path in tracked_files()}
    assert {"README.md", "pyproject.toml", "Makefile", "ci.yml"} <= names
