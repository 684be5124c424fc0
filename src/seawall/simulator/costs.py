"""What a trade costs: commission and half of the bid-ask spread, per unit of traded notional."""

from __future__ import annotations

from pydantic import Field

from seawall.core.errors import ConfigError
from seawall.core.params import Params

_PER_BPS = 1e-4


class CostParams(Params):
    """Costs of one fill, in basis points of its notional. A round trip pays them twice."""

    fee_bps: float = Field(default=10.0, ge=0.0, le=1_000.0, description="Commission per side, in basis points of the notional")
    half_spread_bps: float = Field(
        default=1.0, ge=0.0, le=1_000.0, description="Half of the bid-ask spread, in basis points of the notional"
    )

    @property
    def fee_rate(self) -> float:
        """Commission per unit of traded notional."""
        return self.fee_bps * _PER_BPS

    @property
    def half_spread_rate(self) -> float:
        """Half-spread per unit of traded notional."""
        return self.half_spread_bps * _PER_BPS

    @property
    def rate(self) -> float:
        """All costs per unit of traded notional."""
        return self.fee_rate + self.half_spread_rate

    def scaled(self, multiple: float) -> CostParams:
        """Return these costs times a multiple, as in a break-even search.

        Args:
            multiple: At least 0; 0 trades for free.

        Raises:
            ConfigError: The multiple is negative or not a number, or the scaled costs exceed 1,000 bps.
        """
        highest = max(self.fee_bps, self.half_spread_bps) * multiple
        if not (multiple >= 0.0 and highest <= 1_000.0):
            raise ConfigError(
                f"costs times {multiple} give {highest} bps; allowed: a multiple of at least 0 that keeps each cost within 1000 bps"
            )
        return CostParams(fee_bps=self.fee_bps * multiple, half_spread_bps=self.half_spread_bps * multiple)
