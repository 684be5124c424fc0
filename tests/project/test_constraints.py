"""constraints.txt: one exact version a line, for every requirement, valid on every system."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
PINS = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower(): line.partition("==")[2] for line in LINES}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def requirements() -> list[str]:
    extras = [item for group in PROJECT["optional-dependencies"].values() for item in group]
    bench = (ROOT / "bench" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [item for item in (*PROJECT["dependencies"], *extras, *bench) if item.strip() and not item.startswith(("#", "seawall["))]


def test_every_line_is_an_exact_public_version():
    assert [line for line in LINES if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.!]*", line)] == []


@pytest.mark.parametrize("requirement", requirements())
def test_every_requirement_is_pinned(requirement):
    assert name_of(requirement) in PINS


def test_nothing_stands_there_that_exists_for_one_system_or_for_cuda_alone():
    assert [name for name in PINS if name.startswith(("nvidia-", "triton", "pywin", "winloop", "pyobjc"))] == []


def test_torch_is_the_version_that_the_makefile_and_the_readme_install_first():
    wanted = f"torch=={PINS['torch']}"
    for file in ("Makefile", "README.md", ".github/workflows/ci.yml"):
        assert wanted in (ROOT / file).read_text(encoding="utf-8"), file
