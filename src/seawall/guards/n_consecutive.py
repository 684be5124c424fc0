"""The N-consecutive rule, in both of its published readings.

Source: Kochliaridis, Kouloumpris, Vlahavas, "Combining deep reinforcement learning with technical analysis and trend
monitoring on cryptocurrency markets", Neural Computing & Applications 35 (2023). The paper executes an action once the
last N suggestions agree (`confirm`). A later design of the same system vetoes it then (`veto_repeat`), against overtrading.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from seawall.core.protocols import GuardContext, GuardDeclaration, GuardVerdict
from seawall.guards.risk import without_new_risk
from seawall.guards.rule import GuardParams

EMPTY = 2.0
"""A place in the record that no signal has filled yet; signals are −1, 0 and +1."""


class NConsecutiveParams(GuardParams):
    """Settings of the N-consecutive rule."""

    n: int = Field(default=2, ge=1, le=64, description="Length of the record of actions")
    mode: Literal["veto_repeat", "confirm"] = Field(
        default="veto_repeat",
        description="veto_repeat holds an action that equals all of the last n recorded ones; confirm executes an action only if "
        "the last n suggestions, itself included, agree",
    )
    record: Literal["suggested", "executed"] = Field(
        default="suggested",
        description="Whether the record keeps what the policy suggested or what was executed (veto_repeat only)",
    )
    exits_exempt: bool = Field(
        default=False,
        description="Whether what cuts risk passes although its action is held; the published rule holds exits too",
    )

    @model_validator(mode="after")
    def _confirm_records_suggestions(self) -> NConsecutiveParams:
        if self.mode == "confirm" and self.record == "executed":
            raise ValueError("record 'executed' with mode 'confirm' would hold for ever; allowed: record 'suggested'")
        return self


class NConsecutive:
    """Forces HOLD (the exposure in force stays) according to the last signals.

    The record starts empty at each episode. HOLD enters the record like any suggestion and is never altered. Because it
    forces HOLD on exits too, the rule declares that it may block them. With `exits_exempt` what cuts risk passes, a held reversal
    becomes flat, and the rule blocks no exit.
    """

    name = "n_consecutive"

    def __init__(self, params: NConsecutiveParams | None = None) -> None:
        """Take the settings."""
        self.params = params if params is not None else NConsecutiveParams()
        words = {"veto_repeat": "repeats the last {n} recorded actions", "confirm": "not confirmed by the last {n} suggestions"}
        self._reasons = (words[self.params.mode].format(n=self.params.n),)
        self._state_names = tuple(f"signal_{age}_ago" for age in range(self.params.n, 0, -1))

    @property
    def may_block_exit(self) -> bool:
        """Whether the rule forces HOLD on exits too."""
        return not self.params.exits_exempt

    @property
    def declares(self) -> GuardDeclaration:
        """What the rule says of itself: it may change places where it only strips new risk and records what was suggested."""
        return GuardDeclaration(
            commutes=self.params.exits_exempt and self.params.record == "suggested", on_failure=self.params.on_failure
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """What reason code 1 means."""
        return self._reasons

    @property
    def state_names(self) -> tuple[str, ...]:
        """The record, oldest signal first: −1, 0, +1, or `EMPTY`."""
        return self._state_names

    def initial_state(self, n: int) -> np.ndarray:
        """Return empty records for n accounts, float64, shape (n, K)."""
        return np.full((n, self.params.n), EMPTY)

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Hold where the rule says so.

        Args:
            current: Target exposure now in force, float64, shape (N,).
            proposed: Exposure asked for, float64, shape (N,).
            context: Its signal is the policy's suggestion.
            state: The record, shape (N, K), oldest signal first.

        Returns:
            The exposure allowed; reason 1 where a signal was held, in part or whole, also where its exposure is in force already;
            the next record.
        """
        signal, repeats = context.signal.astype(np.float64), self.params.mode == "veto_repeat"
        held = signal != 0.0
        agrees = held
        for column in range(0 if repeats else 1, self.params.n):
            agrees = agrees & (state[:, column] == signal)
        # Of two sets, one within the other, the one but not the other is where they differ.
        held = agrees if repeats else held != agrees
        if self.params.exits_exempt:
            exempt = without_new_risk(current, proposed)
            allowed = np.where(held, exempt, proposed)
            held = held & ((exempt != proposed) | (proposed == current))
        else:
            allowed = np.where(held, current, proposed)
        record = np.empty(state.shape)
        record[:, :-1] = state[:, 1:]
        record[:, -1] = signal
        if self.params.record == "executed":
            record[held & (allowed == current), -1] = 0.0
        return GuardVerdict(allowed, held.view(np.int8), record)
