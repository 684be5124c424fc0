"""A panel as a market, whose series are the assets, and back: policies are shown markets, and portfolios live on panels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seawall.core.errors import DataError
from seawall.core.market import Market
from seawall.market.panel import Panel


def panel_market(panel: Panel, features: np.ndarray, names: Sequence[str], ready: int) -> Market:
    """Lay the assets of a panel end to end, each a series of T rows: row t of the first is row t of the panel.

    Args:
        panel: The assets.
        features: Of each asset and row, known at its close, float32, shape (A, T, F).
        names: Names of the F columns.
        ready: First row whose features are all warmed up.

    Raises:
        DataError: The features have another shape.
    """
    assets, rows = len(panel.symbols), len(panel)
    if features.shape != (assets, rows, len(names)):
        raise DataError(f"features have shape {features.shape}; {(assets, rows, len(names))} is needed for this panel")
    return Market(
        symbols=panel.symbols,
        starts=tuple(range(0, (assets + 1) * rows, rows)),
        timeframe=panel.timeframe,
        timestamps=np.tile(panel.timestamps, assets),
        prices=panel.prices.reshape(assets * rows, -1),
        features=features.reshape(assets * rows, -1),
        feature_names=tuple(names),
        ready=(ready,) * assets,
    )


def market_panel(market: Market, stale: np.ndarray | None = None) -> Panel:
    """Return the panel that `panel_market` laid out.

    Args:
        market: Series of one length on the same times.
        stale: Where a bar was made from the last close, bool, shape (A, T); nowhere where None.

    Raises:
        DataError: The series are not on the same times.
    """
    assets = len(market.symbols)
    rows = len(market) // assets
    times = np.asarray(market.timestamps)
    if (
        tuple(market.starts) != tuple(range(0, (assets + 1) * rows, rows))
        or not (times.reshape(assets, rows) == times[:rows]).all()
    ):
        raise DataError(f"the series of {', '.join(market.symbols)} are not on the same times; a panel has the same bars of each")
    marks = np.zeros((assets, rows), dtype=np.bool_) if stale is None else np.asarray(stale)
    return Panel(market.symbols, market.timeframe, times[:rows], np.asarray(market.prices).reshape(assets, rows, -1), marks)
