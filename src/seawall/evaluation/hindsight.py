"""The hindsight score: how the TraderNet-CRv2 tables count "PNL", Sharpe, Sortino and drawdown. It is not money.

Each hour's trade is taken as closed at the best price of the next K hours, which nobody knows when the trade is made; the trades
overlap, and no account holds them. The formulas follow the source of the published system (kochlisGit/TraderNet-CRv2,
``environments`` and ``metrics``). They are kept for comparison, beside what the same actions earn in an account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from pydantic import Field

from seawall.core.bars import CLOSE, OPEN
from seawall.core.errors import DataError
from seawall.core.market import Market, RowRange
from seawall.core.params import Params
from seawall.core.seeding import generator
from seawall.simulator.rewards.hindsight import exits_ahead
from seawall.simulator.rewards.settings import TermSettings

SCORES = ("pnl", "reward", "losing_share", "sharpe", "sortino", "max_drawdown")
"""Figures of the published tables, in the order of reports."""
_LEAST_WINDOWS = 3
_SIGNALS = np.array([-1, 0, 1], dtype=np.int8)


class HindsightParams(Params):
    """How the score is counted."""

    fee: float = Field(default=0.007, ge=0.0, le=0.1, description="Fee a side, as a share of the trade")
    bars: int = Field(default=20, ge=1, le=10_000, description="Bars ahead whose best price closes a trade")
    windows: int = Field(default=2_250, ge=3, le=10_000_000, description="Newest bars scored; the last of them decides nothing")
    limit: bool = Field(default=True, description="Whether the best price is a high or low; else a close")
    draws: int = Field(default=1_000, ge=100, le=100_000, description="Policies drawn at random for each null")
    seed: int = Field(default=0, ge=0, description="Seed of the random policies")


@dataclass(frozen=True)
class Exits:
    """What a trade of each hour would earn, in logs and after the fees of both sides, float64, shape (n,) each.

    Attributes:
        rows: Row at whose close the trade is decided, int64.
        buy: Bought at that close and sold at the best price of the next K bars.
        sell: Sold at that close and bought back at the best price of the next K bars.
        timed_buy: Bought at the next open and sold at the close of the K-th bar, as anybody could.
        timed_sell: Sold at the next open and bought back then.
    """

    rows: np.ndarray
    buy: np.ndarray
    sell: np.ndarray
    timed_buy: np.ndarray
    timed_sell: np.ndarray


def scored_rows(market: Market, rows: RowRange, params: HindsightParams) -> RowRange:
    """Return the rows of the decisions that are scored: the newest whose K bars ahead are all there.

    Args:
        market: One series.
        rows: Where decisions may be taken; bars after them may be looked at.
        params: How many.

    Raises:
        DataError: Fewer than two decisions are left.
    """
    windows = RowRange(rows.start, max(rows.start + 1, min(rows.stop, len(market) - params.bars)))
    start = max(windows.start, windows.stop - params.windows)
    if windows.stop - 1 - start < 2:
        raise DataError(
            f"{len(rows)} bars hold no two decisions with {params.bars} bars ahead of them; at least "
            f"{params.bars + _LEAST_WINDOWS} are needed"
        )
    # The published environment ends on its last window and takes no decision there.
    return RowRange(start, windows.stop - 1)


def scored_ranges(market: Market, ranges: Sequence[RowRange], params: HindsightParams) -> tuple[RowRange, ...]:
    """Return the rows of the decisions that are scored in several ranges: the newest windows of all of them.

    Args:
        market: One series.
        ranges: Where decisions may be taken, in order of time.
        params: How many windows in all. Of several ranges one that holds no two decisions is left out.

    Raises:
        DataError: Fewer than two decisions are left in any.
    """
    if len(ranges) == 1:
        return (scored_rows(market, ranges[0], params),)
    found: list[RowRange] = []
    left = params.windows
    for rows in reversed(ranges):
        room = min(rows.stop, len(market) - params.bars) - rows.start
        if min(left, room) < _LEAST_WINDOWS:
            continue
        found.insert(0, scored_rows(market, rows, params.model_copy(update={"windows": left})))
        left -= len(found[0]) + 1
    if not found:
        raise DataError(
            f"{len(ranges)} ranges of {', '.join(str(len(rows)) for rows in ranges)} bars hold no two decisions with {params.bars} "
            f"bars ahead of them; at least {params.bars + _LEAST_WINDOWS} are needed in one"
        )
    return tuple(found)


def exits_of(market: Market, decisions: RowRange, params: HindsightParams) -> Exits:
    """Return what the trades of each hour would earn.

    Args:
        market: One series.
        decisions: From `scored_rows`.
        params: Fee, bars ahead, and which price.
    """
    chosen = slice(decisions.start, decisions.stop)
    settings = TermSettings(hindsight_bars=params.bars, hindsight_fee=params.fee)
    ahead = exits_ahead(settings, market, limit=params.limit)[chosen]
    rows = np.arange(decisions.start, decisions.stop)
    costs = np.log((1.0 - params.fee) / (1.0 + params.fee))
    moved = np.log(market.prices[rows + params.bars, CLOSE] / market.prices[rows + 1, OPEN])
    return Exits(rows, ahead[:, 0], ahead[:, 1], moved + costs, costs - moved)


def joined(parts: Sequence[Exits]) -> Exits:
    """Return the exits of several ranges, one after the other."""
    return Exits(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Exits)))


def hindsight_scores(signals: np.ndarray, exits: Exits) -> dict[str, np.ndarray]:
    """Return the published figures of some policies.

    Args:
        signals: −1 sell, 0 hold, +1 buy at each decision, shape (D, n).
        exits: What each trade would earn, shape (n,).

    Returns:
        Arrays of shape (D,), NaN where undefined: ``pnl``, the sum of the trades' logs; ``reward``, the same with what the design
        takes from a hold; ``losing_share`` of the trades; ``sharpe``, exp(mean / standard deviation) over all hours; ``sortino``,
        exp(mean / standard deviation of the losing hours); ``max_drawdown``, 1 − the lowest ratio of the sum so far to its peak,
        which may exceed 1; and, of no published table, ``timed``, the same trades closed at the close of the K-th bar.
    """
    held = signals == 0
    earned = _earned(signals, exits.buy, exits.sell)
    penalty = np.minimum(-np.maximum(exits.buy, exits.sell), 0.0)
    wins, losses = (earned > 0.0).sum(axis=1), (earned < 0.0).sum(axis=1)
    mean = earned.mean(axis=1)
    return {
        "pnl": earned.sum(axis=1),
        "reward": np.where(held, penalty, earned).sum(axis=1),
        "losing_share": losses / np.maximum(wins + losses, 1),
        "sharpe": _exponential(mean, earned.std(axis=1)),
        "sortino": _exponential(mean, _deviation_below_zero(earned)),
        "max_drawdown": _published_drawdown(earned),
        "timed": _earned(signals, exits.timed_buy, exits.timed_sell).sum(axis=1),
    }


def highest_pnl(exits: Exits) -> float:
    """Return the highest ``pnl`` that any policy can score on these bars."""
    return float(np.maximum(np.maximum(exits.buy, exits.sell), 0.0).sum())


def random_signals(n: int, params: HindsightParams, *, trades_only: bool = False) -> np.ndarray:
    """Draw policies that choose among sell, hold and buy evenly at each of n hours, int8, shape (draws, n).

    Args:
        n: Decisions.
        params: How many policies, and their seed.
        trades_only: Never hold, so that each hour opens a trade.
    """
    stream = generator(params.seed, "random trades" if trades_only else "random actions")
    return stream.choice(_SIGNALS[[0, 2]] if trades_only else _SIGNALS, size=(params.draws, n))


def shuffled_signals(signals: np.ndarray, params: HindsightParams) -> np.ndarray:
    """Draw policies that take a policy's own actions in another order, int8, shape (draws, n)."""
    stream = generator(params.seed, "shuffled actions")
    return stream.permuted(np.tile(signals.astype(np.int8), (params.draws, 1)), axis=1)


