"""Opens nothing where the seeds of an ensemble do not agree."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer, vetoed
from seawall.guards.rule import GuardParams, Rule


class DisagreementParams(GuardParams):
    """Settings of the guard."""

    agreement: float = Field(
        default=0.8, gt=0.0, le=1.0, description="Share of the members that must want a position on the side that is proposed"
    )


class Disagreement(Rule[DisagreementParams]):
    """Takes no new risk on a side that too few members of the ensemble want to be on.

    A member that would hold wants what is in force. A policy without members, as a single seed while it trains, or a rule, always
    agrees with itself: the guard is silent there.
    """

    name = "disagreement"
    reasons = ("the members of the ensemble disagree",)

    @property
    def reads_votes(self) -> bool:
        """It does."""
        return True

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Count the votes; see `core.protocols.Guard`."""
        if context.votes is None:
            return answer(proposed, proposed, 0, state)
        agree = np.count_nonzero(np.sign(context.votes) == np.sign(proposed)[:, None], axis=1)
        # 0.6 of 5 members is 3.
        few = agree < self.params.agreement * context.votes.shape[1] - 1e-9
        return answer(proposed, vetoed(current, proposed, few & (proposed != 0.0)), 1, state)
