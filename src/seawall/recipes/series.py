"""Which real bars a recipe needs."""

from __future__ import annotations

from pathlib import Path

from seawall.core.errors import ConfigError
from seawall.recipes.portfolio_schema import PortfolioRecipe
from seawall.recipes.schema import FileData, Recipe, SeriesParams


def wanted_series(recipe: Recipe | PortfolioRecipe) -> tuple[SeriesParams, ...]:
    """Return the series that a recipe names under ``series``, and the stored one that it learns on, each once.

    Args:
        recipe: The recipe, with its overrides.

    Raises:
        ConfigError: It needs no series: it learns on made bars or on a file.
    """
    found = {_key(series): series for series in recipe.series}
    if isinstance(recipe.data, FileData) and not Path(recipe.data.path).is_file():
        parts = recipe.data.path.split("/")
        if len(parts) == 3:
            series = SeriesParams(source=parts[0], symbol=parts[1], timeframe=parts[2])
            found.setdefault(_key(series), series)
    if not found:
        raise ConfigError(
            f"recipe {recipe.name} names no series to fetch; give it some, as in "
            "series: [{source: binance, symbol: BTC/USDT, timeframe: 15m, start: 2020-01-01}]"
        )
    return tuple(found.values())


def _key(series: SeriesParams) -> tuple[str, str, str]:
    return series.source, series.symbol.replace("/", ""), series.timeframe
