"""Stress of portfolios: the very weights of a ledger, traded again under other costs and one bar later."""

from __future__ import annotations

import numpy as np

from seawall.evaluation.metrics import sharpe
from seawall.evaluation.portfolio_backtest import PortfolioSetting
from seawall.evaluation.portfolio_ledger import PortfolioLedger
from seawall.evaluation.stress import BreakEven, StressParams
from seawall.simulator.portfolio.simulator import PortfolioSimulator

_ROUNDS = 14
_HIGHEST_BPS = 999.0
"""Just within what `CostParams.scaled` allows of each cost."""


def retraded(setting: PortfolioSetting, targets: np.ndarray, held: np.ndarray, multiple: float = 1.0) -> np.ndarray:
    """Return the equity of a path of weights under a multiple of the costs.

    Args:
        setting: Where they are traded.
        targets: Weights at each decision, float64, shape (T − 1, A + 1).
        held: Where everything is left as it is, bool, shape (T − 1,).
        multiple: Factor on commission, spread and slippage.

    Returns:
        Equity at each close over the initial equity, float64, shape (T,); constant after a stop at a loss.
    """
    accounts = PortfolioSimulator(setting.panel, 1, setting.costs.scaled(multiple), setting.accounts)
    accounts.reset(np.array([0]), np.array([setting.rows.start]), np.array([setting.rows.stop]))
    curve = np.empty(len(targets) + 1)
    curve[0] = accounts.equity[0]
    for step in range(len(targets)):
        accounts.step(targets[step : step + 1], held[step : step + 1])
        curve[step + 1] = accounts.equity[0]
    return curve / curve[0]


def portfolio_stress(ledger: PortfolioLedger, setting: PortfolioSetting, params: StressParams) -> dict[str, object]:
    """Return the result under multiples of the costs, the break-even multiple, and the result of acting one bar late.

    Args:
        ledger: The judged decisions; the weights that were asked for are kept as they are.
        setting: Where they are traded again.
        params: Settings.

    Returns:
        ``cost_multiples``, ``break_even`` and ``delay``, as those of one series.
    """
    targets, held, ppy = ledger.targets(), ledger.held(), ledger.periods_per_year
    multiples = sorted({min(multiple, _most(setting, multiple)) for multiple in params.cost_multiples})
    late_targets = np.concatenate([np.eye(1, targets.shape[1]), targets[:-1]])
    late_held = np.concatenate([[False], held[:-1]])
    on_time, late = retraded(setting, targets, held), retraded(setting, late_targets, late_held)
    return {
        "cost_multiples": [
            {"multiple": float(multiple), "total_return": float(retraded(setting, targets, held, multiple)[-1] - 1.0)}
            for multiple in multiples
        ],
        "break_even": portfolio_break_even(targets, held, setting, params.max_multiple).to_dict(),
        "delay": {
            "bars": 1,
            "total_return": float(late[-1] - 1.0),
            "sharpe": sharpe(np.diff(late) / late[:-1], ppy).value,
            "on_time_total_return": float(on_time[-1] - 1.0),
            "on_time_sharpe": sharpe(np.diff(on_time) / on_time[:-1], ppy).value,
        },
    }


def portfolio_break_even(targets: np.ndarray, held: np.ndarray, setting: PortfolioSetting, max_multiple: float) -> BreakEven:
    """Search, by halving, for the cost multiple at which the path ends where it began.

    Args:
        targets: Weights at each decision, float64, shape (T − 1, A + 1).
        held: Where everything is left as it is, bool, shape (T − 1,).
        setting: Where they are traded.
        max_multiple: Largest multiple looked at.
    """
    reach = high = _most(setting, max_multiple)
    if not (targets[~held][:, 1:] > 0.0).any():
        return BreakEven(None, "it never traded, so costs do not matter", None, reach)
    if setting.costs.highest_rate == 0.0:
        return BreakEven(None, "the costs are zero, so no multiple of them can be told", None, reach)

    def gain(multiple: float) -> float:
        return float(retraded(setting, targets, held, multiple)[-1] - 1.0)

    low = 0.0
    if gain(low) <= 0.0:
        return BreakEven(None, "never profitable, not even without costs", False, reach)
    if gain(high) > 0.0:
        return BreakEven(None, f"still profitable at {high:g} times the costs", high > 1.0, reach)
    for _ in range(_ROUNDS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if gain(middle) > 0.0 else (low, middle)
    return BreakEven(low, f"breaks even at {low:.2f} times the costs", low > 1.0, reach)


def _most(setting: PortfolioSetting, wanted: float) -> float:
    """Return the largest multiple not above the wanted one to which each cost can be scaled."""
    costs = setting.costs
    largest = max(costs.taker_bps, costs.maker_bps or 0.0, costs.spread_bps / 2.0, costs.slippage.base_bps)
    return wanted if largest <= 0.0 else min(wanted, _HIGHEST_BPS / largest)
