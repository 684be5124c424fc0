"""Several symbols on one clock: a panel holds the same bars of every symbol, by a rule that its facts state.

=============  ==========================================================================================================
rule           bars of the panel
=============  ==========================================================================================================
intersection   the times at which every symbol has a bar
forward_fill   the times at which any symbol has one, from the latest first bar to the earliest last bar; a symbol without
               a bar gets a flat one at its last close with volume 0, marked ``stale``
=============  ==========================================================================================================

A time at which no symbol has a bar, as in a halt of the exchange, is in no panel. A stale bar is made of what was known before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, CLOSE, OPTIONAL_COLUMNS, VOLUME, from_milliseconds, price_block, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import array_digest
from seawall.core.timeframe import Timeframe, iso_ms
from seawall.market.resample import grid_phase

Rule = Literal["intersection", "forward_fill"]
_RULES = ("intersection", "forward_fill")


@dataclass(frozen=True)
class Panel:
    """The same T bars of S symbols. Bar t is known at its opening time plus the bar length.

    Attributes:
        symbols: Names, S of them.
        timeframe: Bar length.
        timestamps: Opening times in milliseconds UTC, int64, shape (T,).
        prices: Open, high, low, close, volume; float64, shape (S, T, 5).
        stale: Where a bar was made from the last close, bool, shape (S, T).
        optional: Optional columns that every symbol has, each float64 of shape (S, T).
        facts: The rule, the panel's rows and span, and for each symbol the rows given, dropped and filled.
    """

    symbols: tuple[str, ...]
    timeframe: Timeframe
    timestamps: np.ndarray
    prices: np.ndarray
    stale: np.ndarray
    optional: dict[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])
    facts: dict[str, Any] = field(default_factory=dict[str, Any])

    def __len__(self) -> int:
        """Return the number of bars, T."""
        return len(self.timestamps)

    def bars(self, symbol: str) -> pd.DataFrame:
        """Return one symbol's bar frame, with the column ``stale``.

        Raises:
            ConfigError: The panel has no such symbol.
        """
        if symbol not in self.symbols:
            raise ConfigError(f"the panel has no symbol {symbol!r}; allowed: {', '.join(self.symbols)}")
        row = self.symbols.index(symbol)
        values = {name: self.prices[row, :, place] for place, name in enumerate(BAR_COLUMNS)}
        extra = {name: block[row] for name, block in self.optional.items()}
        return pd.DataFrame({"timestamp": from_milliseconds(self.timestamps), **values, **extra, "stale": self.stale[row]})

    def to_frame(self) -> pd.DataFrame:
        """Return all bars in one long frame: timestamp, symbol, prices, volume, optional columns, stale; symbol by symbol."""
        frames: list[pd.DataFrame] = []
        for symbol in self.symbols:
            frame = self.bars(symbol)
            frame.insert(1, "symbol", symbol)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def content_hash(self) -> str:
        """Return a hash over names, times, prices, marks and optional columns."""
        names = np.frombuffer("\n".join((*self.symbols, self.timeframe.label, *self.optional)).encode(), dtype=np.uint8)
        return array_digest(names, self.timestamps, self.prices, self.stale, *self.optional.values())

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, timeframe: Timeframe, facts: Mapping[str, Any] | None = None) -> Panel:
        """Restore what `to_frame` gave.

        Args:
            frame: The long frame; symbols are kept in the order in which they first stand.
            timeframe: Bar length.
            facts: What was known of the panel, as its manifest keeps it.

        Raises:
            DataError: A column is missing, or the symbols do not have the same times, each once and in order.
        """
        absent = [name for name in ("timestamp", "symbol", *BAR_COLUMNS, "stale") if name not in frame.columns]
        if absent:
            raise DataError(f"the panel has no column {', '.join(absent)}; its columns are {', '.join(map(str, frame.columns))}")
        series = {str(symbol): part for symbol, part in frame.groupby("symbol", sort=False)}
        times = {symbol: timestamps_ms(part) for symbol, part in series.items()}
        _refuse_none(times)
        first, clock = next(iter(times.items()))
        for symbol, own in times.items():
            _refuse_times(symbol, own, timeframe)
            if not np.array_equal(own, clock):
                raise DataError(f"the panel's {symbol} has {len(own)} bars at other times than the {len(clock)} of {first}")
        return cls(
            tuple(series), timeframe, clock,
            prices=np.stack([price_block(part) for part in series.values()]),
            stale=np.stack([part["stale"].to_numpy(bool) for part in series.values()]),
            optional={
                name: np.stack([part[name].to_numpy(np.float64) for part in series.values()])
                for name in OPTIONAL_COLUMNS if name in frame.columns
            },
            facts=dict(facts or {}),
        )  # fmt: skip


def align(series: Mapping[str, pd.DataFrame], timeframe: Timeframe, rule: Rule = "intersection") -> Panel:
    """Put several symbols on one clock.

    Args:
        series: Symbol to its bar frame, sorted and unique, as the quality check passed it; gaps are allowed.
        timeframe: Bar length of all of them.
        rule: Which bars the panel has; see the module.

    Returns:
        The panel, its symbols in the order given. An optional column is kept where every symbol has it; in a stale bar it is 0, but
        ``trends`` keeps its last value.

    Raises:
        ConfigError: The rule is unknown, or there is no symbol.
        DataError: A symbol has no bars, bars repeated, out of order, or of another length; or no bar is common to all.
    """
    if rule not in _RULES:
        raise ConfigError(f"panel rule {rule!r} is unknown; allowed: {', '.join(_RULES)}")
    times = {symbol: timestamps_ms(bars) for symbol, bars in series.items()}
    _refuse_none(times)
    for symbol, own in times.items():
        _refuse_times(symbol, own, timeframe)
        _refuse_length(symbol, own, timeframe)
    clock = _clock(times, rule)
    names = [name for name in OPTIONAL_COLUMNS if all(name in bars.columns for bars in series.values())]
    rows = {symbol: np.searchsorted(own, clock, side="right") - 1 for symbol, own in times.items()}
    stale = np.stack([own[rows[symbol]] != clock for symbol, own in times.items()])
    prices = np.stack([price_block(bars)[rows[symbol]] for symbol, bars in series.items()])
    closes = np.broadcast_to(prices[..., CLOSE : CLOSE + 1], (*stale.shape, VOLUME))
    prices[..., :VOLUME] = np.where(stale[..., None], closes, prices[..., :VOLUME])
    prices[..., VOLUME] = np.where(stale, 0.0, prices[..., VOLUME])
    optional: dict[str, np.ndarray] = {}
    for name in names:
        block = np.stack([bars[name].to_numpy(np.float64)[rows[symbol]] for symbol, bars in series.items()])
        optional[name] = block if name == "trends" else np.where(stale, 0.0, block)
    facts = _facts(times, clock, stale, timeframe, rule)
    return Panel(tuple(series), timeframe, clock, prices, stale, optional, facts)


def _clock(times: Mapping[str, np.ndarray], rule: Rule) -> np.ndarray:
    latest = max(times, key=lambda symbol: int(times[symbol][0]))
    earliest = min(times, key=lambda symbol: int(times[symbol][-1]))
    first, last = int(times[latest][0]), int(times[earliest][-1])
    if first > last:
        raise DataError(
            f"no time is common to all symbols: {latest} starts at {iso_ms(first)}, after {earliest} ends at {iso_ms(last)}; "
            "allowed: series whose spans overlap"
        )
    every, seen = np.unique(np.concatenate(list(times.values())), return_counts=True)
    chosen = seen == len(times) if rule == "intersection" else (every >= first) & (every <= last)
    if not chosen.any():
        raise DataError(f"no bar is common to all of {', '.join(times)}, although their spans overlap from {iso_ms(first)}")
    return every[chosen]


def _facts(
    times: Mapping[str, np.ndarray], clock: np.ndarray, stale: np.ndarray, timeframe: Timeframe, rule: Rule
) -> dict[str, Any]:
    filled = stale.sum(axis=1)
    per_symbol = {
        symbol: {"rows": len(own), "dropped": len(own) - (len(clock) - int(filled[place])), "filled": int(filled[place])}
        for place, (symbol, own) in enumerate(times.items())
    }
    absent = (int(clock[-1]) - int(clock[0])) // timeframe.milliseconds + 1 - len(clock)
    return {
        "rule": rule, "timeframe": timeframe.label, "symbols": list(times), "rows": len(clock),
        "first": iso_ms(int(clock[0])), "last": iso_ms(int(clock[-1])), "missing": absent, "series": per_symbol,
    }  # fmt: skip


def _refuse_none(times: Mapping[str, np.ndarray]) -> None:
    if not times:
        raise ConfigError("a panel of no symbols is asked for; at least one is needed")
    empty = [symbol for symbol, own in times.items() if not len(own)]
    if empty:
        raise DataError(f"{', '.join(empty)} of the panel has no bars; at least one is needed")


def _refuse_times(symbol: str, own: np.ndarray, timeframe: Timeframe) -> None:
    steps = np.diff(own)
    wrong = np.flatnonzero(steps <= 0)
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"{symbol} row {row + 1} at {iso_ms(int(own[row + 1]))} does not come after row {row} at {iso_ms(int(own[row]))}; "
            "allowed: sorted bars, each time once"
        )
    off = np.flatnonzero((own - grid_phase(timeframe)) % timeframe.milliseconds)
    if off.size:
        raise DataError(f"{symbol} row {off[0]} at {iso_ms(int(own[off[0]]))} is off the grid of {timeframe.label}")


def _refuse_length(symbol: str, own: np.ndarray, timeframe: Timeframe) -> None:
    # On the grid, so each step is a whole multiple; a series of which not two bars are neighbours is of longer bars.
    if len(own) > 1 and (least := int(np.diff(own).min())) > timeframe.milliseconds:
        found = Timeframe(least // 1_000).label
        raise DataError(f"the bars of {symbol} are at least {found} apart, not {timeframe.label}: resample the others first")
