"""The contracts between parts. Each part is known to the others only by these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from seawall.core.errors import InvariantError
from seawall.core.market import Market
from seawall.core.past import PastBars
from seawall.core.timeframe import Timeframe


@dataclass(frozen=True)
class Observation:
    """What a policy sees at the close of a bar, by reference.

    Attributes:
        market: The market (history, or live's growing tail) that the rows refer to.
        rows: Row of the bar that has just closed, int64, shape (N,).
        account: Account features and guard state, float32, shape (N, A).
    """

    market: Market
    rows: np.ndarray
    account: np.ndarray


VOTES = "votes"
"""Name under which an ensemble tells what each of its M members would do, in the numbering of its scheme, shape (N, M)."""


class Policy(Protocol):
    """Anything that can act: our agents, baselines, an oracle, a constant."""

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose one action for each of N environments.

        Args:
            observation: What is known at the close of the bar.
            deterministic: Take the most likely action rather than a sample.

        Returns:
            Actions, shape (N,) or (N, K), in the numbering of the policy's action scheme; and details to record,
            each an array of length N.
        """
        ...


class OrderTerms(NamedTuple):
    """What orders carry beside their target, as shares of a price, float64, shape (N,) each; 0 for none.

    Attributes:
        limit: How far from the last close an order rests: below it to buy, above it to sell. 0 trades at the open.
        take_profit: Distance of the take-profit from the average entry.
        stop_loss: Distance of the stop-loss from the average entry.
    """

    limit: np.ndarray
    take_profit: np.ndarray
    stop_loss: np.ndarray


@dataclass(frozen=True)
class Intent:
    """What the policy asked for, free of any numbering of actions.

    Attributes:
        target: Wanted exposure as a fraction of equity, float64, shape (N,). HOLD asks for the current target.
        signal: −1 sell, 0 hold, +1 buy; int8, shape (N,). Rules about repeated *actions* read this.
        illegal: Whether the action makes no sense in the position held, and so does nothing; bool, shape (N,). None where a scheme
            has no such actions.
        terms: What the orders carry; None where a scheme sends plain market orders.
    """

    target: np.ndarray
    signal: np.ndarray
    illegal: np.ndarray | None = None
    terms: OrderTerms | None = None


class ActionTable(NamedTuple):
    """What numbered actions ask for, where that depends on nothing but whether the account is flat: row 0 when it is, else row 1.

    Attributes:
        targets: Exposures, NaN for the target in force, float64, shape (2, A).
        illegal: Whether an action makes no sense there and does nothing, int64, shape (2, A).
        signals: −1 sell, 0 hold, +1 buy, or `by_change`, int8, shape (2, A).
        by_change: Stands for the sign of the change of the target.
    """

    targets: np.ndarray
    illegal: np.ndarray
    signals: np.ndarray
    by_change: int = 2


class ActionScheme(Protocol):
    """Turns a network's output into a target exposure. Named, and saved with the model."""

    @property
    def name(self) -> str:
        """The scheme's registered name."""
        ...

    @property
    def action_names(self) -> tuple[str, ...]:
        """Name of each discrete action, in its numbering; empty where actions are continuous."""
        ...

    @property
    def levels(self) -> tuple[float, ...]:
        """The exposures that the scheme can ask for, ascending."""
        ...

    @property
    def carries_terms(self) -> bool:
        """Whether its orders have a limit, a take-profit and a stop-loss of their own."""
        ...

    def action_mask(self, current: np.ndarray) -> np.ndarray:
        """Return which actions are legal.

        Args:
            current: Target exposure now in force, float64, shape (N,).

        Returns:
            bool, shape (N, number of actions).
        """
        ...

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent:
        """Translate actions.

        Args:
            actions: The policy's output, shape (N,).
            current: Target exposure now in force, float64, shape (N,).
        """
        ...

    def table(self) -> ActionTable | None:
        """Return what each action asks for, where that depends on nothing but whether the account is flat; None elsewhere."""
        ...

    def spec(self) -> dict[str, Any]:
        """Return name, numbering and levels, to be saved with a model and compared before it is used."""
        ...


class Holding(NamedTuple):
    """What N accounts hold at the close at which a decision is taken; arrays of shape (N,), to be read only.

    Attributes:
        quantity: Units held, negative when short, float64.
        entry_price: Average price at which the position was entered, float64; without meaning when flat.
        held_bars: Bars marked since the position was opened, int64; 0 when flat.
    """

    quantity: np.ndarray
    entry_price: np.ndarray
    held_bars: np.ndarray


@dataclass(frozen=True)
class GuardContext:
    """What a guard may look at, known at the close of the bar at which the decision is taken.

    Attributes:
        signal: −1 sell, 0 hold, +1 buy, as asked by the policy; int8, shape (N,).
        timestamp_ms: Opening time of the bar that has just closed, int64, shape (N,).
        equity: Marked at that close, float64, shape (N,).
        peak_equity: Highest mark so far in the episode, float64, shape (N,).
        past: Bars up to that close, with their features; read them by `bars`.
        holding: What is held at that close; read it by `position`.
        votes: Exposure that each of M members of an ensemble asks for, float64, shape (N, M). None where the policy has no members,
            or where no guard reads votes.
        wall_clock_ms: Time of day at which a live decision is taken, milliseconds UTC; None over recorded bars.
        attended: Whether the decision is one of paper or live, into which an operator may step; False in training and backtests.
    """

    signal: np.ndarray
    timestamp_ms: np.ndarray
    equity: np.ndarray
    peak_equity: np.ndarray
    past: PastBars | None = None
    holding: Holding | None = None
    votes: np.ndarray | None = None
    wall_clock_ms: int | None = None
    attended: bool = False

    @property
    def bars(self) -> PastBars:
        """Bars up to the close at which the decision is taken.

        Raises:
            InvariantError: Whoever asked the guard did not tell.
        """
        if self.past is None:
            raise InvariantError("the guard was told of no bars; allowed: a context with past")
        return self.past

    @property
    def position(self) -> Holding:
        """What is held at that close.

        Raises:
            InvariantError: Whoever asked the guard did not tell.
        """
        if self.holding is None:
            raise InvariantError("the guard was told of no position; allowed: a context with holding")
        return self.holding

    @property
    def closed_ms(self) -> np.ndarray:
        """Time at which the bar closed, milliseconds UTC, int64, shape (N,): the moment of the decision over recorded bars."""
        return self.timestamp_ms + self.bars.bar_ms


@dataclass(frozen=True)
class GuardVerdict:
    """A guard's answer.

    Attributes:
        allowed: Exposure that may be taken, float64, shape (N,): between proposal and current, or proposal and zero.
        reason: 0 where the guard did not intervene, else 1 + index into its `reasons`; int8, shape (N,). A signal may be
            vetoed whose exposure is in force already: that is recorded too.
        state: The guard's next state, float64, shape (N, K).
    """

    allowed: np.ndarray
    reason: np.ndarray
    state: np.ndarray


OnFailure = Literal["hold", "flat", "halt"]
"""What happens where a guard raises: no new exposure, none at all, or the run stops."""


@dataclass(frozen=True)
class GuardDeclaration:
    """What a guard says of itself beside its verdicts. A guard without the attribute ``declares`` declares these defaults.

    Attributes:
        commutes: Whether it may change places with any other guard that declares this: what both allow, and their next states, are
            then the same.
        lookback: Rows of past bars that it reads, the one just closed included; live keeps so many.
        reads_votes: Whether it reads the votes of an ensemble's members.
        hidden: State columns that no policy is shown, because their numbers are of no use to a network, as prices and times.
        on_failure: What happens where the guard raises.
    """

    commutes: bool = False
    lookback: int = 0
    reads_votes: bool = False
    hidden: tuple[str, ...] = ()
    on_failure: OnFailure = "hold"


@dataclass(frozen=True)
class GuardFacts:
    """What is known of a run when its guards are put together.

    Attributes:
        timeframe: Length of a bar.
        feature_names: Names of the F scaled features.
        feature_range: Lowest and highest value of each scaled feature in the training rows, float64, shape (2, F); None where the
            run does not say.
    """

    timeframe: Timeframe
    feature_names: tuple[str, ...]
    feature_range: np.ndarray | None


@runtime_checkable
class Guard(Protocol):
    """A rule that may only veto or reduce. One object serves training, backtest and live.

    What it remembers of an account is in that account's state and nowhere else. It may also have an attribute ``declares``, a
    `GuardDeclaration`.
    """

    @property
    def name(self) -> str:
        """The guard's registered name."""
        ...

    @property
    def may_block_exit(self) -> bool:
        """Whether the guard may keep risk that the policy wanted to cut."""
        ...

    @property
    def reasons(self) -> tuple[str, ...]:
        """What each non-zero reason code means, in plain words."""
        ...

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the K state columns, which the policy sees as part of its account row, save for those declared hidden."""
        ...

    def initial_state(self, n: int) -> np.ndarray:
        """Return the state at the start of an episode for n environments, float64, shape (n, K)."""
        ...

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray, /) -> GuardVerdict:
        """Judge proposals of N environments.

        Args:
            current: Target exposure now in force, float64, shape (N,).
            proposed: Exposure that the policy, or the guard before, asks for, float64, shape (N,).
            context: What else is known at this close.
            state: State as last returned, shape (N, K).
        """
        ...


@dataclass(frozen=True)
class FeatureSet:
    """A pure function of bars to named columns, with what it needs and how long it takes to warm up.

    Attributes:
        name: Registered name.
        columns: Names of the float columns, in order.
        warmup: Bars before the first whose values no earlier bar can change.
        requires: Optional raw columns that must be present beside open, high, low, close and volume.
        compute: Maps a bar frame of T rows to a float64 block of shape (T, F); NaN only in the warm-up. Row t uses
            rows up to t alone, and its value is known at the close of bar t.
        settings: What the columns were made with beyond their names, plain values; a model must agree on it.
        lookahead: Bars of the future that a legacy column looks at; 0 for all others. Its value is then not known at the close.
        own: Columns that are passed as the bars' file has them; unlike raw amounts they may be negative.
        windowed: Whether the last ``warmup + 1`` bars alone decide a row to the bit. False where something is carried on from bar
            to bar, as in an exponential mean, whose last bits depend on where it was started.
    """

    name: str
    columns: tuple[str, ...]
    warmup: int
    requires: tuple[str, ...]
    compute: Any = field(repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lookahead: int = 0
    own: tuple[str, ...] = ()
    windowed: bool = False

    def __call__(self, bars: pd.DataFrame) -> np.ndarray:
        """Compute the columns on exactly these bars."""
        return self.compute(bars)

    def warmup_on(self, _timeframe: Timeframe) -> int:
        """Return the warm-up in bars of a length; sets that also read longer bars need more of the shorter ones."""
        return self.warmup
