"""Run one function over many tasks in processes, with progress back and a way to stop.

A task runs in a fresh process with a line of its own to the parent. Ctrl-C asks every task to stop at its next safe point
(`Channel.should_stop`), so that checkpoints are whole; a second Ctrl-C does not wait. A task also stops where its parent
is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection
from types import FrameType
from typing import Any

from seawall.core.errors import DataError, SeawallError, is_disk_full

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Channel:
    """A task's line to its parent."""

    line: Any
    stop: Any

    def send(self, message: dict[str, Any]) -> None:
        """Report progress: any small picklable mapping."""
        # Without a parent nobody listens; `should_stop` then ends the task at its next safe point.
        with suppress(BrokenPipeError):
            self.line.send(("progress", message))

    def should_stop(self) -> bool:
        """Say whether the user has asked to stop, or the parent is gone."""
        parent = multiprocessing.parent_process()
        return bool(self.stop.value) or (parent is not None and not parent.is_alive())


class Interrupted(SeawallError):
    """The user stopped the work; every task ended at a safe point."""

    exit_code = 130


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fan_out(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    *,
    workers: int,
    on_progress: Callable[[int, dict[str, Any]], None],
) -> list[Any]:
    """Call ``function(*task, channel)`` for every task, each in its own process.

    Args:
        function: A module-level function; its last argument is the `Channel`.
        tasks: Picklable arguments, one tuple a task.
        workers: How many run at once, at least 1.
        on_progress: Called in the parent with the task's number and each message it sent.

    Returns:
        The results, in the order of the tasks.

    Raises:
        Interrupted: Ctrl-C was pressed; all tasks ended at a safe point.
        SeawallError: A task failed; the first failure is raised after the others were asked to stop.
    """
    pool = _Pool(function, tasks, workers)
    with pool.catching_interrupts():
        pool.start()
        while pool.running:
            for number, kind, value in pool.receive():
                if kind == "progress":
                    on_progress(number, value)
                else:
                    pool.finish(number, kind, value)
            pool.start()
    if pool.interrupted:
        raise Interrupted("stopped by Ctrl-C")
    if pool.failure is not None:
        raise pool.failure
    return [pool.results[number] for number in range(len(tasks))]


class _Pool:
    """The processes of one `fan_out`, and what came back from them."""

    def __init__(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], workers: int) -> None:
        self.function, self.tasks, self.workers = function, tasks, workers
        self.context = multiprocessing.get_context("spawn")
        self.stop = self.context.RawValue("b", 0)
        self.waiting = list(range(len(tasks)))
        self.running: dict[int, tuple[Any, Any]] = {}
        self.results: dict[int, Any] = {}
        self.failure: BaseException | None = None
        self.interrupted = False

    @contextmanager
    def catching_interrupts(self) -> Generator[None]:
        """Turn the first Ctrl-C into a request to stop; leave no process behind, whatever happens."""
        in_main_thread = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, self._interrupt) if in_main_thread else None
        try:
            yield
        finally:
            if in_main_thread:
                signal.signal(signal.SIGINT, before)
            for process, _line in self.running.values():
                process.terminate()
                process.join()

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        self.stop.value = 1

    def start(self) -> None:
        while self.waiting and len(self.running) < self.workers and not self.stop.value:
            number = self.waiting.pop(0)
            ours, theirs = self.context.Pipe(duplex=False)
            arguments = (self.function, self.tasks[number], Channel(theirs, self.stop))
            process = self.context.Process(target=_task, args=arguments, daemon=True)
            _start_deaf_to_interrupts(process)
            theirs.close()
            self.running[number] = (process, ours)

    def receive(self) -> list[tuple[int, str, Any]]:
        """Return what came in, waiting a little for it."""
        lines = {line: number for number, (_process, line) in self.running.items()}
        messages: list[tuple[int, str, Any]] = []
        for line in connection.wait(list(lines), timeout=_POLL_SECONDS):
            number = lines[line]  # pyright: ignore[reportArgumentType]
            try:
                messages.append((number, *self.running[number][1].recv()))
            except EOFError:
                messages.append((number, "failed", self._death(number)))
        return messages

    def _death(self, number: int) -> SeawallError:
        process = self.running[number][0]
        process.join()
        hint = "; a code of -9 usually means that memory ran out" if process.exitcode == -9 else ""
        return SeawallError(f"worker {number} died with exit code {process.exitcode}{hint}")

    def finish(self, number: int, kind: str, value: Any) -> None:
        process, line = self.running.pop(number)
        process.join()
        line.close()
        if kind == "done":
            self.results[number] = value
        elif not isinstance(value, Interrupted) and self.failure is None:
            self.failure = value
            self.stop.value = 1


def _start_deaf_to_interrupts(process: Any) -> None:
    """Start a process that ignores Ctrl-C from its first instruction on; the parent alone decides."""
    if threading.current_thread() is not threading.main_thread():
        process.start()
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)


def _task(function: Callable[..., Any], arguments: tuple[Any, ...], channel: Channel) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outcome = ("done", function(*arguments, channel))
    except SeawallError as error:
        outcome = ("failed", error)
    except Exception as error:
        full = DataError(f"no room left on the disk ({error}); free some space and run again")
        outcome = ("failed", full if is_disk_full(error) else SeawallError(f"a task failed:\n{traceback.format_exc()}"))
    with suppress(BrokenPipeError):
        channel.line.send(outcome)
    channel.line.close()
