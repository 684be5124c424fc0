"""Every reward term, by name. A new one is a function of the bar just marked and one line in `REWARD_TERMS`."""

from __future__ import annotations

from functools import partial

import numpy as np

from seawall.simulator.rewards.bar import BarView
from seawall.simulator.rewards.hindsight import HindsightExit, action_table
from seawall.simulator.rewards.memory import DifferentialSharpe, DrawdownGrowth, Idle, Volatility, WindowedSharpe
from seawall.simulator.rewards.term import RewardTerm

_BONUS = 2.0
_TABLE_COST = 0.001


def profit_bonus(bar: BarView) -> np.ndarray:
    """Return twice the profit of what was closed over its value at entry, where it is a profit; 0 elsewhere."""
    won = bar.closed_pnl > 0.0
    return _BONUS * np.divide(bar.closed_pnl, bar.closed_value, out=np.zeros(bar.n), where=won)


def benchmark_excess(bar: BarView) -> np.ndarray:
    """Return the account's return less the asset's."""
    return bar.simple_return - bar.asset_return


REWARD_TERMS: dict[str, RewardTerm] = {
    "log_return": RewardTerm(lambda bar: bar.log_return, "log change of equity over the bar, after all costs"),
    "simple_return": RewardTerm(lambda bar: bar.simple_return, "change of equity over the bar, as a share of it, after all costs"),
    "benchmark_excess": RewardTerm(benchmark_excess, "change of equity less the change of the asset's price"),
    "drawdown": RewardTerm(lambda bar: -bar.drawdown, "minus the fall from the highest equity, at every bar"),
    "drawdown_growth": RewardTerm(None, "minus the growth of the episode's largest drawdown", state=DrawdownGrowth),
    "differential_sharpe": RewardTerm(
        None, "differential Sharpe ratio (Moody and Saffell): what the bar adds to it", state=DifferentialSharpe
    ),
    "windowed_sharpe": RewardTerm(None, "mean over deviation of the last sharpe_window returns", state=WindowedSharpe),
    "volatility": RewardTerm(None, "minus the deviation of the last sharpe_window returns", state=Volatility),
    "variance": RewardTerm(lambda bar: -(bar.log_return**2), "minus the squared log return"),
    "fee": RewardTerm(
        lambda bar: -bar.fee / bar.before.equity, "minus the commission, as a share of equity; once more, if log_return counts"
    ),
    "costs": RewardTerm(lambda bar: -bar.costs / bar.before.equity, "minus all costs, likewise"),
    "turnover": RewardTerm(lambda bar: -bar.traded_notional / bar.before.equity, "minus what was traded, as a share of equity"),
    "trade": RewardTerm(lambda bar: -(bar.traded_notional > 0.0).astype(np.float64), "−1 in a bar with a fill"),
    "trade_entry": RewardTerm(
        lambda bar: -bar.entered.astype(np.float64), "−1 in a bar whose fill opened, enlarged or reversed a position"
    ),
    "idle": RewardTerm(None, "−1 after more than idle_bars bars without position or trade", state=Idle),
    "hold_bonus": RewardTerm(lambda bar: bar.idle.astype(np.float64), "+1 in a bar without position or trade"),
    "holding": RewardTerm(lambda bar: -np.abs(bar.exposure), "minus the size of the exposure held"),
    "profit_bonus": RewardTerm(profit_bonus, "twice the profit of what was closed, over its value at entry; losses count 0"),
    "ruin": RewardTerm(
        lambda bar: -bar.terminated.astype(np.float64), "−1 in the bar that ends an episode by ruin or by its largest loss"
    ),
    "action_table": RewardTerm(
        partial(action_table, cost=_TABLE_COST), "legacy: the Ichimoku system's table of actions, which no equity earns"
    ),
    "hindsight_exit": RewardTerm(
        None,
        "legacy: an exit at the best close of the next hindsight_bars bars, which nobody can know",
        horizon=lambda params: params.hindsight_bars,
        state=partial(HindsightExit, limit=False),
    ),
    "hindsight_exit_limit": RewardTerm(
        None,
        "legacy: an exit at the best high or low of the next hindsight_bars bars, which nobody can know",
        horizon=lambda params: params.hindsight_bars,
        state=partial(HindsightExit, limit=True),
    ),
}
