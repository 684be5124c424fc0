"""Who a foreign ledger is compared with, on the same bars: rivals in our simulator, and itself at other costs and times."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.core.bars import OPEN
from seawall.core.market import Market, RowRange
from seawall.core.seeding import generator
from seawall.evaluation.baselines import BASELINES, BaselineParams, BaselineSetting
from seawall.evaluation.foreign.placing import BarsOf, Placed
from seawall.evaluation.foreign.rebuilding import Rebuilt, rebuild
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.metrics import sharpe
from seawall.evaluation.side_by_side import backtest_together
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import replay

N_SHIFTS = 500
_MOST_BPS = 1_000.0
_MOST_EXPOSURE, _MOST_PAID = 100.0, 0.99
_MULTIPLES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
_MOST_MULTIPLE = 10.0


def cost_rate(ledger: Ledger) -> float:
    """Return what a ledger's fills cost per unit of notional, net of rebates; 0 where it never traded."""
    notional = float(ledger.column("traded_notional").sum())
    return fill_costs(ledger) / notional if notional > 0.0 else 0.0


def fill_costs(ledger: Ledger) -> float:
    """Return what fills cost altogether, in quote units: commission, half-spread and slippage."""
    return float(sum(ledger.column(name).sum() for name in ("fee", "spread", "slippage")))


def market_of(bars: BarsOf) -> Market:
    """Return the bars as a market, with the moment before the first bar as its first row, at that bar's open."""
    first = np.array([[*[bars.prices[0, OPEN]] * 4, 0.0]])
    times = np.concatenate([[int(bars.times_ms[0]) - bars.timeframe.milliseconds], bars.times_ms])
    rows = len(times)
    prices = np.concatenate([first, bars.prices])
    return Market(("judged",), (0, rows), bars.timeframe, times, prices, np.zeros((rows, 0), np.float32), (), (0,))


def rivals(ledger: Ledger, bars: BarsOf, costs: CostParams, params: BaselineParams, *, traded: bool) -> dict[str, Ledger]:
    """Let simple rivals trade over the same bars at the ledger's costs.

    Args:
        ledger: The judged ledger.
        bars: Its bars.
        costs: What rivals pay.
        params: Their settings.
        traded: Whether the ledger tells what was traded; without, there is no random rival, whose turnover is the ledger's.
    """
    held = ledger.column("quantity")
    market, short = market_of(bars), bool((held < 0.0).any())
    changes = float(np.mean(np.diff(held, prepend=0.0) != 0.0))
    scheme = action_scheme("target_exposure", short)
    setting = BaselineSetting(scheme.levels, changes, len(market), params, 2.0 * costs.rate)
    account = SimulatorParams(initial_equity=ledger.initial_equity)
    names = ("flat", "buy_and_hold", *(("random",) if traded and changes > 0.0 else ()))
    rows = RowRange(0, len(market))
    made = {name: BASELINES[name](setting) for name in names}
    return backtest_together(made, market, rows, Desk(scheme, None, len(made)), costs, account)


def shifted_in_time(ledger: Ledger, bars: BarsOf, costs: CostParams, seed: int) -> dict[str, Any]:
    """Return where the ledger's result lies among its own positions, taken at other times.

    Its exposures are moved by a random number of bars around the span (what leaves at the end comes in at the start), `N_SHIFTS`
    times, and filled at the next open under its costs: the same sides, holding times and turnover, without the timing. The
    ledger's own exposures are filled in the same way, so that the two are alike.

    Args:
        ledger: The judged ledger.
        bars: Its bars.
        costs: What its fills cost.
        seed: Of the shifts.

    Returns:
        ``n``, ``p_value`` ((1 + those at least as good) / (n + 1)), quantiles of their returns and the ledger's own; or None
        with the reason, where it never traded, or too few bars are there to shift.
    """
    targets = ledger.targets()
    if not np.any(targets != 0.0) or len(targets) < 4:
        return {"n": 0, "p_value": None, "reason": "it never traded" if len(targets) >= 4 else "fewer than four bars"}
    draws = generator(seed, "shifts in time").integers(1, len(targets), N_SHIFTS)
    paths = np.stack([targets, *(np.roll(targets, int(shift)) for shift in draws)], axis=1)
    held = float(np.clip(np.abs(targets).max(), 1.0, largest_exposure(costs)))
    # When a broker would have closed a position is not known of a foreign account: it ends where its equity does.
    params = SimulatorParams(initial_equity=ledger.initial_equity, maintenance_margin=0.0, max_exposure=held)
    clipped = np.clip(paths, -params.max_exposure, params.max_exposure)
    rows = RowRange(0, len(targets) + 1)
    equity = replay(market_of(bars), rows, clipped, costs, np.ones(N_SHIFTS + 1), params, None)
    own, *_ = returns = equity[-1] / ledger.initial_equity - 1.0
    low, middle, high = np.percentile(returns[1:], [5.0, 50.0, 95.0]).tolist()
    better = int(np.count_nonzero(returns[1:] >= own))
    return {
        "n": N_SHIFTS,
        "p_value": (1 + better) / (N_SHIFTS + 1),
        "own_total_return": float(own),
        "low": low,
        "median": middle,
        "high": high,
    }


