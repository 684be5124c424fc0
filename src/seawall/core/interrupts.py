"""Ctrl-C that is neither lost nor ruinous.

Python raises KeyboardInterrupt between any two instructions: inside a library's ``except:`` it is lost, and between taking a lock
and the block that gives it back it leaves the lock taken, for which the library then waits without end. So it is raised here
only where the program waits for something outside it, and at points that the caller names.
"""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

# Where a client waits for the network: what is raised there is what a broken connection might raise.
_CLIENT_WAITS = {
    (file, function)
    for file in (socket.__file__, ssl.__file__)
    for function in ("create_connection", "readinto", "recv_into", "read", "do_handshake")
}


def pause(seconds: float) -> None:
    """Wait, as `time.sleep` does, where Ctrl-C ends the wait at once."""
    time.sleep(seconds)


@contextmanager
def heeded_interrupts() -> Generator[Callable[[], None]]:
    """Raise KeyboardInterrupt at Ctrl-C during a pause or a wait for the network, and else at the next safe point.

    Yields:
        What to call at safe points: it raises KeyboardInterrupt where Ctrl-C was pressed.
    """
    # A plain flag: an Event has a lock, which a second Ctrl-C inside its own handler would wait for without end.
    pressed = False

    def interrupt(_number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        if frame is not None and _waits(frame):
            raise KeyboardInterrupt

    def heed() -> None:
        if pressed:
            raise KeyboardInterrupt

    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, interrupt) if in_main_thread else None
    try:
        yield heed
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, before)


def _waits(frame: FrameType) -> bool:
    code = frame.f_code
    # urllib3 has a function of its own to connect, of the same name; httpcore reads a plain socket in its own frame.
    connects = code.co_name == "create_connection" or code.co_filename.endswith("httpcore/_backends/sync.py")
    return code is pause.__code__ or connects or (code.co_filename, code.co_name) in _CLIENT_WAITS
