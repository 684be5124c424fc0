"""Ctrl-C ends waits at once, breaks nothing elsewhere, and is not lost."""

import os
import queue
import signal
import socket
import threading
from contextlib import suppress

import pytest

from seawall.core.interrupts import heeded_interrupts, pause

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals are needed to press Ctrl-C from a test")


class PressedWhileTaken:
    """A lock, as a connection pool's, at which Ctrl-C comes just after it was taken."""

    def __init__(self):
        self.lock = threading.Lock()

    def acquire(self, *arguments):
        return self.lock.acquire(*arguments)

    def release(self):
        self.lock.release()

    def __enter__(self):
        self.lock.acquire()
        signal.raise_signal(signal.SIGINT)

    def __exit__(self, *_):
        self.lock.release()


def test_an_interrupt_between_a_lock_and_its_block_leaves_no_lock_taken():
    pool = queue.LifoQueue()
    pool.mutex = PressedWhileTaken()
    pool.not_empty = pool.not_full = threading.Condition(pool.mutex)
    with heeded_interrupts() as heed:
        with suppress(KeyboardInterrupt):
            pool.put("a connection")
        assert pool.mutex.acquire(False)  # else a client's clearing up would wait here without end
        with pytest.raises(KeyboardInterrupt):
            heed()


def test_an_interrupt_that_a_library_swallowed_is_raised_at_the_next_safe_point():
    before = signal.getsignal(signal.SIGINT)
    with heeded_interrupts() as heed:
        heed()
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            heed()
    assert signal.getsignal(signal.SIGINT) is before


def read_of_a_silent_server():
    ours, _theirs = socket.socketpair()
    ours.settimeout(20.0)
    with ours.makefile("rb") as file:
        file.readline()


@pytest.mark.parametrize("wait", [lambda: pause(20.0), read_of_a_silent_server])
def test_a_wait_ends_at_once(wait):
    presses = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with heeded_interrupts():
        presses.start()
        with pytest.raises(KeyboardInterrupt):
            wait()
