import subprocess
import sys

_SCRIPT = """
import numpy as np
import torch
from numba import njit, prange
from seawall.training.threads import use_threads

@njit(parallel=True)
def doubled(values):
    out = np.empty_like(values)
    for place in prange(len(values)):
        out[place] = 2.0 * values[place]
    return out

use_threads(1)
before = torch.get_num_threads()
doubled(np.ones(64))
print(before, torch.get_num_threads())
"""


def test_compiled_loops_that_start_later_leave_the_tensors_their_one_thread():
    # In a process of its own: the threads of compiled loops start once in each.
    told = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "1 1"


_SETTING = """
import sys
import torch
from seawall.training.threads import use_threads

use_threads(1)
print(torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
print("torch._dynamo" in sys.modules)
"""


def test_results_that_repeat_are_asked_for_without_loading_the_compiler_of_graphs():
    told = subprocess.run([sys.executable, "-c", _SETTING], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "True", "False"]
