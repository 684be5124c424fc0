"""Which bar each fill belongs to, and what cannot be true of a fill in its bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seawall.core.bars import CLOSE, HIGH, LOW
from seawall.core.errors import DataError
from seawall.core.timeframe import Timeframe, iso_ms
from seawall.evaluation.foreign.recording import Fills

Stamps = Literal["open", "close"]
_ROUNDING = 1e-8
"""Prices in files have some eight digits: a fill is outside of its bar where it is by more than this share of its price."""
_OTHER_MARKET = np.log(1.5)
_SHOWN = 3


@dataclass(frozen=True)
class BarsOf:
    """The bars that a ledger is laid over.

    Attributes:
        times_ms: Opening times in milliseconds UTC, int64, shape (T,).
        prices: Open, high, low, close, volume; float64, shape (T, 5).
        timeframe: Their length.
        origin: Name of the file.
    """

    times_ms: np.ndarray
    prices: np.ndarray
    timeframe: Timeframe
    origin: str

    @property
    def end_ms(self) -> int:
        """When the last bar closes."""
        return int(self.times_ms[-1]) + self.timeframe.milliseconds


@dataclass(frozen=True)
class Placed:
    """Fills and their bars.

    Attributes:
        fills: In order.
        bar: Row of the bar of each, int64, shape (K,).
        findings: What cannot be, or is odd; each with ``what``, ``count`` and ``words``.
        impossible: Fills at a better price than their bar had.
    """

    fills: Fills
    bar: np.ndarray
    findings: tuple[dict[str, Any], ...]
    impossible: int


def place(fills: Fills, bars: BarsOf, stamps: Stamps) -> Placed:
    """Find the bar of each fill.

    Args:
        fills: In order.
        bars: The bars.
        stamps: ``open``: a fill at a bar's opening time belongs to the bar that opens then; ``close``: to the one that closes then.

    Raises:
        DataError: A fill lies before the first bar or after the last, or the prices are those of another market.
    """
    times = fills.time_ms - (1 if stamps == "close" else 0)
    _refuse_uncovered(times, fills, bars)
    bar = np.searchsorted(bars.times_ms, times, side="right") - 1
    in_gap = times >= bars.times_ms[bar] + bars.timeframe.milliseconds
    bar = np.where(in_gap, bar + 1, bar)
    _refuse_other_market(fills, bar, bars)
    findings = [*_gap_words(fills, in_gap), *_inside_words(fills, bar, in_gap, bars, stamps)]
    outside, impossible = _outside(fills, bar, bars)
    if outside.size:
        findings.append(_outside_words(fills, (bar, outside), impossible, bars, stamps))
    return Placed(fills, bar, tuple(findings), impossible)


def _refuse_uncovered(times: np.ndarray, fills: Fills, bars: BarsOf) -> None:
    outside = np.flatnonzero((times < bars.times_ms[0]) | (times >= bars.end_ms))
    if outside.size:
        raise DataError(
            f"{outside.size} of {len(fills)} fills are not covered by {bars.origin}, which goes from "
            f"{iso_ms(int(bars.times_ms[0]))} to {iso_ms(bars.end_ms)}: the first is at {iso_ms(int(fills.time_ms[outside[0]]))}; "
            "needed: bars from the first fill to the last, and times of both in UTC"
        )


def _refuse_other_market(fills: Fills, bar: np.ndarray, bars: BarsOf) -> None:
    """Refuse prices that lie far from the bars', as those of another symbol or currency do."""
    if not len(fills):
        return
    apart = float(np.median(np.log(fills.price / bars.prices[bar, CLOSE])))
    if abs(apart) > _OTHER_MARKET:
        raise DataError(
            f"fills have prices {np.exp(apart):.4g} times those of {bars.origin} (median): they are of another market, currency or "
            "scale; needed: the bars of what was traded, in the currency of the fills"
        )


def _gap_words(fills: Fills, in_gap: np.ndarray) -> list[dict[str, Any]]:
    found = np.flatnonzero(in_gap)
    if not found.size:
        return []
    first = iso_ms(int(fills.time_ms[found[0]]))
    words = f"{found.size} fills lie at times without a bar, the first at {first}; each is counted in the next bar"
    return [{"what": "times without a bar", "count": int(found.size), "words": words}]


def _inside_words(fills: Fills, bar: np.ndarray, in_gap: np.ndarray, bars: BarsOf, stamps: Stamps) -> list[dict[str, Any]]:
    edges = bars.times_ms[bar] + (bars.timeframe.milliseconds if stamps == "close" else 0)
    inside = int(np.count_nonzero((fills.time_ms != edges) & ~in_gap))
    if not inside:
        return []
    words = f"{inside} of {len(fills)} fills lie within a bar, not at its edge; each is counted in the bar around it"
    return [{"what": "times within bars", "count": inside, "words": words}]


def _outside(fills: Fills, bar: np.ndarray, bars: BarsOf) -> tuple[np.ndarray, int]:
    """Return the fills outside of low to high, and how many of them are better than any price of the bar."""
    low, high = bars.prices[bar, LOW], bars.prices[bar, HIGH]
    below, above = fills.price < low * (1.0 - _ROUNDING), fills.price > high * (1.0 + _ROUNDING)
    better = (below & (fills.quantity > 0.0)) | (above & (fills.quantity < 0.0))
    return np.flatnonzero(below | above), int(np.count_nonzero(better))


def _outside_words(
    fills: Fills, where: tuple[np.ndarray, np.ndarray], impossible: int, bars: BarsOf, stamps: Stamps
) -> dict[str, Any]:
    bar, outside = where
    low, high = bars.prices[bar, LOW][outside], bars.prices[bar, HIGH][outside]
    price = fills.price[outside]
    far = np.maximum(low / price - 1.0, price / high - 1.0)
    order = np.argsort(-far, kind="stable")[:_SHOWN]
    places = [
        {
            "time": iso_ms(int(fills.time_ms[outside[each]])),
            "price": float(price[each]),
            "low": float(low[each]),
            "high": float(high[each]),
        }
        for each in order
    ]
    words = (
        f"{outside.size} of {len(fills)} fills have a price outside of their bar's low to high, by {1e4 * far.max():,.4g} bps "
        f"at most (at {places[0]['time']}: {places[0]['price']:,.8g}, bar {places[0]['low']:,.8g} to {places[0]['high']:,.8g}); "
        f"{impossible} of them are better than any price of the bar"
    )
    hint = _hint(fills, bar, outside, bars, stamps)
    return {"what": "prices outside of bars", "count": int(outside.size), "words": words + hint, "places": places}


def _hint(fills: Fills, bar: np.ndarray, outside: np.ndarray, bars: BarsOf, stamps: Stamps) -> str:
    """Say whether the fills would lie within the neighbouring bars, as they do where a file stamps bars by their other end."""
    other = np.clip(bar + (-1 if stamps == "open" else 1), 0, len(bars.times_ms) - 1)
    left, _ = _outside(fills, other, bars)
    if 4 * left.size > outside.size:
        return ""
    named = "close" if stamps == "open" else "open"
    return f"; {left.size} would be with --stamps {named}: the file may name bars by the time at which they {named}"
