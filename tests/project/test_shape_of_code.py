"""Sizes, settings that are read, and tolerances that mean something."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60
LOOSEST_TOLERANCE, LOOSEST_WITH_A_REASON = 1e-2, 0.25
TOLERANCES = {"abs", "rel", "atol", "rtol", "abs_tol", "rel_tol", "tolerance"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def long_functions(tree: ast.AST) -> list[tuple[str, int]]:
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lengths = [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions]
    return [(name, length) for name, length in lengths if length > LONGEST_FUNCTION]


def loose_tolerances(source: str) -> list[tuple[int, float]]:
    """Literals looser than the limit; one up to 0.25 is let pass where a comment stands on its line or on the line before."""
    lines = ["", *source.splitlines()]
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            if keyword.arg in TOLERANCES and isinstance(keyword.value, ast.Constant):
                value = keyword.value.value
                explained = any("#" in line for line in lines[keyword.value.lineno - 1 : keyword.value.lineno + 1])
                limit = LOOSEST_WITH_A_REASON if explained else LOOSEST_TOLERANCE
                if isinstance(value, (int, float)) and value > limit:
                    found.append((keyword.value.lineno, float(value)))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_function_is_short(path):
    assert long_functions(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", [path for path in TESTS if path != Path(__file__).resolve()], ids=relative)
def test_a_tolerance_in_a_test_is_tight_or_says_why_not(path):
    assert loose_tolerances(path.read_text(encoding="utf-8")) == []


def test_the_checks_of_length_and_tolerance_are_awake():
    body = "\n".join(["def long():", *["    pass"] * LONGEST_FUNCTION])
    assert long_functions(ast.parse(body)) == [("long", LONGEST_FUNCTION + 1)]
    assert loose_tolerances("# reason\napprox(1, rel=1e6)\nallclose(a, b, atol=0.01)\nallclose(a, b, atol=0.05)\n") == [
        (2, 1e6),
        (4, 0.05),
    ]
    assert loose_tolerances("# four standard errors\nallclose(a, b, atol=0.05)\n") == []


def test_no_two_test_modules_share_a_name():
    names = Counter(path.name for path in TESTS if path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", sorted((ROOT / "src" / "seawall").glob("*/__init__.py")), ids=relative)
def test_a_package_says_what_it_is_for_and_loads_nothing(path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert len(ast.get_docstring(ast.Module(body, [])) or "") > 20
