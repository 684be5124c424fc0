"""A ceiling on how often the target changes."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer, vetoed
from seawall.guards.rule import GuardParams, Rule

_UNSEEN = 1e9


class OrderRateParams(GuardParams):
    """Settings of the ceiling."""

    max_orders: int = Field(default=4, ge=1, le=64, description="Orders in `per_bars` decisions after which nothing is added")
    per_bars: int = Field(default=24, ge=2, le=100_000, description="Decisions that are counted, the one at hand included")

    @model_validator(mode="after")
    def _limits_something(self) -> OrderRateParams:
        if self.max_orders >= self.per_bars:
            raise ValueError(
                f"max_orders {self.max_orders} in per_bars {self.per_bars} limits nothing: there is one order a bar at most; "
                "allowed: max_orders below per_bars"
            )
        return self


class OrderRate(Rule[OrderRateParams]):
    """Adds no risk once the target has changed too often of late.

    Orders are counted by what is in force at the next decision, whoever changed it: policy, guard or stop. What cuts risk always
    passes, and counts.
    """

    name = "order_rate"
    reasons = ("too many orders of late",)

    def __init__(self, params: OrderRateParams) -> None:
        """Take the settings."""
        super().__init__(params)
        ages = tuple(f"order_{number}_age" for number in range(params.max_orders, 0, -1))
        self.state_names = (*ages, "target")
        self.start = (*(float(params.per_bars) for _ in ages), _UNSEEN)
        self.hidden = self.state_names

    def apply(self, current: np.ndarray, proposed: np.ndarray, _context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Count and refuse; see `core.protocols.Guard`."""
        ages, target = state[:, :-1], state[:, -1]
        older = np.minimum(ages + 1.0, float(self.params.per_bars))
        ordered = (target != _UNSEEN) & (target != current)
        newest = np.concatenate([older[:, 1:], np.ones((len(state), 1))], axis=1)
        ages = np.where(ordered[:, None], newest, older)
        busy = ages[:, 0] < self.params.per_bars
        after = np.concatenate([ages, current[:, None]], axis=1)
        return answer(proposed, vetoed(current, proposed, busy), 1, after)
