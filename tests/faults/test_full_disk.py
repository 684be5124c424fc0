"""A disk without room, made by a limit on the size of files: one clear line, exit code 2, nothing half-written."""

import re
import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="limits on the size of files are a POSIX feature")

SMALL = [
    "data.kind=planted_edge",
    "data.n_bars=3000",
    "agent.total_steps=1024",
    "agent.n_envs=16",
    "agent.n_steps=32",
    "agent.minibatch=128",
    "training.n_seeds=1",
]


def _run(folder, limit_bytes, *words):
    return _run_code(folder, limit_bytes, "import sys; from seawall.cli.main import main; main()", *words)


def _run_code(folder, limit_bytes, code, *words):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, preexec_fn=limit, check=False)


def _left(folder):
    """All files but those of whole entries of the cache of features, and its locks, which are empty."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in names if not re.fullmatch(r"data/\.cache/features/(\.locks/..\.lock|../[0-9a-f]{64}/[a-z.]+)", name)]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def elsewhere(tmp_path):
    """Where there is room, to do the same first, so that all is compiled and kept: how large that is, is not what is asked here."""
    path = tmp_path / "elsewhere"
    path.mkdir()
    return path


@pytest.mark.parametrize("name", ["made.parquet", "made.csv", "made.feather"])
def test_bars_that_do_not_fit_leave_no_file(folder, name):
    result = _run(folder, 50_000, "data", "synth", name)
    assert result.returncode == 2, result.stderr
    assert "no room left" in result.stderr
    assert "Traceback" not in result.stderr
    assert _left(folder) == []


def test_a_market_that_does_not_fit_leaves_no_run(folder):
    result = _run(folder, 100_000, "train", "tradernet", *SMALL)
    assert result.returncode == 2, result.stderr
    assert "no room left" in result.stderr
    assert "Traceback" not in result.stderr
    assert _left(folder) == []


def test_features_that_do_not_fit_are_computed_all_the_same_and_leave_nothing(folder, elsewhere):
    code = (
        "from pathlib import Path; from seawall.recipes.dataset import featured; from seawall.recipes.schema import load_recipe\n"
    )
    code += f"made = featured(load_recipe('tradernet', {SMALL!r}), Path('data')); print(made.block.shape[0], *made.notes, sep='|')"
    assert _run_code(elsewhere, resource.RLIM_INFINITY, code).returncode == 0
    result = _run_code(folder, 100_000, code)
    assert result.returncode == 0, result.stderr
    rows, note = result.stdout.strip().split("|")
    assert rows == "3000"
    assert note.startswith("the features are not kept for later runs: no room left")
    assert _left(folder) == []


def test_a_checkpoint_that_does_not_fit_ends_the_training_by_name(folder, elsewhere):
    whole = _run(elsewhere, resource.RLIM_INFINITY, "train", "tradernet", *SMALL)
    assert whole.returncode == 0, whole.stderr
    result = _run(folder, 400_000, "train", "tradernet", *SMALL)
    assert result.returncode == 2, result.stderr
    assert "no room left" in result.stderr
    assert "Traceback" not in result.stderr
    assert not [name for name in _left(folder) if "checkpoint" in name or "bundle" in name or "/." in name]
