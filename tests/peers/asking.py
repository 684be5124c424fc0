"""Give cases to an engine of the environment that `make peers` makes, and read what it answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from peers.case_files import Answer, Case

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
needs_peers = pytest.mark.skipif(not PYTHON.is_file(), reason="the peers are not installed: make peers")


def ask(folder: Path, engine: str, cases: dict[str, Case]) -> dict[str, Answer]:
    """Write cases, let an engine's script answer them, and read the answers."""
    for name, case in cases.items():
        case.write(folder / name)
        (folder / name / f"{engine}.asked").touch()
    script = ROOT / "tests" / "peers" / f"run_{engine}.py"
    done = subprocess.run([PYTHON, "-W", "ignore", script, folder], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return {name: Answer.read(folder / name / f"{engine}.npz") for name in cases}
