"""Every reward term, by name. Most are compiled, by their codes; others, and a user's own, are functions of the bar just marked."""

from __future__ import annotations

import numpy as np

from seawall.simulator.rewards import layout as of
from seawall.simulator.rewards.bar import BarView
from seawall.simulator.rewards.settings import TermSettings
from seawall.simulator.rewards.term import RewardTerm


def _ahead(params: TermSettings) -> int:
    return params.hindsight_bars


def _held(bar: BarView) -> np.ndarray:
    return (bar.signal == 0).astype(np.float64)


def _compiled(code: int, meaning: str) -> RewardTerm:
    return RewardTerm(None, meaning, horizon=_ahead if code in (of.HINDSIGHT_EXIT, of.HINDSIGHT_EXIT_LIMIT) else 0, code=code)


REWARD_TERMS: dict[str, RewardTerm] = {
    "log_return": _compiled(of.LOG_RETURN, "log change of equity over the bar, after all costs"),
    "simple_return": _compiled(of.SIMPLE_RETURN, "change of equity over the bar, as a share of it, after all costs"),
    "benchmark_excess": _compiled(of.BENCHMARK_EXCESS, "change of equity less the change of the asset's price"),
    "drawdown": _compiled(of.DRAWDOWN, "minus the fall from the highest equity, at every bar"),
    "drawdown_growth": _compiled(of.DRAWDOWN_GROWTH, "minus the growth of the episode's largest drawdown"),
    "differential_sharpe": _compiled(
        of.DIFFERENTIAL_SHARPE, "differential Sharpe ratio (Moody and Saffell): what the bar adds to it"
    ),
    "windowed_sharpe": _compiled(of.WINDOWED_SHARPE, "mean over deviation of the last sharpe_window returns"),
    "volatility": _compiled(of.VOLATILITY, "minus the deviation of the last sharpe_window returns"),
    "variance": _compiled(of.VARIANCE, "minus the squared log return"),
    "fee": _compiled(of.FEE, "minus the commission, as a share of equity; once more, if log_return counts"),
    "costs": _compiled(of.COSTS, "minus all costs, likewise"),
    "turnover": _compiled(of.TURNOVER, "minus what was traded, as a share of equity"),
    "trade": _compiled(of.TRADE, "−1 in a bar with a fill"),
    "trade_entry": _compiled(of.TRADE_ENTRY, "−1 in a bar whose fill opened, enlarged or reversed a position"),
    "idle": _compiled(of.IDLE, "−1 after more than idle_bars bars without position or trade"),
    "hold_bonus": _compiled(of.HOLD_BONUS, "+1 in a bar without position or trade"),
    "hold_decision": RewardTerm(
        _held, "the cost of a round trip (twice costs.rate) for a decision to hold, whatever is held", in_round_trips=True
    ),
    "holding": _compiled(of.HOLDING, "minus the size of the exposure held"),
    "profit_bonus": _compiled(of.PROFIT_BONUS, "twice the profit of what was closed, over its value at entry; losses count 0"),
    "ruin": _compiled(of.RUIN, "−1 in the bar that ends an episode by ruin or by its largest loss"),
    "action_table": _compiled(of.ACTION_TABLE, "legacy: the Ichimoku system's table of actions, which no equity earns"),
    "hindsight_exit": _compiled(
        of.HINDSIGHT_EXIT,
        "legacy: an exit at the best close of the next hindsight_bars bars, which nobody can know",
    ),
    "hindsight_exit_limit": _compiled(
        of.HINDSIGHT_EXIT_LIMIT,
        "legacy: an exit at the best high or low of the next hindsight_bars bars, which nobody can know",
    ),
}
