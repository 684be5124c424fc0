"""A process that ends, as by a power cut, at a chosen call that changes the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

ENDED = 99
_CHANGING = ("replace", "rename", "fsync", "unlink", "rmdir", "mkdir", "chmod")


def run_until_killed(work: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> int:
    """Run work in a process of its own that ends without a word before its call number `calls`, from 0, that changes the disk.

    Returns:
        The exit status: `ENDED` where it was killed, 0 where the work was done before.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(
        ["fakes.killed", "fakes.sources", "seawall.market.fetching.fetch", "tenacity", "pyarrow.parquet"]
    )
    process = context.Process(target=_killed, args=(work, arguments, calls))
    process.start()
    process.join(60)
    status = process.exitcode
    process.close()
    assert status is not None
    return status


def _killed(work: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> None:
    left = [calls]
    for name in _CHANGING:
        setattr(os, name, _counting(getattr(os, name), left))
    work(*arguments)


def _counting(function: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def counted(*arguments: Any, **options: Any) -> Any:
        if not left[0]:
            os._exit(ENDED)
        left[0] -= 1
        return function(*arguments, **options)

    return counted
