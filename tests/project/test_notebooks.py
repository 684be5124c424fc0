"""Notebooks of the examples: valid, without outputs, and every cell runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.rglob("*.ipynb"))
RUNNER = """
import json, sys
space = {"__name__": "notebook"}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), cell["id"], "exec"), space)
print(json.dumps(space.get("results")))
"""
"""Runs a notebook's cells one after the other in one namespace, as a kernel does."""


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def run(path, tmp_path):
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RUNNER, str(path)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=quiet, check=False)


def test_the_notebook_of_the_design_is_there():
    assert [path.name for path in NOTEBOOKS] == ["tradernet.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_of_format_4_and_holds_no_output(path):
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in whole["cells"]}) == len(whole["cells"])
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path) if cell["cell_type"] == "code")


def test_every_cell_runs_and_the_figures_of_the_design_are_numbers(tmp_path):
    done = run(EXAMPLES / "tradernet.ipynb", tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert set(results) == {"cumulative return", "Sharpe ratio", "maximum drawdown"}
    assert -1.0 < results["cumulative return"] < 10.0
    assert 0.0 <= results["maximum drawdown"] < 1.0
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_fails_is_told(tmp_path):
    broken = {"cells": [{"cell_type": "code", "id": "one", "source": ["1 / 0"]}]}
    (tmp_path / "broken.ipynb").write_text(json.dumps(broken), encoding="utf-8")
    done = run(tmp_path / "broken.ipynb", tmp_path)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
