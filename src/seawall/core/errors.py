"""Errors, arranged by what to do next.

Every message names the thing, its value and what is allowed. The command line turns each error into one
line on standard error and the error's exit code.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path
from typing import ClassVar, Literal


class SeawallError(Exception):
    """Base of every error that Seawall raises on purpose."""

    exit_code: ClassVar[int] = 1


class ConfigError(SeawallError):
    """A setting or argument is wrong: fix it and run again."""

    exit_code = 2


class DataError(SeawallError):
    """The data, a file or the disk cannot be used as it is: refused."""

    exit_code = 2


FailureKind = Literal["timeout", "network", "server", "rate_limit", "banned", "malformed"]


class TransientError(SeawallError):
    """A venue or a network failed for now: try again.

    Attributes:
        kind: What failed; how long to wait before the next try depends on it.
        retry_after: Seconds that the venue asked to be left alone, or None where it named none.
    """

    def __init__(self, message: str, *, kind: FailureKind = "network", retry_after: float | None = None) -> None:
        """Say what failed."""
        super().__init__(message)
        self.kind: FailureKind = kind
        self.retry_after = retry_after


class GuardVeto(SeawallError):
    """A guard refused to go on: hold."""


class InvariantError(SeawallError):
    """Something that can never be true was seen: stop."""


_DISK_FULL = {ENOSPC, EDQUOT, EFBIG}
# NumPy reports a short write without its cause, and safetensors only tells the cause's number.
_SHORT_WRITE = re.compile(rf"\d+ requested and \d+ written|os error ({'|'.join(map(str, _DISK_FULL))})\b")


def is_disk_full(error: Exception) -> bool:
    """Say whether an error means that no room is left for the file."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _DISK_FULL
    return _SHORT_WRITE.search(str(error)) is not None


@contextmanager
def disk_errors(path: Path) -> Generator[None]:
    """Translate a full disk or a refused write into a `DataError` that names the path.

    Args:
        path: The file or folder being written.

    Raises:
        DataError: The disk is full, or the path may not be written.
    """
    try:
        yield
    except SeawallError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise DataError(f"no room left to write {path}; nothing was kept of it: free some space and run again") from error
        if isinstance(error, (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError, FileNotFoundError)):
            raise DataError(f"cannot write {path}: {error.strerror}") from error
        raise
