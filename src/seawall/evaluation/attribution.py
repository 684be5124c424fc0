"""Where the money came from: profit and loss of a ledger by side, hour, weekday, session, regime and kind of cost.

Each grouping is a partition: its parts add up to the change of equity. A bar's profit belongs to the bar in which it was earned, so
to the hour and weekday of that bar's opening in UTC. Its regime is what was known when the decision was taken, at the close before.
Sessions overlap, so that each combination is a group of its own, as ``london + newyork``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    held = ledger.column("quantity") != 0.0
    opened = np.bincount(trades.opened, minlength=len(ledger.frame))
    total = {**total_of(ledger), "held_bars": int(np.count_nonzero(held)), "trades": len(trades)}
    return {
        "total": total,
        "by_side": _by_side(ledger, trades),
        **{key: by_bar(ledger, group, held, opened) for key, group in clock_groups(ledger, around.sessions).items()},
        "by_regime": by_bar(ledger, regime_groups(ledger.column("close"), around), held, opened),
        "by_cost": cost_parts(ledger),
        "guards": guard_effects(ledger, around.prices, around.replay),
    }


class Groups(NamedTuple):
    """Which group each bar of a ledger belongs to.

    Attributes:
        places: Place in `names` of each decision's bar, int64, shape (decisions,).
        names: The groups.
    """

    places: np.ndarray
    names: Sequence[str]


def clock_groups(ledger: Ledger, sessions: Mapping[str, TradingWindow] = SESSIONS) -> dict[str, Groups]:
    """Group a ledger's bars by hour, weekday and session, as ``by_hour``, ``by_weekday`` and ``by_session``.

    Args:
        ledger: One policy's decisions.
        sessions: Name to window.
    """
    earned = pd.DatetimeIndex(ledger.frame["next_timestamp"]).tz_convert("UTC")
    return {
        "by_hour": Groups(np.asarray(earned.hour, dtype=np.int64), [f"{hour:02d}" for hour in range(24)]),
        "by_weekday": Groups(np.asarray(earned.day_of_week, dtype=np.int64), DAYS),
        "by_session": _sessions(ledger, sessions),
    }


def regime_groups(closes: np.ndarray, around: Surroundings) -> Groups:
    """Group bars by the regime that was known when their decision was taken.

    Args:
        closes: Close at which each decision was taken, float64, shape (decisions,).
        around: Closes before these, and the rule.
    """
    found = regimes(np.concatenate([around.closes_before, closes]), around.regime_rule)[len(around.closes_before) :]
    return Groups(np.where(found == UNKNOWN, len(REGIMES), found), [*REGIMES, "unknown"])


def is_empty(found: Mapping[str, Any]) -> bool:
    """Say whether nothing was ever held, so that there is nothing to take apart."""
    return not found["total"]["held_bars"] and not any(part["net"] for part in found["by_cost"])


def total_of(ledger: Ledger) -> dict[str, Any]:
    """Return what a ledger made in all: ``net``, ``gross``, ``costs``, ``share`` and ``bars``."""
    net = float(ledger.column("equity")[-1] - ledger.initial_equity)
    costs = float(ledger.costs().sum())
    return {
        "net": net,
        "gross": net + costs,
        "costs": costs,
        "share": net / ledger.initial_equity,
        "bars": len(ledger.frame),
    }


def cost_parts(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the move of prices, each cost with its sign as money, and what was written off where a ledger tells it."""
    parts = {"price": float(ledger.column("price_pnl").sum()), **{name: -float(ledger.column(name).sum()) for name in COST_PARTS}}
    if "write_off" in ledger.frame:
        parts["write_off"] = float(ledger.column("write_off").sum())
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


def by_bar(ledger: Ledger, groups: Groups, held: np.ndarray, opened: np.ndarray | None = None) -> list[dict[str, Any]]:
    """Add the bars of a ledger up by group; groups without a bar are left out.

    Args:
        ledger: One policy's decisions.
        groups: Which group each bar belongs to.
        held: Whether anything was held in a bar, bool, shape (decisions,).
        opened: Trades opened in each bar, shape (decisions,); None where there are no round trips.
    """
    change = np.diff(ledger.column("equity"), prepend=ledger.initial_equity)
    weights = {"net": change, "costs": ledger.costs(), "bars": np.ones(len(change)), "held_bars": held.astype(np.float64)}
    if opened is not None:
        weights["trades"] = opened.astype(np.float64)
    totals = {
        name: np.bincount(groups.places, weights=values, minlength=len(groups.names)).tolist() for name, values in weights.items()
    }
    return [
        {
            "name": name,
            "net": totals["net"][place],
            "gross": totals["net"][place] + totals["costs"][place],
            "costs": totals["costs"][place],
            "share": totals["net"][place] / ledger.initial_equity,
            **{key: int(totals[key][place]) for key in ("bars", "held_bars", "trades") if key in totals},
        }
        for place, name in enumerate(groups.names)
        if totals["bars"][place]
    ]


def _sessions(ledger: Ledger, sessions: Mapping[str, TradingWindow]) -> Groups:
    """Tell the combination of sessions of each bar; the one without any comes last."""
    masks = window_masks(ledger.timestamps_ms[1 : len(ledger.frame) + 1], sessions)
    names = list(masks.columns)
    bits = masks.to_numpy(np.int64) @ (1 << np.arange(len(names))) if names else np.zeros(len(ledger.frame), dtype=np.int64)
    found = sorted(
        set(bits.tolist()), key=lambda each: (each == 0, [name for place, name in enumerate(names) if each >> place & 1])
    )
    labels = [" + ".join(name for place, name in enumerate(names) if each >> place & 1) or "outside" for each in found]
    return Groups(np.array([found.index(each) for each in bits.tolist()], dtype=np.int64), labels)
