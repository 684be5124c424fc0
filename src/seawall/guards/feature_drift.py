"""Stands aside where the inputs lie outside of what the training rows showed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.protocols import GuardContext, GuardFacts, GuardVerdict
from seawall.guards.risk import answer, vetoed
from seawall.guards.rule import GuardParams, Rule


class FeatureDriftParams(GuardParams):
    """Settings of the guard."""

    margin: float = Field(
        default=0.25, ge=0.0, le=100.0, description="How far beyond the training range a feature may lie, as a share of that range"
    )
    max_outside: int = Field(default=0, ge=0, le=100_000, description="Features that may lie farther outside than that")
    action: Literal["hold", "flat"] = Field(default="hold", description="hold opens nothing, flat also closes what is held")


class FeatureDrift(Rule[FeatureDriftParams]):
    """Compares the scaled features of the bar just closed with their range in the training rows.

    The range is part of the scaler, and so of the bundle. Scaled features are clipped, so a range that fills what the clip leaves
    has no outside. A feature that is no number counts as outside.
    """

    name = "feature_drift"
    reasons = ("inputs lie outside of the training range",)

    def __init__(self, params: FeatureDriftParams, facts: GuardFacts | None = None) -> None:
        """Take the settings, and what is known of the run.

        Raises:
            ConfigError: The run does not say what its training rows showed.
        """
        super().__init__(params)
        self._facts, self._bounds = facts, None
        if facts is not None:
            if facts.feature_range is None:
                raise ConfigError(
                    "guard 'feature_drift' needs the range of the features in the training rows, which this run's scaler was saved "
                    "without; train it anew, or remove the guard with guards.feature_drift=null"
                )
            low, high = facts.feature_range
            room = params.margin * (high - low)
            self._bounds = (low - room, high + room)

    def informed(self, facts: GuardFacts) -> FeatureDrift:
        """Return this guard with what is known of the run.

        Raises:
            ConfigError: The run does not say what its training rows showed.
        """
        return FeatureDrift(self.params, facts)

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Compare; see `core.protocols.Guard`.

        Raises:
            InvariantError: The guard was not told the training range, or the features are others.
        """
        if self._facts is None or self._bounds is None or context.bars.feature_names != self._facts.feature_names:
            raise InvariantError("guard 'feature_drift' was not told the training range of these features")
        seen = context.bars.features().astype(np.float64)
        low, high = self._bounds
        outside = ~((seen >= low) & (seen <= high))
        drifted = np.count_nonzero(outside, axis=1) > self.params.max_outside
        allowed = np.where(drifted, 0.0, proposed) if self.params.action == "flat" else vetoed(current, proposed, drifted)
        return answer(proposed, allowed, 1, state)
