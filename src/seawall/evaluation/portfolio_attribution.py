"""Where a portfolio's money came from: profit and loss by asset, hour, weekday, session, regime and kind of cost.

With u(t) the units of an asset that are held after the trade of a bar, each asset's profit in the bar is

    gross(t) = u(t − 1) · (open − close before) + u(t) · (close − open)
    net(t)   = gross(t) − rate · notional(t)

as the simulator books it, with the asset's own rates. Profits of all assets add up to the change of equity, as cash earns nothing.
A bar's regime is that of the equal-weighted basket of all assets, bought at the start and held, as known at the decision.

Of chained tests a portfolio is sold at the last close of each but the last: what that costs belongs to the assets that are sold,
and no price moves between two tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.core.bars import CLOSE, OPEN
from seawall.evaluation.attribution import Surroundings, by_bar, clock_groups, cost_parts, regime_groups, total_of
from seawall.evaluation.portfolio_backtest import PortfolioSetting
from seawall.evaluation.portfolio_ledger import PortfolioLedger
from seawall.simulator.portfolio.charges import rates_of

_PARTS = ("fee", "spread", "slippage")


def portfolio_attribution(ledger: PortfolioLedger, setting: PortfolioSetting, idle: np.ndarray | None = None) -> dict[str, Any]:
    """Return the profit and loss of a portfolio by group.

    Args:
        ledger: One policy's decisions.
        setting: Where they were taken.
        idle: Of chained tests, which decisions lie between them, where nothing is held but what is sold at once; bool, shape
            (decisions,). None where there is one test.

    Returns:
        Plain values. ``total``; ``by_asset``, ``by_hour``, ``by_weekday``, ``by_session``, ``by_regime``: lists of groups, each
        with ``name``, ``net`` (after costs) and ``gross`` in quote units, ``costs``, ``share`` (net over the initial equity) and
        ``held_bars``; of assets also each cost, ``mean_weight`` and ``trades``, the bars in which it was traded; ``by_cost``: parts
        that add up to the change of equity.
    """
    held = ledger.column("exposure") > 0.0
    basket = np.concatenate([[ledger.initial_equity], ledger.column("benchmark")[:-1]])
    return {
        "total": {**total_of(ledger), "held_bars": int(np.count_nonzero(held))},
        "by_asset": _by_asset(ledger, setting, np.zeros(len(ledger.frame), dtype=np.bool_) if idle is None else idle),
        **{key: by_bar(ledger, groups, held) for key, groups in clock_groups(ledger).items()},
        "by_regime": by_bar(ledger, regime_groups(basket, Surroundings()), held),
        "by_cost": cost_parts(ledger),
    }


def _by_asset(ledger: PortfolioLedger, setting: PortfolioSetting, idle: np.ndarray) -> list[dict[str, Any]]:
    symbols, initial = ledger.symbols, ledger.initial_equity
    rows = ledger.frame["row"].to_numpy(np.int64)
    prices, rates = setting.panel.prices, rates_of(symbols, setting.costs)
    weights = ledger.weights()[:, 1:].mean(axis=0)
    groups: list[dict[str, Any]] = []
    for place, name in enumerate(symbols):
        units = ledger.column(f"units.{name}")
        before = np.concatenate([[0.0], units[:-1]])
        known = prices[place, rows, CLOSE]
        traded = np.where(idle, known, prices[place, rows + 1, OPEN])
        closes = prices[place, rows + 1, CLOSE]
        gross = float((before * (traded - known) + units * (closes - traded)).sum())
        moved = (units - before) * traded
        # A purchase pays its costs out of what is spent, so that more is traded than arrives.
        notional = float(np.where(moved > 0.0, moved / (1.0 - rates[: len(_PARTS), place].sum()), -moved).sum())
        paid = {part: float(rates[number, place] * notional) for number, part in enumerate(_PARTS)}
        costs = sum(paid.values())
        groups.append(
            {
                "name": name,
                "net": gross - costs,
                "gross": gross,
                "costs": costs,
                **paid,
                "share": (gross - costs) / initial,
                "held_bars": int(np.count_nonzero(units)),
                "trades": int(np.count_nonzero(units != before)),
                "mean_weight": float(weights[place]),
            }
        )
    return groups
