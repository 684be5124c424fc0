"""One small trained and judged run, shared by the tests of the verbs."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.cli.main import run as run_command


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def seawall(capfd):
    """Run one command in this process; return its exit code and what it printed."""

    def run(*words):
        capfd.readouterr()
        code = run_command([str(word) for word in words])
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def small_recipe(tmp_path_factory):
    """A recipe file that trains in seconds."""
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(
        "extends: tradernet\n"
        "name: small\n"
        "data: {kind: planted_edge, n_bars: 3000}\n"
        "agent: {total_steps: 4096, n_envs: 16, n_steps: 64, minibatch: 256}\n"
        "training: {n_seeds: 2, evaluate_every: 1}\n"
        "evaluation: {bootstrap: {n_resamples: 100}}\n"
    )
    return path


@pytest.fixture(scope="session")
def trained(small_recipe, tmp_path_factory):
    """The folder of runs with one trained, judged and reported run in it."""
    runs = tmp_path_factory.mktemp("runs")
    before = Path.cwd()
    os.chdir(runs)
    try:
        assert run_command(["train", str(small_recipe), "--runs", str(runs)]) == 0
        assert run_command(["report", "latest", "--runs", str(runs)]) == 0
    finally:
        os.chdir(before)
    return runs
