"""Settings of a reward: weights, the terms' own settings, and the published systems' rewards by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import Field, field_validator, model_validator

from seawall.simulator.rewards.settings import TermSettings
from seawall.simulator.rewards.terms import REWARD_TERMS

REWARD_PRESETS: dict[str, dict[str, Any]] = {
    "log_return": {"weights": {"log_return": 1.0}},
    "ichimoku": {"weights": {"log_return": 1.0, "idle": 1e-4}, "idle_bars": 0},
    "ichimoku_table": {"weights": {"action_table": 1.0, "ruin": 10.0}},
    "long_short": {
        "weights": {
            "simple_return": 1.0, "drawdown": 0.5, "windowed_sharpe": 0.5, "fee": 2.0, "benchmark_excess": 0.5, "trade_entry": 0.0,
            "idle": 0.1, "profit_bonus": 0.5,
        },
    },
    "two_stage": {
        "weights": {"log_return": 1.0, "drawdown_growth": 0.1, "turnover": 1e-4, "holding": 2e-5, "volatility": 1e-3},
        "clip": 0.05,
    },
    "market_order": {"weights": {"log_return": 1.0}},
    "smurf": {"weights": {"log_return": 1.0, "fee": 3.0 / 7.0, "hold_decision": 0.275}},
    "hindsight_exit": {"weights": {"hindsight_exit": 1.0}},
    "smurf_exit": {"weights": {"hindsight_exit": 1.0}, "hindsight_fee": 0.01, "hindsight_hold": 0.0055},
    "hindsight_market": {"weights": {"hindsight_exit": 1.0}},
    "hindsight_limit": {"weights": {"hindsight_exit_limit": 1.0}},
    "smurf_limit": {"weights": {"hindsight_exit_limit": 1.0}, "hindsight_fee": 0.01, "hindsight_hold": 0.0055},
}  # fmt: skip
"""Rewards of the published systems. Those with a term named legacy or hindsight are for comparison only."""


class RewardParams(TermSettings):
    """The weights of a reward, and the settings of its terms."""

    preset: str | None = Field(
        default=None, description="A published reward to start from; what is said beside it replaces its part"
    )
    weights: dict[str, float] = Field(
        default={"log_return": 1.0}, min_length=1, description="Weight of each named term; the reward is their weighted sum"
    )
    scale: float = Field(default=1.0, gt=0.0, le=1e6, description="Factor on the whole reward")
    clip: float | None = Field(default=None, gt=0.0, le=1e9, description="Largest size of the reward, after the factor; null: none")

    @model_validator(mode="before")
    @classmethod
    def _start_from_preset(cls, values: Any) -> Any:
        given: Mapping[str, Any] = cast("Mapping[str, Any]", values) if isinstance(values, Mapping) else {}
        name = given.get("preset")
        if name is None:
            return cast("Any", values)
        if not isinstance(name, str) or name not in REWARD_PRESETS:
            raise ValueError(f"preset is {name!r}; allowed: {', '.join(REWARD_PRESETS)}")
        preset = REWARD_PRESETS[name]
        own: Any = given.get("weights") or {}
        if not isinstance(own, Mapping):
            return cast("Any", {**preset, **given})
        weights: dict[str, float] = {**preset["weights"], **cast("Mapping[str, float]", own)}
        return cast("Any", {**preset, **given, "weights": weights})

    @field_validator("weights")
    @classmethod
    def _known_terms(cls, weights: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(weights) - set(REWARD_TERMS))
        if unknown:
            raise ValueError(f"unknown reward terms {unknown}; allowed: {sorted(REWARD_TERMS)}")
        return weights

    @property
    def horizon(self) -> int:
        """Bars that the longest-looking term needs after the mark."""
        return max(REWARD_TERMS[name].looks_ahead(self) for name in self.weights)
