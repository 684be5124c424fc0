"""Judging any candidate by its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seawall.core.errors import ConfigError
from seawall.evaluation.leaks.candidates import (
    KINDS,
    Candidate,
    FeatureCandidate,
    LabelCandidate,
    RewardCandidate,
    ScalerCandidate,
    SelectionCandidate,
    SplitCandidate,
)
from seawall.evaluation.leaks.columns import judge_feature, judge_label
from seawall.evaluation.leaks.findings import Judgement
from seawall.evaluation.leaks.fitted import judge_scaler, judge_selection
from seawall.evaluation.leaks.rewards import judge_reward
from seawall.evaluation.leaks.splits import judge_split
from seawall.evaluation.leaks.worlds import World

_JUDGES: dict[type, Callable[[str, Any, World], Judgement]] = {
    FeatureCandidate: judge_feature,
    LabelCandidate: judge_label,
    ScalerCandidate: judge_scaler,
    SelectionCandidate: judge_selection,
    SplitCandidate: judge_split,
    RewardCandidate: judge_reward,
}


def judge(name: str, candidate: Candidate, world: World) -> Judgement:
    """Judge a candidate.

    Args:
        name: What to call it.
        candidate: A function and what it declares.
        world: Bars to judge on.

    Raises:
        ConfigError: It is no candidate.
        DataError: It declares what cannot be.
    """
    if type(candidate) not in _JUDGES:
        allowed = ", ".join(kind.__name__ for kind in KINDS)
        raise ConfigError(f"candidate {name!r} is a {type(candidate).__name__}; allowed: {allowed}")
    return _JUDGES[type(candidate)](name, candidate, world)


def judge_all(candidates: Mapping[str, Candidate], world: World, done: Callable[[], None] = lambda: None) -> list[Judgement]:
    """Judge candidates in order; `done` is called after each."""
    judgements: list[Judgement] = []
    for name, candidate in candidates.items():
        judgements.append(judge(str(name), candidate, world))
        done()
    return judgements
