"""The table of hindsight scores: policies and policies without skill, each beside what the same actions earn in an account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seawall.core.market import Market, RowRange
from seawall.evaluation.hindsight import (
    SCORES,
    Exits,
    HindsightParams,
    exits_of,
    highest_pnl,
    hindsight_scores,
    joined,
    random_signals,
    shuffled_signals,
    summary,
)
from seawall.evaluation.hindsight_accounts import Realised, realised, signals_of
from seawall.evaluation.hindsight_published import published_rows
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.metrics import max_drawdown
from seawall.simulator.settings import SimulatorParams

LABEL = "Hindsight score, not money: every trade counts as closed at the best price of the next bars, known only afterwards."
BUY, SELL, RANDOM, COIN = "always buy", "always sell", "random: sell, hold or buy", "random: sell or buy"
"""Names of the policies without skill."""
SHUFFLED = "its own actions, shuffled"
_BINS = 40


@dataclass(frozen=True)
class Scored:
    """Where actions are scored.

    Attributes:
        market: One series.
        ranges: Rows of the decisions, from `hindsight.scored_ranges`.
        simulator: Settings of the accounts.
        short: Whether these may be short.
    """

    market: Market
    ranges: tuple[RowRange, ...]
    simulator: SimulatorParams
    short: bool

    @property
    def n_decisions(self) -> int:
        """How many decisions are scored."""
        return sum(map(len, self.ranges))

    def places(self) -> np.ndarray:
        """Return which bars of a ledger over all ranges, with what lies between them, are scored; int64, shape (n,)."""
        return np.concatenate([np.arange(rows.start, rows.stop) for rows in self.ranges]) - self.ranges[0].start


def score_table(scored: Scored, policies: Mapping[str, Mapping[str, Ledger]], params: HindsightParams) -> dict[str, Any]:
    """Score policies and nulls by one way of counting.

    Args:
        scored: Where.
        policies: Of each policy by name, its ledgers over the decisions at this fee, of several ranges chained: its own under its
            name, and those of single seeds under other names; may be empty.
        params: The way of counting.

    Returns:
        ``fee``, ``bars``, ``price``, ``highest_pnl``, ``rows``, ``published`` and ``words``. A row has ``name``, ``kind`` (policy,
        seeds, shuffled or null), ``policies`` (how many), ``hours_traded``, ``beaten_by`` (share of the shuffled that score as
        much), and figures with ``mean``, ``low`` and ``high`` (95 % of the random, lowest and highest of seeds): those of
        `SCORES`, ``timed``, ``total_return`` and ``max_drawdown_of_equity``; random ones have histograms.
    """
    exits = joined([exits_of(scored.market, rows, params) for rows in scored.ranges])
    rows = [row for name, ledgers in policies.items() for row in _policy_rows(name, ledgers, exits, params, scored)]
    n = scored.n_decisions
    constant = {BUY: np.ones((1, n), dtype=np.int8), SELL: -np.ones((1, n), dtype=np.int8)}
    drawn = {RANDOM: random_signals(n, params), COIN: random_signals(n, params, trades_only=True)}
    for name, signals in {**constant, **drawn}.items():
        rows.append(_row(name, "null", signals, exits, _accounts(scored, signals, params.fee)))
    market = scored.market
    table = {
        "fee": params.fee,
        "bars": params.bars,
        "price": "high or low" if params.limit else "close",
        "highest_pnl": highest_pnl(exits),
        "rows": rows,
        "published": [row._asdict() for row in published_rows(market.symbols[0], market.timeframe.label, params)],
    }
    return {**table, "words": _words(rows, params)}


def _accounts(scored: Scored, signals: np.ndarray, fee: float) -> Realised:
    return realised(signals, scored.market, scored.ranges, fee, (scored.simulator, scored.short))


def _policy_rows(
    name: str, ledgers: Mapping[str, Ledger], exits: Exits, params: HindsightParams, scored: Scored
) -> list[dict[str, Any]]:
    """Return the rows of one policy: its own, its seeds', and that of its actions in another order."""
    own = signals_of(ledgers[name])[scored.places()]
    row = _row(name, "policy", own[None], exits, _realised_of([ledgers[name]]))
    rows = [row]
    seeds = [ledger for key, ledger in ledgers.items() if key != name]
    if seeds:
        taken = np.stack([signals_of(ledger)[scored.places()] for ledger in seeds])
        rows.append(_row(f"{name}: single seeds", "seeds", taken, exits, _realised_of(seeds)))
    if own.any():
        shuffled = shuffled_signals(own, params)
        null = _row(f"{name}: {SHUFFLED}", "shuffled", shuffled, exits, _accounts(scored, shuffled, params.fee))
        row["beaten_by"] = float((hindsight_scores(shuffled, exits)["pnl"] >= row["pnl"]["mean"]).mean())
        rows.append(null)
    return rows


