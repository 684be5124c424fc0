import os
import signal
import subprocess
import sys
import time

import pytest

from seawall.core.errors import DataError, SeawallError
from seawall.core.fan_out import fan_out


def _square(value, channel):
    channel.send({"value": value})
    return value * value


def _fail_on_one(value, channel):
    if value == 1:
        raise DataError("bar 7 is bad")
    return value


def _die(value, channel):
    os._exit(3)


def test_results_come_back_in_the_order_of_the_tasks():
    seen = []
    assert fan_out(
        _square, [(3,), (1,), (2,)], workers=2, on_progress=lambda task, message: seen.append((task, message["value"]))
    ) == [9, 1, 4]
    assert sorted(seen) == [(0, 3), (1, 1), (2, 2)]


def test_the_error_of_a_task_is_raised_as_it_was():
    with pytest.raises(DataError, match="bar 7 is bad"):
        fan_out(_fail_on_one, [(0,), (1,), (2,)], workers=1, on_progress=lambda *_: None)


def test_a_worker_that_dies_is_an_error_not_a_hang():
    with pytest.raises(SeawallError, match="worker 0 died with exit code 3"):
        fan_out(_die, [(0,)], workers=1, on_progress=lambda *_: None)


SCRIPT = """
import sys, time
from seawall.core.fan_out import Interrupted, fan_out

def wait(path, channel):
    channel.send({})
    while not channel.should_stop():
        time.sleep(0.02)
    open(path, "w").write("safe")

if __name__ == "__main__":
    try:
        fan_out(wait, [(sys.argv[1],), (sys.argv[2],)], workers=2, on_progress=lambda *_: print("started", flush=True))
    except Interrupted as error:
        sys.exit(error.exit_code)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals are needed to press Ctrl-C from a test")
def test_ctrl_c_lets_every_task_end_at_a_safe_point(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    marks = [tmp_path / "a", tmp_path / "b"]
    process = subprocess.Popen([sys.executable, script, *marks], stdout=subprocess.PIPE, start_new_session=True)
    assert [process.stdout.readline() for _ in marks] == [b"started\n"] * 2
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert [mark.read_text() for mark in marks] == ["safe", "safe"]


def _short_write(value, channel):
    raise OSError("100000 requested and 24984 written")


def test_a_full_disk_in_a_task_is_bad_input_not_a_traceback():
    with pytest.raises(DataError, match="no room left on the disk"):
        fan_out(_short_write, [(0,)], workers=1, on_progress=lambda *_: None)


ORPHAN = """
import os, signal, sys, time
from seawall.core.fan_out import fan_out

def wait(path, channel):
    channel.send({})
    while not channel.should_stop():
        time.sleep(0.02)
    open(path, "w").write("safe")

if __name__ == "__main__":
    fan_out(wait, [(sys.argv[1],)], workers=1, on_progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals are needed to kill the parent from within")
def test_a_task_whose_parent_is_gone_ends_at_a_safe_point(tmp_path):
    script, mark = tmp_path / "script.py", tmp_path / "mark"
    script.write_text(ORPHAN)
    assert subprocess.run([sys.executable, script, mark], check=False).returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while not (mark.exists() and mark.read_text() == "safe"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