def summary(values: np.ndarray) -> dict[str, Any]:
    """Return mean and the 2.5th and 97.5th percentile of a figure over policies; None where it is undefined for any."""
    if not np.isfinite(values).all():
        return {"mean": None, "low": None, "high": None}
    low, high = np.percentile(values, [2.5, 97.5])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def _earned(signals: np.ndarray, buy: np.ndarray, sell: np.ndarray) -> np.ndarray:
    return np.where(signals > 0, buy, np.where(signals < 0, sell, 0.0))


def _exponential(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    known = deviation > 0.0
    ratio = np.divide(mean, deviation, out=np.full_like(mean, np.nan), where=known)
    with np.errstate(over="ignore"):
        grown = np.exp(ratio)
    return np.where(np.isfinite(grown), grown, np.nan)


def _deviation_below_zero(earned: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the negative values of each row around their own mean; 0 where there is none."""
    below = earned < 0.0
    count = np.maximum(below.sum(axis=1), 1)
    mean = np.where(below, earned, 0.0).sum(axis=1) / count
    return np.sqrt(np.where(below, (earned - mean[:, None]) ** 2, 0.0).sum(axis=1) / count)


def _published_drawdown(earned: np.ndarray) -> np.ndarray:
    """Return 1 − min(sum / peak), where the peak starts at 0 and hours before the first gain count as 1."""
    path = earned.cumsum(axis=1)
    peak = np.maximum(np.maximum.accumulate(path, axis=1), 0.0)
    ratio = np.divide(path, peak, out=np.ones_like(path), where=peak > 0.0)
    return 1.0 - ratio.min(axis=1)
