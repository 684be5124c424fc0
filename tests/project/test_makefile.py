"""The commands that the README promises, without running the long ones."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed; the pip install needs none")

# Writes down its arguments; asked for a virtual environment, puts itself there as python and as seawall.
FAKE_PYTHON = """#!/bin/sh
echo "$*" >> calls
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p .venv/bin
  cp fake-python .venv/bin/python
  cp fake-python .venv/bin/seawall
fi
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder with a space in its name, whose Python only writes down how it is called."""
    folder = tmp_path / "a folder"
    (folder / "bench").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "bench/requirements.txt", "bench/requirements-no-deps.txt"):
        shutil.copy(ROOT / name, folder / name)
    python = folder / "fake-python"
    python.write_text(FAKE_PYTHON, encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTEST", "TORCH"))}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text(encoding="utf-8").splitlines()


def test_demo_installs_torch_first_and_says_how_long_it_took(checkout):
    done = make(checkout, "demo", "PYTHON=./fake-python")
    assert done.returncode == 0, done.stderr
    assert "installed into .venv in " in done.stdout
    made = calls(checkout)
    assert made[1:] == [
        "-m venv .venv",
        "-m pip install -q torch==2.13.0",
        "-m pip install -q -c constraints.txt -e .[live,hdf5,zoo]",
        "demo",
    ]


def test_the_second_demo_installs_nothing(checkout):
    make(checkout, "demo", "PYTHON=./fake-python")
    (checkout / "calls").unlink()
    make(checkout, "demo", "PYTHON=./fake-python")
    assert calls(checkout) == ["demo"]


def test_a_changed_constraint_installs_again(checkout):
    make(checkout, "demo", "PYTHON=./fake-python")
    (checkout / "calls").unlink()
    later = (checkout / ".venv" / ".installed").stat().st_mtime + 10
    os.utime(checkout / "constraints.txt", (later, later))
    make(checkout, "demo", "PYTHON=./fake-python")
    assert "-m pip install -q -c constraints.txt -e .[live,hdf5,zoo]" in calls(checkout)


def test_another_index_serves_torch_alone(checkout):
    make(checkout, "test", "PYTHON=./fake-python", "TORCH_INDEX=https://wheels.example/cuda")
    installs = [call for call in calls(checkout) if "install" in call]
    assert installs == [
        "-m pip install -q -i https://wheels.example/cuda torch==2.13.0",
        "-m pip install -q -c constraints.txt -e .[dev,live,hdf5,onnx,zoo,explain]",
    ]


def test_an_old_python_is_refused_with_a_way_out(checkout):
    old = checkout / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    done = make(checkout, "demo", "PYTHON=./old-python")
    assert done.returncode != 0
    assert "Seawall needs Python 3.11 or newer; './old-python' is Python 3.9.2." in done.stderr
    assert "make demo PYTHON=python3.12" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_failed_install_leaves_no_stamp(checkout):
    broken = (checkout / "fake-python").read_text(encoding="utf-8") + 'case "$*" in *constraints*) exit 1;; esac\n'
    (checkout / "fake-python").write_text(broken, encoding="utf-8")
    assert make(checkout, "demo", "PYTHON=./fake-python").returncode != 0
    assert not (checkout / ".venv" / ".installed").exists()


def test_every_target_explains_itself(checkout):
    shown = make(checkout).stdout
    for target in ("demo", "test", "test-all", "check", "bench", "docs", "clean"):
        assert f"make {target} " in shown
