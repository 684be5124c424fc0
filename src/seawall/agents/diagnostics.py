"""What an environment tells of its accounts, for the diagnostics of an update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Told = Callable[[], Mapping[str, float]]


def told_by(env: Any) -> Told:
    """Ask an environment to count what its accounts do; return what tells it, since the time before.

    Args:
        env: One that has `watch` and `diagnostics`, as `TradingVectorEnv`; of others nothing is told.
    """
    if not hasattr(env, "watch"):
        return dict[str, float]
    env.watch()
    return env.diagnostics
