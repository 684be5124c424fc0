"""A ceiling on exposure, for both sides or each."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer
from seawall.guards.rule import GuardParams, Rule


class MaxExposureParams(GuardParams):
    """Settings of the ceiling."""

    limit: float = Field(default=1.0, gt=0.0, le=100.0, description="Largest absolute target exposure, as a fraction of equity")
    long: float | None = Field(default=None, ge=0.0, le=100.0, description="Largest long one; `limit` where null")
    short: float | None = Field(default=None, ge=0.0, le=100.0, description="Largest short one; `limit` where null")

    @model_validator(mode="after")
    def _something_is_allowed(self) -> MaxExposureParams:
        if self.long == 0.0 and self.short == 0.0:
            raise ValueError(
                "long 0 and short 0 never trade; allowed: one of them above 0, or guard kill_switch with engaged: true"
            )
        return self

    @property
    def sides(self) -> tuple[float, float]:
        """Largest long and largest short exposure."""
        return self.limit if self.long is None else self.long, self.limit if self.short is None else self.short


class MaxExposure(Rule[MaxExposureParams]):
    """Cuts target exposures to a ceiling.

    It limits what is ordered. A position whose value drifts above the ceiling by its own gains is left as it is, unless
    `simulator.orders.rebalance` trades it back.
    """

    name = "max_exposure"
    reasons = ("exposure above the ceiling",)

    def apply(self, _current: np.ndarray, proposed: np.ndarray, _context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Cut what is too large; see `core.protocols.Guard`."""
        long, short = self.params.sides
        return answer(proposed, np.clip(proposed, -short, long) + 0.0, 1, state)