def largest_exposure(costs: CostParams) -> float:
    """Return the largest exposure that our simulator is asked for: no trade may cost the whole of an account."""
    return min(_MOST_EXPOSURE, _MOST_PAID / costs.highest_rate) if costs.highest_rate > 0.0 else _MOST_EXPOSURE


def costs_of(rate: float) -> CostParams:
    """Return a rate per unit of notional as commission, 0 to 1,000 basis points, without a spread."""
    return CostParams(taker_bps=float(np.clip(1e4 * rate, 0.0, _MOST_BPS)), spread_bps=0.0)


def foreign_stress(rebuilt: Rebuilt, bars: BarsOf) -> dict[str, Any]:
    """Return the result with the same fills at multiples of their costs, the break-even multiple, and one bar late.

    The quantities stay as they were, so that the result falls in a straight line. Late fills are at the open of the next bar;
    what was filled in the last bar is then not filled at all.

    Args:
        rebuilt: The ledger and its fills.
        bars: Its bars.
    """
    ledger = rebuilt.ledger
    total, paid = float(ledger.column("equity")[-1] - ledger.initial_equity), fill_costs(ledger)
    gross, start = total + paid, ledger.initial_equity
    points = [{"multiple": each, "total_return": max((gross - each * paid) / start, -1.0)} for each in _MULTIPLES]
    late = _late(rebuilt, bars)
    own, ppy = ledger.returns(), ledger.periods_per_year
    return {
        "cost_multiples": points,
        "break_even": _break_even(gross, paid, bool(ledger.column("traded_notional").any())),
        "delay": {
            "bars": 1,
            "total_return": None if late is None else float(late.equity_curve()[-1] / start - 1.0),
            "sharpe": None if late is None else sharpe(late.returns(), ppy).value,
            "on_time_total_return": total / start,
            "on_time_sharpe": sharpe(own, ppy).value,
        },
    }


def _break_even(gross: float, paid: float, traded: bool) -> dict[str, Any]:
    if not traded:
        return _found(None, "it never traded, so costs do not matter", None)
    if paid <= 0.0:
        return _found(None, "no costs are known, so no multiple of them can be told", None)
    if gross <= 0.0:
        return _found(None, "never profitable, not even without costs", False)
    multiple = gross / paid
    if multiple > _MOST_MULTIPLE:
        return _found(None, f"still profitable at {_MOST_MULTIPLE:g} times the costs", True)
    return _found(multiple, f"breaks even at {multiple:.2f} times the costs", multiple > 1.0)


def _found(multiple: float | None, words: str, above_one: bool | None) -> dict[str, Any]:
    return {"multiple": multiple, "words": words, "above_one": above_one, "searched_to": _MOST_MULTIPLE}


def _late(rebuilt: Rebuilt, bars: BarsOf) -> Ledger | None:
    """Fill everything at the open of the next bar; None where nothing is filled."""
    placed = rebuilt.placed
    if placed is None or not len(placed.fills):
        return None
    in_time = placed.bar + 1 < len(bars.times_ms)
    bar, fills = placed.bar[in_time] + 1, placed.fills
    price = bars.prices[bar, OPEN]
    kept = {name: getattr(fills, name)[in_time] for name in ("time_ms", "quantity", "fee", "carry")}
    moved = type(fills)(kept["time_ms"], kept["quantity"], price, kept["fee"] * price / fills.price[in_time], kept["carry"])
    return rebuild(Placed(moved, bar, (), 0), rebuilt.trips, bars, rebuilt.ledger.initial_equity).ledger
