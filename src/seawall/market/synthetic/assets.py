"""Several regime markets at once, whose shocks are correlated.

The shocks of all assets at one bar follow a multivariate Student t: each alone is the t of a single market, the correlation is
exactly the stated one, and rough times come to all together. The first asset is the single market of the same seed, bar for bar.
Gaps, clusters, candles and volume are each asset's own, so that returns are correlated somewhat less than shocks.
"""

from __future__ import annotations

import re

import numpy as np
from pydantic import Field, field_validator, model_validator

from seawall.core.params import Params
from seawall.core.seeding import derived_seed, generator
from seawall.market.synthetic.regimes import SHOCK_STREAM, RegimeMarket, RegimeParams, regime_market, regime_spells

_SYMBOL = r"[A-Z][A-Z0-9]{0,19}"
_LEAST_EIGENVALUE = 1e-9


class AssetParams(Params):
    """Which assets are made, and how they move together."""

    symbols: tuple[str, ...] = Field(default=("REGIMES",), min_length=1, max_length=200, description="Name of each asset")
    correlation: float | tuple[tuple[float, ...], ...] = Field(
        default=0.0, description="Correlation of the shocks: one number for all pairs, or a matrix in the order of the symbols"
    )
    shared_regimes: bool = Field(default=False, description="True: one sequence of regimes for all; False: each asset has its own")

    @field_validator("symbols")
    @classmethod
    def _names(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            if re.fullmatch(_SYMBOL, symbol) is None:
                raise ValueError(f"symbol {symbol!r} is not allowed: up to 20 capital letters and digits, as in BTCUSDT")
        if len(set(symbols)) < len(symbols):
            raise ValueError(f"symbols {list(symbols)} name one asset twice")
        return symbols

    @model_validator(mode="after")
    def _can_be(self) -> AssetParams:
        n_assets, given = len(self.symbols), self.correlation
        if isinstance(given, tuple):
            if len(given) != n_assets or any(len(row) != n_assets for row in given):
                raise ValueError(
                    f"correlation must be one number, or {n_assets} rows of {n_assets} numbers, for {n_assets} symbols"
                )
            matrix = self.matrix()
            if not np.array_equal(matrix, matrix.T) or not (np.diag(matrix) == 1.0).all():
                raise ValueError("correlation matrix must be symmetric, with 1 in its diagonal")
            hint = "correlations nearer to 0"
        else:
            lowest = -1.0 / max(n_assets - 1, 1)
            hint = f"one number above {lowest:.6g} and below 1 for {n_assets} assets"
            if not lowest < given < 1.0:
                raise ValueError(f"correlation {given} is not positive definite: no assets move like that; allowed: {hint}")
        least = float(np.linalg.eigvalsh(self.matrix())[0])
        if least < _LEAST_EIGENVALUE:
            raise ValueError(
                f"correlation is not positive definite (smallest eigenvalue {least:.3g}): no assets move like that; allowed: {hint}"
            )
        return self

    def matrix(self) -> np.ndarray:
        """Return the correlation matrix of the shocks, float64, shape (A, A)."""
        given, n_assets = self.correlation, len(self.symbols)
        if isinstance(given, tuple):
            return np.array(given, dtype=np.float64)
        return np.full((n_assets, n_assets), given) + (1.0 - given) * np.eye(n_assets)


def correlated_markets(params: RegimeParams, assets: AssetParams, seed: int) -> dict[str, RegimeMarket]:
    """Make one regime market an asset, all on the same times.

    Args:
        params: Every number of each market.
        assets: Symbols, correlation and whether the regimes are shared.
        seed: Any whole number from 0; the first asset is ``regime_bars(params, seed)``.

    Returns:
        Markets by symbol.
    """
    draws = correlated_draws(params, assets, seed)
    shared = regime_spells(params, seed)
    markets: dict[str, RegimeMarket] = {}
    for row, symbol in enumerate(assets.symbols):
        own = _seed_of(seed, row)
        spells = shared if assets.shared_regimes else regime_spells(params, own)
        markets[symbol] = regime_market(params, spells, draws[row], own)
    return markets


def correlated_draws(params: RegimeParams, assets: AssetParams, seed: int) -> np.ndarray:
    """Draw shocks of unit variance and the stated correlation, before clustering; float64, shape (A, T).

    Components of a spherical Student t are drawn one given those before it: with d of them, it is a t of d more degrees of
    freedom, scaled by what the size of the others tells of the common mixing (Ding, "On the conditional distribution of the
    multivariate t distribution", The American Statistician 70, 2016).

    Args:
        params: Bars and degrees of freedom.
        assets: Symbols and correlation.
        seed: Any whole number from 0.
    """
    freedom, factor = params.tail_freedom, np.linalg.cholesky(assets.matrix())
    spherical = np.empty((len(factor), params.n_bars))
    size = np.zeros(params.n_bars)
    for before in range(len(factor)):
        alone = generator(_seed_of(seed, before), SHOCK_STREAM).standard_t(freedom + before, params.n_bars)
        spherical[before] = alone * np.sqrt((freedom + size) / (freedom + before))
        size += spherical[before] ** 2
    return np.sqrt((freedom - 2.0) / freedom) * (factor @ spherical)


def _seed_of(seed: int, asset: int) -> int:
    return seed if asset == 0 else derived_seed(seed, f"asset {asset}")
