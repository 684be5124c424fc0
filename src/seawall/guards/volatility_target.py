"""A ceiling on exposure by the volatility of the last bars, and hours too wild or too still to open anything."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.measures import YEAR_MS, bar_volatility
from seawall.guards.risk import answer, capped, vetoed
from seawall.guards.rule import Rule
from seawall.guards.steps import SteppedParams


class VolatilityTargetParams(SteppedParams):
    """Settings of sizing and filter."""

    target: float = Field(default=0.5, gt=0.0, le=100.0, description="Wanted volatility of the account a year, 0.5 for 50 %")
    lookback: int = Field(default=48, ge=2, le=4_096, description="Bars from which the market's volatility is measured")
    bars_per_year: float | None = Field(
        default=None, gt=0.0, description="Bars that a year has; as for a market that never closes where null"
    )
    highest: float | None = Field(default=None, gt=0.0, description="Volatility a year above which nothing is opened; null: none")
    lowest: float | None = Field(default=None, ge=0.0, description="Volatility a year below which nothing is opened; null: none")

    @model_validator(mode="after")
    def _some_volatility_is_allowed(self) -> VolatilityTargetParams:
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError(f"lowest {self.lowest} is not below highest {self.highest}: nothing would ever be opened")
        return self


class VolatilityTarget(Rule[VolatilityTargetParams]):
    """Allows no more than target / volatility, and opens nothing where the volatility lies outside of the filter or is unknown.

    A policy that asks for full exposure is so sized; one that asks for less is left alone. HOLD asks for the target in force: a
    position that was cut grows again only when the policy asks anew.
    """

    name = "volatility_target"
    reasons = (
        "larger than the volatility allows",
        "the volatility is outside of the filter",
        "too few bars to know the volatility",
    )

    @property
    def lookback(self) -> int:
        """Rows of past bars that are read."""
        return self.params.lookback + 1

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Size and filter; see `core.protocols.Guard`."""
        params = self.params
        per_year = YEAR_MS / context.bars.bar_ms if params.bars_per_year is None else params.bars_per_year
        volatility = bar_volatility(context.bars, params.lookback) * np.sqrt(per_year)
        unknown = np.isnan(volatility)
        known = np.where(unknown, 1.0, np.maximum(volatility, 1e-12))
        outside = (known > (np.inf if params.highest is None else params.highest)) | (known < (params.lowest or 0.0))
        sized = np.where(unknown, proposed, capped(proposed, params.stepped(params.target / known)))
        allowed = vetoed(current, sized, outside | unknown)
        code = np.where(unknown, 3, np.where(outside & (allowed != sized), 2, 1))
        return answer(proposed, allowed, code, state)
