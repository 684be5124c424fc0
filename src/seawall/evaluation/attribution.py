"""Where the money came from: profit and loss of a ledger by side, hour, weekday, session, regime and kind of cost.

Each grouping is a partition: its parts add up to the change of equity. A bar's profit belongs to the bar in which it was earned, so
to the hour and weekday of that bar's opening in UTC. Its regime is what was known when the decision was taken, at the close before.
Sessions overlap, so that each combination is a group of its own, as ``london + newyork``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from seawall.evaluation.guard_effects import guard_effects
from seawall.evaluation.ledger import COST_PARTS, Ledger
from seawall.evaluation.stress import Replay
from seawall.evaluation.trades import Trades, round_trips
from seawall.features.labels.regimes import REGIMES, UNKNOWN, RegimeLabelParams, regimes
from seawall.market.hours.sessions import DAYS, WINDOWS, TradingWindow, window_masks

SESSIONS = {name: WINDOWS[name] for name in ("asia", "london", "newyork")}
"""The sessions that are told apart, by local hours of weekdays."""


@dataclass(frozen=True)
class Surroundings:
    """What is known of the market beside the ledger.

    Attributes:
        prices: Open, high, low, close, … of all T rows of the ledger's span, float64, shape (T, 4 or more). None where unknown;
            what guards cost or saved is then not told.
        closes_before: Closes before the span, oldest first, float64, shape (K,), so that its first bars have a regime too.
        sessions: Name to window.
        regime_rule: What counts as a trend, and as volatile.
        replay: Fills the policy's proposals again, as if there were no guards; None to leave that out.
    """

    prices: np.ndarray | None = None
    closes_before: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sessions: Mapping[str, TradingWindow] = field(default_factory=lambda: dict(SESSIONS))
    regime_rule: RegimeLabelParams = field(default_factory=RegimeLabelParams)
    replay: Replay | None = None


def attribution(ledger: Ledger, surroundings: Surroundings | None = None) -> dict[str, Any]:
    """Return the profit and loss of a ledger by group.

    Args:
        ledger: One policy's decisions.
        surroundings: What is known of the market beside it.

    Returns:
        Plain values. ``total``; ``by_side``, ``by_hour``, ``by_weekday``, ``by_session``, ``by_regime``: lists of groups, each with
        ``name``, ``net`` (after costs) and ``gross`` in quote units, ``costs``, ``share`` (net over the initial equity), ``bars``,
        ``held_bars`` and ``trades`` opened; ``by_cost``: parts that add up to the change of equity; ``guards``: see
        `guard_effects`.
    """
    around = Surroundings() if surroundings is None else surroundings
    trades = round_trips(ledger)
    opened = np.bincount(trades.opened, minlength=len(ledger.frame))
    earned = pd.DatetimeIndex(ledger.frame["next_timestamp"]).tz_convert("UTC")
    hours = np.asarray(earned.hour, dtype=np.int64)
    weekdays = np.asarray(earned.day_of_week, dtype=np.int64)
    session, names = _sessions(ledger, around)
    regime = _regimes(ledger, around)
    grouped = {
        "by_hour": (hours, [f"{hour:02d}" for hour in range(24)]),
        "by_weekday": (weekdays, list(DAYS)),
        "by_session": (session, names),
        "by_regime": (regime, [*REGIMES, "unknown"]),
    }
    return {
        "total": _total(ledger, trades),
        "by_side": _by_side(ledger, trades),
        **{key: _by_bar(ledger, group, labels, opened) for key, (group, labels) in grouped.items()},
        "by_cost": _by_cost(ledger),
        "guards": guard_effects(ledger, around.prices, around.replay),
    }


def _total(ledger: Ledger, trades: Trades) -> dict[str, Any]:
    net = float(ledger.column("equity")[-1] - ledger.initial_equity)
    costs = float(ledger.costs().sum())
    return {
        "net": net,
        "gross": net + costs,
        "costs": costs,
        "share": net / ledger.initial_equity,
        "bars": len(ledger.frame),
        "held_bars": int(np.count_nonzero(ledger.column("quantity"))),
        "trades": len(trades),
    }


def _by_cost(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the move of prices, each cost with its sign as money, and what was written off."""
    parts = {
        "price": float(ledger.column("price_pnl").sum()),
        **{name: -float(ledger.column(name).sum()) for name in COST_PARTS},
        "write_off": float(ledger.column("write_off").sum()),
    }
    return [{"name": name, "net": value, "share": value / ledger.initial_equity} for name, value in parts.items()]


def _by_side(ledger: Ledger, trades: Trades) -> list[dict[str, Any]]:
    """Return what long and short trades made; a trade has its own share of the bar of a reversal."""
    held = np.sign(ledger.column("quantity"))
    groups: list[dict[str, Any]] = []
    for name, side in (("long", 1), ("short", -1)):
        chosen = trades.side == side
        net = float(trades.profit[chosen].sum())
        won = int(np.count_nonzero(trades.profit[chosen] > 0.0))
        groups.append(
            {
                "name": name,
                "net": net,
                "share": net / ledger.initial_equity,
                "held_bars": int(np.count_nonzero(held == side)),
                "trades": int(np.count_nonzero(chosen)),
                "won": won,
            }
        )
    return groups


def _by_bar(ledger: Ledger, group: np.ndarray, labels: Sequence[str], opened: np.ndarray) -> list[dict[str, Any]]:
    """Add bars up by group, int64, shape (decisions,): places in `labels`; groups without a bar are left out."""
    change = np.diff(ledger.column("equity"), prepend=ledger.initial_equity)
    costs, held = ledger.costs(), ledger.column("quantity") != 0.0

    def total(values: np.ndarray) -> list[float]:
        return np.bincount(group, weights=values, minlength=len(labels)).tolist()

    net, paid, bars = total(change), total(costs), total(np.ones(len(change)))
    holding, begun = total(held.astype(np.float64)), total(opened.astype(np.float64))
    return [
        {
            "name": name,
            "net": net[place],
            "gross": net[place] + paid[place],
            "costs": paid[place],
            "share": net[place] / ledger.initial_equity,
            "bars": int(bars[place]),
            "held_bars": int(holding[place]),
            "trades": int(begun[place]),
        }
        for place, name in enumerate(labels)
        if bars[place]
    ]


def _sessions(ledger: Ledger, around: Surroundings) -> tuple[np.ndarray, list[str]]:
    """Return the combination of sessions of each bar, and their names; the one without any comes last."""
    masks = window_masks(ledger.timestamps_ms[1 : len(ledger.frame) + 1], around.sessions)
    names = list(masks.columns)
    bits = masks.to_numpy(np.int64) @ (1 << np.arange(len(names))) if names else np.zeros(len(ledger.frame), dtype=np.int64)
    found = sorted(
        set(bits.tolist()), key=lambda each: (each == 0, [name for place, name in enumerate(names) if each >> place & 1])
    )
    labels = [" + ".join(name for place, name in enumerate(names) if each >> place & 1) or "outside" for each in found]
    return np.array([found.index(each) for each in bits.tolist()], dtype=np.int64), labels


def _regimes(ledger: Ledger, around: Surroundings) -> np.ndarray:
    closes = np.concatenate([around.closes_before, ledger.column("close")])
    found = regimes(closes, around.regime_rule)[len(around.closes_before) :]
    return np.where(found == UNKNOWN, len(REGIMES), found)
