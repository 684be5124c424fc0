"""Asking a venue again: how long to wait by the kind of failure, and when to stop."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from seawall.core.errors import FailureKind, TransientError
from seawall.core.timeframe import iso_ms
from seawall.market.fetching.rules import Patience, machine_now_ms

if TYPE_CHECKING:
    from tenacity import RetryCallState

_Answer = TypeVar("_Answer")
# A venue that limits or bans without saying for how long is left alone for longer than one that merely failed.
_SLOWER: dict[FailureKind, float] = {"rate_limit": 5.0, "banned": 60.0}
_JITTER = 0.5


class Asker:
    """Asks a venue one question at a time, again where that may help, and never faster than the venue allows."""

    def __init__(self, patience: Patience, pause_seconds: float, on_wait: Callable[[str], None]) -> None:
        """Say how patient to be.

        Args:
            patience: How often and how slowly to ask again.
            pause_seconds: Least time between two questions.
            on_wait: Told, in one line, why and how long the next try is waited for.
        """
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        self._patience = patience
        self._pause = pause_seconds
        self._on_wait = on_wait
        self._random = random.Random(patience.seed)
        self._last = -float("inf")
        self._retrying = Retrying(
            retry=retry_if_exception(self._may_help),
            stop=stop_after_attempt(patience.tries),
            wait=self._wait,
            sleep=patience.sleep,
            before_sleep=self._tell,
            reraise=True,
        )

    def __call__(self, question: Callable[[], _Answer]) -> _Answer:
        """Ask until there is an answer.

        Raises:
            TransientError: The venue failed too often in a row, or wants to be left alone for longer than is allowed.
            ConfigError: The venue refuses the question for good; it is not asked again.
        """
        try:
            return self._retrying(lambda: self._paced(question))
        except TransientError as error:
            raise self._given_up(error) from error

    def _paced(self, question: Callable[[], _Answer]) -> _Answer:
        early = self._last + self._pause - time.monotonic()
        if early > 0:
            self._patience.sleep(early)
        self._last = time.monotonic()
        return question()

    def _may_help(self, error: BaseException) -> bool:
        return isinstance(error, TransientError) and (error.retry_after or 0.0) <= self._patience.longest_ban

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        kind: FailureKind = error.kind if isinstance(error, TransientError) else "network"
        asked = error.retry_after if isinstance(error, TransientError) else None
        # A venue that has named a wait is believed once; where that was too short, waits grow as where it names none.
        tries = state.attempt_number - (1 if asked is None else 2)
        wait = self._patience.first_wait * _SLOWER.get(kind, 1.0) * 2.0**tries if tries >= 0 else 0.0
        wait = min(wait, self._patience.longest_wait) * (1.0 + _JITTER * (2.0 * self._random.random() - 1.0))
        return wait if asked is None else max(wait, asked + self._random.random())

    def _tell(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        self._on_wait(f"{error}; try {state.attempt_number + 1} of {self._patience.tries} in {seconds:.0f} s")

    def _given_up(self, error: TransientError) -> TransientError:
        if error.retry_after is not None and error.retry_after > self._patience.longest_ban:
            until = iso_ms(machine_now_ms() + int(error.retry_after * 1_000))
            said = f"{error}; it asks to be left alone for {error.retry_after:.0f} s, until {until}"
        else:
            said = f"{error}; {self._patience.tries} tries in a row failed"
        return TransientError(said, kind=error.kind, retry_after=error.retry_after)
