"""Windows of the set ``wide`` over several timeframes and assets: stored once per bar, gathered where a network reads them.

An observation of the portfolio design is, for each asset, the last 48 bars of 5 minutes, 64 of 15 minutes, 48 of an hour, 24 of 4
hours and 3 of a day, 72 columns each, and the shared state of the account: ``N · (187 · 72 + 3 N + 4)`` numbers, 134,980 for 10
assets. They are never stored: each timeframe's rows are, and a map from each base bar to the newest row whose bar has closed.

A longer bar's row holds its own open, high, low, close and amounts, and the indicators and nodes of its last base bar. Within a
window the columns are brought to one scale:

=========================================  =========================================================================================
columns                                    in a window
=========================================  =========================================================================================
close                                      close / first close of the window
amounts                                    ln(1 + amount), from 0 at the window's smallest to 1 at its largest; 0.5 where equal
macd, macd_signal, macd_hist               (clip(z, ±3) + 3) / 6, z in the window's mean and deviation; 0.5 where all are equal
profile at the close (``..._node``)        from 0 at the window's smallest to 1 at its largest; 0.5 where all are equal
all others                                 as in the set ``wide``: prices / close of their row, RSI / 100, ATR / close, strengths
=========================================  =========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd

from seawall.core.bars import PRICE_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.pipeline import compute_features, rows_for_live
from seawall.features.sets.wide import AMOUNTS
from seawall.market.joins import newest_known
from seawall.market.resample import LongerBars, aggregated, longer_bars

STEPS = {"5m": 48, "15m": 64, "1h": 48, "4h": 24, "1d": 3}
_AS_IT_IS, _TO_FIRST, _TO_RANGE, _TO_DEVIATION = range(4)
_MACD = ("macd", "macd_signal", "macd_hist")


def observation_size(n_assets: int, n_columns: int, steps: Sequence[int]) -> int:
    """Return how many numbers an observation has: windows of every asset, and for each the state shared by all.

    The state is three numbers an asset (weight, mean price paid, open profit) and four of the account.
    """
    return n_assets * (sum(steps) * n_columns + 3 * n_assets + 4)


@dataclass(frozen=True)
class WideWindows:
    """The rows of S assets in every timeframe, and which of them each base bar may see.

    Attributes:
        columns: Names of the F columns.
        timeframes: Lengths of the bars, the base first.
        steps: Rows of a window in each timeframe.
        rows: For each timeframe float32 of shape (S, n, F), as stored; see the module for what a window makes of them.
        closes: For each timeframe float64 of shape (S, n).
        newest: For each timeframe the newest row known at each base bar's close, int32, shape (T,); −1 before the first.
        ready: First base bar whose windows are all full and warmed up.
    """

    columns: tuple[str, ...]
    timeframes: tuple[Timeframe, ...]
    steps: tuple[int, ...]
    rows: tuple[np.ndarray, ...]
    closes: tuple[np.ndarray, ...]
    newest: tuple[np.ndarray, ...]
    ready: int

    @classmethod
    def build(
        cls,
        assets: Mapping[str, pd.DataFrame],
        feature_set: FeatureSet,
        steps: Mapping[str, int] | None = None,
        on_progress: Callable[[str], None] = lambda _symbol: None,
    ) -> WideWindows:
        """Compute the rows of every asset, one asset at a time.

        Args:
            assets: Symbol to bar frame; all have the same times, as those of a panel.
            feature_set: The set ``wide`` or ``wide_ohlcv``, or another of their columns.
            steps: Timeframe to rows of its window, the base bars' first; `STEPS` where None.
            on_progress: Called with each symbol before its rows are computed.

        Raises:
            ConfigError: A timeframe is no whole multiple of the base bars, or a window has no rows.
            DataError: The assets have other times than the first, or are too short for one full window.
        """
        wanted = {Timeframe.parse(label): count for label, count in (STEPS if steps is None else steps).items()}
        base = next(iter(wanted))
        _refuse(wanted, base)
        times = _shared_times(assets)
        grids = [_Grid.of(times, base, length) for length in wanted]
        kept = [
            (np.empty((len(assets), len(grid.ends), len(feature_set.columns)), np.float32), np.empty((len(assets), len(grid.ends))))
            for grid in grids
        ]
        for place, (symbol, bars) in enumerate(assets.items()):
            on_progress(symbol)
            block = compute_features(bars, feature_set, base, np.float32)
            for grid, (rows, closes) in zip(grids, kept, strict=True):
                rows[place] = _rows_of(bars, block, feature_set.columns, grid)
                closes[place] = bars["close"].to_numpy(np.float64)[grid.ends]
        newest = tuple(grid.newest for grid in grids)
        ready = _first_ready(grids, tuple(wanted.values()), feature_set.warmup_on(base))
        return cls(
            feature_set.columns, tuple(wanted), tuple(wanted.values()),
            tuple(rows for rows, _ in kept), tuple(closes for _, closes in kept), newest, ready,
        )  # fmt: skip

    @property
    def n_assets(self) -> int:
        """Number of assets, S."""
        return self.rows[0].shape[0]

    @property
    def bytes_per_bar(self) -> float:
        """Bytes held for each base bar of each asset."""
        held = sum(block.nbytes for block in (*self.rows, *self.closes, *self.newest))
        return held / (self.n_assets * len(self.newest[0]))

    def gather(self, bars: np.ndarray) -> np.ndarray:
        """Return the windows that end at some base bars, known at their close.

        Args:
            bars: Base bars, at least `ready`, int64, shape (B,).

        Returns:
            float32, shape (B, S, sum of steps, F): the timeframes one after another, each from its oldest row to its newest.

        Raises:
            DataError: A bar is before the first full window, or not there.
        """
        chosen = np.asarray(bars, dtype=np.int64)
        last = len(self.newest[0]) - 1
        if chosen.size and not (self.ready <= chosen.min() and chosen.max() <= last):
            raise DataError(f"windows of bars {chosen.min()} to {chosen.max()} are asked for; allowed: {self.ready} to {last}")
        windows = np.empty((len(chosen), self.n_assets, sum(self.steps), len(self.columns)), np.float32)
        kinds = np.array([_kind(name) for name in self.columns])
        first = 0
        for rows, closes, newest, steps in zip(self.rows, self.closes, self.newest, self.steps, strict=True):
            _gather(windows[:, :, first : first + steps], rows, closes, newest[chosen], kinds, self.columns.index("close"))
            first += steps
        return windows

    def observations(self, bars: np.ndarray, state: np.ndarray) -> np.ndarray:
        """Return whole observations: for each asset its windows, row after row, then the state shared by all.

        Args:
            bars: As for `gather`, shape (B,).
            state: Account and positions, float32, shape (B, 3 S + 4).

        Returns:
            float32, shape (B, `observation_size`).

        Raises:
            DataError: As `gather`, or the state has another width.
        """
        wanted = (len(bars), 3 * self.n_assets + 4)
        if state.shape != wanted:
            raise DataError(f"the account's state has shape {state.shape}; {wanted} is needed for {self.n_assets} assets")
        windows = self.gather(bars).reshape(len(bars), self.n_assets, -1)
        shared = np.broadcast_to(state[:, None].astype(np.float32), (len(bars), self.n_assets, wanted[1]))
        return np.concatenate([windows, shared], axis=2).reshape(len(bars), -1)


def rows_for_windows(feature_set: FeatureSet, steps: Mapping[str, int] | None = None) -> int:
    """Return how many base bars a live tail needs, at most, for its newest windows to equal those of the full history."""
    wanted = {Timeframe.parse(label): count for label, count in (STEPS if steps is None else steps).items()}
    base = next(iter(wanted))
    # The bars at both ends of the longer ones may be cut.
    longest = max((count + 2) * (length.seconds // base.seconds) for length, count in wanted.items())
    return longest + rows_for_live(feature_set, base)


@dataclass(frozen=True)
class _Grid:
    """Finished bars of one length: how the base bars fall into them, the last base bar of each, and which is known when."""

    cut: LongerBars
    ends: np.ndarray
    newest: np.ndarray

    @classmethod
    def of(cls, times: np.ndarray, base: Timeframe, length: Timeframe) -> _Grid:
        every = LongerBars(times, np.arange(len(times)), np.ones(len(times), np.int64), first_cut=False, last_cut=False)
        cut = every if length == base else longer_bars(times, base, length)
        newest = newest_known(times + base.milliseconds, cut.opens[cut.whole] + length.milliseconds)
        return cls(cut, cut.ends[cut.whole], newest.astype(np.int32))


def _rows_of(bars: pd.DataFrame, block: np.ndarray, columns: tuple[str, ...], grid: _Grid) -> np.ndarray:
    rows = block[grid.ends]
    amounts = [name for name in AMOUNTS if name in columns]
    raw = {name: bars[name].to_numpy(np.float64) for name in (*PRICE_COLUMNS, *amounts)}
    made = {name: values[grid.cut.whole] for name, values in aggregated(raw, grid.cut).items()}
    for name in ("open", "high", "low"):
        rows[:, columns.index(name)] = made[name] / made["close"]
    for name in amounts:
        rows[:, columns.index(name)] = np.log1p(made[name])
    return rows


def _first_ready(grids: Sequence[_Grid], steps: tuple[int, ...], warmup: int) -> int:
    first = 0
    for grid, count in zip(grids, steps, strict=True):
        warm = int(np.searchsorted(grid.ends, warmup))
        full = np.flatnonzero(grid.newest >= warm + count - 1)
        if not full.size:
            held = max(0, len(grid.ends) - warm)
            raise DataError(f"{len(grid.newest)} bars hold {held} warmed-up rows of a timeframe; a window needs {count}")
        first = max(first, int(full[0]))
    return first


def _shared_times(assets: Mapping[str, pd.DataFrame]) -> np.ndarray:
    if not assets:
        raise DataError("no asset is given; at least one is needed")
    times = {symbol: timestamps_ms(bars) for symbol, bars in assets.items()}
    first, shared = next(iter(times.items()))
    for symbol, own in times.items():
        if not np.array_equal(own, shared):
            raise DataError(f"{symbol} has {len(own)} bars at other times than the {len(shared)} of {first}; align them first")
    return shared


def _refuse(wanted: Mapping[Timeframe, int], base: Timeframe) -> None:
    for length, count in wanted.items():
        if length.seconds % base.seconds or length.seconds < base.seconds:
            raise ConfigError(f"a window of {length.label} is asked for on bars of {base.label}; allowed: whole multiples of them")
        if count < 1:
            raise ConfigError(f"a window of {count} bars of {length.label} is asked for; at least 1 is needed")


def _kind(name: str) -> int:
    if name == "close":
        return _TO_FIRST
    if name in AMOUNTS or name.endswith("_node"):
        return _TO_RANGE
    return _TO_DEVIATION if name in _MACD else _AS_IT_IS


@numba.njit(cache=True)
def _gather(
    windows: np.ndarray, rows: np.ndarray, closes: np.ndarray, newest: np.ndarray, kinds: np.ndarray, close_at: int
) -> None:  # pragma: no cover  (compiled)
    steps = windows.shape[2]
    for bar in range(windows.shape[0]):
        first = newest[bar] - steps + 1
        for asset in range(windows.shape[1]):
            window = windows[bar, asset]
            window[:] = rows[asset, first : first + steps]
            for step in range(steps):
                window[step, close_at] = closes[asset, first + step] / closes[asset, first]
            for column in range(len(kinds)):
                if kinds[column] == _TO_RANGE:
                    _to_range(window[:, column])
                elif kinds[column] == _TO_DEVIATION:
                    _to_deviation(window[:, column])


@numba.njit(cache=True)
def _to_range(values: np.ndarray) -> None:  # pragma: no cover  (compiled)
    low, high = values.min(), values.max()
    for step in range(len(values)):
        values[step] = (values[step] - low) / (high - low) if high > low else 0.5


@numba.njit(cache=True)
def _to_deviation(values: np.ndarray) -> None:  # pragma: no cover  (compiled)
    if values.min() == values.max():
        values[:] = 0.5
        return
    mean, square = 0.0, 0.0
    for value in values:
        mean += value
    mean /= len(values)
    for value in values:
        square += (value - mean) ** 2
    deviation = np.sqrt(square / len(values))
    for step in range(len(values)):
        values[step] = (min(max((values[step] - mean) / deviation, -3.0), 3.0) + 3.0) / 6.0
