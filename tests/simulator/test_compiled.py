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

SLOW = """
from numba import njit

@njit(cache=True)
def much(values):
    return values.sum() + values.mean() + values.std()
"""
MEET = """
import sys, time
from pathlib import Path
import numpy as np
import slow
from seawall.simulator.compiled import ready_call
Path(sys.argv[1]).touch()
while len(list(Path().glob("here-*"))) < 2:
    time.sleep(0.01)
values = np.arange(5.0)
answer = ready_call(slow.much, (values,))(values)
print(answer, sum(slow.much.stats.cache_misses.values()))
"""


def test_what_two_processes_need_at_once_is_compiled_by_one_of_them(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", MEET, f"here-{number}"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
        for number in range(2)
    ]
    answers = [process.communicate()[0].split() for process in started]
    assert len({answer for answer, _ in answers}) == 1
    assert sorted(misses for _, misses in answers) == [b"0", b"1"]


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
