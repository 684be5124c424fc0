"""Run one function over many tasks in processes, with progress back and a way to stop.

A task runs in a fresh process with one line back to the parent. Ctrl-C in the parent asks every task to stop at
its next safe point (`Channel.should_stop`), so that checkpoints are whole.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seawall.core.errors import SeawallError

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Channel:
    """A task's line to its parent."""

    task: int
    messages: Any
    stop: Any

    def send(self, message: dict[str, Any]) -> None:
        """Report progress: any small picklable mapping."""
        self.messages.put((self.task, "progress", message))

    def should_stop(self) -> bool:
        """Say whether the user has asked to stop."""
        return bool(self.stop.is_set())


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
    pool.start()
    while pool.running:
        message = pool.next_message()
        if message is None:
            continue
        number, kind, value = message
        if kind == "progress":
            on_progress(number, value)
        else:
            pool.finish(number, kind, value)
            pool.start()
    if pool.failure is not None:
        raise pool.failure
    if pool.interrupted:
        raise Interrupted("stopped by Ctrl-C")
    return [pool.results[number] for number in range(len(tasks))]


class _Pool:
    """The processes of one `fan_out`, and what came back from them."""

    def __init__(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], workers: int) -> None:
        self.function, self.tasks, self.workers = function, tasks, workers
        self.context = multiprocessing.get_context("spawn")
        self.messages, self.stop = self.context.Queue(), self.context.Event()
        self.waiting = list(range(len(tasks)))
        self.running: dict[int, Any] = {}
        self.results: dict[int, Any] = {}
        self.failure: BaseException | None = None
        self.interrupted = False

    def start(self) -> None:
        while self.waiting and len(self.running) < self.workers and not self.stop.is_set():
            number = self.waiting.pop(0)
            channel = Channel(number, self.messages, self.stop)
            process = self.context.Process(target=_task, args=(self.function, self.tasks[number], channel), daemon=True)
            process.start()
            self.running[number] = process

    def next_message(self) -> tuple[int, str, Any] | None:
        try:
            return self.messages.get(timeout=_POLL_SECONDS)
        except KeyboardInterrupt:
            self.interrupted = True
            self.stop.set()
        except queue.Empty:
            dead = next((number for number, process in self.running.items() if not process.is_alive()), None)
            if dead is not None and self.messages.empty():
                code = self.running[dead].exitcode
                return (
                    dead,
                    "failed",
                    SeawallError(f"worker {dead} died with exit code {code}; a code of -9 usually means no memory"),
                )
        return None

    def finish(self, number: int, kind: str, value: Any) -> None:
        self.running.pop(number).join()
        if kind == "done":
            self.results[number] = value
        elif kind == "failed" and not isinstance(value, Interrupted) and self.failure is None:
            self.failure = value
            self.stop.set()


def _task(function: Callable[..., Any], arguments: tuple[Any, ...], channel: Channel) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outcome = (channel.task, "done", function(*arguments, channel))
    except SeawallError as error:
        outcome = (channel.task, "failed", error)
    except Exception:
        outcome = (channel.task, "failed", SeawallError(f"task {channel.task} failed:\n{traceback.format_exc()}"))
    channel.messages.put(outcome)
    channel.messages.close()
    channel.messages.join_thread()
