"""Action schemes: what a network's numbers mean. Named, saved with the model, and never compared as bare integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from pydantic import ValidationError

from seawall.core.errors import ConfigError
from seawall.core.protocols import ActionTable, Intent
from seawall.simulator.actions.continuous import ContinuousScheme, continuous_target, thresholded
from seawall.simulator.actions.moves import Moves
from seawall.simulator.actions.numbering import checked_actions
from seawall.simulator.actions.position import TargetPosition, TargetPositionParams
from seawall.simulator.actions.scheme import ExposureScheme


class SellBuyHold(IntEnum):
    """Numbering of the scheme ``sell_buy_hold``."""

    SELL = 0
    BUY = 1
    HOLD = 2


class BuySellHold(IntEnum):
    """Numbering of the scheme ``buy_sell_hold``."""

    BUY = 0
    SELL = 1
    HOLD = 2


class DirectionScheme(ExposureScheme):
    """SELL, BUY and HOLD in one of the published numberings.

    SELL asks for −1 where short positions are allowed and for 0 (leave the market) where they are not; BUY asks for
    +1; HOLD keeps the target in force, so 0 is a level too.
    """

    def __init__(self, name: str, numbering: type[IntEnum], short: bool) -> None:
        """Take a numbering.

        Args:
            name: The registered name.
            numbering: An enumeration with members SELL, BUY and HOLD.
            short: Whether SELL may open a short position.
        """
        members = {member.name: int(member) for member in numbering}
        super().__init__(name, tuple(sorted(members, key=lambda key: members[key])), short)
        self._signals = np.zeros(len(members), dtype=np.int8)
        self._signals[members["BUY"]] = 1
        self._signals[members["SELL"]] = -1
        self._targets = np.zeros(len(members))
        self._targets[members["BUY"]] = 1.0
        self._targets[members["SELL"]] = -1.0 if short else 0.0
        self._hold = members["HOLD"]

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent:
        """Translate actions.

        Args:
            actions: Whole numbers in the scheme's numbering, shape (N,).
            current: Target exposure now in force, float64, shape (N,).

        Raises:
            InvariantError: An action is not a whole number or not in the numbering.
        """
        given = checked_actions(actions, len(current), self._names, self._name)
        return Intent(np.where(given == self._hold, current, self._targets[given]), self._signals[given])

    def table(self) -> ActionTable:
        """Return what each action asks for, flat or not; see `ExposureScheme.table`."""
        targets = np.where(np.arange(len(self._targets)) == self._hold, np.nan, self._targets)
        none = np.zeros((2, len(targets)), dtype=np.int64)
        return ActionTable(np.stack([targets, targets]), none, np.stack([self._signals, self._signals]))


class TargetExposure(ExposureScheme):
    """One action per exposure: −1, 0, +1, or 0, +1 where short positions are not allowed.

    The signal is the sign of the change asked for, so that asking for the target in force counts as HOLD.
    """

    def __init__(self, short: bool) -> None:
        """Take the levels.

        Args:
            short: Whether −1 is one of them.
        """
        super().__init__("target_exposure", ("SHORT", "FLAT", "LONG") if short else ("FLAT", "LONG"), short)
        self._targets = np.array(self.levels)

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent:
        """Translate actions.

        Args:
            actions: Index of the wanted level, shape (N,).
            current: Target exposure now in force, float64, shape (N,).

        Raises:
            InvariantError: An action is not a whole number or not the index of a level.
        """
        target = self._targets[checked_actions(actions, len(current), self._names, self._name)]
        return Intent(target, np.sign(target - current).astype(np.int8))

    def table(self) -> ActionTable:
        """Return what each action asks for, flat or not; see `ExposureScheme.table`."""
        none = np.zeros((2, len(self._targets)), dtype=np.int64)
        return ActionTable(np.stack([self._targets, self._targets]), none, np.full(none.shape, 2, dtype=np.int8))


Scheme = DirectionScheme | TargetExposure | Moves | ContinuousScheme | TargetPosition

ACTION_SCHEMES: dict[str, Callable[[bool], Scheme]] = {
    "sell_buy_hold": lambda short: DirectionScheme("sell_buy_hold", SellBuyHold, short),
    "buy_sell_hold": lambda short: DirectionScheme("buy_sell_hold", BuySellHold, short),
    "target_exposure": TargetExposure,
    "hold_long_short_close": Moves,
    "target_position": TargetPosition,
    "thresholded": lambda short: ContinuousScheme("thresholded", thresholded, short),
    "continuous_target": lambda short: ContinuousScheme("continuous_target", continuous_target, short),
}


def action_scheme(name: str, short: bool, options: Mapping[str, Any] | None = None) -> Scheme:
    """Return a registered scheme.

    Args:
        name: One of `ACTION_SCHEMES`.
        short: Whether the account may hold short positions.
        options: Settings of the scheme, for one that has some; those of `TargetPositionParams` for ``target_position``.

    Raises:
        ConfigError: No scheme has that name, or an option is unknown or not allowed.
    """
    if name not in ACTION_SCHEMES:
        raise ConfigError(f"action scheme {name!r} is unknown; allowed: {sorted(ACTION_SCHEMES)}")
    if not options:
        return ACTION_SCHEMES[name](short)
    if name != "target_position":
        raise ConfigError(f"action scheme {name!r} has no options, and {sorted(options)} are given; allowed: none")
    try:
        return TargetPosition(short, TargetPositionParams.model_validate(dict(options)))
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(part) for part in found["loc"])
        said = found["msg"].removeprefix("Value error, ")
        known = ", ".join(TargetPositionParams.model_fields)
        raise ConfigError(f"option {place} of action scheme {name!r} is {found['input']!r}: {said}; known: {known}") from error
