"""Settings of the accounts: money and margin, how orders are sent and filled, when positions are closed, and hours."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
from pydantic import Field, field_validator, model_validator

from seawall.core.errors import ConfigError
from seawall.core.params import Params, as_value_error
from seawall.market.hours.calendars import calendar
from seawall.market.hours.sessions import trading_window
from seawall.market.hours.specs import MarketSpec
from seawall.simulator.rewards.params import RewardParams


def checked_count(n: Any, what: str) -> int:
    """Return a number of accounts.

    Args:
        n: As it was given.
        what: Of which they are, for the message.

    Raises:
        ConfigError: It is no whole number, or below 1.
    """
    whole = isinstance(n, (int, np.integer)) and not isinstance(n, bool)
    count = int(cast("Any", n)) if whole else 0
    if count < 1:
        raise ConfigError(f"a {what} of {n!r} accounts was asked for; allowed: a whole number, at least 1")
    return count


class OrderParams(Params):
    """How orders are sent and filled."""

    latency_bars: int = Field(default=0, ge=0, le=1_000, description="Bars that an order takes to arrive, beyond the next open")
    rebalance: Literal["on_change", "every_bar", "band"] = Field(
        default="on_change",
        description="on_change trades only where the target changes; every_bar trades back to it at each open; band where the "
        "exposure has drifted by more than `band`",
    )
    band: float = Field(default=0.05, gt=0.0, le=100.0, description="Drift of the exposure that rebalance: band trades back")
    participation: float | None = Field(
        default=None, gt=0.0, le=1.0, description="Largest share of a bar's volume that an order takes; the rest waits; null: any"
    )
    lot_size: float = Field(default=0.0, ge=0.0, le=1e15, description="Quantities are multiples of it; 0: any quantity")
    tick_size: float = Field(default=0.0, ge=0.0, le=1e15, description="Prices of resting orders and stops are multiples of it")
    min_notional: float = Field(
        default=0.0, ge=0.0, le=1e15, description="Smaller orders are not sent, save those that leave the market; in quote units"
    )

    def of_market(self, spec: MarketSpec) -> OrderParams:
        """Return these settings with tick, lot and least notional of a market."""
        return self.model_copy(update={"lot_size": spec.lot_size, "tick_size": spec.tick_size, "min_notional": spec.min_notional})


class SessionParams(Params):
    """When orders may be sent, and when no position may be held. Hours are known beforehand; stops work at every bar."""

    windows: tuple[str, ...] = Field(
        default=(),
        description="Orders are filled in these windows alone, by the opening of a bar, as asia, london, newyork; none: always",
    )
    calendar: str = Field(default="24/7", description="When the market is open, by name; for weekends")
    flat: tuple[Literal["session_end", "weekend"], ...] = Field(
        default=(),
        description="Positions are closed at the last close of the windows, or before a day or more without trading",
    )

    @field_validator("windows")
    @classmethod
    def _are_windows(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        with as_value_error():
            for name in value:
                trading_window(name)
        return value

    @field_validator("calendar")
    @classmethod
    def _is_a_calendar(cls, value: str) -> str:
        with as_value_error():
            calendar(value)
        return value

    @model_validator(mode="after")
    def _flat_has_hours(self) -> SessionParams:
        if "session_end" in self.flat and not self.windows:
            raise ValueError("flat: session_end needs windows, whose end it means; allowed: some of asia, london, newyork, ...")
        if "weekend" in self.flat and self.calendar == "24/7":
            raise ValueError("flat: weekend means nothing to calendar 24/7; allowed: a calendar that closes, as fx")
        return self

    @property
    def matters(self) -> bool:
        """Whether any bar is unlike the others."""
        return bool(self.windows or self.flat)


class SimulatorParams(Params):
    """Settings of the accounts."""

    initial_equity: float = Field(
        default=10_000.0, gt=0.0, le=1e15, description="Equity at the start of an episode, in quote units"
    )
    maintenance_margin: float = Field(
        default=0.05, ge=0.0, lt=1.0, description="A position is liquidated once equity is no more than this share of its value"
    )
    max_exposure: float = Field(
        default=1.0, gt=0.0, le=100.0, description="Largest absolute target exposure, as a fraction of equity"
    )
    take_profit_bps: float = Field(
        default=0.0, ge=0.0, le=1e6, description="Distance of a take-profit from the average entry, in basis points; 0: none"
    )
    stop_loss_bps: float = Field(
        default=0.0, ge=0.0, lt=1e4, description="Distance of a stop-loss from the average entry, in basis points; 0: none"
    )
    trailing_stop_bps: float = Field(
        default=0.0,
        ge=0.0,
        lt=1e4,
        description="Distance of a stop from the best price of the bars closed since the entry, in basis points; 0: none",
    )
    max_drawdown: float = Field(
        default=1.0, gt=0.0, le=1.0, description="Loss at which the position is closed and the episode ends; 1: never"
    )
    drawdown_reference: Literal["peak", "start"] = Field(
        default="peak", description="What that loss is measured from: the highest equity, or that at the start"
    )
    close_at_end: bool = Field(default=False, description="Close the position, with its costs, at the last close of an episode")
    orders: OrderParams = Field(default=OrderParams(), description="How orders are sent and filled")
    session: SessionParams = Field(default=SessionParams(), description="When orders may be sent")
    reward: RewardParams = Field(default=RewardParams(), description="Weights of the terms of the per-bar reward")
    threads: int = Field(
        default=1,
        ge=1,
        le=1_024,
        description="Threads that share a step of 2,048 accounts or more, with the same result; they pay on idle cores only, "
        "since each step waits for the slowest",
    )

    @model_validator(mode="after")
    def _exposure_leaves_margin(self) -> SimulatorParams:
        if self.max_exposure * self.maintenance_margin >= 1.0:
            raise ValueError(
                f"max_exposure {self.max_exposure} is liquidated at once by maintenance_margin {self.maintenance_margin}; "
                "allowed: a product below 1"
            )
        return self

    @property
    def has_exits(self) -> bool:
        """Whether positions have a take-profit, a stop-loss or a trailing stop by these settings."""
        return bool(self.take_profit_bps or self.stop_loss_bps or self.trailing_stop_bps)
