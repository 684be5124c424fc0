"""Performance figures of a portfolio's ledger, under the names that those of one series have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from seawall.evaluation.metrics import (
    Measured,
    annualised_return,
    calmar,
    costs_paid,
    max_drawdown,
    sharpe,
    sortino,
    total_return,
    turnover_per_year,
)
from seawall.evaluation.portfolio_ledger import PortfolioLedger

_NO_ROUND_TRIPS = "a portfolio has no round trips"


def portfolio_metrics(ledger: PortfolioLedger) -> dict[str, Any]:
    """Return every figure of a ledger, after all costs.

    Args:
        ledger: One policy's decisions.

    Returns:
        As `metrics.ledger_metrics` names them. ``trades`` counts the bars in which something was traded; exposures are what is not
        in cash. Further ``mean_weights`` of cash and each asset, ``concentration``, the mean sum of squared weights, and
        ``benchmark_return``, that of equal-weight buy-and-hold without costs.
    """
    equity, returns, ppy = ledger.equity_curve(), ledger.returns(), ledger.periods_per_year
    years, traded = ledger.n_bars / ppy, ledger.column("traded_notional")
    total = total_return(equity)
    annual = annualised_return(total.value if total.value is not None else math.nan, years)
    drawdown, drawdown_bars = max_drawdown(equity)
    measured = {
        "total_return": total,
        "annual_return": annual,
        "sharpe": sharpe(returns, ppy),
        "sortino": sortino(returns, ppy),
        "max_drawdown": Measured(drawdown),
        "calmar": calmar(annual, drawdown),
        "turnover_per_year": turnover_per_year(traded, equity, years),
        "hit_rate": Measured(None, _NO_ROUND_TRIPS),
    }
    weights = ledger.weights()
    exposure = float(1.0 - weights[:, 0].mean())
    return {
        **{name: figure.value for name, figure in measured.items()},
        "final_equity": float(equity[-1]),
        "mean_log_return": float(ledger.log_returns().mean()),
        "max_drawdown_bars": drawdown_bars,
        "trades": int((traded > 0.0).sum()),
        "mean_exposure": exposure,
        "mean_absolute_exposure": exposure,
        "bars": ledger.n_bars,
        "periods_per_year": ppy,
        "liquidated": False,
        "costs": costs_paid(ledger),
        "exits": {},
        "illegal_moves": 0,
        "mean_weights": dict(zip(("cash", *ledger.symbols), weights.mean(axis=0).tolist(), strict=True)),
        "concentration": float(np.square(weights).sum(axis=1).mean()),
        "benchmark_return": float(ledger.column("benchmark")[-1] / ledger.initial_equity - 1.0),
        "undefined": {name: figure.reason for name, figure in measured.items() if figure.value is None},
    }
