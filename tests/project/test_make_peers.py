"""The environment of the peers: its own, pinned, and without torch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"


def lines(name: str) -> list[str]:
    return [line for line in (PEERS / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def test_every_peer_is_pinned():
    pins = {name_of(line) for line in lines("constraints.txt")}
    assert {name_of(line) for line in lines("requirements.txt")} - pins == set()
    assert [line for line in lines("constraints.txt") + lines("requirements-no-deps.txt") if "==" not in line] == []


def test_no_peer_brings_torch_or_cuda():
    assert [line for line in lines("constraints.txt") if line.startswith(("torch", "nvidia", "triton"))] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed; the pip install needs none")
def test_peers_are_installed_apart_and_without_what_they_do_not_need():
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    command = ["make", "-n", "-B", "peers"]
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.splitlines() == [
        '"python3" -m venv .venv-peers',
        ".venv-peers/bin/python -m pip install -q -c bench/peers/constraints.txt -r bench/peers/requirements.txt",
        ".venv-peers/bin/python -m pip install -q --no-deps -r bench/peers/requirements-no-deps.txt",
        "touch .venv-peers/.installed",
    ]