def _realised_of(ledgers: list[Ledger]) -> Realised:
    curves = [ledger.equity_curve() for ledger in ledgers]
    returns = np.array([curve[-1] / curve[0] - 1.0 for curve in curves])
    return Realised(returns, np.array([max_drawdown(curve)[0] for curve in curves]))


def _row(name: str, kind: str, signals: np.ndarray, exits: Exits, accounts: Realised) -> dict[str, Any]:
    figures = {
        **hindsight_scores(signals, exits),
        "total_return": accounts.total_return,
        "max_drawdown_of_equity": accounts.max_drawdown,
    }
    random = kind in ("null", "shuffled") and len(signals) > 1
    return {
        "name": name,
        "kind": kind,
        "policies": len(signals),
        "hours_traded": float((signals != 0).mean()),
        "beaten_by": None,
        **{key: _summary(figures[key], kind) for key in (*SCORES, "timed", "total_return", "max_drawdown_of_equity")},
        "histograms": {key: _histogram(figures[key]) for key in ("pnl", "total_return")} if random else {},
    }


def _summary(values: np.ndarray, kind: str) -> dict[str, Any]:
    """Return mean and range: of one policy none, of seeds lowest to highest, of random ones 95 %."""
    told = summary(values)
    if len(values) == 1:
        return {**told, "low": None, "high": None}
    return (
        {**told, "low": float(values.min()), "high": float(values.max())} if kind == "seeds" and told["mean"] is not None else told
    )


def _histogram(values: np.ndarray) -> dict[str, list[float]]:
    counts, edges = np.histogram(values, bins=_BINS)
    return {"counts": counts.tolist(), "edges": edges.tolist()}


def _words(rows: list[dict[str, Any]], params: HindsightParams) -> list[str]:
    named = {row["name"]: row for row in rows}
    buy, coin = named[BUY], named[COIN]
    returned = [f"{100 * row['total_return']['mean']:+.1f} %" for row in (buy, coin)]
    told = [
        f"Without any skill, at a fee of {100 * params.fee:g} % a side: always buying scores {buy['pnl']['mean']:.1f}, and buying "
        f"or selling by a coin {coin['pnl']['mean']:.1f} (95 %: {coin['pnl']['low']:.1f} to {coin['pnl']['high']:.1f}).",
        f"In an account with the same fee they return {returned[0]} and {returned[1]}. The very same trades, each closed at the "
        f"close of bar {params.bars}, not at the best price, sum to {buy['timed']['mean']:+.1f} and {coin['timed']['mean']:+.1f}.",
    ]
    for row in rows:
        if row["kind"] != "policy":
            continue
        account = f"in its account it returned {100 * row['total_return']['mean']:+.1f} %"
        if row["beaten_by"] is None:
            told.append(f"{row['name']} never traded: it scores 0; {account}.")
        else:
            told.append(
                f"{row['name']} scores {row['pnl']['mean']:.1f}; of policies that take its own actions in another order "
                f"{100 * row['beaten_by']:.0f} % score as much; {account}."
            )
    return told
