"""Who may change a stored series: one writer at a time, over all processes."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from seawall.core.errors import TransientError, disk_errors
from seawall.core.files import recover_folder


class _Held(threading.local):
    """Lock files that this thread holds, each with how often."""

    def __init__(self) -> None:
        self.count: dict[Path, int] = {}


_HELD = _Held()


@contextmanager
def held_for_writing(root: Path, folder: Path, wait_seconds: float = 0.0) -> Generator[None]:
    """Hold a series; the same thread may hold it again inside.

    What writers that were killed left behind is put right first: an older folder that was moved aside comes back, and half-written
    ones are removed.

    Args:
        root: The store's root; locks lie in its folder ``.locks``.
        folder: The series.
        wait_seconds: How long to wait for another writer.

    Raises:
        TransientError: Another writer holds the series.
        DataError: The lock cannot be written.
    """
    path = (root / ".locks" / folder.relative_to(root)).absolute()
    path = path.with_name(path.name + ".lock")
    if _HELD.count.get(path, 0):
        _HELD.count[path] += 1
        try:
            yield
        finally:
            _HELD.count[path] -= 1
        return
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=wait_seconds, poll_interval=0.02)
        except Timeout:
            raise TransientError(
                f"{folder} is being written by another process; wait for it to end, then run again", kind="timeout"
            ) from None
    _HELD.count[path] = 1
    try:
        _put_right(folder)
        yield
    finally:
        del _HELD.count[path]
        lock.release()


def moved_aside(folder: Path) -> bool:
    """Say whether a series is absent because a writer is, or was killed, between the two renames of a replacement."""
    return not folder.exists() and any(folder.parent.glob(f".{folder.name}-old-*/{folder.name}"))


def _put_right(folder: Path) -> None:
    recover_folder(folder)
    for left in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
