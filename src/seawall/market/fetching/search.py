"""Finding the first bar of a history, which is believed only after enough answers agree that none is before it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError
from seawall.core.timeframe import Timeframe
from seawall.market.fetching.ask import Questions

_DAY = Timeframe.parse("1d")


def first_bar(questions: Questions, start_ms: int, stop_ms: int) -> int | None:
    """Return the opening time of the venue's earliest bar in a range, or None where none was found.

    A venue that answers by windows of time is searched by halving, over its daily bars first where it has some: so only a hole
    longer than a page of those can hide what lies before it.

    Args:
        questions: What to ask.
        start_ms: First moment of the range, in milliseconds.
        stop_ms: Moment that the range ends before.

    Raises:
        Disagreement: The venue gives one bar with two values.
        TransientError: The venue could not be asked.
    """
    page = questions.heard(start_ms, stop_ms)
    if len(page):
        first = _earliest_near(questions, page, start_ms)
        if not _any_before(questions, start_ms, first):
            return first
        # It gave its newest page, not its first.
        questions.answers_by_windows()
    newest = max(start_ms, stop_ms - questions.window)
    if not len(questions.heard(newest, stop_ms)):
        return None
    questions.answers_by_windows()
    low, high = _near_first_day(questions, start_ms, stop_ms)
    for at in range(low, high, questions.window) if high < stop_ms else ():
        page = questions.heard(at, min(at + questions.window, high))
        if len(page):
            return _earliest_near(questions, page, at)
    return _by_halving(questions, start_ms, newest, stop_ms)


def _any_before(questions: Questions, start_ms: int, first: int) -> bool:
    earlier = max(start_ms, first - questions.window)
    return earlier < first and len(questions.heard(earlier, first)) > 0


def _near_first_day(questions: Questions, start_ms: int, stop_ms: int) -> tuple[int, int]:
    """Return a stretch in which the first bar lies, as the venue's daily bars tell; the whole range where they do not."""
    if questions.step_ms >= _DAY.milliseconds:
        return start_ms, stop_ms
    try:
        first = first_bar(replace(questions, timeframe=_DAY), start_ms - start_ms % _DAY.milliseconds, stop_ms)
    except ConfigError:
        # The venue has no daily bars.
        return start_ms, stop_ms
    if first is None:
        return start_ms, stop_ms
    # A venue's day may begin up to a day before or after the UTC day that its bar is named by.
    return max(start_ms, first - _DAY.milliseconds), min(stop_ms, first + 2 * _DAY.milliseconds)


def _by_halving(questions: Questions, silent: int, heard: int, stop_ms: int) -> int:
    """Search between a moment from which a page's length is silent and one from which it is not."""
    window, step = questions.window, questions.step_ms
    page = questions.heard(heard, stop_ms)
    found = page if len(page) else questions.known(heard, stop_ms)
    while heard - silent > window:
        middle = (silent + heard) // 2
        # Whole bars before one that is known: a part of a bar at a range's end could be evaded, with the first bar in it.
        middle -= (middle - int(timestamps_ms(found)[0])) % step
        middle += step if middle <= silent else 0
        page = questions.heard(middle, min(middle + window, stop_ms))
        silent, heard, found = (silent, middle, page) if len(page) else (middle, heard, found)
    return _with_what_is_before(questions, _earliest_near(questions, found, heard), silent)


def _with_what_is_before(questions: Questions, first: int, start_ms: int) -> int:
    """Go on from a bar to earlier ones, a page's length at a time: newest bars in an answer's range pass for its first ones."""
    while (earlier := max(start_ms, first - questions.window)) < first:
        page = questions.heard(earlier, first)
        if not len(page):
            break
        first = _earliest_near(questions, page, earlier)
    return first


def _earliest_near(questions: Questions, page: pd.DataFrame, start_ms: int) -> int:
    """Return the opening time of the first bar from a moment on, of which a page tells."""
    first = int(timestamps_ms(page)[0])
    agreed, faulty = 1, 0
    while agreed < questions.answers:
        times = timestamps_ms(questions.page(start_ms, first + questions.step_ms))
        if not len(times):
            faulty += 1
            if questions.evaded and faulty == questions.answers:
                start_ms = _answered_from(questions, start_ms, first)
            questions.refuse_silence(faulty, first)
        elif times[0] < first:
            first, agreed = int(times[0]), 1
        else:
            agreed += 1
    return first


def _answered_from(questions: Questions, evaded: int, first: int) -> int:
    """Return the earliest moment, by whole bars before one that is known, from which a venue answers that evades an earlier one."""
    low, high = 0, (first - evaded) // questions.step_ms + 1
    while high - low > 1:
        middle = (low + high) // 2
        page = questions.heard_from(first - middle * questions.step_ms, first + questions.step_ms)
        low, high = (middle, high) if len(page) else (low, middle)
    return first - low * questions.step_ms
