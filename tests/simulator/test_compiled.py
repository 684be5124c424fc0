"""A compiled function that is kept on disk is made anew where a file that it was compiled with has changed."""

import os
import subprocess
import sys

RATE = "RATE = {rate}\n"
USER = """
from numba import njit
from rates import RATE

@njit(cache=True)
def charged(amount):
    return amount * RATE
"""
ASK = """
import rates, user
from seawall.simulator.compiled import heed_sources
heed_sources(rates, user)
print(user.charged(100.0))
"""


def test_a_constant_changed_in_another_file_reaches_the_function(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    answers = []
    for rate in (2.0, 3.0, 3.0):
        (tmp_path / "rates.py").write_text(RATE.format(rate=rate))
        os.utime(tmp_path / "rates.py", (1_700_000_000 + rate, 1_700_000_000 + rate))
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", ASK], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        answers.append(done.stdout.strip())
    assert answers == ["200.0", "300.0", "300.0"]
