"""Guards that cannot both be obeyed, refused by name when a chain is put together.

Refused is what makes a setting a lie: one guard promises what another forbids at every bar. A guard that merely never gets its
turn, as a stop that stands wider than the drawdown at which the breaker trips, is no contradiction: with less exposure it would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.protocols import Guard
from seawall.core.timeframe import Timeframe
from seawall.guards.session import SessionGuardParams

_WEEK_MS = 7 * 86_400_000


def refuse_contradictions(guards: Sequence[Guard], timeframe: Timeframe | None = None) -> None:
    """Refuse guards of which one forbids what another promises.

    Args:
        guards: The guards of a chain.
        timeframe: Length of a bar; what depends on it is not looked at where None.

    Raises:
        ConfigError: Two guards contradict each other; the message names both and their settings.
    """
    params: dict[str, Any] = {guard.name: getattr(guard, "params", None) for guard in guards}
    for first, second, conflict in _CONFLICTS:
        if first in params and second in params:
            words = conflict(params[first], params[second], timeframe)
            if words:
                raise ConfigError(f"guards {first!r} and {second!r} contradict each other: {words}")
    if "session" in params and timeframe is not None:
        _refuse_empty_session(params["session"], timeframe)


def _floor_above_ceiling(sizing: Any, ceiling: Any, _timeframe: Timeframe | None) -> str:
    highest = max(ceiling.sides)
    if sizing.floor <= highest:
        return ""
    return f"the floor {sizing.floor} is above the largest exposure allowed, {highest}; allowed: a floor of at most {highest}"


def _nothing_reduced(breaker: Any, ceiling: Any, _timeframe: Timeframe | None) -> str:
    highest = max(ceiling.sides)
    if not breaker.cooldown_bars or breaker.resume_exposure < highest:
        return ""
    return (
        f"resume_exposure {breaker.resume_exposure} is to be a smaller size, and no more than {highest} is allowed anyway; "
        f"allowed: below {highest}"
    )


def _held_beyond_session(hold: Any, session: Any, timeframe: Timeframe | None) -> str:
    if timeframe is None or session.outside != "flat":
        return ""
    longest = _longest_session_bars(session, timeframe)
    if hold.bars < longest:
        return ""
    return (
        f"a position must be held for {hold.bars} bars, and is closed at the end of a session of {longest}; allowed: fewer than "
        f"{longest} bars, or outside: hold"
    )


def _refuse_empty_session(session: SessionGuardParams, timeframe: Timeframe) -> None:
    if _longest_session_bars(session, timeframe) < (2 if session.outside == "flat" else 1):
        raise ConfigError(
            f"guard 'session' leaves no bar of {timeframe.label} to open a position at; allowed: longer windows, or shorter bars"
        )


def _longest_session_bars(session: SessionGuardParams, timeframe: Timeframe) -> int:
    """Return the most bars that close one after the other inside, over a week of bars; of a session that never ends all of them."""
    step = timeframe.milliseconds
    # Two weeks from a Monday on, so that a session over the end of a week is seen whole.
    moments = np.arange(1_704_067_200_000, 1_704_067_200_000 + 2 * _WEEK_MS, step, dtype=np.int64)
    inside = session.inside(moments)
    if inside.all():
        return 2**31
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int64), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


_CONFLICTS: tuple[tuple[str, str, Callable[[Any, Any, Timeframe | None], str]], ...] = (
    ("volatility_target", "max_exposure", _floor_above_ceiling),
    ("kelly_cap", "max_exposure", _floor_above_ceiling),
    ("max_drawdown", "max_exposure", _nothing_reduced),
    ("min_hold", "session", _held_beyond_session),
)
