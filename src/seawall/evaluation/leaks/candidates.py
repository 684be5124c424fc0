"""What can be judged: plain records of a function and of what it declares, as a user's file holds them.

::

    from seawall.evaluation.leaks.candidates import FeatureCandidate

    def momentum(bars):
        return bars["close"].pct_change(10)

    CANDIDATES = {"momentum": FeatureCandidate(momentum)}
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FeatureCandidate:
    """Columns computed from bars; row t may use bars up to t alone.

    Attributes:
        function: Maps a bar frame of T rows to an array, series or frame of shape (T,) or (T, F). One that takes two arguments is
            given a second frame with ``timestamp`` (opening time of a period), ``length`` (its length) and ``value``, which is
            known at the end of the period.
        warmup: Rows that are thrown away before the column is used; they are not judged.
        with_trends: Whether the function takes the second frame; told by its arguments where None.
    """

    function: Callable[..., Any]
    warmup: int = 0
    with_trends: bool | None = None

    @property
    def takes_trends(self) -> bool:
        """Whether the function is given the second frame."""
        if self.with_trends is not None:
            return self.with_trends
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except (TypeError, ValueError):
            return False
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return sum(each.kind in positional and each.default is inspect.Parameter.empty for each in parameters) == 2


@dataclass(frozen=True)
class LabelCandidate:
    """A label; row t may use bars up to t + `horizon`.

    Attributes:
        function: Maps a bar frame of T rows to shape (T,) or (T, F).
        horizon: Bars after t that it declares to look at.
        warmup: Rows that are thrown away; they are not judged.
    """

    function: Callable[..., Any]
    horizon: int
    warmup: int = 0


@dataclass(frozen=True)
class ScalerCandidate:
    """A scaler, encoder, imputer or reducer, which learns from the training rows alone.

    Attributes:
        function: Takes a block of shape (T, F) and the training rows as a range; returns T rows of any width. The last column
            of the block holds small whole numbers, for encoders of kinds.
    """

    function: Callable[..., Any]


@dataclass(frozen=True)
class SelectionCandidate:
    """A choice of columns, made on the training rows alone.

    Attributes:
        function: Takes a block of shape (T, F), a target of shape (T,) and the training rows as a range; returns the chosen
            columns: their numbers, or a mask of F truths.
    """

    function: Callable[..., Any]


@dataclass(frozen=True)
class SplitCandidate:
    """A split into training and test rows whose windows and rewards do not overlap.

    Attributes:
        function: Takes the number of rows, the window and the horizon; returns a list of folds, each a tuple of rows for
            training, perhaps validation, and test. The sample of row i uses rows i - window + 1 to i + horizon.
    """

    function: Callable[..., Any]


@dataclass(frozen=True)
class RewardCandidate:
    """A reward, or a profit that is reported.

    Attributes:
        function: Takes a bar frame of T rows and positions of shape (T,), each decided at the close of its bar; returns the
            reward of each bar, shape (T,).
        horizon: Bars after t that the reward of row t declares to look at; 1 is the next bar, on which the position of t is paid.
        reported: Whether it is reported as profit. A horizon above 1 is then refused: hindsight can teach, and cannot be earned.
    """

    function: Callable[..., Any]
    horizon: int = 1
    reported: bool = False


Candidate = FeatureCandidate | LabelCandidate | ScalerCandidate | SelectionCandidate | SplitCandidate | RewardCandidate
KINDS: dict[type, str] = {
    FeatureCandidate: "feature",
    LabelCandidate: "label",
    ScalerCandidate: "scaler",
    SelectionCandidate: "selection",
    SplitCandidate: "split",
    RewardCandidate: "reward",
}
