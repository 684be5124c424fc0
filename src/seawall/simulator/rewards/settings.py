"""What the terms of a reward can be told."""

from __future__ import annotations

from pydantic import Field

from seawall.core.params import Params


class TermSettings(Params):
    """Settings of single terms."""

    sharpe_window: int = Field(default=20, ge=2, le=10_000, description="Bars of windowed_sharpe and volatility")
    sharpe_rate: float = Field(default=0.01, gt=0.0, le=1.0, description="Rate at which differential_sharpe forgets")
    sharpe_warmup: int = Field(default=20, ge=2, le=1_000_000, description="Bars before differential_sharpe counts")
    sharpe_clip: float = Field(default=10.0, gt=0.0, le=1e6, description="Largest size of differential_sharpe")
    idle_bars: int = Field(default=5, ge=0, le=1_000_000, description="Idle bars in a row that cost nothing")
    hindsight_bars: int = Field(default=20, ge=1, le=10_000, description="Bars ahead that the hindsight terms look")
    hindsight_fee: float = Field(default=0.007, ge=0.0, lt=1.0, description="Fee a side that the hindsight terms count, as a share")
    hindsight_hold: float | None = Field(
        default=None, description="What a hold earns by the hindsight terms; null: minus the better of the two exits, at most 0"
    )
