"""The guards that a recipe can name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.core.protocols import Guard, GuardFacts
from seawall.guards.chain import GuardChain
from seawall.guards.contradictions import refuse_contradictions
from seawall.guards.cooldown import Cooldown, CooldownParams
from seawall.guards.daily_loss import DailyLoss, DailyLossParams
from seawall.guards.disagreement import Disagreement, DisagreementParams
from seawall.guards.feature_drift import FeatureDrift, FeatureDriftParams
from seawall.guards.kelly_cap import KellyCap, KellyCapParams
from seawall.guards.kill_switch import KillSwitch, KillSwitchParams
from seawall.guards.max_drawdown import MaxDrawdown, MaxDrawdownParams
from seawall.guards.max_exposure import MaxExposure, MaxExposureParams
from seawall.guards.min_hold import MinHold, MinHoldParams
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.guards.order_rate import OrderRate, OrderRateParams
from seawall.guards.session import SessionGuard, SessionGuardParams
from seawall.guards.smurf import Smurf, SmurfParams
from seawall.guards.stale_data import StaleData, StaleDataParams
from seawall.guards.stop_loss import StopLoss, StopLossParams
from seawall.guards.trailing_stop import TrailingStop, TrailingStopParams
from seawall.guards.volatility_target import VolatilityTarget, VolatilityTargetParams


@dataclass(frozen=True)
class GuardEntry:
    """How a named guard is made.

    Attributes:
        params: Class of its settings.
        build: Makes the guard from such settings.
    """

    params: type[Params]
    build: Callable[[Any], Guard]


GUARDS: dict[str, GuardEntry] = {
    "n_consecutive": GuardEntry(NConsecutiveParams, NConsecutive),
    "smurf": GuardEntry(SmurfParams, Smurf),
    "min_hold": GuardEntry(MinHoldParams, MinHold),
    "cooldown": GuardEntry(CooldownParams, Cooldown),
    "order_rate": GuardEntry(OrderRateParams, OrderRate),
    "disagreement": GuardEntry(DisagreementParams, Disagreement),
    "feature_drift": GuardEntry(FeatureDriftParams, FeatureDrift),
    "stale_data": GuardEntry(StaleDataParams, StaleData),
    "session": GuardEntry(SessionGuardParams, SessionGuard),
    "max_exposure": GuardEntry(MaxExposureParams, MaxExposure),
    "volatility_target": GuardEntry(VolatilityTargetParams, VolatilityTarget),
    "kelly_cap": GuardEntry(KellyCapParams, KellyCap),
    "stop_loss": GuardEntry(StopLossParams, StopLoss),
    "trailing_stop": GuardEntry(TrailingStopParams, TrailingStop),
    "daily_loss": GuardEntry(DailyLossParams, DailyLoss),
    "max_drawdown": GuardEntry(MaxDrawdownParams, MaxDrawdown),
    "kill_switch": GuardEntry(KillSwitchParams, KillSwitch),
}


def guard(name: str, params: Params, facts: GuardFacts | None = None) -> Guard:
    """Return a registered guard.

    Args:
        name: One of `GUARDS`.
        params: Its settings.
        facts: What is known of the run; a guard that needs some has a method ``informed`` that returns one which knows them. Where
            None, such a guard can tell its settings and states, and fails where it is asked to judge.

    Raises:
        ConfigError: No guard has that name, the settings are another guard's, or the run lacks what the guard needs to know.
    """
    if name not in GUARDS:
        raise ConfigError(f"guard {name!r} is unknown; allowed: {sorted(GUARDS)}")
    entry = GUARDS[name]
    if not isinstance(params, entry.params):
        raise ConfigError(f"guard {name!r} was given {type(params).__name__}; allowed: {entry.params.__name__}")
    made = entry.build(params)
    informed: Callable[[GuardFacts], Guard] | None = getattr(made, "informed", None)
    return made if informed is None or facts is None else informed(facts)


def guard_chain(named: Sequence[tuple[str, Params]], facts: GuardFacts | None = None) -> GuardChain:
    """Return a chain of registered guards, in the order given; it may be empty.

    Args:
        named: Names and settings.
        facts: As for `guard`.

    Raises:
        ConfigError: As for `guard`; or two guards contradict each other, or stand in a wrong order.
    """
    guards = [guard(name, params, facts) for name, params in named]
    refuse_contradictions(guards, None if facts is None else facts.timeframe)
    return GuardChain(guards)
