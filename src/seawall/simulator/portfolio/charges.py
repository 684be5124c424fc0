"""Which costs portfolios pay: those of market orders in proportion to what is traded. Other settings are refused, not ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel

from seawall.core.errors import ConfigError
from seawall.simulator.costs.params import CostParams

_PER_BPS = 1e-4
PAID = frozenset({"taker_bps", "maker_bps", "spread_bps", "slippage.base_bps"})
"""Settings that portfolios take. Their orders fill at once, so that no maker's commission is ever due."""
_KINDS = frozenset({"slippage.model", "funding.every_hours", "fill_ratio"})
"""Settings that say how another one is meant, or how much is filled, and cost nothing by themselves."""


def rates_of(symbols: tuple[str, ...], costs: CostParams | Mapping[str, CostParams]) -> np.ndarray:
    """Return the rates of each asset as `layout.Bars` has them, float64, shape (RATES, A).

    Args:
        symbols: The assets.
        costs: Costs of a fill, of all assets or by symbol.

    Raises:
        ConfigError: An asset has no costs, or a setting asks for costs that portfolios do not have; both are named.
    """
    each = _by_symbol(symbols, costs)
    missing = [symbol for symbol in symbols if symbol not in each]
    if missing:
        raise ConfigError(f"costs have no entry for {', '.join(missing)}; allowed: one for each of {', '.join(symbols)}")
    for symbol in symbols:
        _refuse_others(symbol, each[symbol])
    fees, spreads, slips = np.array(
        [(each[symbol].taker_rate, each[symbol].half_spread_rate, each[symbol].slippage.base_bps * _PER_BPS) for symbol in symbols]
    ).T
    keep = 1.0 - fees - spreads - slips
    return np.stack([fees, spreads, slips, keep, 1.0 / keep])


def fill_ratio_of(symbols: tuple[str, ...], costs: CostParams | Mapping[str, CostParams]) -> float:
    """Return the share of each trade that is filled.

    Args:
        symbols: The assets, each with costs.
        costs: Costs of a fill, of all assets or by symbol.

    Raises:
        ConfigError: Assets differ in it: what one does not sell pays for what another buys.
    """
    ratios = {symbol: each.fill_ratio for symbol, each in _by_symbol(symbols, costs).items() if symbol in symbols}
    if len(set(ratios.values())) > 1:
        raise ConfigError(f"costs.fill_ratio is {ratios}; allowed: one for all assets, as what is sold pays for what is bought")
    return next(iter(ratios.values()))


def _by_symbol(symbols: tuple[str, ...], costs: CostParams | Mapping[str, CostParams]) -> dict[str, CostParams]:
    return {symbol: costs for symbol in symbols} if isinstance(costs, CostParams) else dict(costs)


def _refuse_others(symbol: str, costs: CostParams) -> None:
    for name, value, neutral in _settings(costs, ""):
        if name not in PAID | _KINDS and value != neutral:
            raise ConfigError(
                f"costs.{name} of {symbol} is {value}, which portfolios do not charge yet; allowed: {neutral} (portfolios charge "
                f"{', '.join(sorted(PAID - {'maker_bps'}))})"
            )


def _settings(params: BaseModel, prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield every setting with its name, its value and its default, which costs nothing."""
    for name, field in type(params).model_fields.items():
        value: Any = getattr(params, name)
        if isinstance(value, BaseModel):
            yield from _settings(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value, field.default
