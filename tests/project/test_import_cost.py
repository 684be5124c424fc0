"""Help is instant: nothing heavy is loaded before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "scipy", "ray", "numba", "talib", "plotly", "arch", "ccxt", "alpaca", "gymnasium", "stable_baselines3")

_HELP = """
import sys
from seawall.cli.main import run
assert run(["--help"]) == 0
"""


@pytest.mark.parametrize("code", ["import seawall, sys", _HELP], ids=["import seawall", "seawall --help"])
def test_nothing_heavy_is_loaded(code):
    report = f"{code}\nprint('LOADED', *sorted(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_the_environments_of_gymnasium_load_neither_torch_nor_stable_baselines3_nor_what_draws():
    report = "print(*sorted({'torch', 'stable_baselines3', 'PIL'} & set(sys.modules)))"
    code = f"import sys, seawall.envs.vector, seawall.envs.single\n{report}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
