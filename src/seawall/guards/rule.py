"""What most guards have in common: settings, a first state, and what they declare."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from pydantic import Field

from seawall.core.params import Params
from seawall.core.protocols import GuardDeclaration, OnFailure


class GuardParams(Params):
    """Settings that every guard has."""

    on_failure: OnFailure = Field(
        default="hold",
        description="What happens where the guard raises: hold takes no new exposure, flat takes none at all, halt stops the run",
    )


P = TypeVar("P", bound=GuardParams)


class Rule(Generic[P]):
    """Base of guards whose state is a few numbers.

    Attributes:
        params: The settings.
        state_names: Names of the K state columns.
        start: Their values at the start of an episode.
        hidden: Those that no policy is shown.
        may_block_exit: Whether the guard may keep risk that the policy wanted to cut.
        commutes: Whether it may change places with other guards that declare this.
    """

    state_names: tuple[str, ...] = ()
    start: tuple[float, ...] = ()
    hidden: tuple[str, ...] = ()
    may_block_exit: bool = False
    commutes: bool = True

    def __init__(self, params: P) -> None:
        """Take the settings."""
        self.params = params

    @property
    def lookback(self) -> int:
        """Rows of past bars that the guard reads, the one just closed included."""
        return 0

    @property
    def reads_votes(self) -> bool:
        """Whether the guard reads the votes of an ensemble's members."""
        return False

    @property
    def declares(self) -> GuardDeclaration:
        """What the guard says of itself."""
        return GuardDeclaration(self.commutes, self.lookback, self.reads_votes, self.hidden, self.params.on_failure)

    def initial_state(self, n: int) -> np.ndarray:
        """Return the state at the start of an episode for n accounts, float64, shape (n, K)."""
        return np.tile(np.array(self.start, dtype=np.float64), (n, 1))
