"""The bars on which candidates are judged, and their altered futures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from seawall.core.bars import OPTIONAL_COLUMNS, PRICE_COLUMNS, from_milliseconds, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.seeding import generator
from seawall.core.timeframe import Timeframe
from seawall.market.synthetic.regimes import RegimeParams, regime_bars

LEAST_BARS = 500
_HOUR_MS = 3_600_000
_WEEK_MS = 168 * _HOUR_MS
_ANCHOR_MS = 4_096 * _HOUR_MS
_CACHED_ROWS = 4_000
_Rows = np.ndarray


@dataclass(frozen=True)
class World:
    """Bars, and a slower series beside them.

    Attributes:
        bars: A bar frame of T rows with index 0 .. T - 1.
        trends: Periods: ``timestamp`` (opening time), ``length`` and ``value``, which is known at the end of its period.
        seed: Of the altered futures.
    """

    bars: pd.DataFrame
    trends: pd.DataFrame
    seed: int = 0
    step_ms: int = 0
    cache: dict[tuple[int, int, str], World] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, bars: pd.DataFrame, seed: int = 0) -> World:
        """Take bars, and make a weekly series beside them.

        Raises:
            DataError: There are too few bars.
        """
        if len(bars) < LEAST_BARS:
            raise DataError(f"there are {len(bars)} bars to judge on; at least {LEAST_BARS} are needed")
        numbers = [name for name in bars.columns if name != "timestamp"]
        frame = bars.reset_index(drop=True).astype(dict.fromkeys(numbers, np.float64))
        frame.attrs = {}
        return cls(frame, _weekly(frame, seed), seed, Timeframe.infer(timestamps_ms(frame)).milliseconds)

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.bars)

    def time(self, row: int) -> str:
        """Return the opening time of a row's bar, ISO 8601."""
        return self.bars["timestamp"].iloc[row].isoformat()

    def time_if_any(self, row: int) -> str | None:
        """Return the opening time of a row's bar, or None where there is no such bar."""
        return self.time(row) if row < len(self) else None

    def head(self, rows: int) -> World:
        """Return the first rows as a world of its own."""
        return self if rows >= len(self) else self.altered(rows, "removed")

    def altered(self, cut: int, how: str, stop: int | None = None) -> World:
        """Return the same past with another future: bars from row `cut` on, or up to `stop`, are altered.

        Of the slower series those values are altered that become known after the close of bar `cut` - 1, up to that of `stop` - 1.
        """
        key = (cut, -1 if stop is None else stop, how)
        if key in self.cache:
            return self.cache[key]
        changed = self._altered(cut, how, len(self) if stop is None else stop)
        if len(self) <= _CACHED_ROWS and stop is None:
            self.cache[key] = changed
        return changed

    def _altered(self, cut: int, how: str, stop: int) -> World:
        opened = timestamps_ms(self.bars)
        known = timestamps_ms(self.trends) + self.trends["length"].dt.total_seconds().to_numpy() * 1_000
        now = opened[cut - 1] + self.step_ms if cut else -np.inf
        then = np.inf if stop >= len(self) else opened[stop - 1] + self.step_ms
        late = (known > now) & (known <= then)
        if how == "removed":
            return World(self.bars.iloc[:cut], self.trends[~late].reset_index(drop=True), self.seed, self.step_ms)
        names = [name for name in self.bars.columns if name != "timestamp"]
        block = self.bars[names].to_numpy(np.float64, copy=True)
        prices = np.array([name in PRICE_COLUMNS for name in names])
        random = generator(self.seed, f"{how} {cut}")
        times = opened.copy()
        if how == "later":
            times[cut:] += 1_000 * self.step_ms
        else:
            last = block[max(cut - 1, 0), names.index("close")]
            block[cut:stop] = FUTURES[how](block[cut:stop], prices, last, random)
        bars = pd.DataFrame(block, columns=names, index=self.bars.index)
        bars.insert(0, "timestamp", from_milliseconds(times) if how == "later" else self.bars["timestamp"])
        trends = self.trends.copy()
        if how != "later":
            values = trends["value"].to_numpy(np.float64, copy=True)
            values[late] = FUTURES[how](values[late][:, None], np.array([False]), 0.0, random)[:, 0]
            trends["value"] = values
        return World(bars, trends, self.seed, self.step_ms)


def _another(rows: _Rows, prices: np.ndarray, _last: float, random: np.random.Generator) -> _Rows:
    walk = np.exp(np.cumsum(random.normal(0.0, 0.03, len(rows))))[:, None]
    amounts = np.exp(random.normal(0.0, 1.0, (len(rows), 1)))
    return np.where(prices, rows * walk, rows * amounts + amounts)


