"""Checking a reward term by itself: on a made market, with random decisions, and with futures that are altered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import Market
from seawall.core.seeding import generator
from seawall.core.timeframe import Timeframe
from seawall.simulator.costs.params import CostParams
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Accounts
from seawall.simulator.rewards.bar import BarView
from seawall.simulator.rewards.layout import Judging
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.rewards.reward import Reward
from seawall.simulator.rewards.term import TermState
from seawall.simulator.rewards.terms import REWARD_TERMS
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

BARS = 96
"""Bars of each of the two series that accounts live through."""
_SPARE = 32
_ACCOUNTS = 6
_RESET_AT = 40
_CUTS = (1, 7, 24, 41, 60, 83)
_GARBAGE = (0.2, 5.0)
_LEVELS = np.array([-1.0, -0.5, 0.0, 0.0, 0.5, 1.0])


@dataclass(frozen=True)
class Fault:
    """What is wrong with a term.

    Attributes:
        words: What was seen, in a sentence.
        row: Row of the made market whose mark shows it, or None.
        bars_ahead: How far ahead of that row the term was seen to look; None where that is not the fault.
    """

    words: str
    row: int | None = None
    bars_ahead: int | None = None


class _Refused(Exception):
    """Carries a fault out of the simulator."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.words)
        self.fault = fault


class _Watched(Reward):
    """A reward of one term, which looks at what it returns and at what it leaves behind."""

    def __init__(self, name: str, params: RewardParams, market: Market, *, strict: bool) -> None:
        super().__init__(params, market, _ACCOUNTS, round_trip=1.0)
        self._own = [(place, _WatchedTerm(state, strict=strict)) for place, state in self._own]
        self._name, self._strict = name, strict
        self.rows: list[np.ndarray] = []
        self.values: list[np.ndarray] = []

    @property
    def plain(self) -> bool:
        """Never: the term is asked for at every bar."""
        return False

    def earned(self, total: np.ndarray, wrong: int, accounts: Accounts, judging: Judging) -> np.ndarray:
        rows = accounts.counts[at.ROW, :_ACCOUNTS].copy()
        with suppress(InvariantError):
            super().earned(total, wrong, accounts, judging)
        value = self.terms[0].copy()
        bad = ~np.isfinite(value)
        if self._strict and bad.any():
            place = int(np.argmax(bad))
            row = int(rows[place])
            raise _Refused(Fault(f"is {value[place]} for account {place} at row {row}; allowed: finite numbers", row))
        self.rows.append(rows)
        self.values.append(value)
        return value


class _WatchedTerm:
    """A term in Python, which is refused where it does anything but to return an array of its own."""

    def __init__(self, term: TermState, *, strict: bool) -> None:
        self._term, self._strict = term, strict

    def __call__(self, bar: BarView) -> np.ndarray:
        row = int(bar.row[0])
        before = _shown(bar) if self._strict else {}
        try:
            value: Any = self._term(bar)
        except Exception as error:
            raise _Refused(Fault(f"raised {type(error).__name__} at row {row}: {error}", row)) from error
        if type(value) is not np.ndarray or value.shape != (bar.n,) or value.dtype != np.float64:
            array = isinstance(value, np.ndarray)
            seen = f"{cast('Any', value).dtype} of shape {cast('Any', value).shape}" if array else type(value).__name__
            raise _Refused(Fault(f"returned {seen} at row {row}; allowed: float64 of shape (N,), here ({bar.n},)", row))
        for name, block in before.items():
            if not np.array_equal(block, _block(bar, name), equal_nan=True):
                raise _Refused(Fault(f"changes the array {name!r} that it is given, at row {row}; allowed: to read it", row))
        return value

    def reset(self, accounts: np.ndarray) -> None:
        self._term.reset(accounts)

    def blocks(self) -> Mapping[str, np.ndarray]:
        return self._term.blocks()


def _block(bar: BarView, name: str) -> np.ndarray:
    part, _, rest = name.partition(".")
    return np.asarray(getattr(getattr(bar, part), rest) if rest else getattr(bar, part))


def _shown(bar: BarView) -> dict[str, np.ndarray]:
    """Return copies of all that a term may read."""
    own = [name for name in dir(BarView) if not name.startswith("_")]
    names = (*own, "signal", "before.quantity", "before.entry_price", "before.equity", "before.peak_equity", "market.prices")
    return {name: _block(bar, name).copy() for name in names}


def check_term(name: str, params: RewardParams) -> None:
    """Refuse a reward term that looks farther ahead than it declares, or that cannot be relied on.

    Accounts that enter, hold, reverse and leave at random live through two made series, with the prices that come after a row and
    the term's horizon replaced by others.

    Args:
        name: A term of the registry.
        params: Settings of the reward; its weights, scale and clip do not matter.

    Raises:
        ConfigError: What the term says of a bar changes with what comes after its horizon, or from one run to the next; or the term
            is no finite float64 of shape (N,), raises, or changes what it is given.
    """
    fault = find_fault(name, params)
    if fault is not None:
        raise ConfigError(f"reward term {name!r} {fault.words}")


def find_fault(name: str, params: RewardParams) -> Fault | None:
    """Return the first fault of a reward term, or None; see `check_term`."""
    alone = params.model_copy(update={"weights": {name: 1.0}, "scale": 1.0, "clip": None})
    horizon = REWARD_TERMS[name].looks_ahead(alone)
    try:
        return _Case(name, alone, horizon).fault()
    except _Refused as refusal:
        return refusal.fault


