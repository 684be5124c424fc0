"""Sizes, settings that are read, and tolerances that mean something."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION, LOOSEST_TOLERANCE = 400, 60, 1e-2
TOLERANCES = {"abs", "rel", "atol", "rtol", "abs_tol", "rel_tol", "tolerance"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def long_functions(tree: ast.AST) -> list[tuple[str, int]]:
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lengths = [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions]
    return [(name, length) for name, length in lengths if length > LONGEST_FUNCTION]


def loose_tolerances(tree: ast.AST) -> list[tuple[int, float]]:
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            if keyword.arg in TOLERANCES and isinstance(keyword.value, ast.Constant):
                value = keyword.value.value
                if isinstance(value, (int, float)) and value > LOOSEST_TOLERANCE:
                    found.append((call.lineno, float(value)))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_function_is_short(path):
    assert long_functions(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", [path for path in TESTS if path != Path(__file__).resolve()], ids=relative)
def test_a_tolerance_in_a_test_is_tight(path):
    assert loose_tolerances(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_checks_of_length_and_tolerance_are_awake():
    body = "\n".join(["def long():", *["    pass"] * LONGEST_FUNCTION])
    assert long_functions(ast.parse(body)) == [("long", LONGEST_FUNCTION + 1)]
    assert loose_tolerances(ast.parse("approx(1.0, rel=1e6)\nallclose(a, b, atol=0.01)\n")) == [(1, 1e6)]


def test_no_two_test_modules_share_a_name():
    names = Counter(path.name for path in TESTS if path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", sorted((ROOT / "src" / "seawall").glob("*/__init__.py")), ids=relative)
def test_a_package_says_what_it_is_for_and_loads_nothing(path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert len(ast.get_docstring(ast.Module(body, [])) or "") > 20
