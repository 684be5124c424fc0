"""Performance figures. Each is a pure function; what cannot be told is `None` with the reason, never NaN or infinity.

Returns are net simple returns per bar, float64, shape (T,), known at the close of each bar. Equity curves have shape
(T + 1,) and start before the first bar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from seawall.core.errors import DataError
from seawall.evaluation.ledger import COST_PARTS, Ledger
from seawall.evaluation.trades import Trades, round_trips

MIN_YEARS = 14 / 365.25
"""Spans shorter than two weeks are not annualised: compounding them to a year says more about the exponent than the policy."""

_CONSTANT = 1e-12
"""A spread of returns below this share of the largest return is rounding, not risk."""
_LARGEST = 1e100
"""Squares of larger returns cannot be written as numbers."""


class Measured(NamedTuple):
    """A figure, or why there is none.

    Attributes:
        value: The figure; None where it is undefined.
        reason: Why it is undefined; empty where it is not.
    """

    value: float | None
    reason: str = ""


def _undefined(reason: str) -> Measured:
    return Measured(None, reason)


def _unusable(returns: np.ndarray) -> str:
    """Say why no ratio can be told of returns; empty where one can."""
    if len(returns) < 2:
        return "fewer than two bars"
    bad = int(np.count_nonzero(~(np.abs(returns) < _LARGEST)))
    return f"{bad} of {len(returns)} returns are no finite numbers, or too large for one" if bad else ""


def total_return(equity: np.ndarray) -> Measured:
    """Return last equity / first equity − 1; undefined where one of both is no finite number.

    Args:
        equity: Float64, shape (T + 1,), first value positive.
    """
    if not (math.isfinite(equity[0]) and math.isfinite(equity[-1])):
        return _undefined("the first or the last equity is no finite number")
    return Measured(float(equity[-1] / equity[0] - 1.0))


def annualised_return(total: float, years: float) -> Measured:
    """Return (1 + total)^(1 / years) − 1.

    Undefined for spans shorter than `MIN_YEARS`, or where a return is no number or too large for one.

    Args:
        total: Total return, at least −1.
        years: Length of the span.
    """
    if not years >= MIN_YEARS:
        return _undefined(f"a span of {years * 365.25:.1f} days is too short to annualise")
    if not math.isfinite(total):
        return _undefined("the total return is no finite number")
    if total <= -1.0:
        return Measured(-1.0)
    exponent = math.log1p(total) / years
    return Measured(math.expm1(exponent)) if exponent < 700.0 else _undefined("too large to be written as a number")


def sharpe(returns: np.ndarray, periods_per_year: float) -> Measured:
    """Return mean / standard deviation (ddof 1) of the returns, times √(periods per year).

    The risk-free rate is taken as 0. Undefined with fewer than two bars, a return that is no finite number, or where all returns
    are equal.

    Args:
        returns: Float64, shape (T,).
        periods_per_year: Bars per year.
    """
    reason = _unusable(returns)
    if reason:
        return _undefined(reason)
    deviation = float(np.std(returns, ddof=1))
    if deviation <= _CONSTANT * float(np.abs(returns).max()):
        return _undefined("every bar has the same return")
    return Measured(float(np.mean(returns)) / deviation * math.sqrt(periods_per_year))


def sortino(returns: np.ndarray, periods_per_year: float) -> Measured:
    """Return mean / downside deviation, times √(periods per year).

    The downside deviation is √(mean(min(r, 0)²)) over all bars. Undefined where no bar lost, with fewer than two bars, or with a
    return that is no finite number.

    Args:
        returns: Float64, shape (T,).
        periods_per_year: Bars per year.
    """
    reason = _unusable(returns)
    if reason:
        return _undefined(reason)
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    if downside <= _CONSTANT * float(np.abs(returns).max()):
        return _undefined("no bar lost money")
    return Measured(float(np.mean(returns)) / downside * math.sqrt(periods_per_year))


def max_drawdown(equity: np.ndarray) -> tuple[float, int]:
    """Return the deepest fall from a peak, as a share of the peak, and how many bars it lasted.

    The length counts the bars from the peak until that level was reached again, or until the end.

    Args:
        equity: Float64, shape (T + 1,), never negative, first value positive.

    Returns:
        Depth in [0, 1], and bars; 0 and 0 where equity never fell.

    Raises:
        DataError: An equity is no finite number, so that nobody knows how deep it fell.
    """
    bad = np.flatnonzero(~np.isfinite(equity))
    if bad.size:
        raise DataError(f"equity {bad[0]} is {equity[bad[0]]} ({bad.size} of {len(equity)}); allowed: finite numbers")
    peaks = np.maximum.accumulate(equity)
    depths = 1.0 - equity / peaks
    trough = int(np.argmax(depths))
    if depths[trough] <= 0.0:
        return 0.0, 0
    peak = int(np.argmax(equity[: trough + 1]))
    recovered = np.flatnonzero(equity[trough:] >= equity[peak])
    end = trough + int(recovered[0]) if recovered.size else len(equity) - 1
    return float(depths[trough]), end - peak


def calmar(annual: Measured, drawdown: float) -> Measured:
    """Return annualised return / maximum drawdown; undefined where either is missing.

    Args:
        annual: From `annualised_return`.
        drawdown: Depth, from `max_drawdown`.
    """
    if annual.value is None:
        return annual
    return _undefined("equity never fell") if drawdown <= 0.0 else Measured(annual.value / drawdown)


def hit_rate(trades: Trades) -> Measured:
    """Return the share of round-trip trades that made money after costs; undefined without a trade."""
    if not len(trades):
        return _undefined("there was no trade")
    return Measured(float(np.mean(trades.profit > 0.0)))


def turnover_per_year(traded_notional: np.ndarray, equity: np.ndarray, years: float) -> Measured:
    """Return the traded notional over the mean equity, per year.

    Args:
        traded_notional: Per bar, float64, shape (T,).
        equity: Float64, shape (T + 1,).
        years: Length of the span.
    """
    if not years > 0.0:
        return _undefined("fewer than two bars")
    return Measured(float(traded_notional.sum() / equity.mean() / years))


def ledger_metrics(ledger: Ledger) -> dict[str, Any]:
    """Return every figure of a ledger, after all costs.

    Args:
        ledger: One policy's decisions.

    Returns:
        Plain values by name, None where undefined; ``undefined`` maps such a name to its reason. Shares and returns are
        fractions, money is in quote units, lengths are in bars.
    """
    equity, returns, ppy = ledger.equity_curve(), ledger.returns(), ledger.periods_per_year
    years = ledger.n_bars / ppy
    trades = round_trips(ledger)
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
        "turnover_per_year": turnover_per_year(ledger.column("traded_notional"), equity, years),
        "hit_rate": hit_rate(trades),
    }
    return {
        **_plain(measured),
        "final_equity": float(equity[-1]),
        "mean_log_return": float(ledger.log_returns().mean()),
        "max_drawdown_bars": drawdown_bars,
        "trades": len(trades),
        "mean_exposure": float(ledger.exposures().mean()),
        "mean_absolute_exposure": float(np.abs(ledger.exposures()).mean()),
        "bars": ledger.n_bars,
        "periods_per_year": ppy,
        "liquidated": bool(ledger.frame["liquidated"].any()),
        "costs": costs_paid(ledger),
        "exits": {name: int(count) for name, count in ledger.frame["exit"].value_counts().items() if name},
        "illegal_moves": int(ledger.frame["illegal"].sum()),
        "undefined": {name: figure.reason for name, figure in measured.items() if figure.value is None},
    }


def costs_paid(ledger: Ledger) -> dict[str, float]:
    """Return the costs by kind, in quote units, and their sum as a share of the initial equity."""
    parts = {name: float(ledger.column(name).sum()) for name in COST_PARTS}
    total = sum(parts.values())
    return {**parts, "total": total, "share_of_initial_equity": total / ledger.initial_equity}


def _plain(measured: Mapping[str, Measured]) -> dict[str, float | None]:
    return {name: figure.value for name, figure in measured.items()}
