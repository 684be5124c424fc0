"""Features: the technical columns beside raw TA-Lib, `ta` and pandas-ta-classic; what a live bar costs; and the wide windows.

The pairs take turns in one process on one core. Raw TA-Lib computes the same indicators as whole float64 arrays, without checks,
without units taken out, and with recursions that depend on where the data starts; ours goes from the bar frame to the checked
float32 block. The pure pandas libraries run on fewer rows: their cost is linear, and rates are compared.
Run: ``python bench/features.py [--rows 1000000] [--rounds 5] [--json]``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import talib
from rich.console import Console
from rich.table import Table

from seawall.core.bars import from_milliseconds
from seawall.core.timeframe import Timeframe
from seawall.features.pipeline import compute_features, live_row, rows_for_live
from seawall.features.registry import FEATURE_SETS, FeatureParams, feature_set
from seawall.features.sets.wide_windows import STEPS, WideWindows, observation_size

LEAST_SHARE_OF_TALIB = 0.6
LIVE_LIMIT_MS = 5.0
LIVE_CALLS = 200
TA_ROWS, PANDAS_TA_ROWS = 50_000, 200_000
COINS, COIN_BARS = 10, 50_000
MINUTE, FIVE = Timeframe.parse("1m"), Timeframe.parse("5m")


def made_bars(rows: int, timeframe: Timeframe, seed: int = 0) -> pd.DataFrame:
    """Return a random walk with every optional column."""
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 1e-3, rows)))
    opening = np.concatenate([close[:1], close[:-1]])
    volume = random.lognormal(3.0, 1.0, rows)
    return pd.DataFrame(
        {
            "timestamp": from_milliseconds(1_599_955_200_000 + np.arange(rows) * timeframe.milliseconds),
            "open": opening,
            "high": np.maximum(opening, close) * (1.0 + 1e-3 * random.random(rows)),
            "low": np.minimum(opening, close) * (1.0 - 1e-3 * random.random(rows)),
            "close": close,
            "volume": volume,
            "quote_volume": volume * close,
            "trades": np.round(volume * 3.0),
            "taker_buy_base": volume * 0.5,
            "taker_buy_quote": volume * close * 0.5,
            "trends": np.repeat(random.integers(1, 101, rows // 24 + 1), 24)[:rows].astype(float),
        }
    )


def ours(bars: pd.DataFrame) -> np.ndarray:
    return compute_features(bars, feature_set(FeatureParams(set="technical_ohlcv")), MINUTE, np.float32)


def raw_talib(bars: pd.DataFrame) -> list[np.ndarray]:
    """Compute what the 19 columns are made of, with TA-Lib where it has it."""
    open_, high, low, close, volume = (bars[name].to_numpy() for name in ("open", "high", "low", "close", "volume"))
    typical = (high + low + close) / 3.0
    return [
        *(np.diff(np.log(values), prepend=np.nan) for values in (open_, high, low, close, volume)),
        *talib.MACD(close, 12, 26, 9),
        talib.STOCHF(high, low, close, 14, 1)[0],
        *talib.AROON(high, low, 25),
        talib.RSI(close, 14),
        talib.ADX(high, low, close, 14),
        talib.CCI(high, low, close, 20),
        talib.DEMA(close, 15),
        *talib.BBANDS(close, 20),
        talib.AD(high, low, close, volume),
        talib.OBV(close, volume),
        talib.SUM(typical * volume, 10) / talib.SUM(volume, 10),
    ]


def pandas_ta(bars: pd.DataFrame) -> list[Any]:
    """Compute the same with `ta`, which is pandas throughout."""
    import ta

    open_, high, low, close, volume = (bars[name] for name in ("open", "high", "low", "close", "volume"))
    macd, bands = ta.trend.MACD(close), ta.volatility.BollingerBands(close, 20)
    aroon = ta.trend.AroonIndicator(high, low, 25)
    first = ta.trend.EMAIndicator(close, 15).ema_indicator()
    return [
        *(np.log(values).diff() for values in (open_, high, low, close, volume)),
        macd.macd_diff(),
        ta.momentum.StochasticOscillator(high, low, close, 14).stoch(),
        aroon.aroon_up(),
        aroon.aroon_down(),
        ta.momentum.RSIIndicator(close, 14).rsi(),
        ta.trend.ADXIndicator(high, low, close, 14).adx(),
        ta.trend.CCIIndicator(high, low, close, 20).cci(),
        2 * first - ta.trend.EMAIndicator(first, 15).ema_indicator(),
        ta.volume.VolumeWeightedAveragePrice(high, low, close, volume, 10).volume_weighted_average_price(),
        bands.bollinger_hband(),
        bands.bollinger_lband(),
        ta.volume.AccDistIndexIndicator(high, low, close, volume).acc_dist_index(),
        ta.volume.OnBalanceVolumeIndicator(close, volume).on_balance_volume(),
    ]


def pandas_ta_classic(bars: pd.DataFrame) -> list[Any]:
    """Compute the same with pandas-ta-classic, without its way out to TA-Lib."""
    import pandas_ta_classic as library

    open_, high, low, close, volume = (bars[name] for name in ("open", "high", "low", "close", "volume"))
    typical = (high + low + close) / 3.0
    return [
        *(np.log(values).diff() for values in (open_, high, low, close, volume)),
        library.macd(close, talib=False),
        library.stoch(high, low, close, 14, talib=False),
        library.aroon(high, low, 25, talib=False),
        library.rsi(close, talib=False),
        library.adx(high, low, close, talib=False),
        library.cci(high, low, close, 20, talib=False),
        library.dema(close, 15, talib=False),
        library.bbands(close, 20, talib=False),
        library.ad(high, low, close, volume, talib=False),
        library.obv(close, volume, talib=False),
        (typical * volume).rolling(10).sum() / volume.rolling(10).sum(),
    ]


def rate(function: Callable[[pd.DataFrame], Any], bars: pd.DataFrame) -> float:
    started = perf_counter()
    function(bars)
    return len(bars) / (perf_counter() - started)


def technical(rows: int, rounds: int) -> dict[str, Any]:
    """Measure rates in turns."""
    bars = made_bars(rows, MINUTE).loc[:, :"volume"]
    slow = {"ta": (pandas_ta, bars.head(TA_ROWS)), "pandas_ta_classic": (pandas_ta_classic, bars.head(PANDAS_TA_ROWS))}
    ours(bars.head(10_000))
    raw_talib(bars.head(10_000))
    turns = [(rate(ours, bars), rate(raw_talib, bars)) for _ in range(rounds)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = {name: statistics.median(rate(function, part) for _ in range(3)) for name, (function, part) in slow.items()}
    rates = {
        "seawall": statistics.median(one for one, _ in turns), "talib": statistics.median(other for _, other in turns), **theirs,
    }  # fmt: skip
    ratios = sorted(one / other for one, other in turns)
    return {
        "rows": rows,
        "rows_per_second": rates,
        "share_of_talib": statistics.median(ratios),
        "share_of_talib_range": [ratios[0], ratios[-1]],
        "least_share_of_talib": LEAST_SHARE_OF_TALIB,
        "times_ta": rates["seawall"] / rates["ta"],
        "times_pandas_ta_classic": rates["seawall"] / rates["pandas_ta_classic"],
    }


def live() -> list[dict[str, Any]]:
    """Measure what one more bar costs each set, from a tail of the length that is always enough."""
    found: list[dict[str, Any]] = []
    hour = Timeframe.parse("1h")
    cases = {**{name: FeatureParams(set=name) for name in FEATURE_SETS}}
    cases["technical with 4h and 1d"] = FeatureParams(set="technical", timeframes=("4h", "1d"))
    cases["long_short with 4h and 1d"] = FeatureParams(set="long_short", timeframes=("4h", "1d"))
    for name, params in cases.items():
        made = feature_set(params)
        rows = rows_for_live(made, hour)
        bars = made_bars(rows + LIVE_CALLS, hour)
        live_row(bars.iloc[:rows], made, hour)
        times: list[float] = []
        for end in range(rows, rows + LIVE_CALLS):
            tail = bars.iloc[end - rows : end]
            started = perf_counter()
            live_row(tail, made, hour)
            times.append(1_000.0 * (perf_counter() - started))
        found.append(
            {
                "set": name,
                "columns": len(made.columns),
                "tail": rows,
                "median_ms": statistics.median(times),
                "limit_ms": LIVE_LIMIT_MS,
            }
        )
    return found


def wide_child() -> None:
    """Build the windows of ten coins and print what they hold; run in a process of its own, for its peak memory."""
    first = made_bars(COIN_BARS, FIVE)
    coins = {f"C{seed}": made_bars(COIN_BARS, FIVE, seed).assign(timestamp=first["timestamp"]) for seed in range(COINS)}
    made = feature_set(FeatureParams(set="wide"))
    compute_features(first.head(2_000), made, FIVE, np.float32)
    tracemalloc.start()
    WideWindows.build(coins, made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    started = perf_counter()
    windows = WideWindows.build(coins, made)
    seconds = perf_counter() - started
    chosen = np.random.default_rng(0).integers(windows.ready, COIN_BARS, 64)
    windows.gather(chosen[:2])
    started = perf_counter()
    windows.gather(chosen)
    gathered = (perf_counter() - started) / len(chosen)
    numbers = observation_size(COINS, len(made.columns), list(STEPS.values()))
    print(
        json.dumps(
            {
                "coins": COINS,
                "bars": COIN_BARS,
                "build_seconds": seconds,
                "bars_per_second": COINS * COIN_BARS / seconds,
                "state_bytes_per_bar": windows.bytes_per_bar,
                "state_bytes": windows.bytes_per_bar * COINS * COIN_BARS,
                "peak_bytes_above_the_bars": peak,
                "observation_numbers": numbers,
                "bytes_if_materialised": 4.0 * numbers * COIN_BARS,
                "gather_ms_an_observation": 1_000.0 * gathered,
            }
        )
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--wide-child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.wide_child:
        wide_child()
        return
    found = {"technical": technical(given.rows, given.rounds), "live": live()}
    child = subprocess.run([sys.executable, __file__, "--wide-child"], check=True, capture_output=True, text=True)
    found["wide"] = json.loads(child.stdout)
    if given.json:
        print(json.dumps(found))
        return
    show(found)


def show(found: dict[str, Any]) -> None:
    console = Console(width=160)
    technical_, wide = found["technical"], found["wide"]
    rates = Table(title=f"the 19 technical columns, {technical_['rows']:,} rows", title_justify="left", box=None)
    for column in ("library", "rows a second", "Seawall's rate is"):
        rates.add_column(column, justify="left" if column == "library" else "right")
    for name, value in technical_["rows_per_second"].items():
        rates.add_row(name, f"{value:,.0f}", f"{technical_['rows_per_second']['seawall'] / value:.2f} x")
    console.print(rates)
    low, high = technical_["share_of_talib_range"]
    share = f"{technical_['share_of_talib']:.2f} ({low:.2f} to {high:.2f}) of raw TA-Lib's rate"
    console.print(f"{share}, in pairs; at least {LEAST_SHARE_OF_TALIB} is wanted\n")
    bars = Table(title="one more live bar", title_justify="left", box=None)
    for column in ("set", "columns", "tail, bars", "median, ms", f"of the limit, {LIVE_LIMIT_MS:g} ms"):
        bars.add_column(column, justify="left" if column == "set" else "right")
    for row in found["live"]:
        cells = (f"{row['columns']}", f"{row['tail']:,}", f"{row['median_ms']:.2f}", f"{row['median_ms'] / LIVE_LIMIT_MS:.0%}")
        bars.add_row(row["set"], *cells)
    console.print(bars)
    console.print(
        f"\nwide, {wide['coins']} coins x {wide['bars']:,} bars of 5 minutes: built in {wide['build_seconds']:.1f} s, "
        f"{wide['state_bytes_per_bar']:.0f} bytes a bar, {wide['state_bytes'] / 1e6:.0f} MB held, "
        f"{wide['peak_bytes_above_the_bars'] / 1e6:.0f} MB at the peak; {wide['bytes_if_materialised'] / 1e9:.0f} GB "
        f"if {wide['observation_numbers']:,} numbers a bar were stored; {wide['gather_ms_an_observation']:.2f} ms to gather one"
    )


if __name__ == "__main__":
    main()
