"""What trading costs: commissions, spread, slippage, financing and funding. One object for training, backtest, paper and live."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seawall.core.errors import ConfigError
from seawall.core.params import Params

_PER_BPS = 1e-4
_HIGHEST_BPS = 1_000.0
MOST_SLIPPAGE = 0.1
"""Slippage of a fill, as a share of its notional, is never more: what a bar cannot tell is not made up without end."""


class SlippageParams(Params):
    """How far a market order fills from the middle, beyond the spread. Resting orders have none."""

    model: Literal["proportional"] = Field(
        default="proportional",
        description="proportional: base + volatility_multiplier x last closed bar's |return| + size_impact x traded exposure",
    )
    base_bps: float = Field(default=0.0, ge=0.0, le=_HIGHEST_BPS, description="Basis points of the notional, always")
    volatility_multiplier: float = Field(
        default=0.0, ge=0.0, le=100.0, description="Share of the absolute return of the last bar closed before the fill"
    )
    size_impact: float = Field(
        default=0.0, ge=0.0, le=_HIGHEST_BPS, description="Basis points per unit of traded exposure (notional over equity)"
    )


class FinancingParams(Params):
    """Interest on the value of a position, by the time between bars, nights and weekends included."""

    long_apr: float = Field(default=0.0, ge=-1.0, le=10.0, description="A year's rate that a long position pays; negative earns")
    short_apr: float = Field(default=0.0, ge=-1.0, le=10.0, description="A year's rate that a short position pays; negative earns")


class FundingParams(Params):
    """Funding of perpetual contracts: at fixed hours of the day in UTC, longs pay shorts."""

    rate_bps: float = Field(
        default=0.0, ge=-_HIGHEST_BPS, le=_HIGHEST_BPS, description="Basis points of the value each time; negative pays longs"
    )
    every_hours: Literal[1, 2, 4, 8, 12, 24] = Field(default=8, description="Hours from one time to the next, from 00:00 UTC on")


class RandomizationParams(Params):
    """How much costs differ from episode to episode in training: each kind times max(0, normal draw around 1)."""

    commission: float = Field(default=0.0, ge=0.0, le=2.0, description="Standard deviation of the factor on commissions")
    spread: float = Field(default=0.0, ge=0.0, le=2.0, description="Standard deviation of the factor on the spread")
    slippage: float = Field(default=0.0, ge=0.0, le=2.0, description="Standard deviation of the factor on slippage")

    @property
    def sigmas(self) -> tuple[float, float, float]:
        """Standard deviations of the factors on commission, spread and slippage."""
        return self.commission, self.spread, self.slippage


class CostParams(Params):
    """Costs of one symbol. Those of a fill are in basis points of its notional; a round trip pays them twice.

    How much of an order fills at once stands beside them: it is the venue's, as they are, and bad times change it with them.
    """

    taker_bps: float = Field(
        default=10.0, ge=0.0, le=_HIGHEST_BPS, description="Commission per side of an order that fills at once, in basis points"
    )
    maker_bps: float | None = Field(
        default=None,
        ge=-100.0,
        le=_HIGHEST_BPS,
        description="Commission per side of an order that rests, in basis points; negative is a rebate; null: as taker_bps",
    )
    spread_bps: float = Field(
        default=2.0, ge=0.0, le=2 * _HIGHEST_BPS, description="Bid-ask spread, in basis points; a market order pays half of it"
    )
    slippage: SlippageParams = Field(default=SlippageParams(), description="Beyond the spread, for market orders")
    financing: FinancingParams = Field(default=FinancingParams(), description="Interest on the value of a position")
    funding: FundingParams = Field(default=FundingParams(), description="Payments between longs and shorts of a perpetual contract")
    randomization: RandomizationParams = Field(
        default=RandomizationParams(), description="Costs drawn anew for each training episode; judging never draws"
    )

    fill_ratio: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Share of what an order still wants that fills at each attempt; the rest works on. 1: orders fill whole",
    )

    @property
    def taker_rate(self) -> float:
        """Commission of a market order per unit of traded notional."""
        return self.taker_bps * _PER_BPS

    @property
    def maker_rate(self) -> float:
        """Commission of a resting order per unit of traded notional."""
        return self.taker_rate if self.maker_bps is None else self.maker_bps * _PER_BPS

    @property
    def half_spread_rate(self) -> float:
        """Half-spread per unit of traded notional."""
        return self.spread_bps * _PER_BPS / 2.0

    @property
    def rate(self) -> float:
        """What a market order costs for certain, per unit of traded notional: commission, half-spread and base slippage."""
        return self.taker_rate + self.half_spread_rate + self.slippage.base_bps * _PER_BPS

    @property
    def highest_rate(self) -> float:
        """The most that a market order may cost per unit of traded notional, before an episode's factors."""
        varies = self.slippage.volatility_multiplier > 0.0 or self.slippage.size_impact > 0.0
        return self.taker_rate + self.half_spread_rate + (MOST_SLIPPAGE if varies else self.slippage.base_bps * _PER_BPS)

    def scaled(self, multiple: float) -> CostParams:
        """Return these costs with those of fills times a multiple, as in a break-even search; the others and `fill_ratio` stay.

        Args:
            multiple: At least 0; 0 trades for free.

        Raises:
            ConfigError: The multiple is negative or not a number, or a scaled cost leaves what is allowed.
        """
        slippage = self.slippage
        highest = multiple * max(self.taker_bps, self.maker_bps or 0.0, self.spread_bps / 2.0, slippage.base_bps)
        if not (multiple >= 0.0 and highest <= _HIGHEST_BPS):
            raise ConfigError(
                f"costs times {multiple} give {highest} bps; allowed: a multiple of at least 0 that keeps each cost within 1000 bps"
            )
        changed = {
            "taker_bps": self.taker_bps * multiple,
            "maker_bps": None if self.maker_bps is None else self.maker_bps * multiple,
            "spread_bps": self.spread_bps * multiple,
            "slippage": slippage.model_copy(
                update={name: getattr(slippage, name) * multiple for name in ("base_bps", "volatility_multiplier", "size_impact")}
            ),
        }
        return self.model_copy(update=changed)