def _wild(rows: _Rows, prices: np.ndarray, _last: float, random: np.random.Generator) -> _Rows:
    jumps = np.exp(random.normal(0.0, 0.5, (len(rows), 1)))
    return np.where(prices, rows * jumps, rows + 1_000.0 * jumps)


def _times(price: float, amount: float) -> Callable[[_Rows, np.ndarray, float, np.random.Generator], _Rows]:
    def multiplied(rows: _Rows, prices: np.ndarray, _last: float, _random: np.random.Generator) -> _Rows:
        return np.where(prices, rows * price, rows * amount + (0.0 if np.isnan(amount) else amount - 1.0))

    return multiplied


def _still(rows: _Rows, prices: np.ndarray, last: float, _random: np.random.Generator) -> _Rows:
    return np.where(prices, last, np.zeros_like(rows))


HUGE, MISSING = "huge", "missing"
FUTURES: dict[str, Callable[[_Rows, np.ndarray, float, np.random.Generator], _Rows]] = {
    "another": _another,
    "wild": _wild,
    "up": _times(4.0, 4.0),
    "down": _times(0.25, 1.5),
    "still": _still,
    "busy": _times(1.0, 1_000.0),
    HUGE: _times(1e6, 1e6),
    MISSING: _times(np.nan, np.nan),
}
WORDS = {
    "removed": "taken away",
    "later": "1,000 bars later",
    "another": "those of another market",
    "wild": "thrown about",
    "up": "four times as high",
    "down": "a quarter as high",
    "still": "without trades and moves",
    "busy": "traded a thousand times as much",
    HUGE: "multiplied by 1e6",
    MISSING: "set to NaN",
}


def judging_bars(seed: int, n_bars: int = 2_000) -> pd.DataFrame:
    """Make hourly bars with what real ones have: gaps, bars without volume, stretches that stand still, jumps, five regimes.

    A month begins within the first 360 bars, and a computation chunk of the features within the first half.

    Args:
        seed: Of the bars.
        n_bars: How many, at least `LEAST_BARS`.

    Raises:
        ConfigError: Too few bars are asked for.
    """
    if n_bars < LEAST_BARS:
        raise ConfigError(f"bars is {n_bars}; allowed: at least {LEAST_BARS}")
    random = generator(seed, "bars to judge on")
    bars = regime_bars(RegimeParams(n_bars=n_bars + 200, timeframe="1h", base_volatility=0.006), seed).bars
    bars["quote_volume"] = bars["volume"] * bars["close"]
    bars["taker_buy_base"] = bars["volume"] * random.uniform(0.3, 0.7, len(bars))
    bars["taker_buy_quote"] = bars["taker_buy_base"] * bars["close"]
    bars["trends"] = np.repeat(random.integers(1, 101, len(bars) // 24 + 1), 24)[: len(bars)].astype(np.float64)
    amounts = ["volume", *OPTIONAL_COLUMNS[:4]]
    starts = np.concatenate([[150, 290], random.integers(400, n_bars - 60, n_bars // 250)])
    for start in starts.tolist():
        still = slice(start, start + int(random.integers(3, 30)) - 1)
        bars.loc[still, [*PRICE_COLUMNS]] = bars["close"].iloc[start - 1]
        bars.loc[still, amounts] = 0.0
    bars.loc[random.random(len(bars)) < 0.04, amounts] = 0.0
    kept = np.ones(len(bars), dtype=bool)
    for start in [210, 330, *random.integers(450, n_bars, 4).tolist()]:
        kept[start : start + int(random.integers(1, 30))] = False
    bars = bars[kept].iloc[:n_bars].reset_index(drop=True)
    bars["timestamp"] = from_milliseconds(_first_ms() + timestamps_ms(bars) - timestamps_ms(bars)[0])
    return bars


def _first_ms() -> int:
    # The first anchor since 2020 that has the last week of a month 800 bars before it.
    anchors = np.arange(108, 140) * _ANCHOR_MS - 800 * _HOUR_MS
    days = pd.DatetimeIndex(anchors.astype("datetime64[ms]")).day
    return int(anchors[np.argmax((days >= 20) & (days <= 24))])


def _weekly(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    times = timestamps_ms(bars)
    # 1970-01-01 was a Thursday; weeks open on Sundays, as search interest is told.
    first = int((times[0] - 3 * 24 * _HOUR_MS) // _WEEK_MS) * _WEEK_MS + 3 * 24 * _HOUR_MS - 4 * _WEEK_MS
    opened = np.arange(first, int(times[-1]) + _WEEK_MS, _WEEK_MS, dtype=np.int64)
    values = generator(seed, "weekly values").integers(5, 101, len(opened)).astype(np.float64)
    length = pd.Series(np.full(len(opened), _WEEK_MS, dtype="timedelta64[ms]"))
    return pd.DataFrame({"timestamp": from_milliseconds(opened), "length": length, "value": values})
