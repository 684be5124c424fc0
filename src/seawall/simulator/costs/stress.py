"""What costs become in bad times: factors on those of a fill, and on how much of an order fills at once."""

from __future__ import annotations

from pydantic import Field, ValidationError

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.simulator.costs.params import CostParams

_MOST = 1_000.0


class StressPreset(Params):
    """Factors on the costs of a fill and on the share of an order that fills. Financing, funding and randomization stay."""

    commission_multiple: float = Field(default=1.0, ge=0.0, le=_MOST, description="Factor on both commissions")
    spread_multiple: float = Field(default=1.0, ge=0.0, le=_MOST, description="Factor on the spread")
    slippage_multiple: float = Field(default=1.0, ge=0.0, le=_MOST, description="Factor on each part of the slippage")
    fill_ratio: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Factor on costs.fill_ratio, the share of what an order still wants that fills at each attempt",
    )

    def applied(self, costs: CostParams, name: str) -> CostParams:
        """Return costs under this stress.

        Args:
            costs: Costs in ordinary times.
            name: What the preset is called, for the message.

        Raises:
            ConfigError: A cost would leave what is allowed.
        """
        slippage, values = costs.slippage, costs.model_dump()
        values["taker_bps"] = costs.taker_bps * self.commission_multiple
        values["maker_bps"] = None if costs.maker_bps is None else costs.maker_bps * self.commission_multiple
        values["spread_bps"] = costs.spread_bps * self.spread_multiple
        values["fill_ratio"] = costs.fill_ratio * self.fill_ratio
        for part in ("base_bps", "volatility_multiplier", "size_impact"):
            values["slippage"][part] = getattr(slippage, part) * self.slippage_multiple
        try:
            return CostParams.model_validate(values)
        except ValidationError as error:
            problem = error.errors()[0]
            key = ".".join(map(str, problem["loc"]))
            message = problem["msg"][0].lower() + problem["msg"][1:]
            raise ConfigError(f"stress {name} makes {key} {problem['input']}: {message}") from error
