"""A ceiling on exposure by what the account has earned with its exposure so far."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer, capped, columns, state_of
from seawall.guards.rule import Rule
from seawall.guards.steps import SteppedParams


class KellyCapParams(SteppedParams):
    """Settings of the ceiling."""

    fraction: float = Field(default=0.5, gt=0.0, le=1.0, description="Share of the Kelly exposure that is allowed")
    half_life: float = Field(default=500.0, ge=1.0, le=1e6, description="Bars in a position after which a bar counts half")
    min_bars: int = Field(default=200, ge=2, le=1_000_000, description="Bars in a position before the ceiling is in force")
    floor: float = Field(
        default=0.1,
        ge=0.0,
        le=100.0,
        description="The ceiling is never below it; with 0 an account that lost may never trade again",
    )


class KellyCap(Rule[KellyCapParams]):
    """Allows no more than a share of the exposure that would have made the account grow fastest.

    For small returns that is the mean over the variance of the returns of one unit of exposure (Kelly, "A new interpretation of
    information rate", 1956; Thorp, "The Kelly criterion in blackjack, sports betting and the stock market", 2006). They are the
    account's own, costs included, in the direction that it held, older ones with less weight.
    """

    name = "kelly_cap"
    reasons = ("larger than a share of the Kelly exposure",)
    state_names = ("bars", "weight", "sum", "squares", "equity")
    start = (0.0, 0.0, 0.0, 0.0, 0.0)
    hidden = state_names

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Measure and cut; see `core.protocols.Guard`."""
        params, equity = self.params, context.equity
        bars, weight, first, second, before = columns(state)
        # The target in force was decided at the close before and held over the bar that has just closed.
        counts = (before > 0.0) & (current != 0.0)
        earned = (equity / np.where(counts, before, 1.0) - 1.0) / np.where(counts, np.abs(current), 1.0)
        fade = 0.5 ** (1.0 / params.half_life)
        bars = bars + counts
        weight = np.where(counts, fade * weight + 1.0, weight)
        first = np.where(counts, fade * first + earned, first)
        second = np.where(counts, fade * second + earned * earned, second)
        total = np.maximum(weight, 1.0)
        mean = first / total
        variance = np.maximum(second / total - mean * mean, 1e-18)
        ceiling = params.stepped(params.fraction * np.maximum(mean, 0.0) / variance)
        allowed = np.where(bars >= params.min_bars, capped(proposed, ceiling), proposed)
        return answer(proposed, allowed, 1, state_of(bars, weight, first, second, equity))
