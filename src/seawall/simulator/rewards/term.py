"""What a reward term is: a compiled one by its code, or a function of the bar just marked, with or without a memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seawall.simulator.rewards.bar import BarView
from seawall.simulator.rewards.settings import TermSettings

if TYPE_CHECKING:
    from seawall.core.market import Market

TermFunction = Callable[[BarView], np.ndarray]


class TermState(Protocol):
    """A term that remembers: one object serves N accounts."""

    def __call__(self, bar: BarView) -> np.ndarray:
        """Return the term of the bar just marked, float64, shape (N,), and remember what the next one needs."""
        ...

    def reset(self, accounts: np.ndarray) -> None:
        """Forget what is known of some accounts, at the start of an episode; int64, shape (K,)."""
        ...

    def blocks(self) -> Mapping[str, np.ndarray]:
        """Return the arrays that it remembers by, for a saved state; they are written to when it is loaded."""
        ...


@dataclass(frozen=True)
class _Forgetful:
    """A function of the bar alone."""

    function: TermFunction
    nothing: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    def __call__(self, bar: BarView) -> np.ndarray:
        return self.function(bar)

    def reset(self, accounts: np.ndarray) -> None:
        """Nothing is remembered."""

    def blocks(self) -> Mapping[str, np.ndarray]:
        return self.nothing


StateBuilder = Callable[["TermSettings", "Market", int], TermState]


@dataclass(frozen=True)
class RewardTerm:
    """One part of a reward, as the registry knows it.

    Attributes:
        function: Maps the bar just marked to the term, float64, shape (N,). Known at the close of that bar, but for the horizon.
            None for a term that remembers, and for a compiled one.
        meaning: What the term is, in plain words.
        horizon: Bars after the mark that the term looks at; 0 for what an account really earns. Splits purge by the longest.
        state: Builds a term that remembers, from the settings, the market and the number of accounts.
        code: Of a term that is compiled, in `rewards.layout`; None for one that is a function of arrays.
        in_round_trips: Whether its function counts round trips: each is worth what one costs for certain. Not for compiled terms.
    """

    function: TermFunction | None
    meaning: str
    horizon: int | Callable[[TermSettings], int] = 0
    state: StateBuilder | None = None
    code: int | None = None
    in_round_trips: bool = False

    def build(self, params: TermSettings, market: Market, n: int) -> TermState:
        """Return a term in Python for N accounts over a market."""
        if self.state is not None:
            return self.state(params, market, n)
        if self.function is None:
            raise TypeError("a reward term needs a function, or a state to build one")
        return _Forgetful(self.function)

    def looks_ahead(self, params: TermSettings) -> int:
        """Return the horizon under some settings."""
        return self.horizon(params) if callable(self.horizon) else self.horizon
