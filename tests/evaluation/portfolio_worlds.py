"""Settings in which portfolios are judged, and a policy that asks for weights of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.core.market import RowRange
from seawall.core.protocols import Observation
from seawall.envs.portfolio_market import panel_market
from seawall.evaluation.portfolio_backtest import PortfolioSetting
from seawall.market.panel import Panel
from seawall.simulator.costs.params import CostParams
from seawall.simulator.portfolio.simulator import PortfolioParams
from simulator.small_portfolios import FREE, panel_of, walk

COSTS = CostParams(taker_bps=10.0, spread_bps=4.0)


def setting_of(panel: Panel, costs: CostParams = FREE, rows: RowRange | None = None, **accounts: Any) -> PortfolioSetting:
    """A panel without features, and accounts that start with 1,000."""
    market = panel_market(panel, np.zeros((len(panel.symbols), len(panel), 0), np.float32), (), 0)
    chosen = PortfolioParams(initial_equity=1_000.0, **accounts)
    return PortfolioSetting(panel, market, rows or RowRange(0, len(panel)), costs, chosen, ("weights",))


def walking(costs: CostParams = COSTS, assets: int = 3, rows: int = 300, **accounts: Any) -> PortfolioSetting:
    """A random walk of some assets with a few bars missing."""
    return setting_of(walk(4, assets, rows), costs, RowRange(10, rows), **accounts)


def seesaw(bars: int = 9) -> PortfolioSetting:
    """One asset that never moves, and one that doubles and halves in turn."""
    swing = 100.0 * np.where(np.arange(bars) % 2, 2.0, 1.0)
    return setting_of(panel_of([np.full(bars, 50.0), swing]))


class Wandering:
    """Asks for other weights at every row, as a function of the row alone."""

    def __init__(self, assets: int, seed: int = 0) -> None:
        self.weights = np.random.default_rng(seed).dirichlet(np.ones(assets + 1), 1_000)

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return self.weights[observation.rows], {}