class _Case:
    """One term, and the markets that it is tried on."""

    def __init__(self, name: str, params: RewardParams, horizon: int) -> None:
        self.name, self.params, self.horizon = name, params, horizon
        self.rows = BARS + horizon + _SPARE
        source = generator(0, "reward check")
        self.prices = _walk(source, 2 * self.rows, 1.0)
        self.other = [_walk(source, 2 * self.rows, scale) for scale in _GARBAGE]
        self.targets = _decisions(source)

    def fault(self) -> Fault | None:
        """Look for repetition first, then for the future, in both series."""
        for series in (0, 1):
            first = self.run(series, self.prices, BARS, strict=True)
            again = self.run(series, self.prices, BARS, strict=False)
            row = _first_change(first, again, 2 * self.rows)
            if row is not None:
                words = (
                    f"differs between two runs over the same bars, at row {row}; allowed: what the bars and decisions decide alone"
                )
                return Fault(words, row)
            for cut in _CUTS:
                last = series * self.rows + cut
                for other in self.other:
                    row = self.changed_row(series, first, last, last + self.horizon + 1, other)
                    if row is not None:
                        return self.told(series, first, row, other)
        return None

    def changed_row(self, series: int, first: _Marks, last: int, altered_from: int, other: np.ndarray) -> int | None:
        """Return the first row up to `last` whose term changes when the prices from a row on are others."""
        prices = np.concatenate([self.prices[:altered_from], other[altered_from:]])
        return _first_change(first, self.run(series, prices, last - series * self.rows, strict=False), last)

    def told(self, series: int, first: _Marks, row: int, other: np.ndarray) -> Fault:
        """Say how far the term looks from a row at which it was caught."""
        low, high = row + self.horizon + 1, 2 * self.rows - 1
        if self.changed_row(series, first, row, low, other) != row:
            low = row + 1
        if self.changed_row(series, first, row, high, other) == row:
            low = high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.changed_row(series, first, row, middle, other) == row else (low, middle)
        ahead = low - row
        words = (
            f"looks ahead: its value at row {row} changes with the prices {ahead} bar{'' if ahead == 1 else 's'} after it, and it "
            f"declares a horizon of {self.horizon}; allowed: to look no farther than declared"
        )
        return Fault(words, row, ahead)

    def run(self, series: int, prices: np.ndarray, bars: int, *, strict: bool) -> _Marks:
        """Take the accounts through the first bars of a series."""
        market = _market(prices, self.rows)
        settings = SimulatorParams(reward=RewardParams())
        simulator = Simulator(market, _ACCOUNTS, CostParams(), settings)
        watched = simulator.reward = _Watched(self.name, self.params, market, strict=strict)
        start, everyone = series * self.rows, np.arange(_ACCOUNTS)
        stops = np.full(_ACCOUNTS, start + BARS + 1)
        simulator.reset(everyone, np.full(_ACCOUNTS, start), stops)
        for bar in range(bars):
            if bar == _RESET_AT:
                simulator.reset(everyone[:2], np.full(2, start + bar), stops[:2])
            target = self.targets[bar]
            moved = np.sign(target - simulator.target).astype(np.int8)
            even: Any = (moved == 0) & (bar % 2 == 0)
            asked: np.ndarray = np.asarray(np.where(even, np.sign(target), moved), dtype=np.int8)
            simulator.step(target, signals=asked)
        return np.array(watched.rows), np.array(watched.values)


_Marks = tuple[np.ndarray, np.ndarray]


def _first_change(first: _Marks, again: _Marks, last: int) -> int | None:
    bars = len(again[0])
    rows, values = first[0][:bars], first[1][:bars]
    changed = (rows <= last) & (values != again[1]) & ~(np.isnan(values) & np.isnan(again[1]))
    return int(rows[changed].min()) if changed.any() else None


def _walk(source: np.random.Generator, rows: int, scale: float) -> np.ndarray:
    """Return bars with gaps and wicks, float64, shape (rows, 5)."""
    close = 100.0 * scale * np.exp(np.cumsum(source.standard_normal(rows) * 0.01))
    opening = np.concatenate([close[:1], close[:-1]]) * np.exp(source.standard_normal(rows) * 0.002)
    wicks = np.exp(np.abs(source.standard_normal((2, rows))) * 0.004)
    high, low = np.maximum(opening, close) * wicks[0], np.minimum(opening, close) / wicks[1]
    return np.stack([opening, high, low, close, source.uniform(1.0, 9.0, rows) * scale], axis=1)


def _decisions(source: np.random.Generator) -> np.ndarray:
    """Return targets that are often held on to; the last account never trades and the one before holds from the first bar on."""
    targets = source.choice(_LEVELS, (BARS, _ACCOUNTS))
    held = source.random((BARS, _ACCOUNTS)) < 0.6
    for bar in range(1, BARS):
        targets[bar, held[bar]] = targets[bar - 1, held[bar]]
    targets[:, -1], targets[:, -2] = 0.0, 1.0
    return targets


def _market(prices: np.ndarray, rows: int) -> Market:
    times = np.arange(len(prices), dtype=np.int64) * 3_600_000
    return Market(
        ("A", "B"), (0, rows, 2 * rows), Timeframe(3_600), times, prices, np.zeros((2 * rows, 0), np.float32), (), (0, rows)
    )
