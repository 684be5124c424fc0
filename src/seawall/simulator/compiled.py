"""Compiled functions on disk, and when they are out of date.

A compiler that keeps its work on disk notices a change of the file that a function stands in, and none of the files whose functions
and constants it was compiled with. An upgrade could so leave the old arithmetic at work, without a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numba
from filelock import FileLock
from numba.core.caching import NullCache

from seawall.core.errors import DataError
from seawall.core.files import replacing_file

_MARK = "sources"
_LONGEST_WAIT = 600.0
"""Seconds after which a process compiles for itself what another one seems to be compiling still."""


def ready_call(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Return a compiled function for arguments of the types of some, to be called without asking for the types again.

    Asking takes longer than a small step: each part of each named tuple is looked at. Types must be the same in every call. Of
    several processes that need the same at once, as those of a training's seeds do, one compiles and the others read its work.

    Args:
        function: What is decorated with numba's njit.
        arguments: Arguments such as it will be called with.

    Returns:
        The compiled function; the function as it was written where ``NUMBA_DISABLE_JIT`` leaves all of them uncompiled.
    """
    if cast("Any", numba).config.DISABLE_JIT:
        return function
    types = tuple(cast("Any", numba).typeof(argument) for argument in arguments)
    if types not in function.overloads:
        with _alone(function):
            function.compile(types)
    return function.get_overload(types)


@contextmanager
def _alone(function: Any) -> Generator[None]:
    """Keep other processes from compiling a function at the same time, where what is compiled is kept on disk."""
    folder = getattr(function._cache, "cache_path", None)
    if folder is None:
        yield
        return
    lock = FileLock(Path(folder) / f"{function.__module__}.{function.__name__}.lock", timeout=_LONGEST_WAIT)
    # Where the folder cannot be written to, or its disk knows no locks, each process compiles what it needs.
    with suppress(OSError, NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def start_threads() -> None:
    """Start the threads of compiled loops, where they do not run yet.

    Their start tells OpenMP to give every library of the process as many threads, whatever was asked for before: convolutions then
    ran on all cores, which wait for each other where cores are busy, and rounded otherwise than with the threads of the recipe.
    """
    numba.get_num_threads()


def heed_sources(*modules: ModuleType, compiled_with: tuple[ModuleType, ...] = ()) -> None:
    """Forget what is kept on disk of the compiled functions of some modules, where any of those modules has changed since.

    Args:
        modules: Modules whose functions are compiled with each other's.
        compiled_with: Further modules whose functions and constants theirs are compiled with.
    """
    state = hashlib.sha256()
    for module in (*modules, *compiled_with):
        state.update(Path(str(module.__file__)).read_bytes())
    digest = state.hexdigest()
    for module in modules:
        for function in list(vars(module).values()):
            if getattr(function, "__module__", None) == module.__name__ and hasattr(function, "py_func"):
                _heed(function, digest)


def _heed(function: Any, digest: str) -> None:
    cache = function._cache
    folder = getattr(cache, "cache_path", None)
    if folder is None:
        return
    mark = Path(folder) / f"{function.__module__}.{function.__name__}.{_MARK}"
    try:
        if mark.is_file() and mark.read_text() == digest:
            return
        cache.flush()
        with replacing_file(mark) as temporary:
            temporary.write_text(digest)
    except (OSError, DataError):
        # What cannot be brought up to date is not read either: this process compiles for itself.
        function._cache = NullCache()
