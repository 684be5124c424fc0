"""Ctrl-C that is not lost: Python raises it once, wherever it is, and there a library may swallow it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def remembered_interrupts() -> Generator[Callable[[], None]]:
    """Raise KeyboardInterrupt at Ctrl-C as ever, and remember it.

    Yields:
        What to call at safe points: it raises KeyboardInterrupt where Ctrl-C was pressed before and nothing came of it.
    """
    # A plain flag: an Event has a lock, which a second Ctrl-C inside its own handler would wait for without end.
    pressed = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
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
