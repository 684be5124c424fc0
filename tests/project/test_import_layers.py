"""The layers of the design hold, and the check that says so is awake."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def copied_tree(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_only_go_down():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("core/planted.py", "from seawall.market.storage import store"),
        ("guards/planted.py", "import torch"),
        ("engine/planted.py", "import numba"),
        ("market/planted.py", "import talib"),
        ("recipes/planted.py", "import ccxt"),
        ("training/planted.py", "import stable_baselines3"),
    ],
)
def test_a_planted_wrong_import_breaks_a_contract(copied_tree, module, statement):
    (copied_tree / "src" / "seawall" / module).write_text(f'"""Planted."""\n\n{statement}\n', encoding="utf-8")
    done = lint(copied_tree)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout
