"""Settings that change over a training."""

from __future__ import annotations

from typing import Literal

Schedule = Literal["constant", "linear"]
"""How a setting goes on from its value at the start: it stays, or falls to 0 at the last step."""


def share_done(steps: int, total_steps: int) -> float:
    """Return how much of a training is done, from 0 to 1."""
    return min(steps / total_steps, 1.0)


def scheduled(start: float, schedule: Schedule, done: float) -> float:
    """Return a setting as it is now.

    Args:
        start: Its value at the start.
        schedule: How it goes on.
        done: Share of the training that is done.
    """
    return start * (1.0 - done) if schedule == "linear" else start
