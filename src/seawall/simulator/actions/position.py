"""The scheme of target positions: each action names an exposure, how its order is sent, and the bracket around its entry."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.core.protocols import Intent, OrderTerms
from seawall.simulator.actions.numbering import checked_actions
from seawall.simulator.actions.scheme import ExposureScheme

_PER_BPS = 1e-4


class TargetPositionParams(Params):
    """What the actions are made of; there is one for each combination."""

    levels: tuple[float, ...] = Field(
        default=(-1.0, -0.5, 0.0, 0.5, 1.0),
        min_length=1,
        description="Exposures; those below 0 are left out without short positions",
    )
    limit_offsets_bps: tuple[float, ...] = Field(
        default=(5.0, 10.0), description="Distances of limit orders from the last close, in basis points, beside the market order"
    )
    take_profits_bps: tuple[float, ...] = Field(
        default=(15.0,), min_length=1, description="Distances of the take-profit from the entry, in basis points; 0: none"
    )
    stop_losses_bps: tuple[float, ...] = Field(
        default=(10.0,), min_length=1, description="Distances of the stop-loss from the entry, in basis points; 0: none"
    )

    @field_validator("levels")
    @classmethod
    def _levels_differ(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(value)) < len(value) or not all(abs(level) <= 100.0 for level in value):
            raise ValueError("allowed: exposures from -100 to 100, each once")
        return value

    @field_validator("limit_offsets_bps", "take_profits_bps", "stop_losses_bps")
    @classmethod
    def _distances(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(value)) < len(value) or not all(0.0 <= distance < 1e4 for distance in value):
            raise ValueError("allowed: basis points from 0 to below 10000, each once")
        return value

    @field_validator("limit_offsets_bps")
    @classmethod
    def _rests_somewhere(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if 0.0 in value:
            raise ValueError("allowed: more than 0; the market order is there already")
        return value


class TargetPosition(ExposureScheme):
    """One action for each exposure, market or limit order, take-profit and stop-loss: 15 by default.

    An action that asks for the target in force sends no order: what rests keeps resting, and the bracket of the entry stays.
    """

    def __init__(self, short: bool, params: TargetPositionParams | None = None) -> None:
        """Number the combinations, exposures first.

        Args:
            short: Whether exposures below 0 are among them.
            params: What the actions are made of.

        Raises:
            ConfigError: No exposure is left.
        """
        chosen = params if params is not None else TargetPositionParams()
        levels = tuple(level for level in chosen.levels if short or level >= 0.0)
        if not levels:
            raise ConfigError(
                f"levels of action scheme 'target_position' are {list(chosen.levels)}, none of which is left without short "
                "positions; allowed: at least one of 0 or more, or short positions"
            )
        parts = list(product(levels, (0.0, *chosen.limit_offsets_bps), chosen.take_profits_bps, chosen.stop_losses_bps))
        super().__init__("target_position", tuple(_name(*part) for part in parts), short)
        self._params = chosen
        self._levels = tuple(sorted(levels))
        table = np.array(parts).reshape(len(parts), 4)
        self._targets = table[:, 0]
        self._terms = OrderTerms(*(table[:, column] * _PER_BPS for column in (1, 2, 3)))

    @property
    def carries_terms(self) -> bool:
        """Whether orders have a limit, a take-profit and a stop-loss of their own: they do."""
        return True

    @property
    def levels(self) -> tuple[float, ...]:
        """The exposures, ascending."""
        return self._levels

    def intent(self, actions: np.ndarray, current: np.ndarray) -> Intent:
        """Translate actions.

        Args:
            actions: Index of the combination, shape (N,).
            current: Target exposure now in force, float64, shape (N,).

        Raises:
            InvariantError: An action is not a whole number or not the index of a combination.
        """
        given = checked_actions(actions, len(current), self._names, self._name)
        target = self._targets[given]
        terms = OrderTerms(*(part[given] for part in self._terms))
        return Intent(target, np.sign(target - current).astype(np.int8), terms=terms)

    def spec(self) -> dict[str, Any]:
        """Return what is saved with a model and compared when it is loaded."""
        return {**super().spec(), **self._params.model_dump(mode="json")}


def _name(level: float, limit: float, take_profit: float, stop_loss: float) -> str:
    order = "market" if limit == 0.0 else f"limit {limit:g}"
    return f"{level:+g} {order} tp {take_profit:g} sl {stop_loss:g}"
